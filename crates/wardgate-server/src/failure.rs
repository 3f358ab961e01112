//! Why a command ended without success, and what the shell learns of it.

use std::io;
use std::process::ExitCode;

use wardgate::{AuthError, BuildError, StoreError, UpkeepError};

use crate::config::{Fault, report};

/// The end of a command that did not do what was asked. Its text is for people and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The configuration has faults, all of them.
    #[error("{}", report(.0))]
    Configuration(Vec<Fault>),
    /// It was refused, or failed.
    #[error("{0}")]
    Refused(String),
    /// Whoever read the output has gone (`| head`), so there is nobody to tell.
    #[error("the reader of the output has gone")]
    ClosedPipe,
}

impl Failure {
    /// A refusal with its text.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// 1 for what was refused, 2 for what was asked wrongly; a closed pipe is how `head` ends everybody.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Refused(_) => ExitCode::from(1),
            Self::Usage(_) | Self::Configuration(_) => ExitCode::from(2),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Settings(faults) => Self::Usage(faults.join("\n")),
            BuildError::Start(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<UpkeepError> for Failure {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Build(error) => error.into(),
            UpkeepError::Store(error) => error.into(),
            UpkeepError::Service(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::Refused(match error {
            AuthError::InvalidFields(faults) => {
                let lines = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail));
                lines.collect::<Vec<_>>().join("\n")
            }
            AuthError::LastSuperadmin => {
                "this is the last active superadmin, without whom nobody could give the \
                 role back: make another one first, with wardgate user create --role superadmin"
                    .to_owned()
            }
            AuthError::Busy { .. } => "the database or the hashing threads are busy: try again".to_owned(),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use wardgate::FieldFault;

    use super::*;

    #[test]
    fn a_closed_pipe_is_a_good_end_and_other_io_is_not() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(closed, Failure::ClosedPipe));
        assert_eq!(closed.exit_code(), ExitCode::SUCCESS);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit_code(), ExitCode::from(1));
    }

    #[test]
    fn what_was_asked_wrongly_is_told_from_what_was_refused() {
        assert_eq!(Failure::from(BuildError::Settings(vec!["a".into()])).exit_code(), ExitCode::from(2));
        assert_eq!(Failure::Configuration(Vec::new()).exit_code(), ExitCode::from(2));
        assert_eq!(Failure::from(AuthError::LastSuperadmin).exit_code(), ExitCode::from(1));
    }

    #[test]
    fn faults_of_fields_name_their_field() {
        let faults = vec![FieldFault::new("password", "too_short", "must have at least 8 characters")];
        let failure = Failure::from(AuthError::InvalidFields(faults));
        assert_eq!(failure.to_string(), "password: must have at least 8 characters");
    }
}
