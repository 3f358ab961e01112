//! The API description: OpenAPI 3.1, put together from what each route says of itself.

use serde_json::{Map, Value, json};

use super::problem::PROBLEMS;
use super::routes::{Access, Endpoint};

/// The groups of routes, in the order in which somebody who is new needs them, and what each is for.
const GROUPS: [(&str, &str); 16] = [
    ("tokens", "Sign in, stay signed in, sign out"),
    ("account", "Register; one's own account, password and devices"),
    ("sessions", "Cookies for browsers, and the question of a proxy whether a request may pass"),
    ("recovery", "What links in mails do: prove an address, sign in, set a new password"),
    ("other providers", "Sign in through Google, GitHub and others"),
    ("API keys", "For machines: made, narrowed and exchanged by whoever they belong to"),
    ("organizations", "What users share: members, their roles, invitations"),
    ("users", "For administrators: everybody's accounts"),
    ("roles", "For administrators: who may do what"),
    ("service accounts", "For administrators: owners of API keys that are no people"),
    ("providers", "For administrators: through which providers people may sign in"),
    ("signing keys", "What tokens are checked with, and how that changes"),
    ("audit log", "For administrators: who did what"),
    ("tenants", "For superadmins: customers that know nothing of each other"),
    ("setup", "The first superadmin"),
    ("health", "For whoever runs it"),
];

/// What a route says of itself.
#[derive(Clone)]
pub(crate) struct Operation {
    summary: &'static str,
    tag: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
}

/// Begins a description.
pub(crate) fn operation(tag: &'static str, summary: &'static str) -> Operation {
    Operation { summary, tag, parameters: Vec::new(), body: None, responses: Map::new() }
}

/// A reference to a named schema.
pub(crate) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A page of `items`.
pub(crate) fn page_of(items: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": { "items": { "type": "array", "items": items }, "next_cursor": { "type": ["string", "null"] } },
    })
}

/// An object of text properties, those in `required` first.
pub(crate) fn texts(required: &[&str], optional: &[&str]) -> Value {
    let properties: Map<String, Value> =
        required.iter().chain(optional).map(|name| ((*name).to_owned(), text(name))).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// A list of texts.
pub(crate) fn strings() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn text(name: &str) -> Value {
    match name {
        "email" => json!({ "type": "string", "format": "email" }),
        name if name.ends_with("password") => {
            json!({ "type": "string", "format": "password", "maxLength": 256 })
        }
        _ => json!({ "type": "string" }),
    }
}

const CREDENTIAL_REFUSALS: &[&str] = &[
    "ambiguous_credential",
    "inactive_user",
    "missing_credential",
    "invalid_credential",
    "invalid_api_key",
    "cross_site",
    "rate_limited",
];
const PERMISSION_REFUSALS: &[&str] = &["insufficient_permissions", "insufficient_scope"];

impl Operation {
    /// It reads JSON.
    pub(crate) fn json(mut self, schema: &Value) -> Self {
        self.body =
            Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
        self
    }

    /// It reads a form.
    pub(crate) fn form(mut self, schema: &Value) -> Self {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    /// It reads a form or JSON.
    pub(crate) fn form_or_json(mut self, form: &Value, json: &Value) -> Self {
        self.body = Some(json!({
            "content": {
                "application/x-www-form-urlencoded": { "schema": form },
                "application/json": { "schema": json },
            },
        }));
        self
    }

    /// It is a list, paged by `limit` and `cursor`.
    pub(crate) fn paged(mut self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        self.parameters.push(json!({ "name": "limit", "in": "query", "schema": limit }));
        self.parameters.push(json!({ "name": "cursor", "in": "query", "schema": { "type": "string" } }));
        self.refuses(&["invalid_cursor", "invalid_fields"])
    }

    /// It takes a parameter in its query, which may be left out.
    pub(crate) fn query_parameter(mut self, name: &str, description: &str, schema: &Value) -> Self {
        let parameter = json!({ "name": name, "in": "query", "description": description, "schema": schema });
        self.parameters.push(parameter);
        self
    }

    /// It takes a parameter in its path.
    pub(crate) fn path_parameter(mut self, name: &str) -> Self {
        let parameter =
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
        self.parameters.push(parameter);
        self
    }

    /// It answers `status` with JSON of `schema`.
    pub(crate) fn answers(mut self, status: u16, description: &str, schema: &Value) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        self.responses.insert(status.to_string(), json!({ "description": description, "content": content }));
        self
    }

    /// It answers `status` with nothing.
    pub(crate) fn answers_empty(mut self, status: u16, description: &str) -> Self {
        self.responses.insert(status.to_string(), json!({ "description": description }));
        self
    }

    /// It refuses with these problems of the one table.
    pub(crate) fn refuses(mut self, codes: &[&str]) -> Self {
        for row in PROBLEMS.iter().filter(|row| codes.contains(&row.code)) {
            let content = json!({ "application/problem+json": { "schema": schema("Problem") } });
            let said = format!("{}: `{}`", row.title, row.code);
            let entry =
                self.responses.entry(row.status.to_string()).or_insert_with(|| json!({ "content": content }));
            let description = match entry["description"].as_str() {
                Some(before) => format!("{before}; {said}"),
                None => said,
            };
            entry["description"] = json!(description);
        }
        self
    }

    fn describe(self, endpoint: &Endpoint) -> Value {
        let described = match endpoint.access {
            Access::Public => self,
            Access::SignedIn => self.refuses(CREDENTIAL_REFUSALS),
            Access::Permission(_) => self.refuses(CREDENTIAL_REFUSALS).refuses(PERMISSION_REFUSALS),
            Access::SteppedUp(_) => {
                self.refuses(CREDENTIAL_REFUSALS).refuses(PERMISSION_REFUSALS).refuses(&["step_up_required"])
            }
            Access::ApiKeyHolder => {
                self.refuses(&["ambiguous_credential", "missing_api_key", "invalid_api_key", "rate_limited"])
            }
            Access::ForwardAuth => self.refuses(&[
                "missing_credential",
                "invalid_credential",
                "insufficient_permissions",
                "invalid_api_key",
                "cross_site",
            ]),
            Access::TokenHolder => {
                self.refuses(&["ambiguous_credential", "missing_credential", "invalid_credential"])
            }
        };
        let described = if described.body.is_some() {
            described.refuses(&[
                "malformed_body",
                "body_too_large",
                "unsupported_media_type",
                "invalid_fields",
            ])
        } else {
            described
        };
        let mut value = json!({
            "operationId": operation_id(endpoint),
            "summary": described.summary,
            "tags": [described.tag],
            "responses": described.responses,
        });
        if !described.parameters.is_empty() {
            value["parameters"] = json!(described.parameters);
        }
        if let Some(body) = described.body {
            value["requestBody"] = body;
        }
        if let Access::Permission(permission) | Access::SteppedUp(permission) = endpoint.access {
            value["description"] = json!(format!("Asks for the permission `{permission}`."));
        }
        if endpoint.access != Access::Public {
            value["security"] = security(endpoint.access);
        }
        value
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::ApiKeyHolder => json!([{ "apiKey": [] }]),
        Access::TokenHolder => json!([{ "password": [] }, { "bearer": [] }]),
        _ => json!([{ "password": [] }, { "bearer": [] }, { "apiKey": [] }, { "session": [] }]),
    }
}

fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let path: Vec<&str> = words.collect();
    format!("{}_{}", endpoint.method.as_str().to_lowercase(), path.join("_"))
}

/// The whole description, from the table's endpoints and operations.
pub(crate) fn document(table: Vec<(Endpoint, Operation)>, more: Vec<(&'static str, Value)>) -> Value {
    let mut paths = Map::new();
    for (endpoint, operation) in table {
        let method = endpoint.method.as_str().to_lowercase();
        let described = operation.describe(&endpoint);
        paths.entry(endpoint.path).or_insert_with(|| json!({}))[method] = described;
    }
    let mut schemas = schemas();
    for (name, schema) in more {
        schemas[name] = schema;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wardgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Authentication for APIs. Press Authorize and sign in with e-mail and password to try the protected routes.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "tags": GROUPS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes() },
    })
}

fn security_schemes() -> Value {
    json!({
        "password": { "type": "oauth2", "flows": { "password": { "tokenUrl": "/auth/login", "refreshUrl": "/auth/refresh", "scopes": {} } } },
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
        "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
        "session": { "type": "apiKey", "in": "cookie", "name": "__Host-wardgate_session" },
    })
}

fn schemas() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let strings = strings();
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                "detail": { "type": "string" }, "code": { "type": "string" },
                "errors": { "type": "array", "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": { "pointer": { "type": "string" }, "code": { "type": "string" }, "detail": { "type": "string" } },
                } },
            },
        },
        "User": {
            "type": "object",
            "required": ["id", "email", "email_verified", "name", "is_active", "roles", "created_at"],
            "properties": {
                "id": { "type": "string" }, "email": { "type": "string" }, "email_verified": { "type": "boolean" },
                "name": { "type": ["string", "null"] }, "is_active": { "type": "boolean" }, "roles": strings,
                "created_at": time,
            },
        },
        "Me": {
            "description": "A user, or a service account, which has no address",
            "type": "object",
            "required": ["id", "name", "is_active", "roles", "created_at", "permissions", "tenant"],
            "properties": {
                "id": { "type": "string" }, "email": { "type": "string" }, "email_verified": { "type": "boolean" },
                "name": { "type": ["string", "null"] }, "is_active": { "type": "boolean" }, "roles": strings,
                "created_at": time, "permissions": strings, "tenant": { "type": "string" },
            },
        },
        "TokenPair": {
            "type": "object",
            "required": ["access_token", "refresh_token", "token_type", "expires_in"],
            "properties": {
                "access_token": { "type": "string" }, "refresh_token": { "type": "string" },
                "token_type": { "const": "bearer" }, "expires_in": { "type": "integer", "description": "seconds" },
                "scope": { "type": "string" },
            },
        },
        "ExchangedToken": {
            "type": "object",
            "required": ["access_token", "token_type", "expires_in", "scope"],
            "properties": {
                "access_token": { "type": "string" }, "token_type": { "const": "bearer" },
                "expires_in": { "type": "integer", "description": "seconds" }, "scope": { "type": "string" },
            },
        },
        "Session": {
            "type": "object",
            "required": ["id", "current", "created_at", "last_seen_at", "expires_at", "address", "user_agent"],
            "properties": {
                "id": { "type": "string" }, "current": { "type": "boolean" }, "created_at": time, "last_seen_at": time,
                "expires_at": time, "address": { "type": ["string", "null"] }, "user_agent": { "type": ["string", "null"] },
            },
        },
        "AuditRecord": {
            "type": "object",
            "required": ["id", "at", "actor", "action", "target", "outcome", "source", "user_agent", "request_id", "tenant"],
            "properties": {
                "id": { "type": "string" }, "at": time, "actor": { "type": "string" }, "action": { "type": "string" },
                "target": { "type": ["string", "null"] }, "outcome": { "enum": ["success", "refused"] },
                "source": { "type": ["string", "null"] }, "user_agent": { "type": ["string", "null"] },
                "request_id": { "type": "string" }, "tenant": { "type": "string" },
            },
        },
        "Role": {
            "type": "object",
            "required": ["name", "description", "permissions", "builtin", "created_at"],
            "properties": {
                "name": { "type": "string" }, "description": { "type": ["string", "null"] }, "permissions": strings,
                "builtin": { "type": "boolean" }, "created_at": { "type": ["string", "null"], "format": "date-time" },
            },
        },
        "Tenant": {
            "type": "object",
            "required": ["id", "slug", "name", "hosts", "suspended_at", "created_at"],
            "properties": {
                "id": { "type": "string" }, "slug": { "type": "string" }, "name": { "type": "string" },
                "logo_url": { "type": ["string", "null"] }, "accent_color": { "type": ["string", "null"] },
                "registration": { "enum": ["open", "closed", null] },
                "min_password_length": { "type": ["integer", "null"] }, "hosts": strings,
                "rate_limits": { "type": ["object", "null"] }, "mail_urls": { "type": ["object", "null"] },
                "suspended_at": { "type": ["string", "null"], "format": "date-time" }, "created_at": time,
            },
        },
        "ServiceAccount": {
            "type": "object",
            "required": ["id", "name", "is_active", "roles", "created_at"],
            "properties": {
                "id": { "type": "string" }, "name": { "type": "string" }, "is_active": { "type": "boolean" },
                "roles": strings, "created_at": time,
            },
        },
        "SigningKey": {
            "type": "object",
            "required": ["kid", "algorithm", "state", "created_at", "activates_at", "retired_at"],
            "properties": {
                "kid": { "type": "string" }, "algorithm": { "type": "string" },
                "state": { "enum": ["published", "signing", "verifying", "retired"] }, "created_at": time,
                "activates_at": time, "retired_at": { "type": ["string", "null"], "format": "date-time" },
            },
        },
        "JwkSet": { "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": { "type": "object" } } } },
        "Health": { "type": "object", "required": ["status"], "properties": { "status": { "type": "string" } } },
    })
}
