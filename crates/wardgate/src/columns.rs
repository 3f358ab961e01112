//! How the kernel's types lie in columns. Beside the kernel rather than in it: row 0 knows no storage.

use uuid::Uuid;
use wardgate_crypto::Digest;
use wardgate_store::{Cell, Column, Param, StoreError, TenantKey, Value};

use crate::kernel::ids::{
    ApiKeyId, AuditEventId, IdentityId, InvitationId, MailId, OrgId, RefreshTokenId, ServiceAccountId,
    SessionId, TenantId, UserId,
};
use crate::kernel::principal::Subject;
use crate::kernel::tenant::{MailUrls, OwnLimits};
use crate::kernel::time::Timestamp;

macro_rules! id_columns {
    ($($id:ty),+) => {$(
        impl Param for $id {
            fn to_value(&self) -> Value<'_> {
                Value::Id(self.as_uuid())
            }
        }

        impl Column for $id {
            fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
                Uuid::from_cell(cell).map(Self::from_uuid)
            }
        }
    )+};
}

id_columns!(
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

impl From<TenantId> for TenantKey {
    fn from(tenant: TenantId) -> Self {
        Self(tenant.as_uuid())
    }
}

/// As a JSON object.
impl Column for OwnLimits {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        let text = String::from_cell(cell)?;
        serde_json::from_str(&text).map_err(|error| StoreError::decode(error.to_string()))
    }
}

/// As a JSON object.
impl Column for MailUrls {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        let text = String::from_cell(cell)?;
        serde_json::from_str(&text).map_err(|error| StoreError::decode(error.to_string()))
    }
}

/// Users and service accounts share no id, so the column needs no second one that says which it is.
impl Param for Subject {
    fn to_value(&self) -> Value<'_> {
        Value::Id(self.as_uuid())
    }
}

impl Param for Timestamp {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.as_millis())
    }
}

impl Column for Timestamp {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        i64::from_cell(cell).map(Self::from_millis)
    }
}

/// A digest as it is stored; a newtype because neither the trait nor the digest is this crate's own.
pub(crate) struct StoredDigest(pub(crate) Digest);

impl Param for StoredDigest {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self.0.as_bytes().as_slice().into())
    }
}

impl Column for StoredDigest {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        <[u8; 32]>::from_cell(cell).map(|bytes| Self(Digest::from(bytes)))
    }
}
