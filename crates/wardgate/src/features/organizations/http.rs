//! `/auth/orgs` and `/auth/invitations/accept`.

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{Invitation, Membership, OrgRole};
use super::service::Seat;
use crate::authn::CurrentUser;
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{InvitationId, OrgId, UserId};
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::web::body::Json;
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, page_of, schema, texts};
use crate::web::routes::{Access, Route, route};

/// An organization as one of its members sees it.
#[derive(Serialize)]
struct OrgView {
    id: OrgId,
    slug: String,
    name: String,
    /// The place of whoever asks.
    role: OrgRole,
    created_at: Timestamp,
}

impl From<Membership> for OrgView {
    fn from(Membership { org, role, .. }: Membership) -> Self {
        Self { id: org.id, slug: org.slug, name: org.name, role, created_at: org.created_at }
    }
}

#[derive(Serialize)]
struct MemberView {
    user_id: UserId,
    email: Email,
    name: Option<String>,
    role: OrgRole,
    since: Timestamp,
}

impl From<Seat> for MemberView {
    fn from(Seat { user, role, since }: Seat) -> Self {
        Self { user_id: user.id, email: user.email, name: user.name, role, since }
    }
}

#[derive(Serialize)]
struct NewInvitationView {
    #[serde(flatten)]
    invitation: Invitation,
    /// For whoever invites to hand on, this once; not there when it was mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn org_id(text: &str) -> Result<OrgId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

fn read_role(fields: &mut Fields) -> OrgRole {
    let word = fields.text("role");
    word.parse().unwrap_or_else(|()| {
        if !word.is_empty() {
            fields.fault("role", "unknown_word", "must be owner, admin or member");
        }
        OrgRole::Member
    })
}

struct NewOrg {
    slug: String,
    name: String,
}

impl FromFields for NewOrg {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { slug: fields.text("slug"), name: fields.text("name") }
    }
}

async fn create(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(NewOrg { slug, name }): Json<NewOrg>,
) -> Result<(StatusCode, axum::Json<OrgView>), AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let made = gate.organizations().create(tenant, user, &slug, &name, &source).await?;
    Ok((StatusCode::CREATED, axum::Json(made.into())))
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    query: PageQuery,
) -> Result<axum::Json<Page<OrgView>>, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let list = format!("orgs/{tenant}/{user}");
    let page = query.request(gate.cursors(), &list)?;
    let (orgs, next) = gate.organizations().list(tenant, user, page).await?;
    let items = orgs.into_iter().map(OrgView::from).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

async fn read(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Path(id): Path<String>,
) -> Result<axum::Json<OrgView>, AuthError> {
    let found = gate.organizations().get(current.principal().tenant, current.user().id, org_id(&id)?).await?;
    Ok(axum::Json(found.into()))
}

struct Renaming {
    name: String,
}

impl FromFields for Renaming {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { name: fields.text("name") }
    }
}

async fn rename(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(Renaming { name }): Json<Renaming>,
) -> Result<axum::Json<OrgView>, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let renamed = gate.organizations().rename(tenant, user, org_id(&id)?, &name, &source).await?;
    Ok(axum::Json(renamed.into()))
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    gate.organizations().delete(tenant, user, org_id(&id)?, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn members(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Path(id): Path<String>,
    query: PageQuery,
) -> Result<axum::Json<Page<MemberView>>, AuthError> {
    let (tenant, user, org) = (current.principal().tenant, current.user().id, org_id(&id)?);
    let list = format!("members/{tenant}/{org}");
    let page = query.request(gate.cursors(), &list)?;
    let (seats, next) = gate.organizations().members(tenant, user, org, page).await?;
    let items = seats.into_iter().map(MemberView::from).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

struct Move {
    role: OrgRole,
}

impl FromFields for Move {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { role: read_role(fields) }
    }
}

async fn set_role(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path((id, member)): Path<(String, String)>,
    Json(Move { role }): Json<Move>,
) -> Result<StatusCode, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let member = member.parse().map_err(|_| AuthError::NotFound)?;
    gate.organizations().set_role(tenant, user, org_id(&id)?, member, role, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path((id, member)): Path<(String, String)>,
) -> Result<StatusCode, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let member = member.parse().map_err(|_| AuthError::NotFound)?;
    gate.organizations().remove(tenant, user, org_id(&id)?, member, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    gate.organizations().remove(tenant, user, org_id(&id)?, user, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

struct Invite {
    email: Option<Email>,
    role: OrgRole,
}

impl FromFields for Invite {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { email: fields.email(), role: read_role(fields) }
    }
}

async fn invite(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(Invite { email, role }): Json<Invite>,
) -> Result<(StatusCode, axum::Json<NewInvitationView>), AuthError> {
    let email = email.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let user = current.user().id;
    let made = gate.organizations().invite(&tenant, user, org_id(&id)?, email, role, &source).await?;
    let (invitation, token) = made;
    let token = token.map(|token| token.as_str().to_owned());
    Ok((StatusCode::CREATED, axum::Json(NewInvitationView { invitation, token })))
}

async fn invitations(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Path(id): Path<String>,
    query: PageQuery,
) -> Result<axum::Json<Page<Invitation>>, AuthError> {
    let (tenant, user, org) = (current.principal().tenant, current.user().id, org_id(&id)?);
    let list = format!("invitations/{tenant}/{org}");
    let page = query.request(gate.cursors(), &list)?;
    let (items, next) = gate.organizations().invitations(tenant, user, org, page).await?;
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

async fn uninvite(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path((id, invitation)): Path<(String, String)>,
) -> Result<StatusCode, AuthError> {
    let (tenant, user) = (current.principal().tenant, current.user().id);
    let invitation: InvitationId = invitation.parse().map_err(|_| AuthError::NotFound)?;
    gate.organizations().uninvite(tenant, user, org_id(&id)?, invitation, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) struct Acceptance {
    pub(crate) token: String,
}

impl FromFields for Acceptance {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token") }
    }
}

async fn accept(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(Acceptance { token }): Json<Acceptance>,
) -> Result<axum::Json<OrgView>, AuthError> {
    let tenant = current.principal().tenant;
    let joined = gate.organizations().accept(tenant, current.user(), &token, &source).await?;
    Ok(axum::Json(joined.into()))
}

async fn activate(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    gate.sessions().act_in(current.principal(), current.user().id, Some(org_id(&id)?), &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn deactivate(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
) -> Result<StatusCode, AuthError> {
    gate.sessions().act_in(current.principal(), current.user().id, None, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The named schemas of this feature.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let (text, time) = (json!({ "type": "string" }), json!({ "type": "string", "format": "date-time" }));
    let role = json!({ "enum": ["owner", "admin", "member"] });
    let mut invitation = json!({
        "type": "object", "required": ["id", "email", "role", "created_at", "expires_at"],
        "properties": { "id": text, "email": text, "role": role, "created_at": time, "expires_at": time },
    });
    let plain = invitation.clone();
    invitation["properties"]["token"] =
        json!({ "type": "string", "description": "To be handed on, this once; absent where it was mailed" });
    let org = json!({
        "type": "object", "required": ["id", "slug", "name", "role", "created_at"],
        "properties": { "id": text, "slug": text, "name": text, "role": role, "created_at": time },
    });
    let member = json!({
        "type": "object", "required": ["user_id", "email", "name", "role", "since"],
        "properties": { "user_id": text, "email": text, "name": { "type": ["string", "null"] }, "role": role, "since": time },
    });
    vec![("Organization", org), ("Member", member), ("Invitation", plain), ("NewInvitation", invitation)]
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let role = json!({ "enum": ["owner", "admin", "member"] });
    let role_body = json!({
        "type": "object", "required": ["role"], "additionalProperties": false, "properties": { "role": role },
    });
    let invite_body = json!({
        "type": "object", "required": ["email", "role"], "additionalProperties": false,
        "properties": { "email": { "type": "string", "format": "email" }, "role": role },
    });
    let at = |summary| operation("organizations", summary);
    let one = |summary| at(summary).path_parameter("id").refuses(&["not_found"]);
    let acting = |summary| one(summary).refuses(&["insufficient_permissions"]);
    let (read_it, write_it) =
        (Access::Permission("organizations:read"), Access::Permission("organizations:write"));
    vec![
        route(
            &Method::GET,
            "/auth/orgs",
            read_it,
            list,
            at("The own organizations, newest first").paged().answers(
                200,
                "A page of organizations",
                &page_of(&schema("Organization")),
            ),
        ),
        route(
            &Method::POST,
            "/auth/orgs",
            write_it,
            create,
            at("Make an organization; its maker is its owner")
                .json(&texts(&["slug", "name"], &[]))
                .answers(201, "The organization", &schema("Organization"))
                .refuses(&["slug_taken", "too_many_organizations"]),
        ),
        route(
            &Method::GET,
            "/auth/orgs/{id}",
            read_it,
            read,
            one("One of the own organizations").answers(200, "The organization", &schema("Organization")),
        ),
        route(
            &Method::PATCH,
            "/auth/orgs/{id}",
            write_it,
            rename,
            acting("Give it another name").json(&texts(&["name"], &[])).answers(
                200,
                "The organization as changed",
                &schema("Organization"),
            ),
        ),
        route(
            &Method::DELETE,
            "/auth/orgs/{id}",
            Access::SteppedUp("organizations:write"),
            delete,
            acting("Remove it with its memberships and invitations").answers_empty(204, "Gone"),
        ),
        route(
            &Method::GET,
            "/auth/orgs/{id}/members",
            read_it,
            members,
            one("Its members, newest first").paged().answers(
                200,
                "A page of members",
                &page_of(&schema("Member")),
            ),
        ),
        route(
            &Method::PATCH,
            "/auth/orgs/{id}/members/{user}",
            write_it,
            set_role,
            acting("Give a member another place")
                .path_parameter("user")
                .json(&role_body)
                .answers_empty(204, "Changed")
                .refuses(&["last_owner"]),
        ),
        route(
            &Method::DELETE,
            "/auth/orgs/{id}/members/{user}",
            write_it,
            remove,
            acting("Remove a member")
                .path_parameter("user")
                .answers_empty(204, "No member any more")
                .refuses(&["last_owner"]),
        ),
        route(
            &Method::POST,
            "/auth/orgs/{id}/leave",
            write_it,
            leave,
            one("Leave it").answers_empty(204, "No member any more").refuses(&["last_owner"]),
        ),
        route(
            &Method::GET,
            "/auth/orgs/{id}/invitations",
            read_it,
            invitations,
            acting("Its open invitations, newest first").paged().answers(
                200,
                "A page of invitations",
                &page_of(&schema("Invitation")),
            ),
        ),
        route(
            &Method::POST,
            "/auth/orgs/{id}/invitations",
            write_it,
            invite,
            acting("Invite an address")
                .json(&invite_body)
                .answers(201, "The invitation, with its token if it was not mailed", &schema("NewInvitation"))
                .refuses(&["too_many_invitations", "rate_limited"]),
        ),
        route(
            &Method::DELETE,
            "/auth/orgs/{id}/invitations/{invitation}",
            write_it,
            uninvite,
            acting("Take an invitation back")
                .path_parameter("invitation")
                .answers_empty(204, "It opens nothing"),
        ),
        route(
            &Method::POST,
            "/auth/invitations/accept",
            write_it,
            accept,
            at("Join an organization, as the user whose address is invited")
                .json(&texts(&["token"], &[]))
                .answers(200, "The organization", &schema("Organization"))
                .refuses(&["invalid_token", "too_many_members"]),
        ),
        route(
            &Method::POST,
            "/auth/orgs/{id}/activate",
            write_it,
            activate,
            one("Act in it from now on, in this session").answers_empty(204, "The next token names it"),
        ),
        route(
            &Method::DELETE,
            "/auth/orgs/active",
            write_it,
            deactivate,
            at("Act in none").answers_empty(204, "The next token names none"),
        ),
    ]
}
