//! Typed ids: a UUIDv7 behind a prefix that shows what it names.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::time::Timestamp;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id of this kind")]
pub struct InvalidId;

fn parse(prefix: &str, text: &str) -> Result<Uuid, InvalidId> {
    let hex = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(InvalidId)?;
    // One spelling per id: caches, logs and comparisons must not see two names of one thing.
    let canonical = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if canonical { Uuid::try_parse(hex).map_err(|_| InvalidId) } else { Err(InvalidId) }
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an id that sorts by `at` and is unique by its 74 random bits.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(at.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

/// The ids that lie in columns, as the UUIDs they are.
macro_rules! stored_id {
    ($($name:ident),+) => {$(
        impl $name {
            pub(crate) const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub(crate) const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }
    )+};
}

stored_id!(
    TenantId,
    UserId,
    ServiceAccountId,
    SessionId,
    ApiKeyId,
    RefreshTokenId,
    AuditEventId,
    OrgId,
    InvitationId,
    MailId,
    IdentityId
);

typed_id!(
    /// A tenant: the isolation boundary that everything else belongs to.
    TenantId, "ten"
);
typed_id!(
    /// A human principal.
    UserId, "usr"
);
typed_id!(
    /// A machine principal.
    ServiceAccountId, "svc"
);
typed_id!(
    /// One API key.
    ApiKeyId, "key"
);
typed_id!(
    /// An organization inside a tenant.
    OrgId, "org"
);
typed_id!(
    /// One invitation to an organization.
    InvitationId, "inv"
);
typed_id!(
    /// One sign-in on one device; also the family of its refresh tokens.
    SessionId, "ses"
);
typed_id!(
    /// One refresh token within a family.
    RefreshTokenId, "rtf"
);
typed_id!(
    /// One audit record.
    AuditEventId, "aud"
);
typed_id!(
    /// One mail that waits to be sent.
    MailId, "mail"
);
typed_id!(
    /// One identity link: a user as another provider knows them.
    IdentityId, "idn"
);
typed_id!(
    /// One issued access token (`jti`).
    AccessTokenId, "jti"
);
typed_id!(
    /// One HTTP request or one run of a command.
    RequestId, "req"
);

impl TenantId {
    /// The tenant `default`, which answers at the root. Fixed, so that no request looks it up.
    pub const DEFAULT: Self = Self::from_uuid(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

    /// Its slug.
    pub const DEFAULT_SLUG: &str = "default";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = UserId::new(Timestamp::from_millis(1_700_000_000_000), [7; 10]);
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
    }

    #[test]
    fn other_kinds_and_other_spellings_are_refused() {
        let id = UserId::new(Timestamp::from_millis(1_700_000_000_000), [0xab; 10]).to_string();
        let upper = format!("usr_{}", id["usr_".len()..].to_uppercase());
        for wrong in
            [id.replace("usr", "ses"), upper, format!("{id}0"), id[..id.len() - 1].to_owned(), String::new()]
        {
            assert_eq!(wrong.parse::<UserId>(), Err(InvalidId), "{wrong}");
        }
    }
}
