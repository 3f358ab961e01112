//! The table of ARCHITECTURE.md: which file is of which layer, and what a layer may use.

/// A kind of file. Imports run down the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// `kernel/*`.
    Kernel,
    /// `features/*/model.rs`.
    Model,
    /// `ports/*`.
    Ports,
    /// `columns.rs`, `migrations.rs`: how things lie in the database.
    Columns,
    /// `environment.rs`, `hashing/*`: what every service stands on.
    Ground,
    /// `features/*/store.rs`.
    Store,
    /// `features/*/service.rs` and its parts.
    Service,
    /// `web/*`.
    Web,
    /// `authn/*`.
    Authn,
    /// `features/*/http.rs`.
    Http,
    /// `pages/*`.
    Pages,
    /// `features/mod.rs`, `features/*/mod.rs`: re-exports.
    Facade,
    /// `router.rs`, `builder.rs`, `background.rs`, `gate.rs`, `upkeep.rs`, `lib.rs`.
    Top,
}

use Layer::{Authn, Columns, Facade, Ground, Http, Kernel, Model, Pages, Ports, Service, Store, Top, Web};

/// Crates that speak HTTP.
const HTTP_CRATES: &[&str] = &["axum", "http", "http_body_util", "tower", "tower_http", "utoipa_swagger_ui"];

impl Layer {
    /// The layer of a file below `src`; `None` for one that the table does not know.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        Some(match parts.as_slice() {
            ["lib.rs" | "router.rs" | "builder.rs" | "background.rs" | "gate.rs" | "upkeep.rs"] => Top,
            ["kernel", ..] => Kernel,
            ["ports", ..] => Ports,
            ["columns.rs" | "migrations.rs"] => Columns,
            ["environment.rs"] | ["hashing", ..] => Ground,
            ["web", ..] => Web,
            ["authn", ..] => Authn,
            ["pages", ..] => Pages,
            ["features", "mod.rs"] | ["features", _, "mod.rs"] => Facade,
            ["features", _, "model.rs"] => Model,
            ["features", _, "store.rs"] => Store,
            ["features", _, "http.rs"] => Http,
            ["features", _, _, ..] => Service,
            _ => return None,
        })
    }

    /// The layers it may name.
    pub(crate) fn may_use(self) -> &'static [Self] {
        match self {
            Kernel => &[Kernel],
            Model => &[Kernel, Model],
            Ports => &[Kernel, Ports],
            Columns => &[Kernel],
            Ground => &[Kernel, Ports, Ground],
            Store => &[Kernel, Model, Columns],
            Service => &[Kernel, Model, Ports, Columns, Ground, Store, Service],
            Web => &[Kernel, Ports, Web],
            Authn => &[Kernel, Model, Service, Web, Authn],
            Http => &[Kernel, Model, Service, Web, Authn, Http],
            Pages => &[Kernel, Model, Service, Web, Authn, Http, Pages],
            Facade => &[Model, Store, Service, Http, Facade],
            Top => &[Kernel, Model, Ports, Columns, Ground, Service, Web, Authn, Http, Pages, Facade, Top],
        }
    }

    /// Whether it may name the state handle, which lies above it: handlers and extractors take it from axum.
    pub(crate) fn takes_the_handle(self) -> bool {
        matches!(self, Authn | Http | Pages)
    }

    /// The crates it must not name.
    pub(crate) fn forbidden_crates(self) -> Vec<&'static str> {
        let others: &[&str] = match self {
            Kernel | Model => &["tokio", "futures_util", "wardgate_store"],
            Columns | Store | Ports => &["tokio", "futures_util"],
            Web => &["wardgate_store"],
            Authn | Http | Pages => &["wardgate_store", "wardgate_crypto"],
            Ground | Service | Facade | Top => &[],
        };
        let below_http = !matches!(self, Web | Authn | Http | Pages | Top);
        let speaks_http = if below_http { HTTP_CRATES } else { &[] };
        others.iter().chain(speaks_http).copied().collect()
    }
}

/// The exceptions to the crates: a file and the only thing it may name.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    // The one place where a failure of the store becomes one of the product's words.
    ("kernel/error.rs", "wardgate_store::StoreError"),
    // No request waits for the shared counters as long as their client would try.
    ("ports/ephemeral/redis.rs", "tokio::time::timeout"),
    // Names are resolved here and nowhere else, so that what they lead to is looked at.
    ("ports/outbound.rs", "tokio::net::lookup_host"),
    // What the client for authorities has in its signatures.
    ("ports/authority.rs", "http::Request"),
    ("ports/authority.rs", "http::Response::new"),
];
