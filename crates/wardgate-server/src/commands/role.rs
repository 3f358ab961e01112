//! `wardgate role`.

use std::io::{self, Write as _};

use serde::Serialize;
use wardgate::{AuthError, BuiltinRole, CustomRole, RoleChange};

use super::Opened;
use crate::cli::{Common, Role as Command};
use crate::failure::Failure;
use crate::output::{self, List};

/// Runs the command.
///
/// # Errors
/// A taken or unknown name, a permission that is none, a role that somebody has.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    let (roles, operator) = (gate.roles(), gate.operator());
    match command {
        Command::List => list(common, gate).await,
        Command::Create { name, permission, description } => {
            let change = RoleChange { description: Some(description), permissions: Some(permission) };
            let made = roles.create(gate.tenant, &name, change, &operator).await;
            report(common, "made", &made.map_err(|error| explain(error, &name))?)
        }
        Command::SetPermissions { name, permission } => {
            let change = RoleChange { description: None, permissions: Some(permission) };
            let changed = gate.lifecycle().update_role(gate.tenant, &name, change, &operator).await;
            report(common, "changed", &changed.map_err(|error| explain(error, &name))?)
        }
        Command::Delete { name } => {
            let leaving = roles.get(gate.tenant, &name).await.map_err(|error| explain(error, &name))?;
            roles.delete(gate.tenant, &name, &operator).await.map_err(|error| explain(error, &name))?;
            report(common, "deleted", &leaving)
        }
    }
}

fn explain(error: AuthError, name: &str) -> Failure {
    let builtin = name.parse::<BuiltinRole>().is_ok();
    match error {
        AuthError::NotFound if builtin => Failure::refused(format!("{name} is built in and stays as it is")),
        AuthError::NotFound => {
            Failure::refused(format!("no role {name:?} of your own: `wardgate role list` shows them"))
        }
        AuthError::RoleExists => {
            Failure::refused(format!("there is a role {name:?}: see `wardgate role set-permissions`"))
        }
        AuthError::RoleInUse => {
            Failure::refused(format!("somebody has the role {name:?}: take it away first"))
        }
        other => other.into(),
    }
}

fn report(common: &Common, verb: &str, role: &CustomRole) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, role)?;
    } else {
        writeln!(out, "{verb} {}: {}", role.name, role.permissions.join(" "))?;
    }
    Ok(())
}

async fn list(common: &Common, gate: &Opened) -> Result<(), Failure> {
    let builtin = BuiltinRole::ALL.into_iter().map(|role| Listed {
        name: role.to_string(),
        builtin: true,
        permissions: role.permissions().iter().map(|&permission| permission.to_owned()).collect(),
        description: None,
    });
    let custom = gate.roles().list(gate.tenant).await?.into_iter().map(|role| Listed {
        name: role.name,
        builtin: false,
        permissions: role.permissions,
        description: role.description,
    });
    let rows: Vec<Listed> = builtin.chain(custom).collect();
    let out = &mut io::stdout().lock();
    let mut list = List::new(common.json, ["NAME", "KIND", "PERMISSIONS"]);
    list.batch(out, &rows, |row| {
        let kind = if row.builtin { "built in" } else { "own" };
        [row.name.clone(), kind.to_owned(), row.permissions.join(" ")]
    })?;
    Ok(list.end(out)?)
}

/// A row of the list.
#[derive(Serialize)]
struct Listed {
    name: String,
    builtin: bool,
    permissions: Vec<String>,
    description: Option<String>,
}
