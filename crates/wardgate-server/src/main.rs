//! The Wardgate server and its command line: wires the library to a configuration, decides nothing.

mod banner;
mod cli;
mod commands;
mod config;
mod datadir;
mod door;
mod failure;
mod metrics;
mod output;
mod progress;
mod serve;
mod stdin;
mod telemetry;
mod tls;
mod wire;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use cli::{Cli, Command};

/// A request makes many small allocations, and the system's allocator takes an eighth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
use failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    match command {
        Command::Serve(args) => serve::run(args, &common),
        Command::Config(command) => commands::config::run(&common, &command),
        Command::Migrate(command) => once(commands::migrate::run(&common, &command)),
        Command::Backup(command) => once(commands::backup::run(&common, &command)),
        Command::Restore(command) => once(commands::restore::run(&common, command)),
        Command::User(command) => once(commands::user::run(&common, command)),
        Command::Tenant(command) => once(commands::tenant::run(&common, command)),
        Command::ServiceAccount(command) => once(commands::service_account::run(&common, command)),
        Command::Role(command) => once(commands::role::run(&common, command)),
        Command::ApiKey(command) => once(commands::api_key::run(&common, command)),
        Command::Import(command) => once(commands::import::run(&common, command)),
        Command::Export(command) => once(commands::export::run(&common, command)),
        Command::Key(command) => once(commands::key::run(&common, &command)),
        Command::Audit(command) => once(commands::audit::run(&common, command)),
        Command::Openapi => Ok(output::json(&mut io::stdout().lock(), &wardgate::Wardgate::openapi())?),
        Command::Completions { shell } => completions(shell),
    }
}

/// One command has enough with the thread it runs on.
fn once(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wardgate", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

fn end(failure: &Failure) -> ExitCode {
    if !matches!(failure, Failure::ClosedPipe) {
        // That nobody reads it changes nothing of how it ended; `eprintln!` would panic.
        let _ = writeln!(io::stderr().lock(), "error: {failure}");
    }
    failure.exit_code()
}
