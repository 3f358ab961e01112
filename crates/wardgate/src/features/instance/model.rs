//! Stages of a database, and why one may not be used.

/// What a database is for; fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Made by `--dev`: its keys and users are nobody's secret.
    Development,
    /// Everything else.
    Production,
}

impl Stage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// Why this database cannot be used by this program as it was started.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The database was sealed with another master key.
    #[error("the master key does not open this database; start with the key it was made with")]
    WrongMasterKey,
    /// `--dev` on a database that `--dev` did not make.
    #[error(
        "this database was not made by --dev: start without --dev, or give --dev a data folder of its own"
    )]
    NotDevelopment,
    /// A production start on a database that `--dev` made.
    #[error(
        "this database was made by --dev and its users and keys are not safe for production: give another database"
    )]
    NotProduction,
    /// Its rows were moved to another database, which has gone on since.
    #[error(
        "this database was moved to {0}, and what was revoked there since is still good here: set database.url to \
         that one. To go back to this one for good: wardgate restore --in-place, which ends every session"
    )]
    Moved(String),
}

/// Whether a start as `wanted` may use a database marked `found`; one without a mark is nobody's.
///
/// `wanted` is absent for the command line, which works on either.
pub(super) fn admits(wanted: Option<Stage>, found: Option<&str>) -> Result<(), InstanceError> {
    match (wanted, found) {
        (None, _) => Ok(()),
        (Some(stage), Some(mark)) if mark == stage.as_str() => Ok(()),
        (Some(Stage::Development), _) => Err(InstanceError::NotDevelopment),
        (Some(Stage::Production), _) => Err(InstanceError::NotProduction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_admits_its_own_stage_and_the_command_line() {
        for found in [None, Some("development"), Some("production")] {
            assert!(admits(None, found).is_ok());
        }
        assert!(matches!(admits(Some(Stage::Development), None), Err(InstanceError::NotDevelopment)));
        assert!(admits(Some(Stage::Development), Some("development")).is_ok());
        assert!(matches!(
            admits(Some(Stage::Development), Some("production")),
            Err(InstanceError::NotDevelopment)
        ));
        assert!(matches!(
            admits(Some(Stage::Production), Some("development")),
            Err(InstanceError::NotProduction)
        ));
        // A mark nobody knows is nobody's: fail closed.
        assert!(admits(Some(Stage::Production), Some("staging")).is_err());
    }
}
