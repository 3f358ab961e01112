//! `/account/providers`: other services through which one signs in.

use std::collections::HashMap;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::HeaderValue;
use http::header::REFRESH;

use super::frame::{Frame, Link, Single};
use super::visit::Visit;
use super::{sent, shown};
use crate::features::federation::Flow;
use crate::features::federation::http::remember;
use crate::features::identities::Identity;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::web::routes::{Access, Route};

/// One link, as its owner knows it.
struct Row {
    id: String,
    label: String,
    email: Option<String>,
    by_address: bool,
    made: String,
    used: String,
}

/// A provider that may be linked.
struct Offer {
    name: String,
    label: String,
}

#[derive(Template)]
#[template(path = "pages/providers.html")]
struct Page {
    p: Frame,
    rows: Vec<Row>,
    offers: Vec<Offer>,
}

fn row(visit: &Visit, link: Identity, labels: &HashMap<String, String>) -> Row {
    let at = |text: &str, time| visit.words.with(text, "time", &visit.words.time(time));
    Row {
        id: link.id.to_string(),
        // One that is switched off has no label any more.
        label: labels.get(&link.provider).cloned().unwrap_or(link.provider),
        email: link.email,
        by_address: link.by_address,
        made: at("provider-made", link.created_at),
        used: at("provider-used", link.last_used_at),
    }
}

async fn list(visit: Visit) -> Result<Response, AuthError> {
    let links = visit.gate.identities().list(visit.tenant.id, visit.me()?.user().id).await?;
    let providers = visit.gate.federation().providers(visit.tenant.id).await?;
    let labels: HashMap<_, _> =
        providers.iter().map(|provider| (provider.name.clone(), provider.label.clone())).collect();
    let rows = links.into_iter().map(|link| row(&visit, link, &labels)).collect();
    let offer = providers.into_iter().map(|provider| Offer { name: provider.name, label: provider.label });
    let p = Frame { section: "providers", ..Frame::new(&visit, "providers-title") };
    Ok(visit.show(&Page { p, rows, offers: offer.collect() }))
}

/// Goes on to the provider by a page and not by a redirect: behind a form, browsers hold a redirect to what the policy
/// lets forms be sent to, and where the provider's page is nobody knows beforehand.
async fn link(visit: Visit, Path(name): Path<String>) -> Result<Response, AuthError> {
    let me = visit.me()?;
    let session = me.principal().session().ok_or(AuthError::InsufficientPermissions)?;
    let next = visit.at("/account/providers?done=provider_linked");
    let linking = Some((me.user().id, session));
    let flow = Flow { next: Some(next), linking, fresh: false };
    let begun = visit.gate.federation().begin(&visit.tenant, &name, flow, &visit.source).await?;
    let refresh = HeaderValue::try_from(format!("0;url={}", begun.location));
    let refresh = refresh.map_err(|_| AuthError::UpstreamFailed)?;
    let (_, cookie) = remember(&visit.gate, &visit.tenant, &begun);
    let page = Single {
        p: Frame::new(&visit, "provider-go-title"),
        lead: vec![visit.words.get("provider-go-lead")],
        form: None,
        ways: vec![Link { text: visit.words.get("provider-go-link"), href: begun.location }],
        links: vec![visit.link("link-cancel", "/account/providers")],
    };
    let mut response = visit.with_cookie(visit.show(&page), cookie);
    response.headers_mut().insert(REFRESH, refresh);
    Ok(response)
}

async fn unlink(visit: Visit, Path(id): Path<String>) -> Result<Response, AuthError> {
    let id = id.parse().map_err(|_| AuthError::NotFound)?;
    visit.gate.federation().unlink(&visit.tenant, visit.me()?.user().id, id, &visit.source).await?;
    Ok(visit.to("/account/providers?done=provider_unlinked"))
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/account/providers", Access::Permission("identities:read"), list),
        sent("/account/providers/{name}/link", Access::SteppedUp("identities:write"), link),
        sent("/account/providers/{id}/unlink", Access::SteppedUp("identities:write"), unlink),
    ]
}
