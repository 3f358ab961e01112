//! Reads the whole log, oldest first, a page at a time, while it grows.

use std::sync::Arc;

use super::model::{AuditEvent, AuditFilter, SealedEvent};
use super::seal::BATCH;
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::page::Position;

/// The records that were there when it began, in the order of the chain.
///
/// What is written meanwhile is not part of it, and what retention removes ahead of it is left out.
pub struct AuditExport {
    env: Arc<Environment>,
    tenant: TenantId,
    filter: AuditFilter,
    stage: Stage,
    last: i64,
    with_unsealed: bool,
}

enum Stage {
    Sealed { after: i64 },
    Unsealed { after: Position },
    Done,
}

impl AuditExport {
    /// `with_unsealed` where nobody can seal: else records would move from one stage to the other meanwhile.
    pub(super) async fn begin(
        env: Arc<Environment>,
        tenant: TenantId,
        filter: AuditFilter,
        with_unsealed: bool,
    ) -> Result<Self, AuthError> {
        let last = env.db.read(tenant.into(), (), |tx, ()| {
            Box::pin(async move { Ok::<_, AuthError>(store::last_seq(tx).await?) })
        });
        let last = last.await?.unwrap_or(i64::MIN);
        Ok(Self { env, tenant, filter, stage: Stage::Sealed { after: i64::MIN }, last, with_unsealed })
    }

    /// The next records, which may be none; `None` at the end.
    pub async fn next_page(&mut self) -> Result<Option<Vec<AuditEvent>>, AuthError> {
        let (mut events, stage) = match self.stage {
            Stage::Sealed { after } => self.sealed(after).await?,
            Stage::Unsealed { after } => self.unsealed(after).await?,
            Stage::Done => return Ok(None),
        };
        self.stage = stage;
        events.retain(|event| self.filter.matches(event));
        Ok(Some(events))
    }

    async fn sealed(&self, after: i64) -> Result<(Vec<AuditEvent>, Stage), AuthError> {
        let input = (after, self.last, self.filter.clone());
        let page = self.env.db.read(self.tenant.into(), input, |tx, (after, last, filter)| {
            Box::pin(async move {
                Ok::<_, AuthError>(store::export_sealed(tx, *after, *last, filter, BATCH).await?)
            })
        });
        let page: Vec<SealedEvent> = page.await?;
        let stage = match page.last() {
            Some(last) => Stage::Sealed { after: last.seq },
            None if self.with_unsealed => Stage::Unsealed { after: Position::BEGINNING },
            None => Stage::Done,
        };
        Ok((page.into_iter().map(|sealed| sealed.event).collect(), stage))
    }

    async fn unsealed(&self, after: Position) -> Result<(Vec<AuditEvent>, Stage), AuthError> {
        let input = (after, self.filter.clone());
        let page = self.env.db.read(self.tenant.into(), input, |tx, (after, filter)| {
            Box::pin(
                async move { Ok::<_, AuthError>(store::export_unsealed(tx, *after, filter, BATCH).await?) },
            )
        });
        let page: Vec<AuditEvent> = page.await?;
        let stage =
            page.last().map_or(Stage::Done, |last| Stage::Unsealed { after: AuditEvent::position(last) });
        Ok((page, stage))
    }
}
