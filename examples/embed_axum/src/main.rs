//! A notebook with Wardgate inside: one program, one port, one folder.
//!
//! `cargo run -p embed_axum`, then what it prints. Wardgate's routes (`/auth/…`, `/.well-known/jwks.json`, …) and
//! the application's own (`/notes`, `/hello`) are one router.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::get;
use wardgate::{
    Admin, CurrentUser, DatabaseUrl, DbOptions, MasterKey, Require, Stage, SystemRng, UserId, Wardgate,
    WebSettings,
};

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);
const FOLDER: &str = "embed-data";

/// The application's state. The extractors need to find the gate in it, and nothing else.
#[derive(Clone, FromRef)]
struct AppState {
    gate: Wardgate,
    notes: Notes,
}

/// Everybody's notes, by their owner. A real application has a table with the user's id in it.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<HashMap<UserId, Vec<String>>>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For everybody: whoever has a good token is greeted by name, a missing or stale one is no fault.
async fn hello(user: Option<CurrentUser>) -> String {
    match user {
        Some(user) => format!("Hello, {}\n", user.user().email),
        None => "Hello, whoever you are\n".to_owned(),
    }
}

/// For users: without a good token the answer is 401, and this function does not run.
async fn list_notes(user: CurrentUser, State(notes): State<Notes>) -> Json<Vec<String>> {
    Json(notes.lock().get(&user.user().id).cloned().unwrap_or_default())
}

async fn add_note(user: CurrentUser, State(notes): State<Notes>, text: String) -> StatusCode {
    notes.lock().entry(user.user().id).or_default().push(text);
    StatusCode::CREATED
}

/// For administrators: a user without the role gets 403.
async fn wipe_notes(_: Require<Admin>, State(notes): State<Notes>) -> StatusCode {
    notes.lock().clear();
    StatusCode::NO_CONTENT
}

fn app(state: AppState) -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/notes", get(list_notes).post(add_note).delete(wipe_notes))
        .merge(state.gate.router())
        .with_state(state)
}

/// Opens the folder's database, or makes both. A real service is at an `https` address, keeps its master key apart
/// from the database and leaves out `stage` and `web`: they make this a development database with `/docs`.
async fn open(folder: &Path) -> Result<AppState, Box<dyn Error>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let gate = Wardgate::builder()
        .issuer(format!("http://{ADDRESS}"))
        .database(DbOptions::new(DatabaseUrl::Sqlite(folder.join("app.db"))))
        .master_key(master_key(&folder.join("master.key"))?)
        .stage(Some(Stage::Development))
        .web(WebSettings { docs: true, loopback_hosts_only: true, ..WebSettings::default() })
        .build()
        .await?;
    Ok(AppState { gate, notes: Notes::default() })
}

/// The key in `file`, which is made if it is absent and never overwritten: without it the database's signing keys
/// are lost.
fn master_key(file: &Path) -> Result<MasterKey, Box<dyn Error>> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut made) => {
            let key = MasterKey::generate(&SystemRng);
            made.write_all(key.to_base64().as_bytes())?;
            made.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(MasterKey::from_base64(&fs::read_to_string(file)?)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// What to type next; with a link to make the first administrator, while there is none.
async fn greet(gate: &Wardgate) -> Result<(), Box<dyn Error>> {
    println!("listening on http://{ADDRESS}, API documentation at http://{ADDRESS}/docs\n");
    if let Some(token) = gate.setup().new_link(&gate.own_source()).await? {
        println!("first administrator: http://{ADDRESS}/setup#token={}\n", *token);
    }
    println!(
        "curl {ADDRESS}/auth/register --json '{{\"email\": \"ada@example.com\", \"password\": \"violet anchor canyon drum\"}}'\n\
         curl {ADDRESS}/auth/login -d username=ada@example.com -d 'password=violet anchor canyon drum'\n\
         TOKEN=   # the access_token of that answer\n\
         curl {ADDRESS}/notes -H \"Authorization: Bearer $TOKEN\" --data 'Buy milk'\n\
         curl {ADDRESS}/notes -H \"Authorization: Bearer $TOKEN\""
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    let state = open(Path::new(FOLDER)).await?;
    let gate = state.gate.clone();
    greet(&gate).await?;
    // With the peer's address; without it every client would count as one source.
    let service = app(state).into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, service).with_graceful_shutdown(stopped).await?;
    gate.close().await;
    Ok(())
}
