//! Stages of a database, why one may not be used, and what keys it keeps.

use wardgate_crypto::MasterKeyId;

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
    /// The database is sealed under a master key that was not given.
    #[error(
        "the master key does not open this database: it is under {}, and {} was given. Start with the key that it was \
         made with; after a change of master keys name the file of the one before in \
         server.previous_master_key_files, until `wardgate key rotate-master` has sealed everything anew",
        .needed.map_or("another one".to_owned(), |id| id.to_string()),
        .given.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    )]
    WrongMasterKey {
        /// What it is called, if the database says so.
        needed: Option<MasterKeyId>,
        /// What those are called that were given.
        given: Vec<MasterKeyId>,
    },
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

/// What there are keys for besides sealing, each for one thing (S-143). Digests and signatures made with them lie in
/// rows and in the hands of clients, where no change of the master key reaches: so they are kept, and outlive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    AuditLinks,
    AuditPlaces,
    AuditPersonal,
    AuditIdentifiers,
    RateLimits,
    MailedLinks,
    RefreshSuccessors,
    UpstreamFlows,
    ImportLines,
    PageCursors,
}

impl KeyUse {
    pub(super) const ALL: [Self; 10] = [
        Self::AuditLinks,
        Self::AuditPlaces,
        Self::AuditPersonal,
        Self::AuditIdentifiers,
        Self::RateLimits,
        Self::MailedLinks,
        Self::RefreshSuccessors,
        Self::UpstreamFlows,
        Self::ImportLines,
        Self::PageCursors,
    ];

    /// By which it is derived and kept; never another one, or what was made with it is no longer known.
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::AuditLinks => "wardgate audit links",
            Self::AuditPlaces => "wardgate audit places",
            Self::AuditPersonal => "wardgate audit personal",
            Self::AuditIdentifiers => "wardgate audit identifiers",
            Self::RateLimits => "wardgate rate limits",
            Self::MailedLinks => "wardgate mailed links",
            Self::RefreshSuccessors => "wardgate refresh successors",
            Self::UpstreamFlows => "wardgate upstream flows",
            Self::ImportLines => "wardgate import lines",
            Self::PageCursors => "wardgate page cursors",
        }
    }
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
