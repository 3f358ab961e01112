//! People who use the system.

use serde_json::json;
use wardgate::{BuiltinRole, NewUser, TenantId, UserId};

use super::gate::{PASSWORD, TestGate};
use super::request::{Reply, Request};

/// Somebody about to have an account.
pub struct Registering<'t> {
    t: &'t TestGate,
    name: String,
    role: BuiltinRole,
}

impl<'t> Registering<'t> {
    pub(super) fn new(t: &'t TestGate, name: &str) -> Self {
        Self { t, name: name.to_owned(), role: BuiltinRole::User }
    }

    pub fn role(mut self, role: BuiltinRole) -> Self {
        self.role = role;
        self
    }

    /// With an account, not signed in.
    pub async fn registered(self) -> Persona<'t> {
        let email = format!("{}@example.com", self.name);
        let new = NewUser { email: email.parse().unwrap(), name: None, email_verified: false };
        let (gate, roles) = (&self.t.gate, vec![self.role.to_string()]);
        let accounts = gate.accounts();
        let account =
            accounts.create(TenantId::DEFAULT, new, Some(PASSWORD), roles, &gate.operator()).await.unwrap();
        Persona { t: self.t, email, id: account.user.id, access: String::new(), refresh: String::new() }
    }

    /// With an account and signed in.
    pub async fn signed_in(self) -> Persona<'t> {
        let mut persona = self.registered().await;
        persona.sign_in().await;
        persona
    }
}

pub struct Persona<'t> {
    t: &'t TestGate,
    pub email: String,
    pub id: UserId,
    pub access: String,
    pub refresh: String,
}

impl Persona<'_> {
    pub async fn log_in(&self, password: &str) -> Reply {
        self.t.post("/auth/login").json(&json!({ "email": self.email, "password": password })).send().await
    }

    /// Signs in on this device, replacing the tokens it holds.
    pub async fn sign_in(&mut self) {
        let reply = self.log_in(PASSWORD).await.expect(200);
        self.keep(&reply);
    }

    pub fn keep(&mut self, reply: &Reply) {
        (self.access, self.refresh) = (reply.str("access_token"), reply.str("refresh_token"));
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        self.t.request(method, path).bearer(&self.access)
    }

    pub async fn me(&self) -> Reply {
        self.get("/auth/me").send().await
    }

    /// Presents a refresh token without keeping what it gives.
    pub async fn present(&self, refresh_token: &str) -> Reply {
        self.t.post("/auth/refresh").json(&json!({ "refresh_token": refresh_token })).send().await
    }
}
