//! `wardgate service-account`.

use std::io::{self, Write as _};

use serde::Serialize;
use wardgate::{AuthError, Machine, PageRequest, ServiceAccount, ServiceAccountChange, ServiceAccountView};

use super::Opened;
use crate::cli::{Common, ServiceAccount as Command};
use crate::failure::Failure;
use crate::output::{self, List};
use crate::stdin;

/// Runs the command.
///
/// # Errors
/// An unknown or taken name, a role that is not there.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    let (accounts, operator) = (gate.service_accounts(), gate.operator());
    match command {
        Command::List => list(common, gate).await,
        Command::Create { name, role } => {
            let made = accounts.create(gate.tenant, &name, role, &operator).await;
            let made = made.map_err(|error| match error {
                AuthError::NameTaken => {
                    Failure::refused(format!("there is a service account {name:?}: choose another name"))
                }
                other => other.into(),
            })?;
            report(common, "made", &made)
        }
        Command::SetRole { name, role } => {
            let to = ServiceAccountChange { roles: Some(role), ..ServiceAccountChange::default() };
            update(common, gate, &name, to, "changed the roles of").await
        }
        Command::Disable { name } => update(common, gate, &name, activity(false), "disabled").await,
        Command::Enable { name } => update(common, gate, &name, activity(true), "enabled").await,
        Command::Delete { name, yes } => {
            let account = find(gate, &name).await?;
            confirm(&name, yes)?;
            let leaving = accounts.get(gate.tenant, account.id).await?;
            gate.lifecycle().delete_service_account(gate.tenant, account.id, &operator).await?;
            report(common, "deleted", &leaving)
        }
    }
}

fn activity(is_active: bool) -> ServiceAccountChange {
    ServiceAccountChange { is_active: Some(is_active), ..ServiceAccountChange::default() }
}

async fn update(
    common: &Common,
    gate: &Opened,
    name: &str,
    to: ServiceAccountChange,
    verb: &str,
) -> Result<(), Failure> {
    let id = find(gate, name).await?.id;
    report(common, verb, &gate.service_accounts().update(gate.tenant, id, to, &gate.operator()).await?)
}

/// The service account of this name.
///
/// # Errors
/// There is none.
pub(crate) async fn find(gate: &Opened, name: &str) -> Result<ServiceAccount, Failure> {
    let found = gate.service_accounts().find_by_name(gate.tenant, name).await?;
    found.ok_or_else(|| {
        Failure::refused(format!("no service account {name:?}: `wardgate service-account list` shows them"))
    })
}

fn confirm(name: &str, yes: bool) -> Result<(), Failure> {
    let question = format!("Delete {name} and all its keys? Type the name to confirm: ");
    match if yes { Some(true) } else { stdin::confirmed(&question, name)? } {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::refused("nothing was deleted")),
        None => Err(Failure::Usage(format!("deleting {name} cannot be undone: add --yes"))),
    }
}

fn view(machine: &Machine) -> ServiceAccountView {
    ServiceAccountView::new(&machine.account, machine.roles.names())
}

fn report(common: &Common, verb: &str, machine: &Machine) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &view(machine))?;
    } else {
        writeln!(out, "{verb} {} ({})", machine.account.name, machine.account.id)?;
    }
    Ok(())
}

async fn list(common: &Common, gate: &Opened) -> Result<(), Failure> {
    let mut page = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let mut list = List::new(common.json, ["ID", "NAME", "ROLES", "STATE", "SINCE"]);
    loop {
        let (machines, next) = gate.service_accounts().list(gate.tenant, page).await?;
        let out = &mut io::stdout().lock();
        let rows: Vec<Listed> = machines.iter().map(Listed::new).collect();
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
    view: ServiceAccountView,
    #[serde(skip)]
    cells: [String; 5],
}

impl Listed {
    fn new(machine: &Machine) -> Self {
        let Machine { account, roles } = machine;
        let state = if account.is_active() { "active" } else { "disabled" };
        let cells = [
            account.id.to_string(),
            account.name.clone(),
            roles.names().join(", "),
            state.to_owned(),
            account.created_at.to_string(),
        ];
        Self { view: view(machine), cells }
    }
}
