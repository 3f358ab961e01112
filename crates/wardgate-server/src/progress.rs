//! How far a long command has come, on a terminal; nothing where nobody watches.

use std::io::{self, IsTerminal as _, Write as _};

/// How many characters the bar has.
const WIDTH: u64 = 30;

/// A bar on standard error that is drawn over itself, if that is a terminal.
pub(crate) struct Progress {
    /// How much there is to do; `None` if nobody knows.
    total: Option<u64>,
    shown: bool,
}

impl Progress {
    /// A bar that ends at `total`.
    pub(crate) fn new(total: Option<u64>) -> Self {
        Self { total, shown: io::stderr().is_terminal() }
    }

    /// Shows that `done` of the total is done, with a word about it.
    pub(crate) fn show(&self, done: u64, word: &str) {
        if self.shown {
            // Nothing depends on it.
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", bar(done, self.total, word));
        }
    }

    /// Makes room for a line, or for the end.
    pub(crate) fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn bar(done: u64, total: Option<u64>, word: &str) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return word.to_owned() };
    let done = done.min(total);
    // As u128: a file of petabytes is no reason to panic.
    let part = |whole: u64| (u128::from(done) * u128::from(whole) / u128::from(total)) as usize;
    let filled = part(WIDTH);
    format!("[{}{}] {:>3} %  {word}", "#".repeat(filled), " ".repeat(WIDTH as usize - filled), part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(0, Some(9), "a"), format!("[{}]   0 %  a", " ".repeat(30)));
        assert_eq!(bar(5, Some(10), "a"), format!("[{}{}]  50 %  a", "#".repeat(15), " ".repeat(15)));
        for done in [10, 11, u64::MAX] {
            assert_eq!(bar(done, Some(10), "a"), format!("[{}] 100 %  a", "#".repeat(30)));
        }
        assert_eq!(bar(u64::MAX, Some(u64::MAX), ""), format!("[{}] 100 %  ", "#".repeat(30)));
    }

    #[test]
    fn without_a_total_there_is_only_the_word() {
        assert_eq!(bar(5, None, "5 made"), "5 made");
        assert_eq!(bar(0, Some(0), "0 made"), "0 made");
    }
}
