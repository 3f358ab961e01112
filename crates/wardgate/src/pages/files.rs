//! The style sheets and the two scripts, which make the pages more comfortable: they work without. Browsers may keep them for ever: their names change with what is in them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::Response;

use super::accent;
use super::shown;
use crate::gate::Wardgate;
use crate::kernel::color::Rgb;
use crate::kernel::error::AuthError;
use crate::web::asset::{Asset, forever};
use crate::web::routes::{Access, Route};

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// How every page looks.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", CSS, include_str!("files/style.css")));

/// Keeps a second click from sending a form again.
pub(super) static ONCE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("once", "js", JS, include_str!("files/once.js")));

/// Takes a link's token out of the address, where no server sees it, and puts it into the form.
pub(super) static LINK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("link", "js", JS, include_str!("files/link.js")));

/// The name of the sheet that gives the pages a tenant's colour: the colour is all that is in it.
pub(super) fn accent_name(color: Rgb) -> String {
    let digits = color.to_string();
    format!("accent-{}.css", digits.trim_start_matches('#'))
}

async fn file(Path(name): Path<String>) -> Result<Response, AuthError> {
    if let Some(asset) = [&*STYLE, &*ONCE, &*LINK].into_iter().find(|asset| asset.name == name) {
        return Ok(asset.answer());
    }
    let digits = name.strip_prefix("accent-").and_then(|rest| rest.strip_suffix(".css"));
    let color = digits.and_then(|digits| format!("#{digits}").parse().ok());
    color.map(|color| forever(CSS, accent::sheet(color))).ok_or(AuthError::NotFound)
}

/// Apart from the pages: nobody need be asked who wants a style sheet.
pub(crate) fn files() -> Vec<Route<Wardgate>> {
    vec![shown("/account/files/{name}", Access::Public, file)]
}
