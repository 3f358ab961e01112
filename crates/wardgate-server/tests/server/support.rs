//! Starts the binary and speaks HTTP to it.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery staple";

pub struct Server {
    pub process: Child,
    pub base: String,
    /// What it printed up to the empty line, after which a development server gives an example.
    pub banner: Vec<String>,
    /// The log, line by line.
    pub log: Receiver<String>,
}

/// The program, with nothing of the caller's configuration.
pub fn wardgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardgate"));
    command.env_clear().current_dir(std::env::temp_dir());
    command
}

/// Runs a command on `folder` to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    wardgate().args(arguments).arg("--data-dir").arg(folder).output().unwrap()
}

/// `serve --dev` on `folder`, at `listen`.
pub fn development(folder: &Path, listen: &str) -> Command {
    let mut command = wardgate();
    command.args(["serve", "--dev", "--listen", listen, "--data-dir"]).arg(folder);
    command
}

/// A master key that is no placeholder.
pub const KEY: &str = "q83vEjRWeJCrze8SNFZ4kB0CAz7FpsfY6foLHC0+T2A=";

/// `serve` on `folder` with all that production asks for, on a free port.
pub fn production(folder: &Path, key: &str) -> Command {
    production_at(folder, key, "127.0.0.1:0")
}

/// The same, at an address.
pub fn production_at(folder: &Path, key: &str, listen: &str) -> Command {
    let mut command = wardgate();
    command.args(["serve", "--listen", listen, "--data-dir"]).arg(folder);
    command
        .env("WARDGATE_SERVER__MASTER_KEY", key)
        .env("WARDGATE_SERVER__ISSUER", "https://auth.example.com");
    command
}

/// As [`run`], with a line on standard input.
pub fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = wardgate();
    let command = command.args(arguments).arg("--data-dir").arg(folder);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses before it reads has closed its end by then: what it says is looked at, not this.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    pub fn start_with(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = development(folder, "127.0.0.1:0");
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// Starts a `serve` and waits until it listens.
    pub fn spawn(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let log = pump(process.stderr.take().unwrap());
        let last = if command.get_args().any(|argument| argument == "--dev") { "" } else { "data: " };
        let mut banner = Vec::new();
        for line in lines.by_ref() {
            banner.push(line);
            if banner.last().is_some_and(|line| line.is_empty() || !last.is_empty() && line.starts_with(last))
            {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let base = banner.iter().find_map(|line| line.strip_prefix("listening on "));
        let base = base.unwrap_or_else(|| panic!("it does not listen: {:?}", log.iter().collect::<Vec<_>>()));
        Self { base: base.to_owned(), process, banner, log }
    }

    /// A connection of one's own, for what no client library does.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.base.strip_prefix("http://").unwrap()).unwrap()
    }

    /// Reads the log up to the line that says `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.log.iter().find(|line| line.contains(text)).expect("the log says it");
    }

    /// As [`Self::wait_for_log`], where the line `never` must not come before it.
    pub fn wait_for_log_without(&self, never: &str, text: &str) {
        let seen = self.log.iter().inspect(|line| assert!(!line.contains(never), "{line}"));
        seen.into_iter().find(|line| line.contains(text)).expect("the log says it");
    }

    /// What the listener for metrics says.
    pub fn metrics(&self) -> String {
        let url = self.banner.iter().find_map(|line| line.strip_prefix("metrics: ")).expect("it has one");
        agent().get(url).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// Waits for the end and returns the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// The token of the one-use link, if one was printed.
    pub fn setup_token(&self) -> Option<String> {
        self.banner.iter().find_map(|line| Some(line.split_once("#token=")?.1.trim().to_owned()))
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post(&self.base, path, body).expect("the server answers")
    }

    pub fn get(&self, path: &str, access: &str) -> (u16, Value) {
        self.get_with(path, "authorization", &format!("Bearer {access}"))
    }

    pub fn get_with(&self, path: &str, header: &str, value: &str) -> (u16, Value) {
        let request = agent().get(format!("{}{path}", self.base)).header(header, value);
        read(request.call()).expect("the server answers")
    }

    pub fn register(&self, email: &str) {
        assert_eq!(self.post("/auth/register", &json!({ "email": email, "password": PASSWORD })).0, 201);
    }

    /// Access and refresh token.
    pub fn log_in(&self, email: &str) -> (String, String) {
        let (status, body) = self.post("/auth/login", &json!({ "email": email, "password": PASSWORD }));
        assert_eq!(status, 200, "{body}");
        tokens(&body)
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A sign-in whose head the server has read and whose body it waits for.
pub fn half_a_login(server: &Server, body: &str) -> TcpStream {
    let mut login = server.connect();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    login.write_all(head.as_bytes()).unwrap();
    assert!(read_text(&mut login, 25).starts_with("HTTP/1.1 100 Continue"));
    login
}

pub fn read_text(connection: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub fn login_body() -> String {
    json!({ "email": "ada@example.com", "password": PASSWORD }).to_string()
}

fn pump(log: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    let lines = BufReader::new(log).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.for_each(|line| drop(sender.send(line))));
    receiver
}

pub fn tokens(body: &Value) -> (String, String) {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// `None` when the server went away before it answered: nothing was acknowledged then.
pub fn post(base: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    read(agent().post(format!("{base}{path}")).send_json(body))
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<(u16, Value)> {
    let mut answer = answer.ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null)))
}
