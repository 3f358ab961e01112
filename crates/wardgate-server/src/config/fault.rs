//! What is wrong with a configuration, said so that a person can mend it without looking anything up.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The embedded file of defaults.
    Default,
    /// A line of a configuration file, counted from one.
    File { path: PathBuf, line: usize },
    /// An environment variable, by its name.
    Variable(String),
    /// A command-line flag, as in `--listen`.
    Flag(&'static str),
    /// Nowhere: the setting has no default and nobody gave it.
    Unset,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "{name} (environment)"),
            Self::Flag(name) => f.write_str(name),
            Self::Unset => f.write_str("not set"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong, and what to write instead.
///
/// `Display` is a block of aligned lines without a newline at its end; `Serialize` gives the same fields.
/// Neither ever holds a secret: `value` is masked by whoever fills it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    /// `tokens.access_ttl`; `None` where the fault is in no setting (a file that is not TOML).
    pub(crate) key: Option<String>,
    /// The value as it was given, in quotes if it is text.
    pub(crate) value: Option<String>,
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}")?,
            None => f.write_str("configuration")?,
        }
        write!(f, "\n  where    {}", self.place)?;
        if let Some(value) = &self.value {
            write!(f, "\n  value    {value}")?;
        }
        write!(f, "\n  problem  {}\n  write    {}", self.problem, self.remedy)
    }
}

/// The count, then the faults one below the other: what a refused start prints.
pub(crate) fn report(faults: &[Fault]) -> String {
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    let blocks: Vec<String> = faults.iter().map(Fault::to_string).collect();
    format!("{} {noun} in the configuration\n\n{}\n", faults.len(), blocks.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_one_aligned_block() {
        let fault = Fault {
            place: Place::File { path: "wardgate.toml".into(), line: 12 },
            key: Some("tokens.access_ttl".into()),
            value: Some("\"2h\"".into()),
            problem: "more than 60m".into(),
            remedy: "a duration from 30s to 60m, such as \"15m\"".into(),
        };
        assert_eq!(
            report(&[fault]),
            "1 fault in the configuration\n\ntokens.access_ttl\n  where    wardgate.toml:12\n  value    \"2h\"\n  \
             problem  more than 60m\n  write    a duration from 30s to 60m, such as \"15m\"\n"
        );
    }
}
