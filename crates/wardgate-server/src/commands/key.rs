//! `wardgate key`.

use std::io;
use std::time::Duration;

use serde_json::json;
use wardgate::{Actor, AuthError, KeyView, Resealed, Wardgate};

use crate::cli::{Common, Key};
use crate::failure::Failure;
use crate::output::{self, List};
use crate::progress::Progress;

/// How long other processes have to take up what was said, which they look for each second.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(3);

/// Runs the command.
///
/// # Errors
/// An unknown key; rotating a secret that only the operator can change.
pub(crate) async fn run(common: &Common, command: &Key) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let (keys, source, tenant) = (gate.keys(), gate.own_source(), gate.tenant);
    let out = &mut io::stdout().lock();
    match command {
        Key::List => {
            let header = ["KEY ID", "ALGORITHM", "STATE", "SIGNS FROM", "RETIRED"];
            let mut list = List::new(common.json, header);
            list.batch(out, &keys.list(tenant).await?, cells)?;
            list.end(out)?;
        }
        Key::Rotate => {
            let kid = keys.rotate(tenant, Actor::CommandLine, &source).await?;
            done(common, out, &kid, "published", "it signs from an hour from now on")?;
        }
        Key::RotateMaster => tell(common, out, &rotate_master(&gate).await?)?,
        Key::Retire { kid, .. } => {
            let retired = keys.retire_now(tenant, kid, Actor::CommandLine, &source).await;
            retired.map_err(|error| match error {
                AuthError::NotFound => {
                    Failure::refused(format!("no open key {kid:?}: see `wardgate key list`"))
                }
                other => other.into(),
            })?;
            done(common, out, kid, "retired", "its tokens are refused from now on")?;
        }
    }
    gate.close().await;
    Ok(())
}

async fn rotate_master(gate: &Wardgate) -> Result<Resealed, AuthError> {
    gate.begin_master_key().await?;
    // What a server sealed meanwhile under the key before would be overlooked.
    tokio::time::sleep(TAKEN_UP_WITHIN).await;
    let progress = |word: &str, done, all| Progress::new(Some(all)).show(done, word);
    let resealed = gate.reseal(progress).await;
    Progress::new(None).clear();
    resealed
}

fn tell(common: &Common, out: &mut impl io::Write, resealed: &Resealed) -> io::Result<()> {
    if common.json {
        return output::json(out, resealed);
    }
    let Resealed { master_key, signing_keys, client_secrets, mails, certificates } = resealed;
    writeln!(
        out,
        "sealed anew under master key {master_key}: {signing_keys} signing keys, {client_secrets} client secrets, {mails} \
         mails, {certificates} accounts and keys of certificates"
    )?;
    writeln!(
        out,
        "Everything is under it now. Take the one before out of server.previous_master_key_files and restart; backups \
         from before still need it."
    )
}

fn done(common: &Common, out: &mut impl io::Write, kid: &str, verb: &str, then: &str) -> io::Result<()> {
    if common.json {
        output::json(out, &json!({ "kid": kid }))
    } else {
        writeln!(out, "{verb} {kid}: {then}")
    }
}

fn cells(key: &KeyView) -> [String; 5] {
    let state = serde_json::to_value(key.state).ok().and_then(|state| state.as_str().map(str::to_owned));
    let retired = key.retired_at.map_or("-".to_owned(), |at| at.to_string());
    let algorithm = key.algorithm.to_string();
    [key.kid.clone(), algorithm, state.unwrap_or_default(), key.activates_at.to_string(), retired]
}
