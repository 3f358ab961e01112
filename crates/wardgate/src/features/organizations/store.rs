//! SQL of `organizations`, `memberships` and `invitations`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, Value, params, sql};

use super::model::{Invitation, MemberRow, Membership, OrgRole, Organization};
use crate::columns::StoredDigest;
use crate::kernel::email::Email;
use crate::kernel::ids::{InvitationId, OrgId, UserId};
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

const INSERT: Sql = sql!(
    "INSERT INTO organizations (tenant_id, id, slug, name, made_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
);
const COUNT_MADE: Sql = sql!(
    "SELECT tenant_id, COUNT(*) FROM organizations WHERE tenant_id = $1 AND made_by = $2 GROUP BY tenant_id"
);
const RENAME: Sql = sql!("UPDATE organizations SET name = $3 WHERE tenant_id = $1 AND id = $2");
const DELETE: Sql = sql!("DELETE FROM organizations WHERE tenant_id = $1 AND id = $2");
const FORGET: Sql = sql!(
    "DELETE FROM organizations WHERE tenant_id = $1 AND id IN \
     (SELECT id FROM organizations WHERE tenant_id = $1 LIMIT $2)"
);
const MEMBERSHIP: Sql = sql!(
    "SELECT o.tenant_id, o.id, o.slug, o.name, o.created_at, m.role, m.created_at FROM memberships m \
     JOIN organizations o ON o.tenant_id = m.tenant_id AND o.id = m.org_id \
     WHERE m.tenant_id = $1 AND m.org_id = $2 AND m.user_id = $3"
);
const OF_USER: Sql = sql!(
    "SELECT o.tenant_id, o.id, o.slug, o.name, o.created_at, m.role, m.created_at FROM memberships m \
     JOIN organizations o ON o.tenant_id = m.tenant_id AND o.id = m.org_id \
     WHERE m.tenant_id = $1 AND m.user_id = $2 AND (m.created_at, m.org_id) < ($3, $4) \
     ORDER BY m.created_at DESC, m.org_id DESC LIMIT $5"
);
const MEMBERS: Sql = sql!(
    "SELECT tenant_id, user_id, role, created_at FROM memberships \
     WHERE tenant_id = $1 AND org_id = $2 AND (created_at, user_id) < ($3, $4) \
     ORDER BY created_at DESC, user_id DESC LIMIT $5"
);
const COUNT_MEMBERS: Sql = sql!(
    "SELECT tenant_id, COUNT(*) FROM memberships WHERE tenant_id = $1 AND org_id = $2 GROUP BY tenant_id"
);
const COUNT_OWNERS: Sql = sql!(
    "SELECT tenant_id, COUNT(*) FROM memberships WHERE tenant_id = $1 AND org_id = $2 AND role = 'owner' GROUP BY tenant_id"
);
const JOIN: Sql = sql!(
    "INSERT INTO memberships (tenant_id, org_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (tenant_id, org_id, user_id) DO NOTHING"
);
const MOVE: Sql =
    sql!("UPDATE memberships SET role = $4 WHERE tenant_id = $1 AND org_id = $2 AND user_id = $3");
const PART: Sql = sql!("DELETE FROM memberships WHERE tenant_id = $1 AND org_id = $2 AND user_id = $3");
const INVITE: Sql = sql!(
    "INSERT INTO invitations (tenant_id, id, org_id, email, email_normalized, role, invited_by, digest, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant_id, org_id, email_normalized) DO UPDATE \
     SET id = excluded.id, email = excluded.email, role = excluded.role, invited_by = excluded.invited_by, \
     digest = excluded.digest, \
     created_at = excluded.created_at, expires_at = excluded.expires_at"
);
const INVITATIONS: Sql = sql!(
    "SELECT tenant_id, id, email, role, created_at, expires_at FROM invitations \
     WHERE tenant_id = $1 AND org_id = $2 AND expires_at > $3 AND (created_at, id) < ($4, $5) \
     ORDER BY created_at DESC, id DESC LIMIT $6"
);
const COUNT_INVITATIONS: Sql = sql!(
    "SELECT tenant_id, COUNT(*) FROM invitations WHERE tenant_id = $1 AND org_id = $2 GROUP BY tenant_id"
);
const INVITATION: Sql = sql!(
    "SELECT tenant_id, org_id, email_normalized, role, invited_by FROM invitations \
     WHERE tenant_id = $1 AND digest = $2 AND expires_at > $3"
);
const TAKE: Sql = sql!("DELETE FROM invitations WHERE tenant_id = $1 AND digest = $2");
const UNINVITE: Sql = sql!("DELETE FROM invitations WHERE tenant_id = $1 AND org_id = $2 AND id = $3");
const UNINVITE_EVERYBODY: Sql = sql!("DELETE FROM invitations WHERE tenant_id = $1");
const PLACE_BY_ID: Sql =
    sql!("SELECT tenant_id, role FROM invitations WHERE tenant_id = $1 AND org_id = $2 AND id = $3");
const PLACE_BY_EMAIL: Sql = sql!(
    "SELECT tenant_id, role FROM invitations WHERE tenant_id = $1 AND org_id = $2 AND email_normalized = $3"
);
const SOLE_OWNED: Sql = sql!(
    "SELECT m.tenant_id, m.org_id FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.role = 'owner' \
     AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.tenant_id = $1 AND o.org_id = m.org_id \
     AND o.role = 'owner' AND o.user_id <> $2)"
);
// "admin" stands before "member" in the alphabet too.
const HEIR: Sql = sql!(
    "SELECT tenant_id, user_id FROM memberships WHERE tenant_id = $1 AND org_id = $2 AND user_id <> $3 \
     ORDER BY role, created_at, user_id LIMIT 1"
);
const CLEAR_ENDED: Sql =
    sql!("DELETE FROM invitations WHERE tenant_id = $1 AND org_id = $2 AND expires_at <= $3");

fn role(text: &str) -> Result<OrgRole, StoreError> {
    text.parse().map_err(|()| StoreError::decode("no place in an organization"))
}

impl FromRow for Membership {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let org =
            Organization { id: row.get(0)?, slug: row.get(1)?, name: row.get(2)?, created_at: row.get(3)? };
        Ok(Self { org, role: role(&row.get::<String>(4)?)?, since: row.get(5)? })
    }
}

impl FromRow for MemberRow {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { user: row.get(0)?, role: role(&row.get::<String>(1)?)?, since: row.get(2)? })
    }
}

impl FromRow for Invitation {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            role: role(&row.get::<String>(2)?)?,
            created_at: row.get(3)?,
            expires_at: row.get(4)?,
        })
    }
}

/// What a presented invitation gives, and to whom.
pub(super) struct Offer {
    pub(super) org: OrgId,
    pub(super) email_normalized: String,
    pub(super) role: OrgRole,
    pub(super) invited_by: UserId,
}

impl FromRow for Offer {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            org: row.get(0)?,
            email_normalized: row.get(1)?,
            role: role(&row.get::<String>(2)?)?,
            invited_by: row.get(3)?,
        })
    }
}

async fn count(tx: &mut Tx, sql: Sql, of: &[Value<'_>]) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = tx.opt(sql, of).await?;
    Ok(row.map_or(0, |(count,)| count))
}

/// `Constraint` on `organizations.slug` when the slug is taken.
pub(super) async fn insert(tx: &mut Tx, org: &Organization, made_by: UserId) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![org.id, org.slug, org.name, made_by, org.created_at]).await.map(drop)
}

pub(super) async fn count_made(tx: &mut Tx, user: UserId) -> Result<i64, StoreError> {
    count(tx, COUNT_MADE, &params![user]).await
}

pub(super) async fn rename(tx: &mut Tx, id: OrgId, name: &str) -> Result<(), StoreError> {
    tx.exec(RENAME, &params![id, name]).await.map(drop)
}

/// Takes its memberships and invitations along.
pub(super) async fn delete(tx: &mut Tx, id: OrgId) -> Result<(), StoreError> {
    tx.exec(DELETE, &params![id]).await.map(drop)
}

/// Removes up to `limit` organizations of the tenant, with all that is theirs; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}

pub(super) async fn membership(
    tx: &mut Tx,
    org: OrgId,
    user: UserId,
) -> Result<Option<Membership>, StoreError> {
    tx.opt(MEMBERSHIP, &params![org, user]).await
}

/// Newest first, those after `start` in that order.
pub(super) async fn of_user(
    tx: &mut Tx,
    user: UserId,
    start: Position,
    limit: i64,
) -> Result<Vec<Membership>, StoreError> {
    tx.all(OF_USER, &params![user, start.at, start.id, limit]).await
}

/// Newest first, those after `start` in that order.
pub(super) async fn members(
    tx: &mut Tx,
    org: OrgId,
    start: Position,
    limit: i64,
) -> Result<Vec<MemberRow>, StoreError> {
    tx.all(MEMBERS, &params![org, start.at, start.id, limit]).await
}

pub(super) async fn count_members(tx: &mut Tx, org: OrgId) -> Result<i64, StoreError> {
    count(tx, COUNT_MEMBERS, &params![org]).await
}

pub(super) async fn count_owners(tx: &mut Tx, org: OrgId) -> Result<i64, StoreError> {
    count(tx, COUNT_OWNERS, &params![org]).await
}

/// Leaves somebody who is a member already as they are.
pub(super) async fn join(
    tx: &mut Tx,
    org: OrgId,
    user: UserId,
    role: OrgRole,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(JOIN, &params![org, user, role.as_str(), now]).await.map(drop)
}

pub(super) async fn set_role(tx: &mut Tx, org: OrgId, user: UserId, role: OrgRole) -> Result<(), StoreError> {
    tx.exec(MOVE, &params![org, user, role.as_str()]).await.map(drop)
}

pub(super) async fn part(tx: &mut Tx, org: OrgId, user: UserId) -> Result<(), StoreError> {
    tx.exec(PART, &params![org, user]).await.map(drop)
}

/// Takes the place of the one that this address has.
pub(super) async fn invite(
    tx: &mut Tx,
    org: OrgId,
    invitation: &Invitation,
    email: &Email,
    invited_by: UserId,
    digest: Digest,
) -> Result<(), StoreError> {
    let digest = StoredDigest(digest);
    let (id, role) = (invitation.id, invitation.role.as_str());
    let (written, normalized) = (email.as_str(), email.normalized());
    let row = params![
        id,
        org,
        written,
        normalized,
        role,
        invited_by,
        digest,
        invitation.created_at,
        invitation.expires_at
    ];
    tx.exec(INVITE, &row).await.map(drop)
}

/// Newest first, those after `start` in that order that can be accepted at `now`.
pub(super) async fn invitations(
    tx: &mut Tx,
    org: OrgId,
    now: Timestamp,
    start: Position,
    limit: i64,
) -> Result<Vec<Invitation>, StoreError> {
    tx.all(INVITATIONS, &params![org, now, start.at, start.id, limit]).await
}

/// Removes those that have ended, and counts the rest.
pub(super) async fn count_invitations(tx: &mut Tx, org: OrgId, now: Timestamp) -> Result<i64, StoreError> {
    tx.exec(CLEAR_ENDED, &params![org, now]).await?;
    count(tx, COUNT_INVITATIONS, &params![org]).await
}

pub(super) async fn offer(tx: &mut Tx, digest: Digest, now: Timestamp) -> Result<Option<Offer>, StoreError> {
    tx.opt(INVITATION, &params![StoredDigest(digest), now]).await
}

/// The place that an invitation gives.
pub(super) async fn place_by_id(
    tx: &mut Tx,
    org: OrgId,
    id: InvitationId,
) -> Result<Option<OrgRole>, StoreError> {
    let row: Option<(String,)> = tx.opt(PLACE_BY_ID, &params![org, id]).await?;
    row.map(|(word,)| role(&word)).transpose()
}

/// The place that the address's invitation gives, if it has one.
pub(super) async fn place_by_email(
    tx: &mut Tx,
    org: OrgId,
    normalized: &str,
) -> Result<Option<OrgRole>, StoreError> {
    let row: Option<(String,)> = tx.opt(PLACE_BY_EMAIL, &params![org, normalized]).await?;
    row.map(|(word,)| role(&word)).transpose()
}

/// The organizations that have no other owner.
pub(super) async fn sole_owned(tx: &mut Tx, user: UserId) -> Result<Vec<OrgId>, StoreError> {
    let rows: Vec<(OrgId,)> = tx.all(SOLE_OWNED, &params![user]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Who comes after an owner: the admin who has been there longest, else the member.
pub(super) async fn heir(tx: &mut Tx, org: OrgId, leaving: UserId) -> Result<Option<UserId>, StoreError> {
    let row: Option<(UserId,)> = tx.opt(HEIR, &params![org, leaving]).await?;
    Ok(row.map(|(id,)| id))
}

/// Says whether this call used it up.
pub(super) async fn take(tx: &mut Tx, digest: Digest) -> Result<bool, StoreError> {
    Ok(tx.exec(TAKE, &params![StoredDigest(digest)]).await? == 1)
}

/// Says whether this call did it.
pub(super) async fn uninvite(tx: &mut Tx, org: OrgId, id: InvitationId) -> Result<bool, StoreError> {
    Ok(tx.exec(UNINVITE, &params![org, id]).await? == 1)
}

/// Takes back every invitation of the tenant; how many.
pub(super) async fn uninvite_everybody(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.exec(UNINVITE_EVERYBODY, &params![]).await
}
