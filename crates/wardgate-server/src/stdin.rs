//! What is read from standard input: passwords, and the word of whoever is asked.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// More than any password has; a file given by mistake must not fill the memory.
const LONGEST: usize = 4096;

/// The one line on standard input. Somebody at a terminal is asked for it, and it is not shown.
///
/// # Errors
/// No line, more than one, or one that is no text.
pub(crate) fn password() -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let terminal = stdin.is_terminal();
    // Not through the standard library's buffer, which nobody would wipe.
    let input = File::from(stdin.as_fd().try_clone_to_owned()?);
    let bytes = if terminal { typed(&input)? } else { piped(&input)? };
    only_line(&bytes).map(|line| Zeroizing::new(line.to_owned())).map_err(Failure::refused)
}

fn typed(mut input: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    eprint!("Waiting for the password on this terminal; it is not shown: ");
    let _hidden = Hidden::new(input)?;
    let mut line = Zeroizing::new(vec![0; LONGEST]);
    // A terminal hands over one line at a time.
    let length = input.read(&mut line)?;
    line.truncate(length);
    Ok(line)
}

fn piped(input: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    // All the room from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The line without its end. A second line is refused rather than dropped: nobody could sign in with the first
/// half of what was meant.
fn only_line(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the password on standard input is not UTF-8 text")?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match line {
        "" => Err("the password is empty: give it as one line on standard input"),
        _ if line.len() >= LONGEST - 2 => Err("the password on standard input is longer than any may be"),
        _ if line.contains('\n') => Err("standard input has more than the one line of the password"),
        _ => Ok(line),
    }
}

/// Keeps a terminal from showing what is typed, until it is dropped.
struct Hidden<T: AsFd> {
    terminal: T,
    before: Termios,
}

impl<T: AsFd> Hidden<T> {
    fn new(terminal: T) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Hidden<T> {
    fn drop(&mut self) {
        // A terminal that has gone shows nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Whether whoever sits at the terminal types `word` after `question`; `None` if nobody sits there.
///
/// # Errors
/// What reading gives.
pub(crate) fn confirmed(question: &str, word: &str) -> io::Result<Option<bool>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    eprint!("{question}");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(Some(answer.trim() == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_end_and_nothing_else() {
        for (input, line) in [("a b", "a b"), (" a \n", " a "), ("a\r\n", "a"), ("ä\r", "ä\r")] {
            assert_eq!(only_line(input.as_bytes()), Ok(line));
        }
    }

    #[test]
    fn what_is_not_one_line_is_refused() {
        let long = "a".repeat(LONGEST);
        for input in ["", "\n", "\r\n", "a\nb", "a\n\n", &long] {
            assert!(only_line(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(only_line(b"\xff\n").is_err());
    }
}
