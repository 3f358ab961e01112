//! Which statements ran.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Db, StoreError, body::Body, tx::Scope};

/// What the bodies of one database tell of their statements; nothing unless somebody listens.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<Vec<&'static str>>>>);

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Option<Vec<&'static str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, text: &'static str) {
        if let Some(seen) = self.seen().as_mut() {
            seen.push(text);
        }
    }

    /// The body, whose statements are noted here.
    pub(crate) fn around<X: Scope, I, T, E: From<StoreError>>(
        &self,
        body: impl Body<X, I, T, E>,
    ) -> impl Body<X, I, T, E> {
        let watch = self.clone();
        move |tx: &mut X, input: &I| {
            tx.session().watched_by(&watch);
            body(tx, input)
        }
    }
}

/// The statements that `work` runs through `db` and its clones, in their order; a lock is one too. Whatever else uses
/// the database meanwhile is among them.
pub async fn statements<T>(db: &Db, work: impl Future<Output = T>) -> (T, Vec<&'static str>) {
    *db.watch().seen() = Some(Vec::new());
    let done = work.await;
    let seen = db.watch().seen().take();
    (done, seen.unwrap_or_default())
}
