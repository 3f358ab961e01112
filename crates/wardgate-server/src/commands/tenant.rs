//! `wardgate tenant`.

use std::io::{self, Write as _};

use wardgate::{AuthError, MailUrls, OwnLimits, PageRequest, Tenant, TenantChange};

use super::Opened;
use crate::cli::{Common, Tenant as Command};
use crate::failure::Failure;
use crate::output::{self, List};
use crate::stdin;

/// Runs the command.
///
/// # Errors
/// An unknown or taken slug, a host of another tenant, the tenant at the root.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    let operator = gate.operator();
    match command {
        Command::List => list(common, gate).await,
        Command::Create { slug, name } => {
            let made = gate.lifecycle().create_tenant(&slug, &name, &operator).await;
            report(common, "made", &made.map_err(|error| explain(error, &slug))?)
        }
        Command::Show { slug } => show(common, &find(gate, &slug).await?),
        Command::Set {
            slug,
            name,
            logo_url,
            accent_color,
            registration,
            min_password_length,
            rate_limit,
            mail_url,
            host,
        } => {
            let (rate_limits, mail_urls) = (limits(&rate_limit)?, urls(&mail_url)?);
            let id = find(gate, &slug).await?.id;
            let change = TenantChange {
                name,
                logo_url: logo_url.map(|given| given.0),
                accent_color: accent_color.map(|given| given.0),
                registration: registration.map(|given| given.0),
                min_password_length: min_password_length.map(|given| given.0),
                rate_limits,
                mail_urls,
                hosts: match host.as_slice() {
                    [] => None,
                    [one] if one == "none" => Some(Vec::new()),
                    _ => Some(host),
                },
            };
            if change == TenantChange::default() {
                return Err(Failure::Usage(
                    "there is nothing to change: `wardgate tenant set --help` shows the settings".to_owned(),
                ));
            }
            let changed = gate.tenants().update(id, change, &operator).await;
            report(common, "changed", &changed.map_err(|error| explain(error, &slug))?)
        }
        Command::Suspend { slug } => suspend(common, gate, &slug, true).await,
        Command::Resume { slug } => suspend(common, gate, &slug, false).await,
        Command::Delete { slug, yes } => {
            let tenant = find(gate, &slug).await?;
            confirm(&slug, yes)?;
            let deleted = gate.lifecycle().delete_tenant(tenant.id, &operator).await;
            deleted.map_err(|error| explain(error, &slug))?;
            report(common, "deleted", &tenant)
        }
    }
}

/// The limits of `--rate-limit`: absent, taken away, or exactly these.
fn limits(given: &[String]) -> Result<Option<Option<OwnLimits>>, Failure> {
    if given.iter().any(|pair| pair == "none") {
        return match given {
            [_] => Ok(Some(None)),
            _ => Err(Failure::Usage("--rate-limit none stands alone".to_owned())),
        };
    }
    let mut own = OwnLimits::default();
    for pair in given {
        let (name, number) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sign_in_account" => &mut own.sign_in_account,
            "sign_in_source" => &mut own.sign_in_source,
            "sign_in_strangers" => &mut own.sign_in_strangers,
            "sign_in_tenant" => &mut own.sign_in_tenant,
            "register" => &mut own.register,
            "refresh" => &mut own.refresh,
            _ => {
                return Err(Failure::Usage(format!(
                    "--rate-limit {pair}: {name:?} is no limit; there are sign_in_account, sign_in_source, \
                     sign_in_strangers, sign_in_tenant, register and refresh"
                )));
            }
        };
        let number = number.parse().map_err(|_| {
            Failure::Usage(format!("--rate-limit {pair}: write a whole number, such as {name}=60"))
        })?;
        if place.replace(number).is_some() {
            return Err(Failure::Usage(format!("--rate-limit {pair}: {name} was given before")));
        }
    }
    Ok((!given.is_empty()).then_some(Some(own)))
}

/// The pages of `--mail-url`: absent, taken away, or exactly these.
fn urls(given: &[String]) -> Result<Option<Option<MailUrls>>, Failure> {
    if given.iter().any(|pair| pair == "none") {
        return match given {
            [_] => Ok(Some(None)),
            _ => Err(Failure::Usage("--mail-url none stands alone".to_owned())),
        };
    }
    let mut own = MailUrls::default();
    for pair in given {
        let (name, url) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "verify_url" => &mut own.verify_url,
            "reset_url" => &mut own.reset_url,
            "magic_link_url" => &mut own.magic_link_url,
            "invitation_url" => &mut own.invitation_url,
            "organization_url" => &mut own.organization_url,
            _ => {
                return Err(Failure::Usage(format!(
                    "--mail-url {pair}: {name:?} is no page; there are verify_url, reset_url, magic_link_url, \
                     invitation_url and organization_url"
                )));
            }
        };
        if place.replace(url.to_owned()).is_some() {
            return Err(Failure::Usage(format!("--mail-url {pair}: {name} was given before")));
        }
    }
    Ok((!given.is_empty()).then_some(Some(own)))
}

async fn suspend(common: &Common, gate: &Opened, slug: &str, suspended: bool) -> Result<(), Failure> {
    let id = find(gate, slug).await?.id;
    let done = gate.tenants().suspend(id, suspended, &gate.operator()).await;
    done.map_err(|error| explain(error, slug))?;
    report(common, if suspended { "suspended" } else { "resumed" }, &find(gate, slug).await?)
}

async fn find(gate: &Opened, slug: &str) -> Result<Tenant, Failure> {
    let found = gate.tenants().find_by_slug(slug).await?;
    let unknown = || Failure::refused(format!("no tenant {slug:?}: `wardgate tenant list` shows them"));
    Ok(gate.tenants().get(found.ok_or_else(unknown)?.id).await?)
}

fn explain(error: AuthError, slug: &str) -> Failure {
    match error {
        AuthError::SlugTaken => {
            Failure::refused(format!("a tenant is called {slug:?}, or was: choose another slug"))
        }
        AuthError::HostTaken => Failure::refused("another tenant is reached under this host name"),
        AuthError::DefaultTenant => {
            Failure::refused("the tenant at the root stays as it is: change the configuration instead")
        }
        other => other.into(),
    }
}

fn confirm(slug: &str, yes: bool) -> Result<(), Failure> {
    let question = format!("Delete {slug} and everything that is its own? Type the slug to confirm: ");
    match if yes { Some(true) } else { stdin::confirmed(&question, slug)? } {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::refused("nothing was deleted")),
        None => Err(Failure::Usage(format!("deleting {slug} cannot be undone: add --yes"))),
    }
}

fn state(tenant: &Tenant) -> &'static str {
    if tenant.suspended_at.is_some() { "suspended" } else { "active" }
}

fn report(common: &Common, verb: &str, tenant: &Tenant) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, tenant)?;
    } else {
        writeln!(out, "{verb} {} ({})", tenant.slug, tenant.id)?;
    }
    Ok(())
}

fn show(common: &Common, tenant: &Tenant) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, tenant)?;
        return Ok(());
    }
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows = [
        ("id", tenant.id.to_string()),
        ("slug", tenant.slug.clone()),
        ("name", tenant.name.clone()),
        ("state", state(tenant).to_owned()),
        ("hosts", if tenant.hosts.is_empty() { "-".to_owned() } else { tenant.hosts.join(", ") }),
        ("logo", or_dash(&tenant.logo_url)),
        ("accent", or_dash(&tenant.accent_color)),
        ("registration", or_dash(&tenant.registration)),
        (
            "password",
            tenant.min_password_length.map_or_else(|| "-".to_owned(), |n| format!("at least {n} characters")),
        ),
        ("limits", tenant.rate_limits.map_or_else(|| "-".to_owned(), |own| own.to_string())),
        ("mail pages", tenant.mail_urls.as_ref().map_or_else(|| "-".to_owned(), |own| own.to_string())),
        ("since", tenant.created_at.to_string()),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:<14}{value}")?;
    }
    Ok(())
}

async fn list(common: &Common, gate: &Opened) -> Result<(), Failure> {
    let mut page = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let mut list = List::new(common.json, ["ID", "SLUG", "NAME", "STATE", "SINCE"]);
    loop {
        let (tenants, next) = gate.tenants().list(page).await?;
        let out = &mut io::stdout().lock();
        list.batch(out, &tenants, |tenant| {
            [
                tenant.id.to_string(),
                tenant.slug.clone(),
                tenant.name.clone(),
                state(tenant).to_owned(),
                tenant.created_at.to_string(),
            ]
        })?;
        match next {
            Some(next) => page.after = Some(next),
            None => return Ok(list.end(out)?),
        }
    }
}
