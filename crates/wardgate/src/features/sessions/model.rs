//! What a session is and whether it lives.

use crate::features::principals::Standing;
use crate::features::roles::{Limit, Scope};
use crate::kernel::ids::{OrgId, SessionId, UserId};
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// Its owner logged out or ended it from the list.
    SignedOut,
    /// A consumed refresh token of it came again.
    RefreshReplayed,
    /// Its owner's password was changed or set.
    PasswordChanged,
    /// Its owner was deactivated.
    UserDisabled,
    /// An administrator ended it.
    EndedByAdmin,
    /// Somebody proved the address of an account whose address nobody had proven (S-128).
    AddressProven,
    /// Its owner may do more since, and has to sign in anew for that in a browser (S-049), and where a provider had named
    /// their address and no more.
    RightsRose,
    /// Its owner opened more browser sessions than one may have.
    TooMany,
    /// An older state of the database was put back (S-144).
    Restored,
}

impl EndReason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::RefreshReplayed => "refresh_replayed",
            Self::PasswordChanged => "password_changed",
            Self::UserDisabled => "user_disabled",
            Self::EndedByAdmin => "ended_by_admin",
            Self::AddressProven => "address_proven",
            Self::RightsRose => "rights_rose",
            Self::TooMany => "too_many",
            Self::Restored => "restored",
        }
    }
}

/// One sign-in on one device.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id; also names the family of its refresh tokens (`sid`).
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The client that signed in.
    pub client_id: String,
    /// The scope granted, if one was asked for.
    pub scope: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last signed in or refreshed.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is refreshed before; never past the absolute limit.
    pub expires_at: Timestamp,
    /// When it was ended before its time.
    pub ended_at: Option<Timestamp>,
    /// When its owner last proved who they are: at sign-in, by a step-up, or before that to a provider, as far as it says.
    pub proven_at: Timestamp,
    /// Whether whoever opened it is its owner because of an address alone that a provider named.
    pub(crate) by_address: bool,
    /// The organization that it acts in.
    pub org: Option<OrgId>,
    pub(super) end_reason: Option<String>,
    /// The address it was last seen at.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

impl Session {
    /// Whether it still opens anything at `now`. Every check of a token comes down to this one row.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// What it is worth as a credential.
    pub(crate) fn standing(self, now: Timestamp) -> Standing {
        Standing {
            owner: self.user.into(),
            live: self.is_live(now),
            ended_by_disabling: self.end_reason.as_deref() == Some(EndReason::UserDisabled.as_str()),
            limit: self.scope.map_or(Limit::Nothing, |scope| Limit::Scope(Scope::stored(scope))),
            proven_at: Some(self.proven_at),
            org: self.org,
        }
    }

    pub(super) fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.as_uuid() }
    }
}
