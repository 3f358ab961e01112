//! `/account/api-keys`: keys for programs.

use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;

use super::form::{Form, Kind, Sent};
use super::frame::Frame;
use super::visit::Visit;
use super::{sent, shown};
use crate::features::api_keys::{ApiKey, ApiKeyChange, NewApiKey};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::page::PageRequest;
use crate::web::fields::{Fields, FromFields};
use crate::web::routes::{Access, Route};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Row {
    id: String,
    name: String,
    prefix: String,
    made: String,
    used: String,
    ends: String,
}

#[derive(Template)]
#[template(path = "pages/api_keys.html")]
struct Page {
    p: Frame,
    rows: Vec<Row>,
    form: Form,
}

#[derive(Template)]
#[template(path = "pages/new_key.html")]
struct NewKeyPage {
    p: Frame,
    name: String,
    key: String,
}

/// The form of a new key; every other limit has the API.
struct NewKey {
    name: String,
    days: Option<u32>,
}

impl FromFields for NewKey {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.text("name");
        let word = fields.optional_text("days");
        let days = word.as_deref().and_then(|days| days.parse().ok()).filter(|days| (1..=365).contains(days));
        if word.is_some() && days.is_none() {
            fields.fault("days", "unknown_word", "must be 1 to 365, or empty");
        }
        Self { name, days }
    }
}

fn form(visit: &Visit) -> Form {
    let choice = |value, days| (value, visit.words.count("key-days", days));
    let days =
        vec![choice("30", 30), choice("90", 90), choice("365", 365), ("", visit.words.get("key-forever"))];
    let name = visit.labelled("name", "label-key_name", Kind::Input("text"), "off");
    Form::new(visit, "/account/api-keys", "key-button")
        .field(name.hint(visit.words.get("hint-key_name")))
        .field(visit.labelled("days", "label-days", Kind::Choice(days), "off").optional().value("90"))
}

fn row(visit: &Visit, key: ApiKey) -> Row {
    let words = visit.words;
    let at = |text: &str, time| words.with(text, "time", &words.time(time));
    Row {
        id: key.id.to_string(),
        prefix: key.prefix(),
        made: at("key-made", key.created_at),
        used: key.last_used_at.map_or_else(|| words.get("key-unused"), |time| at("key-used", time)),
        ends: key.expires_at.map_or_else(|| words.get("key-endless"), |time| at("key-ends", time)),
        name: key.name,
    }
}

async fn rows(visit: &Visit) -> Result<Vec<Row>, AuthError> {
    let (all, owner) =
        (PageRequest { limit: PageRequest::MAX_LIMIT, after: None }, visit.me()?.principal().subject);
    let (keys, _) = visit.gate.api_keys().list(visit.tenant.id, owner, all).await?;
    Ok(keys.into_iter().map(|key| row(visit, key)).collect())
}

fn frame(visit: &Visit, title: &str) -> Frame {
    Frame { section: "api-keys", ..Frame::new(visit, title) }
}

async fn list(visit: Visit) -> Result<Response, AuthError> {
    let rows = rows(&visit).await?;
    Ok(visit.show(&Page { p: frame(&visit, "keys-title"), rows, form: form(&visit) }))
}

/// The one page that is the answer to its form, not behind a redirect: the key is nowhere to be read again.
async fn create(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let made = async {
        let NewKey { name, days } = form_sent.read()?;
        let expires_at = days.map(|days| Some(visit.gate.now().plus(DAY * days)));
        let new = ApiKeyChange { name: Some(name), expires_at, ..ApiKeyChange::default() };
        let me = visit.me()?;
        let caller = me.caller(visit.source.clone());
        visit.gate.api_keys().create(visit.tenant.id, me.principal().subject, new, &caller).await
    };
    match made.await {
        Ok(NewApiKey { key, text }) => {
            let p = frame(&visit, "new-key-title");
            Ok(visit.show(&NewKeyPage { p, name: key.name, key: text.as_str().to_owned() }))
        }
        Err(error) => {
            let rows = rows(&visit).await?;
            visit.again(error, form(&visit).typed(&form_sent), |visit, form| Page {
                p: frame(visit, "keys-title"),
                rows,
                form,
            })
        }
    }
}

async fn revoke(visit: Visit, Path(id): Path<String>) -> Result<Response, AuthError> {
    let id = id.parse().map_err(|_| AuthError::NotFound)?;
    let me = visit.me()?;
    let caller = me.caller(visit.source.clone());
    visit.gate.api_keys().revoke(visit.tenant.id, me.principal().subject, id, &caller).await?;
    Ok(visit.to("/account/api-keys?done=key_revoked"))
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/account/api-keys", Access::Permission("api_keys:read"), list),
        sent("/account/api-keys", Access::SteppedUp("api_keys:write"), create),
        sent("/account/api-keys/{id}/revoke", Access::Permission("api_keys:write"), revoke),
    ]
}
