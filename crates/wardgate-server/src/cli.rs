//! The command line: names, flags and their help.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use wardgate::{Action, ApiKeyId, AuditFilter, Outcome, Timestamp, UserId};

/// Authentication for APIs: one server beside yours, with users, sessions and signing keys in one place.
#[derive(Debug, Parser)]
#[command(name = "wardgate", version, arg_required_else_help = true)]
#[command(after_help = "First steps: `wardgate serve --dev`, then follow what it prints.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Common {
    /// Where the SQLite file lies, and the master key that --dev made; other files may lie there too
    #[arg(long, global = true, value_name = "DIR", default_value = "./wardgate-data")]
    pub(crate) data_dir: PathBuf,
    /// Configuration file [default: wardgate.toml in the working directory, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The tenant that the command is about
    #[arg(long, global = true, value_name = "SLUG", default_value = "default")]
    pub(crate) tenant: String,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Check, show and describe the configuration
    #[command(subcommand)]
    Config(Config),
    /// Bring the database up to date, which `serve` does by itself; or move it to PostgreSQL
    Migrate(Migrate),
    /// Copy the SQLite database into one file while the server runs; the master key is not in it
    Backup(Backup),
    /// Put a backup in place of the database; everybody has to sign in anew
    Restore(Restore),
    /// Make, look at and change users
    #[command(subcommand)]
    User(User),
    /// Make, look at, suspend and delete tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Make, look at and change service accounts: machines with roles and API keys
    #[command(subcommand)]
    ServiceAccount(ServiceAccount),
    /// Make, look at and change roles of your own
    #[command(subcommand)]
    Role(Role),
    /// Make, list, rotate and revoke API keys
    #[command(subcommand)]
    ApiKey(ApiKey),
    /// Bring users in from another program
    #[command(subcommand)]
    Import(Import),
    /// Write users out, in the form that import reads
    #[command(subcommand)]
    Export(Export),
    /// Look at signing keys, replace and withdraw them
    #[command(subcommand)]
    Key(Key),
    /// Read, prove and export the audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Print the OpenAPI description of the HTTP interface
    Openapi,
    /// Print the completions of a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Run a development server: on loopback only, with keys of its own in the data folder
    #[arg(long)]
    pub(crate) dev: bool,
    /// Address and port to listen on; under --dev port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Report every fault by the rules of production
    Check,
    /// Print the settings in force and where each comes from; secrets are masked
    Show,
    /// Print a JSON Schema of the configuration file, for editors
    Schema,
}

/// `migrate`
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Only list what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Move the SQLite database to this empty PostgreSQL database, named without a password: others see arguments
    #[arg(long, value_name = "URL", conflicts_with = "to_file")]
    pub(crate) to: Option<String>,
    /// As --to, with the URL in a file, where it may have a password
    #[arg(long, value_name = "FILE")]
    pub(crate) to_file: Option<PathBuf>,
}

/// `backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// A file that is not there yet, and that only its owner will be able to read; - writes to standard output
    pub(crate) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup; not needed with --in-place
    #[arg(required_unless_present = "in_place")]
    pub(crate) file: Option<PathBuf>,
    /// Replace the database that is there; it is kept beside the new one
    #[arg(long)]
    pub(crate) force: bool,
    /// Let API keys go on: those that were revoked since the backup open again what they did
    #[arg(long)]
    pub(crate) keep_api_keys: bool,
    /// The database was put back by other means, such as pg_restore: only end what may have ended since
    #[arg(long, conflicts_with_all = ["file", "force"])]
    pub(crate) in_place: bool,
}

/// A setting, or `none` to take it away.
#[derive(Clone, Debug)]
pub(crate) struct OrNone<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for OrNone<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

/// `user …`
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user, whose address counts as verified
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What the user likes to be called
        #[arg(long)]
        name: Option<String>,
        /// user, admin, superadmin or a role of your own; several are separated by commas
        #[arg(long, default_value = "user", value_delimiter = ',')]
        role: Vec<String>,
        #[command(flatten)]
        password: PasswordStdin,
    },
    /// List the users, newest first
    List,
    /// Show one user
    #[command(group = ArgGroup::new("who").required(true).args(["email", "id"]))]
    Show {
        /// The address, in any spelling
        #[arg(long)]
        email: Option<String>,
        /// The id, usr_…
        #[arg(long)]
        id: Option<UserId>,
    },
    /// Set the password; every session of the user ends
    SetPassword {
        #[command(flatten)]
        who: ByEmail,
        #[command(flatten)]
        password: PasswordStdin,
    },
    /// Give the user this role, or these, instead of the present ones
    SetRole {
        #[command(flatten)]
        who: ByEmail,
        /// user, admin, superadmin or a role of your own; several are separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        role: Vec<String>,
    },
    /// Keep the user from signing in and acting; every session ends
    Disable(ByEmail),
    /// Let the user sign in again; ended sessions stay ended
    Enable(ByEmail),
    /// Forget the failed attempts at the account, so that the next is looked at at once
    ClearLimits(ByEmail),
    /// Remove the user with sessions, tokens and roles
    Delete {
        #[command(flatten)]
        who: ByEmail,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `import …`
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Make an account of every line; those that are there already are passed over, faulty ones reported
    Users {
        /// JSON lines (.jsonl, .ndjson) or CSV (.csv); - reads standard input
        file: PathBuf,
        /// What the file is, if its name does not say
        #[arg(long, value_enum)]
        format: Option<FileFormat>,
        /// Only say what would become of each line
        #[arg(long)]
        dry_run: bool,
    },
}

/// `export …`
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Write every user, newest first
    Users {
        /// JSON lines or CSV [default: what the name of --output says, else jsonl]
        #[arg(long, value_enum)]
        format: Option<FileFormat>,
        /// A file that is not there yet, and that only its owner will be able to read [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Include the password hashes, which are secrets: whoever has them can guess at leisure
        #[arg(long)]
        with_password_hashes: bool,
    },
}

/// How a file of users is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FileFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// The user that a command is about.
#[derive(Debug, Args)]
pub(crate) struct ByEmail {
    /// The user's address, in any spelling
    #[arg(long)]
    pub(crate) email: String,
}

/// Other users see the arguments of every process (`ps`), so there is no flag that takes the password itself.
#[derive(Debug, Args)]
pub(crate) struct PasswordStdin {
    /// Read the password from standard input: one line
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// `tenant …`
#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant, with signing keys of its own
    Create {
        /// Its name in paths: 2 to 40 of a-z, 0-9 and hyphen; never changed
        slug: String,
        /// What people see
        #[arg(long)]
        name: String,
    },
    /// List the tenants, newest first
    List,
    /// Show one tenant
    Show {
        /// Its slug
        slug: String,
    },
    /// Change what people see, its settings, and where it is reached
    Set {
        /// Its slug
        slug: String,
        /// What people see
        #[arg(long)]
        name: Option<String>,
        /// Its picture, an https URL; `none` takes it away
        #[arg(long, value_name = "URL")]
        logo_url: Option<OrNone<String>>,
        /// The colour of buttons and links on its pages, as #rrggbb; `none` for the built-in one
        #[arg(long, value_name = "COLOR")]
        accent_color: Option<OrNone<String>>,
        /// Who may register: open or closed; `none` for what the configuration says
        #[arg(long, value_name = "MODE")]
        registration: Option<OrNone<String>>,
        /// Fewest characters of a new password; `none` for what the configuration says
        #[arg(long, value_name = "N")]
        min_password_length: Option<OrNone<i64>>,
        /// A limit of its own instead of the configuration's, such as sign_in_source=60; several are separated by
        /// commas, and are then all it has; `none` takes them away
        #[arg(long, value_name = "NAME=N", value_delimiter = ',')]
        rate_limit: Vec<String>,
        /// A page of its own that mails link to, such as reset_url=https://app.example.com/reset; several are separated
        /// by commas, and are then all it has; `none` takes them away
        #[arg(long, value_name = "NAME=URL", value_delimiter = ',')]
        mail_url: Vec<String>,
        /// Host names under which it is reached instead of the present ones; the first makes its issuer; several are
        /// separated by commas; `none` takes them away
        #[arg(long, value_delimiter = ',')]
        host: Vec<String>,
    },
    /// Answer nothing of it any more: users, keys and sessions are dead at once
    Suspend {
        /// Its slug
        slug: String,
    },
    /// Answer for it again
    Resume {
        /// Its slug
        slug: String,
    },
    /// Remove it with everything that is its own
    Delete {
        /// Its slug
        slug: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `service-account …`
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccount {
    /// Make a service account
    Create {
        /// What it is called, such as backup-runner
        name: String,
        /// Its roles; several are separated by commas
        #[arg(long, value_delimiter = ',')]
        role: Vec<String>,
    },
    /// List the service accounts, newest first
    List,
    /// Give it these roles instead of the present ones
    SetRole {
        /// Its name
        name: String,
        /// Its roles; several are separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        role: Vec<String>,
    },
    /// Let its keys open nothing
    Disable {
        /// Its name
        name: String,
    },
    /// Let its keys open what they did
    Enable {
        /// Its name
        name: String,
    },
    /// Remove it with its roles and keys
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `role …`
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Make a role out of permissions
    Create {
        /// What it is called, such as editor
        name: String,
        /// What it allows, each as resource:action; several are separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        permission: Vec<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List the built-in roles and your own
    List,
    /// Let it allow this instead
    SetPermissions {
        /// Its name
        name: String,
        /// What it allows, each as resource:action; several are separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        permission: Vec<String>,
    },
    /// Remove a role that nobody has
    Delete {
        /// Its name
        name: String,
    },
}

/// `api-key …`
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    /// Make a key; it is shown this once
    Create {
        #[command(flatten)]
        owner: Owner,
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do, each as resource:action, within its owner's roles; without any, whatever the owner may do
        /// with the application and with the own profile
        #[arg(long, value_delimiter = ',')]
        scope: Vec<String>,
        /// When it ends, such as 2030-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<Timestamp>,
        /// Where it may be used: addresses or networks such as 10.0.0.0/8; several are separated by commas
        #[arg(long, value_delimiter = ',')]
        network: Vec<String>,
    },
    /// List the live keys of a user or service account, newest first
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Give a key a successor, which is shown this once
    Rotate {
        /// The key's id, key_…
        id: ApiKeyId,
        /// Seconds that the old one goes on
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        overlap: u32,
    },
    /// Let a key open nothing more, at once
    Revoke {
        /// The key's id, key_…
        id: ApiKeyId,
    },
}

/// Whose key a command is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Owner {
    /// A user's address, in any spelling
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// A service account's name
    #[arg(long, value_name = "NAME")]
    pub(crate) service_account: Option<String>,
}

/// `key …`
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the signing keys, newest first
    List,
    /// Publish a new key, which takes over in an hour; tokens stay good
    Rotate,
    /// Withdraw a key that may be in wrong hands; outlived keys retire by themselves
    Retire {
        /// The key's id, as `key list` shows it
        // An id is base64url, and one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Say that every token the key has signed ends at once
        #[arg(long, required = true)]
        now: bool,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Print the newest records, the newest last
    Tail {
        /// How many
        #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20,
              value_parser = clap::value_parser!(u32).range(1..=10_000))]
        lines: u32,
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
    },
    /// List records, newest first
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100,
              value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Prove that no record was changed, removed or moved; else name the first and exit with 1
    Verify {
        /// The number and link that an earlier run has shown last: fails if the log was put back to before it
        #[arg(long, value_name = "NUMBER:LINK", value_parser = expected)]
        expect: Option<Expected>,
    },
    /// Print records as lines of JSON, oldest first: those that there are as it begins
    Export {
        #[command(flatten)]
        which: Which,
    },
}

/// Where the log has been before.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) number: i64,
    pub(crate) link: String,
}

fn expected(text: &str) -> Result<Expected, &'static str> {
    const FORM: &str = "write the number, a colon, and the 64 digits of the link";
    let (number, link) = text.split_once(':').ok_or(FORM)?;
    let number = number.parse().ok().filter(|number| *number > 0).ok_or(FORM)?;
    let is_link = link.len() == 64 && link.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_link { Ok(Expected { number, link: link.to_ascii_lowercase() }) } else { Err(FORM) }
}

/// Which records a command is about; all, unless this says less.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Not before this time, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// By exactly this actor: the id of a user or service account, anonymous, command_line or system
    #[arg(long)]
    actor: Option<String>,
    /// Done to exactly this, as records show it
    #[arg(long)]
    target: Option<String>,
    /// Only this, such as session.signed_in
    #[arg(long, value_parser = action)]
    action: Option<Action>,
    /// Only what ended so: success or refused
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
}

impl From<Which> for AuditFilter {
    fn from(Which { from, to, actor, target, action, outcome }: Which) -> Self {
        Self { from, to, actor, target, action, outcome }
    }
}

fn action(word: &str) -> Result<Action, String> {
    Action::from_word(word).ok_or_else(|| {
        let words: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        format!("records have one of: {}", words.join(", "))
    })
}

fn outcome(word: &str) -> Result<Outcome, &'static str> {
    Outcome::from_word(word).ok_or("records have success or refused")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_what_every_command_does() {
        let mut root = Cli::command();
        root.build();
        let mut pages = String::new();
        collect(&mut root, &mut pages);
        insta::assert_snapshot!(pages);
    }

    fn collect(command: &mut clap::Command, pages: &mut String) {
        pages.push_str(&format!("{}\n{}\n", "-".repeat(80), command.render_help()));
        for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            collect(inner, pages);
        }
    }

    #[test]
    fn the_unit_and_the_container_start_a_server() {
        let unit = include_str!("../../../packaging/wardgate.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let container = include_str!("../../../Dockerfile");
        let command = container.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
        let command: Vec<String> = serde_json::from_str(command).unwrap();
        let container = std::iter::once("wardgate").chain(command.iter().map(String::as_str)).collect();
        for line in [start.split(' ').collect::<Vec<_>>(), container] {
            let cli = Cli::try_parse_from(&line).unwrap();
            assert!(matches!(cli.command, Command::Serve(Serve { dev: false, .. })), "{line:?}");
            assert_eq!(cli.common.data_dir, PathBuf::from("/var/lib/wardgate"));
        }
    }

    #[test]
    fn there_is_no_flag_that_takes_a_password() {
        for verb in ["create", "set-password"] {
            let line = ["wardgate", "user", verb, "--email", "a@b.de", "--password", "hunter2"];
            let refusal = Cli::try_parse_from(line).unwrap_err().to_string();
            assert!(refusal.contains("--password-stdin"), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn a_key_is_not_withdrawn_by_a_slip() {
        assert!(Cli::try_parse_from(["wardgate", "key", "retire", "key_1"]).is_err());
        for line in [["--now", "-4Zq_c"], ["-4Zq_c", "--now"], ["4Zq_c", "--now"]] {
            let cli = Cli::try_parse_from([&["wardgate", "key", "retire"], &line[..]].concat()).unwrap();
            let Command::Key(Key::Retire { kid, now: true }) = cli.command else { panic!("{line:?}") };
            assert!(kid.ends_with("4Zq_c"), "{kid}");
        }
    }
}
