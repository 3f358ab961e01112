//! `wardgate user`.

use std::io::{self, Write as _};

use serde::Serialize;
use wardgate::{Account, AuthError, NewUser, PageRequest, User, UserChange, UserFilter, UserId, UserView};

use super::Opened;
use crate::cli::{Common, User as Command};
use crate::failure::Failure;
use crate::output::{self, List};
use crate::stdin;

/// Runs the command.
///
/// # Errors
/// An unknown or taken address, a weak password, the last superadmin.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    let (lifecycle, operator) = (gate.lifecycle(), gate.operator());
    let (id, verb) = match command {
        Command::List => return list(common, gate).await,
        Command::Show { email, id } => {
            let id = match (email, id) {
                (Some(email), _) => find(gate, &email).await?.id,
                (None, Some(id)) => id,
                (None, None) => return Err(Failure::Usage("give --email or --id".to_owned())),
            };
            return show(common, &account(gate, id).await?);
        }
        Command::Create { email, name, role, .. } => {
            let email =
                email.parse().map_err(|_| Failure::Usage(format!("{email:?} is not an e-mail address")))?;
            let new = NewUser { email, name, email_verified: true };
            let password = stdin::password()?;
            let made = gate.accounts().create(gate.tenant, new, Some(&password), role, &operator).await;
            let made = made.map_err(|error| match error {
                AuthError::EmailTaken => Failure::refused(
                    "this address has an account already: see `wardgate user show`, or change its password \
                         with `wardgate user set-password`",
                ),
                other => other.into(),
            })?;
            return report(common, "made", &made);
        }
        Command::SetPassword { who, .. } => {
            let user = find(gate, &who.email).await?;
            gate.passwords()
                .set(gate.tenant, &user, &stdin::password()?, operator.actor, &operator.source)
                .await?;
            (user.id, "set the password of")
        }
        Command::SetRole { who, role } => {
            let id = find(gate, &who.email).await?.id;
            let to = UserChange { roles: Some(role), ..UserChange::default() };
            lifecycle.update(gate.tenant, id, to, &operator).await?;
            (id, "changed the role of")
        }
        Command::Disable(who) => {
            let id = find(gate, &who.email).await?.id;
            lifecycle.update(gate.tenant, id, activity(false), &operator).await?;
            (id, "disabled")
        }
        Command::Enable(who) => {
            let id = find(gate, &who.email).await?.id;
            lifecycle.update(gate.tenant, id, activity(true), &operator).await?;
            (id, "enabled")
        }
        Command::ClearLimits(who) => {
            let id = find(gate, &who.email).await?.id;
            lifecycle.clear_limits(gate.tenant, id, &operator).await?;
            (id, "forgot the failed attempts at")
        }
        Command::Delete { who, yes } => {
            let user = find(gate, &who.email).await?;
            confirm(&user, yes)?;
            let leaving = account(gate, user.id).await?;
            lifecycle.delete(gate.tenant, user.id, &operator).await?;
            return report(common, "deleted", &leaving);
        }
    };
    report(common, verb, &account(gate, id).await?)
}

fn activity(is_active: bool) -> UserChange {
    UserChange { is_active: Some(is_active), ..UserChange::default() }
}

/// The user of this address.
///
/// # Errors
/// There is none.
pub(crate) async fn find(gate: &Opened, email: &str) -> Result<User, Failure> {
    let found = gate.users().find_by_email(gate.tenant, email).await?;
    found.ok_or_else(|| Failure::refused(format!("no user {email:?}: `wardgate user list` shows them")))
}

async fn account(gate: &Opened, id: UserId) -> Result<Account, Failure> {
    gate.accounts().get(gate.tenant, id).await.map_err(|error| match error {
        AuthError::NotFound => Failure::refused(format!("no user {id}: `wardgate user list` shows them")),
        other => other.into(),
    })
}

fn confirm(user: &User, yes: bool) -> Result<(), Failure> {
    let question = format!("Delete {} and everything of theirs? Type the address to confirm: ", user.email);
    let confirmed = if yes { Some(true) } else { stdin::confirmed(&question, user.email.as_str())? };
    match confirmed {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::refused("nothing was deleted")),
        None => Err(Failure::Usage(format!("deleting {} cannot be undone: add --yes", user.email))),
    }
}

fn view(account: &Account) -> UserView {
    UserView::new(&account.user, account.roles.names())
}

fn report(common: &Common, verb: &str, account: &Account) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &view(account))?;
    } else {
        writeln!(out, "{verb} {} ({})", account.user.email, account.user.id)?;
    }
    Ok(())
}

fn show(common: &Common, account: &Account) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &view(account))?;
        return Ok(());
    }
    let Account { user, roles } = account;
    let verified = user.email_verified_at.map_or("no".to_owned(), |at| at.to_string());
    let rows = [
        ("id", user.id.to_string()),
        ("e-mail", user.email.to_string()),
        ("verified", verified),
        ("name", user.name.clone().unwrap_or_else(|| "-".to_owned())),
        ("state", state(user).to_owned()),
        ("roles", roles.names().join(", ")),
        ("since", user.created_at.to_string()),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:<10}{value}")?;
    }
    Ok(())
}

fn state(user: &User) -> &'static str {
    if user.is_active() { "active" } else { "disabled" }
}

/// Pages through all users without holding them all.
async fn list(common: &Common, gate: &Opened) -> Result<(), Failure> {
    let mut page = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let mut list = List::new(common.json, ["ID", "E-MAIL", "ROLES", "STATE", "SINCE"]);
    loop {
        let (accounts, next) = gate.accounts().list(gate.tenant, UserFilter::default(), page).await?;
        let out = &mut io::stdout().lock();
        let rows: Vec<Listed> = accounts.iter().map(Listed::new).collect();
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
    view: UserView,
    #[serde(skip)]
    cells: [String; 5],
}

impl Listed {
    fn new(account: &Account) -> Self {
        let Account { user, roles } = account;
        let (id, email, since) = (user.id.to_string(), user.email.to_string(), user.created_at.to_string());
        let cells = [id, email, roles.names().join(", "), state(user).to_owned(), since];
        Self { view: view(account), cells }
    }
}
