//! Lists: newest first, a page at a time.

use serde::Serialize;
use uuid::Uuid;

use super::time::Timestamp;

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The entries, newest first.
    pub items: Vec<T>,
    /// Where the next page begins; `null` at the end.
    pub next_cursor: Option<String>,
}

/// The last entry seen: the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the entry was made.
    pub at: Timestamp,
    /// Its id, which settles entries of one millisecond.
    pub id: Uuid,
}

impl Position {
    /// Before everything.
    pub const BEGINNING: Self = Self { at: Timestamp::from_millis(i64::MIN), id: Uuid::nil() };
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Entries a page, 1 to [`PageRequest::MAX_LIMIT`].
    pub limit: u32,
    /// Begin after this entry; `None` begins at the newest.
    pub after: Option<Position>,
}

impl PageRequest {
    /// Entries a page when nothing else is asked.
    pub const DEFAULT_LIMIT: u32 = 50;
    /// The most entries a page has.
    pub const MAX_LIMIT: u32 = 200;

    /// The first page, of the default length.
    pub const FIRST: Self = Self { limit: Self::DEFAULT_LIMIT, after: None };

    /// Where the query begins; without a cursor, past the end of time.
    pub(crate) fn start(&self) -> Position {
        self.after.unwrap_or(Position { at: Timestamp::from_millis(i64::MAX), id: Uuid::max() })
    }

    /// How many rows to fetch: one more than is shown tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Splits fetched rows into what is shown and where the next page begins.
    pub(crate) fn split<T>(
        &self,
        mut rows: Vec<T>,
        position: impl Fn(&T) -> Position,
    ) -> (Vec<T>, Option<Position>) {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(position) } else { None };
        (rows, next)
    }
}
