//! The password a person typed.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::Zeroizing;

/// A password, in Unicode normal form C and otherwise exactly as typed.
///
/// Composed and decomposed input of one text is one password, whatever keyboard it came from (NIST SP 800-63B-4
/// section 3.1.1.2, S-010). Nothing is trimmed, folded or cut. `Debug` is redacted, the memory is wiped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text as typed.
    pub fn new(typed: &str) -> Self {
        if is_nfc(typed) {
            return Self(Zeroizing::new(typed.to_owned()));
        }
        // Normal form C is at most three times as long in UTF-8 (UAX 15); growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(typed.len() * 3));
        text.extend(typed.nfc());
        Self(text)
    }

    /// The normalised text, for an estimator or a breach list. Do not store or log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in code points, which is what length rules count (NIST SP 800-63B-4 section 3.1.1.2).
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-010
    #[test]
    fn composed_and_decomposed_are_one_and_nothing_else_is_changed() {
        assert_eq!(Password::new("cafe\u{301}").as_str(), "caf\u{e9}");
        assert_eq!(
            Password::new("\u{1d160}").as_str(),
            "\u{1d158}\u{1d165}\u{1d16e}",
            "the longest expansion"
        );
        for kept in ["", " padded ", "UPPER", "ﬁ", "１２３", "a\0b", "\t", "𝒫", "пароль", "\u{200d}"]
        {
            assert_eq!(Password::new(kept).as_str(), kept, "{kept:?}");
        }
    }

    #[test]
    fn length_counts_code_points_after_normalising() {
        assert_eq!(Password::new("cafe\u{301}").chars(), 4);
        assert_eq!(Password::new("пароль").chars(), 6);
    }

    #[test]
    fn debug_is_redacted() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(..)");
    }
}
