//! Providers as they are asked: each is made of its settings once and kept while they are the same, with what was learnt
//! of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::model::ProviderSettings;
use super::store::ProviderRow;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::ports::{Clock, UpstreamError, UpstreamProvider};

/// Providers of tenants that are kept at most; whoever is asked for next is made again.
const MAX_KEPT: usize = 1024;

/// What makes providers of settings.
#[cfg(feature = "federation")]
pub(super) struct Connector {
    client: Arc<super::upstream::Client>,
    clock: Arc<dyn Clock>,
}

#[cfg(feature = "federation")]
impl Connector {
    pub(super) fn new(internal_hosts: &[String], clock: Arc<dyn Clock>) -> Self {
        Self { client: Arc::new(super::upstream::Client::new(internal_hosts)), clock }
    }

    pub(super) fn build(
        &self,
        settings: ProviderSettings,
    ) -> Result<Arc<dyn UpstreamProvider>, UpstreamError> {
        super::upstream::build(settings, Arc::clone(&self.client), Arc::clone(&self.clock))
    }
}

/// Without the cargo feature there is nothing to ask with.
#[cfg(not(feature = "federation"))]
pub(super) struct Connector;

#[cfg(not(feature = "federation"))]
impl Connector {
    pub(super) fn new(_: &[String], _: Arc<dyn Clock>) -> Self {
        Self
    }

    pub(super) fn build(&self, _: ProviderSettings) -> Result<Arc<dyn UpstreamProvider>, UpstreamError> {
        Err(UpstreamError::Failed("needs the cargo feature federation".to_owned()))
    }
}

/// A provider that can be asked.
#[derive(Clone)]
pub(super) struct Connected {
    pub(super) name: String,
    pub(super) label: String,
    /// `None` for one of an application's own.
    pub(super) issuer: Option<String>,
    pub(super) is_trusted: bool,
    pub(super) upstream: Arc<dyn UpstreamProvider>,
}

impl Connected {
    pub(super) fn new(settings: ProviderSettings, upstream: Arc<dyn UpstreamProvider>) -> Self {
        let issuer = Some(settings.issuer().to_owned());
        let ProviderSettings { name, label, links_verified_email, .. } = settings;
        Self { name, label, issuer, is_trusted: links_verified_email, upstream }
    }
}

type Kept = HashMap<(TenantId, String), (ProviderRow, Arc<dyn UpstreamProvider>)>;

/// Providers that were made of rows.
#[derive(Default)]
pub(super) struct Connections(Mutex<Kept>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider of this row: the one that is kept, if it was made of the very same, or another.
    pub(super) fn get(
        &self,
        tenant: TenantId,
        row: ProviderRow,
        make: impl FnOnce(&ProviderRow) -> Result<Arc<dyn UpstreamProvider>, AuthError>,
    ) -> Result<Connected, AuthError> {
        let key = (tenant, row.settings.name.clone());
        let mut kept = self.lock();
        let known = kept.get(&key).filter(|(made_of, _)| *made_of == row);
        let upstream = match known {
            Some((_, upstream)) => Arc::clone(upstream),
            None => {
                let upstream = make(&row)?;
                if kept.len() >= MAX_KEPT {
                    kept.clear();
                }
                kept.insert(key, (row.clone(), Arc::clone(&upstream)));
                upstream
            }
        };
        Ok(Connected::new(row.settings, upstream))
    }
}
