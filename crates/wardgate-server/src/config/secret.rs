//! Secrets: never shown, wiped when dropped, read from files, and refused when they are none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// What stands in place of a secret wherever one would be shown.
pub(crate) const MASK: &str = "********";

/// Longest file that is read as one value. Wrong paths (a device, a log) must not fill the memory.
const MAX_FILE: u64 = 64 * 1024;

/// Bytes of the master key.
pub(crate) const MASTER_KEY_BYTES: usize = 32;

/// A value that `Debug` does not show and that is overwritten when it is dropped.
#[derive(Clone)]
pub(crate) struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Each use is a place to look at in a review.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Reads a file that holds one value, without the newline at its end.
///
/// # Errors
/// What the system says, or that the file is longer than 64 KiB or not UTF-8.
pub(crate) fn read_file(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 64 KiB"));
    }
    let end = text.strip_suffix('\n').map_or(text.len(), |line| line.trim_end_matches('\r').len());
    text.truncate(end);
    Ok(text)
}

/// The permissions of a file, as `0644`, if anybody on the machine may read or change it.
///
/// `None` too for a file that cannot be looked at: whoever reads it reports that.
pub(crate) fn open_to_all(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o006 != 0).then(|| format!("{mode:04o}"))
}

/// Decodes the master key; `None` if the text is not base64 (padded, RFC 4648 section 4) of 32 bytes.
pub(crate) fn master_key(text: &str) -> Option<Secret<[u8; MASTER_KEY_BYTES]>> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    let key: [u8; MASTER_KEY_BYTES] = bytes.as_slice().try_into().ok()?;
    Some(Secret::new(key))
}

/// Whether bytes that should come from a random source are a placeholder: text where bytes were asked for, one
/// block repeated, or zeros. 32 random bytes look so less than once in 10¹³ times. (S-140)
pub(crate) fn is_no_random_key(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') || distinct(bytes) < bytes.len() / 2
}

/// Whether a secret that people may choose is one that nobody chose: from an example, or a few characters over
/// and over. (S-140)
pub(crate) fn is_placeholder(text: &[u8]) -> bool {
    is_example(text) || distinct(text) < 8
}

/// Whether a secret looks like those printed in examples.
pub(crate) fn is_example(text: &[u8]) -> bool {
    const EXAMPLES: [&str; 9] = [
        "changeme",
        "change-me",
        "change_me",
        "placeholder",
        "your-secret",
        "your_secret",
        "secretkey",
        "secret-key",
        "example",
    ];
    let lower = Zeroizing::new(String::from_utf8_lossy(text).to_ascii_lowercase());
    EXAMPLES.iter().any(|example| lower.contains(example))
}

fn distinct(bytes: &[u8]) -> usize {
    bytes.iter().collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_master_key_is_exactly_32_bytes_of_padded_base64() {
        let key: [u8; 32] = std::array::from_fn(|i| (i * 37 + 11) as u8);
        assert_eq!(master_key(&encoded(&key)).unwrap().expose(), &key);
        for wrong in
            [encoded(&key[..31]), encoded(&[&key[..], &[1]].concat()), encoded(&key).replace('=', "")]
        {
            assert!(master_key(&wrong).is_none(), "{wrong}");
        }
        assert!(master_key("").is_none());
        assert!(master_key(&format!("{}\n", encoded(&key))).is_none());
    }

    #[test]
    fn a_key_that_nobody_drew_is_told_from_one_that_was() {
        let drawn: [u8; 32] = std::array::from_fn(|i| (i * 37 + 11) as u8);
        assert!(!is_no_random_key(&drawn));
        assert!(is_no_random_key(&[0; 32]));
        assert!(is_no_random_key(b"please-change-this-master-key-01"));
        let repeated = master_key("changemechangemechangemechangemechangemechA=").unwrap();
        assert!(is_no_random_key(repeated.expose()));
    }

    #[test]
    fn a_secret_from_an_example_is_a_placeholder() {
        for text in
            ["ChangeMe-ChangeMe-ChangeMe-ChangeMe", "your-secret-key-of-32-characters!", "aaaaaaaaaaaaaaaa"]
        {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        assert!(!is_placeholder(b"9f86d081884c7d659a2feaa0c55ad015"));
    }

    #[test]
    fn a_file_loses_one_newline_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        for (content, value) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("", "")] {
            fs::write(&path, content).unwrap();
            assert_eq!(read_file(&path).unwrap().as_str(), value);
        }
        fs::write(&path, vec![b'a'; MAX_FILE as usize + 1]).unwrap();
        assert_eq!(read_file(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn permissions_for_all_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |mode| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            open_to_all(file.path())
        };
        assert_eq!(with(0o600), None);
        assert_eq!(with(0o640), None);
        assert_eq!(with(0o644).as_deref(), Some("0644"));
        assert_eq!(with(0o602).as_deref(), Some("0602"));
    }
}
