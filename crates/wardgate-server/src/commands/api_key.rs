//! `wardgate api-key`.

use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;
use wardgate::{ApiKey, ApiKeyChange, ApiKeyId, ApiKeyView, AuthError, NewApiKey, PageRequest, Subject};

use super::{Opened, service_account, user};
use crate::cli::{ApiKey as Command, Common, Owner};
use crate::failure::Failure;
use crate::output::{self, List};

/// Runs the command.
///
/// # Errors
/// An unknown owner or key, a scope beyond the owner's roles.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    let (keys, operator) = (gate.api_keys(), gate.operator());
    match command {
        Command::List { owner } => list(common, gate, subject(gate, owner).await?).await,
        Command::Create { owner, name, scope, expires_at, network } => {
            let new = ApiKeyChange {
                name: Some(name),
                scopes: (!scope.is_empty()).then_some(Some(scope)),
                expires_at: expires_at.map(Some),
                networks: (!network.is_empty()).then_some(Some(network)),
                ..ApiKeyChange::default()
            };
            let made = keys.create(gate.tenant, subject(gate, owner).await?, new, &operator).await;
            reveal(common, "made", made.map_err(explain)?)
        }
        Command::Rotate { id, overlap } => {
            let owner = find(gate, id).await?.owner;
            let overlap = Duration::from_secs(overlap.into());
            let made = keys.rotate(gate.tenant, owner, id, overlap, &operator).await;
            reveal(common, "rotated", made.map_err(|error| gone(error, id))?)
        }
        Command::Revoke { id } => {
            let key = find(gate, id).await?;
            keys.revoke(gate.tenant, key.owner, id, &operator).await.map_err(|error| gone(error, id))?;
            let out = &mut io::stdout().lock();
            if common.json {
                output::json(out, &ApiKeyView::from(key))?;
            } else {
                writeln!(out, "revoked {} ({id}): it opens nothing more", key.name)?;
            }
            Ok(())
        }
    }
}

async fn subject(gate: &Opened, owner: Owner) -> Result<Subject, Failure> {
    match (owner.email, owner.service_account) {
        (Some(email), None) => Ok(user::find(gate, &email).await?.id.into()),
        (None, Some(name)) => Ok(service_account::find(gate, &name).await?.id.into()),
        _ => Err(Failure::Usage("give --email or --service-account".to_owned())),
    }
}

async fn find(gate: &Opened, id: ApiKeyId) -> Result<ApiKey, Failure> {
    gate.api_keys().get(gate.tenant, id).await.map_err(|error| gone(error, id))
}

fn gone(error: AuthError, id: ApiKeyId) -> Failure {
    match error {
        AuthError::NotFound => Failure::refused(format!(
            "there is no live key {id}: it was never made, has ended, or was rotated already. `wardgate api-key list --email …` or `--service-account …` shows an owner's keys"
        )),
        other => explain(other),
    }
}

fn explain(error: AuthError) -> Failure {
    match error {
        AuthError::InsufficientPermissions => Failure::refused(
            "a scope is beyond the owner's roles: `wardgate role list` shows what they allow",
        ),
        other => other.into(),
    }
}

/// Shows a new key. It stands on a line of its own, so that it is easily taken.
fn reveal(common: &Common, verb: &str, made: NewApiKey) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    let NewApiKey { key, text } = made;
    if common.json {
        let (view, key) = (ApiKeyView::from(key), text.as_str());
        output::json(out, &Revealed { view, key })?;
    } else {
        writeln!(out, "{verb} {} ({}), shown this once:", key.name, key.id)?;
        writeln!(out, "{}", text.as_str())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Revealed<'k> {
    #[serde(flatten)]
    view: ApiKeyView,
    key: &'k str,
}

async fn list(common: &Common, gate: &Opened, owner: Subject) -> Result<(), Failure> {
    let mut page = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let mut list = List::new(common.json, ["ID", "NAME", "SCOPES", "LAST USED", "ENDS"]);
    loop {
        let (keys, next) = gate.api_keys().list(gate.tenant, owner, page).await?;
        let out = &mut io::stdout().lock();
        let rows: Vec<Listed> = keys.into_iter().map(Listed::new).collect();
        list.batch(out, &rows, |row| row.cells.clone())?;
        match next {
            Some(next) => page.after = Some(next),
            None => return Ok(list.end(out)?),
        }
    }
}

/// A row of the list, for programs and for people.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    view: ApiKeyView,
    #[serde(skip)]
    cells: [String; 5],
}

impl Listed {
    fn new(key: ApiKey) -> Self {
        let or_dash = |time: Option<wardgate::Timestamp>| time.map_or("-".to_owned(), |at| at.to_string());
        let scopes = key.scopes.as_ref().map_or("the application", |scope| scope.as_str()).to_owned();
        let cells = [
            key.id.to_string(),
            key.name.clone(),
            scopes,
            or_dash(key.last_used_at),
            or_dash(key.expires_at),
        ];
        Self { view: key.into(), cells }
    }
}
