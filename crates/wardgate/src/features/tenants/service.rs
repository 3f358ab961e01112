//! Makes, finds, changes and suspends tenants.

use std::sync::Arc;

use wardgate_store::{GlobalTx, StoreError};

use super::model::{Tenant, TenantChange, check_change, check_slug, host_of};
use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::features::roles::Caller;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::tenant::{Branding, CurrentTenant, MailUrls, OwnLimits};
use crate::kernel::time::Timestamp;

/// The tenants of this database.
pub struct Tenants {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    root: CurrentTenant,
    /// The host that the configured issuer names.
    root_host: String,
}

/// Makes the tenant `default` unless it is there.
pub(crate) async fn ensure_default(env: &Environment) -> Result<(), StoreError> {
    let made = env.db.write_global(env.now(), |tx, now| {
        Box::pin(async move {
            store::insert(tx, TenantId::DEFAULT, TenantId::DEFAULT_SLUG, "Default", *now).await
        })
    });
    made.await
}

/// Some tenants, oldest first, those after `start`; where to go on, until there are no more.
pub(crate) async fn list_ids(
    env: &Environment,
    after: Option<TenantId>,
) -> Result<Vec<TenantId>, StoreError> {
    const BATCH: i64 = 500;
    let listed = env.db.read_global(after, |tx, after| {
        Box::pin(async move {
            let start = match after {
                None => Position::BEGINNING,
                Some(id) => {
                    store::by_id(tx, *id).await?.map_or(Position::BEGINNING, |tenant| tenant.position())
                }
            };
            store::list_ids(tx, start, BATCH).await
        })
    });
    listed.await
}

/// Writes a new tenant; [`AuthError::SlugTaken`] for one that is or was another's.
pub(crate) async fn insert(
    tx: &mut GlobalTx,
    id: TenantId,
    slug: &str,
    name: &str,
    now: Timestamp,
) -> Result<Tenant, AuthError> {
    if store::is_retired(tx, slug).await? {
        return Err(AuthError::SlugTaken);
    }
    store::insert(tx, id, slug, name, now).await.map_err(|error| match error {
        StoreError::Constraint(constraint) if constraint.is("tenants", &["slug"]) => AuthError::SlugTaken,
        other => other.into(),
    })?;
    store::by_id(tx, id).await?.ok_or(AuthError::NotFound)
}

/// Removes the tenant's own rows, once nothing of it is left elsewhere.
pub(crate) async fn forget(tx: &mut GlobalTx, id: TenantId) -> Result<(), AuthError> {
    let tenant = store::by_id(tx, id).await?.ok_or(AuthError::NotFound)?;
    Ok(store::delete(tx, &tenant).await?)
}

impl Tenants {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        issuer: &str,
        mut branding: Branding,
    ) -> Self {
        let authority = issuer.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
        if branding.name.is_empty() {
            branding.name = host_of(authority);
        }
        let root = CurrentTenant {
            id: TenantId::DEFAULT,
            slug: TenantId::DEFAULT_SLUG.into(),
            issuer: issuer.into(),
            base: path_of(issuer).into(),
            branding: Arc::new(branding),
            registration_open: None,
            min_password_length: 0,
            rate_limits: OwnLimits::default(),
            mail_urls: Arc::new(MailUrls::default()),
        };
        Self { env, audit, root, root_host: host_of(authority) }
    }

    /// The tenant that answers at the root.
    pub fn default_tenant(&self) -> CurrentTenant {
        self.root.clone()
    }

    /// The tenant of this slug, which is not `default`.
    ///
    /// # Errors
    /// [`AuthError::NotFound`]; [`AuthError::TenantSuspended`].
    pub async fn by_slug(&self, slug: &str) -> Result<CurrentTenant, AuthError> {
        check_slug(slug).map_err(|_| AuthError::NotFound)?;
        let found = self.env.db.lookup_global(slug.to_owned(), |tx, slug| {
            Box::pin(async move { Ok::<_, AuthError>(store::by_slug(tx, slug).await?) })
        });
        self.below_path(&found.await?.ok_or(AuthError::NotFound)?)
    }

    /// The tenant of this slug for a request with this `Host`. On a host name of a tenant there is no other: pages of two
    /// would share its origin, and whatever browsers tie to one.
    ///
    /// # Errors
    /// As [`by_slug`](Self::by_slug).
    pub(crate) async fn by_slug_at(&self, slug: &str, header: &str) -> Result<CurrentTenant, AuthError> {
        let host = host_of(header);
        if self.is_the_roots(&host) {
            return self.by_slug(slug).await;
        }
        check_slug(slug).map_err(|_| AuthError::NotFound)?;
        let found = self.env.db.lookup_global((slug.to_owned(), host), |tx, (slug, host)| {
            Box::pin(async move {
                let owner = store::by_host(tx, host).await?;
                let found = store::by_slug(tx, slug).await?;
                Ok::<_, AuthError>(found.filter(|found| owner.is_none_or(|owner| owner.id == found.id)))
            })
        });
        self.below_path(&found.await?.ok_or(AuthError::NotFound)?)
    }

    fn below_path(&self, tenant: &Tenant) -> Result<CurrentTenant, AuthError> {
        let base = format!("{}/t/{}", self.root.base, tenant.slug).into();
        Ok(CurrentTenant { base, ..self.admit(tenant)? })
    }

    /// Whether the host can be no tenant's but the root's: no name without a dot is one.
    fn is_the_roots(&self, host: &str) -> bool {
        host == self.root_host || !host.contains('.')
    }

    /// The tenant that a `Host` header names; the root's if it names none.
    ///
    /// # Errors
    /// [`AuthError::TenantSuspended`].
    pub async fn by_host(&self, header: &str) -> Result<CurrentTenant, AuthError> {
        let host = host_of(header);
        // Most requests.
        if self.is_the_roots(&host) {
            return Ok(self.default_tenant());
        }
        let found = self.env.db.lookup_global(host, |tx, host| {
            Box::pin(async move { Ok::<_, AuthError>(store::by_host(tx, host).await?) })
        });
        found.await?.map_or_else(|| Ok(self.default_tenant()), |tenant| self.admit(&tenant))
    }

    /// The tenant of this id as an administrator of all acts on it, suspended or not.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn by_id(&self, id: TenantId) -> Result<CurrentTenant, AuthError> {
        Ok(self.current(&self.get(id).await?))
    }

    fn admit(&self, tenant: &Tenant) -> Result<CurrentTenant, AuthError> {
        if tenant.suspended_at.is_some() { Err(AuthError::TenantSuspended) } else { Ok(self.current(tenant)) }
    }

    fn current(&self, tenant: &Tenant) -> CurrentTenant {
        if tenant.id == TenantId::DEFAULT {
            return self.default_tenant();
        }
        let issuer = match &tenant.issuer_host {
            Some(host) => format!("https://{host}"),
            None => format!("{}/t/{}", self.root.issuer, tenant.slug),
        };
        let branding = Branding {
            name: tenant.name.clone(),
            logo_url: tenant.logo_url.clone(),
            accent: tenant.accent_color.as_deref().and_then(|color| color.parse().ok()),
        };
        CurrentTenant {
            id: tenant.id,
            slug: tenant.slug.as_str().into(),
            issuer: issuer.into(),
            base: Arc::clone(&self.root.base),
            branding: Arc::new(branding),
            registration_open: tenant.registration.as_deref().map(|mode| mode == "open"),
            min_password_length: tenant
                .min_password_length
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(0),
            rate_limits: tenant.rate_limits.unwrap_or_default(),
            mail_urls: Arc::new(tenant.mail_urls.clone().unwrap_or_default()),
        }
    }

    /// The tenant, or [`AuthError::NotFound`].
    pub async fn get(&self, id: TenantId) -> Result<Tenant, AuthError> {
        let found = self.env.db.read_global(id, |tx, id| {
            Box::pin(async move { store::by_id(tx, *id).await?.ok_or(AuthError::NotFound) })
        });
        found.await
    }

    /// The tenant of this slug, `default` among them, suspended or not.
    pub async fn find_by_slug(&self, slug: &str) -> Result<Option<Tenant>, AuthError> {
        let found = self.env.db.read_global(slug.to_owned(), |tx, slug| {
            Box::pin(async move { Ok::<_, AuthError>(store::by_slug(tx, slug).await?) })
        });
        found.await
    }

    /// A page of tenants, newest first, and where the next one begins.
    pub async fn list(&self, page: PageRequest) -> Result<(Vec<Tenant>, Option<Position>), AuthError> {
        let rows = self.env.db.read_global(page, |tx, page| {
            Box::pin(async move { Ok::<_, AuthError>(store::list(tx, page.start(), page.fetch()).await?) })
        });
        Ok(page.split(rows.await?, Tenant::position))
    }

    /// Changes a tenant. Another host name makes another issuer: tokens that name the old one end.
    ///
    /// # Errors
    /// [`AuthError::HostTaken`]; [`AuthError::DefaultTenant`], which the configuration describes.
    pub async fn update(
        &self,
        id: TenantId,
        change: TenantChange,
        caller: &Caller,
    ) -> Result<Tenant, AuthError> {
        refuse_default(id)?;
        let faults = check_change(&change);
        if !faults.is_empty() {
            return Err(AuthError::InvalidFields(faults));
        }
        let entry = self.entry(Action::TenantUpdated, id, caller);
        let changed = self.env.db.write_global((id, change, entry), |tx, (id, change, entry)| {
            Box::pin(async move {
                hold(tx, *id).await?;
                let mut tenant = store::by_id(tx, *id).await?.ok_or(AuthError::NotFound)?;
                apply(change.clone(), &mut tenant);
                store::update(tx, &tenant).await?;
                store::set_hosts(tx, *id, &tenant.hosts).await.map_err(|error| match error {
                    StoreError::Constraint(constraint) if constraint.is("tenant_hosts", &["host"]) => {
                        AuthError::HostTaken
                    }
                    other => other.into(),
                })?;
                record(tx, entry).await?;
                Ok::<_, AuthError>(tenant)
            })
        });
        changed.await
    }

    /// Suspends or resumes a tenant: while it is suspended nothing of it is answered, so its users, keys and sessions
    /// are dead from the next request on, and come back with it.
    ///
    /// # Errors
    /// [`AuthError::DefaultTenant`]; [`AuthError::NotFound`].
    pub async fn suspend(&self, id: TenantId, suspended: bool, caller: &Caller) -> Result<(), AuthError> {
        refuse_default(id)?;
        let at = suspended.then(|| self.env.now());
        let action = if suspended { Action::TenantSuspended } else { Action::TenantResumed };
        let entry = self.entry(action, id, caller);
        let changed = self.env.db.write_global((id, at, entry), |tx, (id, at, entry)| {
            Box::pin(async move {
                hold(tx, *id).await?;
                store::by_id(tx, *id).await?.ok_or(AuthError::NotFound)?;
                store::set_suspended(tx, *id, *at).await?;
                Ok::<_, AuthError>(record(tx, entry).await?)
            })
        });
        changed.await
    }

    fn entry(&self, action: Action, id: TenantId, caller: &Caller) -> Entry {
        self.audit.done(&caller.source, caller.actor, action, id)
    }
}

/// Lets one transaction at a time change this tenant, until it ends.
async fn hold(tx: &mut GlobalTx, id: TenantId) -> Result<(), StoreError> {
    tx.lock(&format!("tenant/{id}")).await
}

/// Writes what is done to a tenant into the log of `default`, whose superadmins do it.
pub(crate) async fn record(tx: &mut GlobalTx, entry: &Entry) -> Result<(), StoreError> {
    audit::record(tx.within(TenantId::DEFAULT.into()), entry).await
}

/// [`AuthError::DefaultTenant`] for the one that the configuration describes.
pub(super) fn refuse_default(id: TenantId) -> Result<(), AuthError> {
    if id == TenantId::DEFAULT { Err(AuthError::DefaultTenant) } else { Ok(()) }
}

/// The path of a URL, without a slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| rest[at..].trim_end_matches('/'))
}

fn apply(change: TenantChange, tenant: &mut Tenant) {
    let TenantChange {
        name,
        logo_url,
        accent_color,
        registration,
        min_password_length,
        rate_limits,
        mail_urls,
        hosts,
    } = change;
    tenant.name = name.unwrap_or_else(|| std::mem::take(&mut tenant.name));
    tenant.logo_url = logo_url.unwrap_or_else(|| tenant.logo_url.take());
    tenant.accent_color = accent_color.unwrap_or_else(|| tenant.accent_color.take());
    tenant.registration = registration.unwrap_or_else(|| tenant.registration.take());
    tenant.min_password_length = min_password_length.unwrap_or(tenant.min_password_length);
    tenant.rate_limits = rate_limits.unwrap_or(tenant.rate_limits);
    tenant.mail_urls = mail_urls.unwrap_or_else(|| tenant.mail_urls.take());
    if let Some(hosts) = hosts {
        tenant.issuer_host = hosts.first().cloned();
        tenant.hosts = hosts;
    }
}
