//! Whoever a request is made as, once it is authenticated.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::ids::{ApiKeyId, InvalidId, ServiceAccountId, SessionId, TenantId, UserId};

/// Who: a human or a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A human principal.
    User(UserId),
    /// A machine principal.
    ServiceAccount(ServiceAccountId),
}

/// What the request was authenticated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A sign-in: its access token or its cookie.
    Session(SessionId),
    /// An API key, or an access token that it was exchanged for.
    ApiKey(ApiKeyId),
}

/// An authenticated subject: who, in which tenant, by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The tenant of the credential, never one that the request names.
    pub tenant: TenantId,
    /// Who.
    pub subject: Subject,
    /// By what.
    pub via: Via,
}

impl Subject {
    pub(crate) const fn as_uuid(&self) -> Uuid {
        match self {
            Self::User(id) => id.as_uuid(),
            Self::ServiceAccount(id) => id.as_uuid(),
        }
    }
}

impl Principal {
    /// The sign-in that this request belongs to; `None` for an API key.
    pub fn session(&self) -> Option<SessionId> {
        match self.via {
            Via::Session(session) => Some(session),
            Via::ApiKey(_) => None,
        }
    }
}

impl Via {
    /// The API key, if it is one.
    pub(crate) fn api_key(&self) -> Option<ApiKeyId> {
        match self {
            Self::Session(_) => None,
            Self::ApiKey(key) => Some(*key),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::User).or_else(|_| text.parse().map(Self::ServiceAccount))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::ApiKey(id) => id.fmt(f),
        }
    }
}

impl std::str::FromStr for Via {
    type Err = InvalidId;

    /// Reads a token's `sid`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::Session).or_else(|_| text.parse().map(Self::ApiKey))
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<UserId> for Subject {
    fn from(id: UserId) -> Self {
        Self::User(id)
    }
}

impl From<ServiceAccountId> for Subject {
    fn from(id: ServiceAccountId) -> Self {
        Self::ServiceAccount(id)
    }
}
