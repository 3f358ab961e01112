//! A colour as people write it.

use std::fmt;
use std::str::FromStr;

/// The text is no colour of the form `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a colour such as #1d5fd1")]
pub struct InvalidColor;

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl FromStr for Rgb {
    type Err = InvalidColor;

    /// Nothing but the six digits behind `#` passes: the text ends up in a style sheet.
    fn from_str(text: &str) -> Result<Self, InvalidColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColor)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidColor);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| InvalidColor)?.to_be_bytes();
        Ok(Self(red, green, blue))
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_six_digits_are_a_colour() {
        assert_eq!("#1d5FD1".parse(), Ok(Rgb(0x1d, 0x5f, 0xd1)));
        assert_eq!(Rgb(0x1d, 0x5f, 0xd1).to_string(), "#1d5fd1");
        for wrong in ["", "#", "1d5fd1", "#1d5fd", "#1d5fd12", "#+12345", "#1d5fdg", "red", "#ééé", "#fff;}"]
        {
            assert_eq!(wrong.parse::<Rgb>(), Err(InvalidColor), "{wrong:?}");
        }
    }
}
