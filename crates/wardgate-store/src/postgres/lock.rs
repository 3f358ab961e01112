//! Advisory locks, by name.

use aws_lc_rs::digest;

use super::{error::store_error, lease::Lease};
use crate::StoreError;

/// Held until the transaction ends.
pub(crate) async fn in_transaction(lease: &Lease, space: &[u8], name: &str) -> Result<(), StoreError> {
    let sql = "SELECT pg_advisory_xact_lock($1)";
    let client = lease.client();
    let prepared = client.prepare_cached(sql).await.map_err(|error| store_error(&error))?;
    let locked = client.execute(&prepared, &[&key(space, name)]).await;
    locked.map(|_| ()).map_err(|error| store_error(&error))
}

/// PostgreSQL numbers its locks. Two names of one number merely wait for each other.
pub(crate) fn key(space: &[u8], name: &str) -> i64 {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(space);
    hash.update(b":");
    hash.update(name.as_bytes());
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    i64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_spaces_are_told_apart() {
        let numbers = [key(b"a", "x"), key(b"a", "y"), key(b"b", "x"), key(b"global", "x")];
        let distinct: std::collections::HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len());
        assert_eq!(key(b"a", "x"), key(b"a", "x"));
    }
}
