//! The layers and the check together: what a person who starts the server would see.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::limit::{Limit, limit};
use super::shape::shape;
use super::*;
use crate::tls::testing::certificate;
use wardgate::{ClientSecret, Preset};

/// A secret for webhooks.
const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Base64 of 32 bytes that look random.
const KEY: &str = "q83vEjRWeJCrze8SNFZ4kB0CAz7FpsfY6foLHC0+T2A=";

/// What production asks for, and nothing more.
const COMPLETE: &[(&str, &str)] =
    &[("WARDGATE_SERVER__ISSUER", "https://auth.example.com"), ("WARDGATE_SERVER__MASTER_KEY", KEY)];

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(variables: &[(&str, &str)]) -> RawConfig {
    load(&[], environment(variables), &[])
}

/// Production, complete but for what `more` changes.
fn production(more: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
    let mut variables = environment(COMPLETE);
    variables.extend(environment(more));
    Config::check(&load(&[], variables, &[]), Mode::Production)
}

fn keys(result: Result<Config, Vec<Fault>>) -> Vec<String> {
    result.err().unwrap_or_default().into_iter().map(|fault| fault.key.unwrap_or_default()).collect()
}

fn flag(value: &str) -> Flag {
    Flag { name: "--listen", setting: "server.listen", value: value.into() }
}

fn written(folder: &TempDir, name: &str, content: &str, mode: u32) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn file(folder: &TempDir, content: &str) -> ConfigFile {
    ConfigFile::read(Path::new(&written(folder, "wardgate.toml", content, 0o600))).unwrap()
}

#[test]
fn the_defaults_are_a_development_server() {
    let config = Config::check(&from_environment(&[]), Mode::Dev).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.issuer, None);
    assert!(config.server.docs && config.server.cors.any_loopback);
    assert_eq!(config.tokens.access_ttl, Duration::from_secs(15 * 60));
    assert_eq!(
        config.password.scheme,
        Scheme::Argon2id { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    );
    assert_eq!(config.password.hash_threads, None);
    assert_eq!(config.registration, Registration::Open);
    assert_eq!(config.server.nodes, 1);
    assert!(config.rate_limit.enabled && config.redis.url.is_none());
    assert!(matches!(config.tokens.signing, Signing::EdDsa));
    assert!(matches!(config.database.url, DatabaseUrl::Sqlite(path) if path == Path::new("wardgate.db")));
}

#[test]
fn production_needs_an_issuer_and_a_master_key_and_keeps_the_docs_shut() {
    assert_eq!(
        keys(Config::check(&from_environment(&[]), Mode::Production)),
        ["server.issuer", "server.master_key"]
    );
    let config = production(&[]).unwrap();
    assert!(!config.server.docs && !config.server.cors.any_loopback);
    assert_eq!(config.server.issuer.as_deref(), Some("https://auth.example.com"));
    assert_eq!(config.server.master_key.unwrap().expose().len(), 32);
}

#[test]
fn limits_are_switched_off_under_dev_only() {
    let off = from_environment(&[("WARDGATE_RATE_LIMIT__ENABLED", "false")]);
    assert!(!Config::check(&off, Mode::Dev).unwrap().rate_limit.enabled);
    assert_eq!(keys(production(&[("WARDGATE_RATE_LIMIT__ENABLED", "false")])), ["rate_limit.enabled"]);
}

#[test]
fn several_nodes_need_a_database_that_they_can_share() {
    let nodes = ("WARDGATE_SERVER__NODES", "3");
    assert_eq!(keys(production(&[nodes])), ["server.nodes"]);
    let shared = production(&[nodes, ("WARDGATE_DATABASE__URL", "postgres://w:kR8sPq2x@db/w")]);
    assert_eq!(shared.unwrap().server.nodes, 3);
}

#[test]
fn a_webhook_goes_to_a_public_host_or_to_one_that_is_named() {
    let hook = |url: &'static str, hosts: &'static str| {
        [
            ("WARDGATE_AUDIT__WEBHOOK_URL", url),
            ("WARDGATE_AUDIT__WEBHOOK_SECRET", HOOK),
            ("WARDGATE_SERVER__INTERNAL_HOSTS", hosts),
        ]
    };
    let url = "http://siem.internal:8088/collect";
    assert_eq!(keys(production(&hook(url, ""))), ["audit.webhook_url"]);
    assert_eq!(keys(production(&hook("https://localhost:9000/", ""))), ["audit.webhook_url"]);
    assert!(production(&hook("https://localhost:9000/", "other,localhost")).is_ok());
    let webhook = production(&hook(url, "other,siem.internal")).unwrap().audit.webhook.unwrap();
    assert_eq!(webhook.url, url);
    assert!(production(&hook("https://siem.example.com/", "")).is_ok());
    assert!(production(&hook("http://[fd00::7]/", "[fd00::7]")).is_ok());
    let local = hook("http://localhost:9000/", "");
    assert!(Config::check(&from_environment(&local), Mode::Dev).is_ok());
    assert_eq!(keys(production(&local)), ["audit.webhook_url"]);
}

#[cfg(feature = "otlp")]
#[test]
fn traces_go_to_a_collector_and_its_secret_to_nobody_else() {
    let otlp = |more: &[(&str, &str)]| production(more).map(|config| config.telemetry.otlp);
    assert!(otlp(&[]).unwrap().is_none());
    let inside = ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "http://collector:4318");
    let plain = otlp(&[inside]).unwrap().unwrap();
    assert_eq!((plain.host.as_str(), plain.sample_ratio, plain.trust_traceparent), ("collector", 1.0, false));
    assert_eq!(
        otlp(&[inside, ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "1")]).unwrap().unwrap().sample_ratio,
        1.0
    );
    let secret = ("WARDGATE_TELEMETRY__OTLP_HEADERS", "Authorization: Bearer hunter2\n\nx-scope: 7\n");
    assert_eq!(keys(production(&[inside, secret])), ["telemetry.otlp_endpoint"]);
    for url in ["https://otlp.example.com/otlp", "http://localhost:4318", "http://[::1]:4318"] {
        let given = otlp(&[("WARDGATE_TELEMETRY__OTLP_ENDPOINT", url), secret]).unwrap().unwrap();
        let headers: Vec<_> =
            given.headers.iter().map(|(name, value)| (&**name, &**value.expose())).collect();
        assert_eq!(headers, [("authorization", "Bearer hunter2"), ("x-scope", "7")]);
        assert!(!format!("{given:?}").contains("hunter2"));
    }
    let folder = tempfile::tempdir().unwrap();
    let open = written(&folder, "headers", "authorization: Bearer hunter2\n", 0o644);
    let file = ("WARDGATE_TELEMETRY__OTLP_HEADERS_FILE", open.as_str());
    let local = ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4318");
    assert_eq!(keys(production(&[local, file])), ["telemetry.otlp_headers"]);
    let trust = ("WARDGATE_TELEMETRY__TRUST_TRACEPARENT", "true");
    assert_eq!(keys(production(&[local, trust])), ["telemetry.trust_traceparent"]);
    let proxy = ("WARDGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    assert!(otlp(&[local, trust, proxy]).unwrap().unwrap().trust_traceparent);
    assert_eq!(keys(production(&[trust, proxy])), ["telemetry.otlp_endpoint"]);
    assert_eq!(keys(production(&[("WARDGATE_TELEMETRY__OTLP_LOGS", "true")])), ["telemetry.otlp_endpoint"]);
}

#[test]
fn docs_that_are_switched_off_stay_off_under_dev() {
    let raw = from_environment(&[("WARDGATE_SERVER__DOCS", "false")]);
    assert!(!Config::check(&raw, Mode::Dev).unwrap().server.docs);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[tokens]\naccess_ttl = \"1m\"\nrefresh_grace = \"1s\"\n";
    let variables = [("WARDGATE_SERVER__LISTEN", "127.0.0.1:2"), ("WARDGATE_TOKENS__ACCESS_TTL", "2m")];
    let raw = load(&[file(&folder, text)], environment(&variables), &[flag("127.0.0.1:3")]);
    let config = Config::check(&raw, Mode::Dev).unwrap();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.tokens.access_ttl, Duration::from_secs(120));
    assert_eq!(config.tokens.refresh_grace, Duration::from_secs(1));
}

/// Every fault that a value alone can have, as a person reads it.
#[test]
fn a_table_of_faults() {
    let wrong = [
        ("WARDGATE_SERVER__LISTEN", "localhost:8080"),
        ("WARDGATE_SERVER__LISTEN", "0.0.0.0:8080"),
        ("WARDGATE_SERVER__ISSUER", "http://auth.example.com"),
        ("WARDGATE_SERVER__ISSUER", "http://localhost:8080"),
        ("WARDGATE_SERVER__ISSUER", "https://auth.example.com/"),
        ("WARDGATE_SERVER__ISSUER", ""),
        ("WARDGATE_SERVER__BEHIND_PROXY", "yes"),
        ("WARDGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.1/8,0.0.0.0/0"),
        ("WARDGATE_SERVER__TENANT_HEADER", "x-tenant"),
        ("WARDGATE_SERVER__TENANT_HEADER", "X-Api-Key"),
        ("WARDGATE_SERVER__TENANT_HEADER", "host"),
        ("WARDGATE_SERVER__CORS_ORIGINS", "https://app.example.com/,*"),
        ("WARDGATE_SERVER__NODES", "0"),
        ("WARDGATE_SERVER__NODES", "2"),
        ("WARDGATE_SERVER__SHUTDOWN_GRACE", "11s"),
        ("WARDGATE_SERVER__MASTER_KEY", "c2hvcnQ="),
        ("WARDGATE_SERVER__MASTER_KEY", "Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU="),
        ("WARDGATE_SERVER__MASTER_KEYS", KEY),
        ("WARDGATE_DATABASE__URL", "mysql://wardgate:hunter2@db/wardgate"),
        ("WARDGATE_DATABASE__URL", "postgres://wardgate:changeme@db/wardgate"),
        ("WARDGATE_DATABASE__COMMIT_BATCH", "0"),
        ("WARDGATE_DATABASE__POOL_SIZE", "501"),
        ("WARDGATE_TOKENS__ALGORITHM", "ES512"),
        ("WARDGATE_TOKENS__ALGORITHM", "HS256"),
        ("WARDGATE_TOKENS__HS256_SECRET_FILE", "/nonexistent"),
        ("WARDGATE_TOKENS__AUDIENCE", " "),
        ("WARDGATE_TOKENS__ACCESS_TTL", "15"),
        ("WARDGATE_TOKENS__ACCESS_TTL", "61m"),
        ("WARDGATE_TOKENS__ACCESS_TTL", "29s"),
        ("WARDGATE_TOKENS__REFRESH_MAX_TTL", "6d"),
        ("WARDGATE_TOKENS__REFRESH_GRACE", "61s"),
        ("WARDGATE_TOKENS__KEY_ROTATION", "23h"),
        ("WARDGATE_PASSWORD__SCHEME", "md5"),
        ("WARDGATE_PASSWORD__ARGON2_MEMORY_KIB", "19455"),
        ("WARDGATE_PASSWORD__ARGON2_ITERATIONS", "1"),
        ("WARDGATE_PASSWORD__BCRYPT_COST", "11"),
        ("WARDGATE_PASSWORD__PRESET", "pci"),
        ("WARDGATE_PASSWORD__MIN_LENGTH", "7"),
        ("WARDGATE_PASSWORD__BREACH_LIST", "/nonexistent"),
        ("WARDGATE_PASSWORD__HASH_QUEUE", "many"),
        ("WARDGATE_PASSWORD__HASH_DEADLINE", "5 s"),
        ("WARDGATE_REGISTRATION__MODE", "verified"),
        ("WARDGATE_REGISTRATION__MODE", "invite"),
        ("WARDGATE_REGISTRATION__MODE", "anyone"),
        ("WARDGATE_MAIL__SMTP", "smtp://mail.example.com"),
        ("WARDGATE_MAIL__SMTP", "smtp://wardgate:hunter2@mail.example.com"),
        ("WARDGATE_MAIL__FROM", "no-reply@example.com"),
        ("WARDGATE_MAIL__TLS", "ssl"),
        ("WARDGATE_MAIL__LINK_BASE", "https://app.example.com/"),
        ("WARDGATE_MAIL__VERIFY_URL", "http://app.example.com/verify"),
        ("WARDGATE_MAIL__RESET_URL", "https://app.example.com/#/reset"),
        ("WARDGATE_MAIL__MAGIC_LINK_URL", "app.example.com"),
        ("WARDGATE_MAIL__INVITATION_URL", "javascript:alert(1)"),
        ("WARDGATE_RATE_LIMIT__ENABLED", "false"),
        ("WARDGATE_RATE_LIMIT__SIGN_IN_ACCOUNT", "101"),
        ("WARDGATE_RATE_LIMIT__SIGN_IN_SOURCE", "0"),
        ("WARDGATE_RATE_LIMIT__SIGN_IN_STRANGERS", "101"),
        ("WARDGATE_RATE_LIMIT__SIGN_IN_TENANT", "0"),
        ("WARDGATE_RATE_LIMIT__REGISTER", "0"),
        ("WARDGATE_RATE_LIMIT__REFRESH", "many"),
        ("WARDGATE_RATE_LIMITS__ENABLED", "true"),
        ("WARDGATE_REDIS__URL", "http://:hunter2@cache"),
        ("WARDGATE_REDIS__URL", "redis://:changeme@cache"),
        ("WARDGATE_REDIS__URL", "rediss://:hunter2@cache#insecure"),
        ("WARDGATE_AUDIT__RETENTION", "90s"),
        ("WARDGATE_AUDIT__RETENTION", "100y"),
        ("WARDGATE_AUDIT__FILE", "/nonexistent/audit.jsonl"),
        ("WARDGATE_AUDIT__FILE", "/"),
        ("WARDGATE_AUDIT__WEBHOOK_URL", "https://siem.example.com/"),
        ("WARDGATE_AUDIT__WEBHOOK_URL", "siem.example.com"),
        ("WARDGATE_AUDIT__WEBHOOK_URL", "http://siem.example.com/"),
        ("WARDGATE_AUDIT__WEBHOOK_URL", "https://169.254.169.254/"),
        ("WARDGATE_AUDIT__WEBHOOK_URL", "http://127.0.0.1:8088/"),
        ("WARDGATE_AUDIT__WEBHOOK_SECRET", "whsec_hunter2"),
        ("WARDGATE_AUDIT__WEBHOOK_SECRET", "whsec_Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU="),
        ("WARDGATE_SERVER__INTERNAL_HOSTS", "siem.internal:8088,https://siem.internal,SIEM"),
        ("WARDGATE_TELEMETRY__LOG", "info,="),
        ("WARDGATE_TELEMETRY__FORMAT", "xml"),
        ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "grpc://127.0.0.1:4317"),
        ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4318/"),
        ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", "https://user:hunter2@otlp.example.com"),
        ("WARDGATE_TELEMETRY__OTLP_HEADERS", "authorization: Bearer hunter2"),
        ("WARDGATE_TELEMETRY__OTLP_HEADERS", "hunter2"),
        ("WARDGATE_TELEMETRY__OTLP_HEADERS_FILE", "/nonexistent"),
        ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "1.5"),
        ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "-0.1"),
        ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "NaN"),
        ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "all"),
        ("WARDGATE_TELEMETRY__TRUST_TRACEPARENT", "true"),
        ("WARDGATE_SERVER__ACCESS_TTL", "15m"),
        ("WARDGATE_SMTP__HOST", "mail"),
    ];
    let blocks = wrong.map(|(name, value)| {
        let without = COMPLETE.iter().filter(|(other, _)| *other != name);
        let variables: Vec<_> = without.copied().chain([(name, value)]).collect();
        let faults = Config::check(&from_environment(&variables), Mode::Production).unwrap_err();
        assert!(!faults.is_empty(), "{name}={value}");
        faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    });
    let table = blocks.join("\n\n");
    assert!(!table.contains("hunter2") && !table.contains(KEY) && !table.contains("Y2hhb"));
    insta::assert_snapshot!(table);
}

/// A wrong kind in the file, an unknown name in the environment, a value out of its range, a flag, and a line that
/// is not TOML: one run tells all.
#[test]
fn faults_of_all_layers_are_shown_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[tokens]\naccess_ttl = 900\nrefresh_grace = 10s\nkey_rotation = \"1h\"\n\n[passwort]\nscheme = \"bcrypt\"\n";
    let variables = [("WARDGATE_TOKENS__AUDIENC", "x"), ("WARDGATE_DATABASE__POOL_SIZE", "0")];
    let raw = load(&[file(&folder, text)], environment(&variables), &[flag("here")]);
    let faults = Config::check(&raw, Mode::Production).unwrap_err();
    let text = report(&faults).replace(folder.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(text);
}

#[test]
fn faults_are_an_object_each_for_machines() {
    let faults = production(&[("WARDGATE_TOKENS__ACCESS_TTL", "2h")]).unwrap_err();
    insta::assert_json_snapshot!(faults);
}

#[test]
fn a_public_address_needs_a_proxy() {
    for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "203.0.113.7:80"] {
        let alone = [("WARDGATE_SERVER__LISTEN", address)];
        assert_eq!(keys(production(&alone)), ["server.listen"], "{address}");
        let proxied = [alone[0], ("WARDGATE_SERVER__BEHIND_PROXY", "true")];
        assert!(production(&proxied).is_ok(), "{address}");
    }
    for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(production(&[("WARDGATE_SERVER__LISTEN", address)]).is_ok(), "{address}");
    }
}

// S-136, S-140
#[test]
fn a_public_address_may_have_tls_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "a");
    fs::set_permissions(&files.chain, fs::Permissions::from_mode(0o600)).unwrap();
    let path = |file: &Path| file.to_str().unwrap().to_owned();
    let (chain, key) = (path(&files.chain), path(&files.key));
    let listen = ("WARDGATE_SERVER__LISTEN", "0.0.0.0:443");
    let (cert_file, key_file) = ("WARDGATE_SERVER__TLS_CERT_FILE", "WARDGATE_SERVER__TLS_KEY_FILE");
    let both = [listen, (cert_file, &chain), (key_file, &key)];
    assert!(production(&both).unwrap().server.tls.is_some());
    assert_eq!(keys(production(&both[..2])), ["server.tls_key_file"]);
    assert_eq!(keys(production(&[both[0], both[2]])), ["server.tls_cert_file"]);
    assert_eq!(keys(production(&[listen, (cert_file, &key), (key_file, &key)])), ["server.tls_cert_file"]);
    assert_eq!(keys(production(&[listen, (cert_file, &chain), (key_file, &chain)])), ["server.tls_key_file"]);
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(keys(production(&both)), ["server.tls_key_file"]);
    // A command speaks no TLS, and runs where the key cannot be read.
    fs::remove_file(&files.key).unwrap();
    let tool = Config::check(&from_environment(&[COMPLETE, &both[..]].concat()), Mode::Tool).unwrap();
    assert!(tool.server.tls.is_none());
}

#[test]
fn a_certificate_is_ordered_only_with_all_that_it_takes() {
    let listen = ("WARDGATE_SERVER__LISTEN", "0.0.0.0:443");
    let domains = ("WARDGATE_ACME__DOMAINS", "auth.example.com,tenant.example.com");
    let terms = ("WARDGATE_ACME__ACCEPT_TERMS", "true");
    let config = production(&[listen, domains, terms]).unwrap();
    assert!(config.ends_tls());
    let acme = config.acme.unwrap();
    assert_eq!(acme.domains, ["auth.example.com", "tenant.example.com"]);
    assert_eq!(acme.directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!((acme.contact, acme.roots, acme.internal_host), (None, None, None));
    assert!(production(&[]).unwrap().acme.is_none());

    let with = |name, value| keys(production(&[listen, domains, terms, (name, value)]));
    assert_eq!(keys(production(&[listen, domains])), ["acme.accept_terms"]);
    assert_eq!(keys(production(&[terms])), ["acme.domains"], "for which names?");
    // An empty list gets no certificate, so that it would be plain HTTP. (S-136)
    assert_eq!(keys(production(&[listen, ("WARDGATE_ACME__DOMAINS", "")])), ["server.listen"]);
    for name in [
        "*.example.com",
        "192.0.2.1",
        "[2001:db8::1]",
        "auth example",
        "https://auth.example.com",
        "UP.example.com",
    ] {
        assert_eq!(with("WARDGATE_ACME__DOMAINS", name), ["acme.domains"], "{name}");
    }
    assert_eq!(with("WARDGATE_ACME__DOMAINS", "a.example.com,a.example.com"), ["acme.domains"]);
    assert_eq!(with("WARDGATE_ACME__CONTACT", "mailto:ops"), ["acme.contact"]);
    for directory in
        ["http://ca.example.com/dir", "https://10.0.0.1/dir", "ca.example.com", "https://localhost/dir"]
    {
        assert_eq!(with("WARDGATE_ACME__DIRECTORY", directory), ["acme.directory"], "{directory}");
    }
    assert_eq!(with("WARDGATE_ACME__ROOT_FILE", "/nonexistent"), ["acme.root_file"]);
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "a");
    assert_eq!(with("WARDGATE_ACME__ROOT_FILE", files.key.to_str().unwrap()), ["acme.root_file"]);
    assert_eq!(with("WARDGATE_ACME__ROOT_FILE", files.chain.to_str().unwrap()), [""; 0]);
    for name in
        ["WARDGATE_SERVER__TLS_CERT_FILE", "WARDGATE_SERVER__TLS_KEY_FILE", "WARDGATE_SERVER__TLS_FOLDER"]
    {
        assert!(with(name, "/nonexistent").contains(&"acme.domains".to_owned()), "one of the two: {name}");
    }
    // An authority inside is called where that is said, and nothing else inside is.
    let inside = [
        listen,
        domains,
        terms,
        ("WARDGATE_ACME__DIRECTORY", "https://ca.internal/dir"),
        ("WARDGATE_SERVER__INTERNAL_HOSTS", "ca.internal,db.internal"),
    ];
    assert_eq!(production(&inside).unwrap().acme.unwrap().internal_host.as_deref(), Some("ca.internal"));
    let tool = Config::check(&from_environment(&[COMPLETE, &[domains][..]].concat()), Mode::Tool).unwrap();
    assert!(tool.acme.is_none(), "a command speaks no TLS");
}

// S-138
#[test]
fn metrics_are_off_and_shown_to_others_only_where_that_is_said() {
    assert_eq!(production(&[]).unwrap().metrics.listen, None);
    let (listen, beyond) = ("WARDGATE_METRICS__LISTEN", ("WARDGATE_METRICS__BEYOND_LOOPBACK", "true"));
    for address in ["127.0.0.1:9464", "[::1]:0"] {
        let config = production(&[(listen, address)]).unwrap();
        assert_eq!(config.metrics.listen.unwrap().to_string(), address);
    }
    for address in ["0.0.0.0:9464", "[::]:9464", "10.0.0.1:9464"] {
        assert_eq!(keys(production(&[(listen, address)])), ["metrics.listen"], "{address}");
        assert!(production(&[(listen, address), beyond]).is_ok(), "{address}");
    }
    assert_eq!(keys(production(&[(listen, "9464"), beyond])), ["metrics.listen"]);
    let hosts = |hosts| production(&[(listen, "127.0.0.1:0"), ("WARDGATE_METRICS__HOSTS", hosts)]);
    assert_eq!(hosts("a.example.com,b.org").unwrap().metrics.hosts, ["a.example.com", "b.org"]);
    assert_eq!(keys(hosts("https://a.example.com")), ["metrics.hosts"]);
}

#[test]
fn dev_takes_loopback_only() {
    let dev = |name, value| keys(Config::check(&from_environment(&[(name, value)]), Mode::Dev));
    assert_eq!(dev("WARDGATE_SERVER__LISTEN", "0.0.0.0:8080"), ["server.listen"]);
    assert_eq!(dev("WARDGATE_SERVER__ISSUER", "https://auth.example.com"), ["server.issuer"]);
    assert!(dev("WARDGATE_SERVER__ISSUER", "http://localhost:8080").is_empty());
    assert!(dev("WARDGATE_SERVER__LISTEN", "127.0.0.1:0").is_empty());
    let behind_proxy =
        [("WARDGATE_SERVER__LISTEN", "0.0.0.0:8080"), ("WARDGATE_SERVER__BEHIND_PROXY", "true")];
    assert_eq!(keys(Config::check(&from_environment(&behind_proxy), Mode::Dev)), ["server.listen"]);
}

// S-140
#[test]
fn a_secret_that_anybody_may_read_is_refused_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, variable: &str, content: &str, mode: u32| {
        let path = written(&folder, name, content, mode);
        let others = COMPLETE.iter().filter(|(other, _)| !variable.starts_with(other)).copied();
        let hs256 =
            variable.ends_with("HS256_SECRET_FILE").then_some(("WARDGATE_TOKENS__ALGORITHM", "HS256"));
        let url = ("WARDGATE_AUDIT__WEBHOOK_URL", "https://siem.example.com/");
        let webhook = variable.contains("WEBHOOK").then_some(url);
        let mail: &[_] = if variable.contains("MAIL") { &MAIL[..3] } else { &[] };
        let more = hs256.into_iter().chain(webhook).chain(mail.iter().copied());
        let variables: Vec<_> = others.chain(more).chain([(variable, path.as_str())]).collect();
        Config::check(&from_environment(&variables), Mode::Production)
    };
    let cases = [
        ("smtp", "WARDGATE_MAIL__PASSWORD_FILE", "kR8sPq2x"),
        ("key", "WARDGATE_SERVER__MASTER_KEY_FILE", KEY),
        ("url", "WARDGATE_DATABASE__URL_FILE", "postgres://w:kR8sPq2x@db/w"),
        ("redis", "WARDGATE_REDIS__URL_FILE", "rediss://:kR8sPq2x@cache"),
        ("hook", "WARDGATE_AUDIT__WEBHOOK_SECRET_FILE", HOOK),
        ("hs", "WARDGATE_TOKENS__HS256_SECRET_FILE", "3f9a6b1c8d2e4f70a1b2c3d4e5f60718"),
    ];
    for (name, variable, content) in cases {
        assert!(read(name, variable, content, 0o600).is_ok(), "{variable}");
        let faults = read(name, variable, content, 0o644).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].problem.contains("(mode 0644)"), "{}", faults[0]);
        assert!(faults[0].remedy.starts_with("chmod 600 "), "{}", faults[0]);
    }
}

#[test]
fn a_developers_files_may_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "key", KEY, 0o644);
    let raw = from_environment(&[("WARDGATE_SERVER__MASTER_KEY_FILE", &path)]);
    assert!(Config::check(&raw, Mode::Dev).is_ok() && Config::check(&raw, Mode::Tool).is_ok());
}

#[test]
fn a_setting_that_was_given_wrongly_is_not_called_missing_too() {
    let folder = tempfile::tempdir().unwrap();
    let raw = load(&[file(&folder, "[server]\nissuer = 5\n")], environment(&COMPLETE[1..]), &[]);
    let faults = Config::check(&raw, Mode::Production).unwrap_err();
    assert_eq!(faults.len(), 1, "{}", report(&faults));
    assert_eq!(faults[0].problem, "is not a text in quotes");
}

// S-140
#[test]
fn a_configuration_file_with_a_secret_in_it_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let check = |content: &str, mode: u32| {
        let path = written(&folder, "wardgate.toml", content, mode);
        let file = ConfigFile::read(Path::new(&path)).unwrap();
        keys(Config::check(&load(&[file], environment(&COMPLETE[..1]), &[]), Mode::Production))
    };
    let inline =
        format!("[server]\nmaster_key = \"{KEY}\"\n[database]\nurl = \"postgres://w:kR8sPq2x@db/w\"\n");
    assert!(check(&inline, 0o600).is_empty());
    assert_eq!(check(&inline, 0o644), ["server.master_key", "database.url"]);
    written(&folder, "key", KEY, 0o600);
    assert!(check("[server]\nmaster_key_file = \"key\"\n", 0o644).is_empty());
}

// S-140
#[test]
fn master_keys_from_before_are_read_from_files_that_are_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let setting = "server.previous_master_key_files";
    let with = |name: &str, content: &str, mode: u32| {
        let path = written(&folder, name, content, mode);
        production(&[("WARDGATE_SERVER__PREVIOUS_MASTER_KEY_FILES", path.as_str())])
    };
    let read = with("good", &format!("{KEY}\n"), 0o600).unwrap().server.previous_master_keys;
    assert_eq!(read.len(), 1);
    assert_eq!(production(&[]).unwrap().server.previous_master_keys.len(), 0);
    assert_eq!(keys(with("open", KEY, 0o644)), [setting]);
    assert_eq!(keys(with("short", "c2hvcnQ=", 0o600)), [setting]);
    let nowhere = [("WARDGATE_SERVER__PREVIOUS_MASTER_KEY_FILES", "/nowhere/master.key")];
    assert_eq!(keys(production(&nowhere)), [setting]);
    assert_eq!(keys(Config::check(&from_environment(&nowhere), Mode::Tool)), [setting]);
}

// S-032, S-140
#[test]
fn the_shared_secret_is_long_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let with = |content: &str, mode| {
        let path = written(&folder, "secret", content, 0o600);
        let variables =
            [("WARDGATE_TOKENS__ALGORITHM", "HS256"), ("WARDGATE_TOKENS__HS256_SECRET_FILE", path.as_str())];
        let needed = if mode == Mode::Production { COMPLETE } else { &[] };
        Config::check(&from_environment(&[needed, &variables[..]].concat()), mode)
    };
    let secret = "3f9a6b1c8d2e4f70a1b2c3d4e5f60718";
    match with(&format!("{secret}\n"), Mode::Production).unwrap().tokens.signing {
        Signing::Hs256(read) => assert_eq!(read.expose(), secret.as_bytes()),
        other => panic!("{other:?}"),
    }
    let path = "tokens.hs256_secret_file";
    assert_eq!(keys(with(&secret[1..], Mode::Production)), [path]);
    assert_eq!(keys(with("changeme-changeme-changeme-changeme", Mode::Production)), [path]);
    assert_eq!(keys(with(&secret[1..], Mode::Dev)), [path]);
    assert!(with("changeme-changeme-changeme-changeme", Mode::Dev).is_ok());
}

#[test]
fn the_preset_raises_the_minimum_and_lets_nobody_go_below_it() {
    let nist = ("WARDGATE_PASSWORD__PRESET", "nist");
    assert_eq!(production(&[]).unwrap().password.min_length, 8);
    assert_eq!(production(&[nist]).unwrap().password.min_length, 15);
    let with = |length| production(&[nist, ("WARDGATE_PASSWORD__MIN_LENGTH", length)]);
    assert_eq!(with("20").unwrap().password.min_length, 20);
    assert_eq!(keys(with("14")), ["password.min_length"]);
}

#[test]
fn a_tool_minds_the_database_and_the_master_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nissuer = 5\nlisten = \"here\"\n[tokens]\naccess_ttl = 15m\nrefresh_idle_ttl = \"300d\"\n\
                algorithm = \"HS256\"\nnonsense = 1\n[password]\nscheme = \"bcrypt\"\nbcrypt_cost = 14\nmin_length = 1\n\
                [mail]\nhost = \"x\"\n[database]\npool_size = 20\n";
    let raw = load(&[file(&folder, text)], environment(&COMPLETE[1..]), &[]);
    let config = Config::check(&raw, Mode::Tool).unwrap();
    assert_eq!(config.database.pool_size, 20);
    assert!(config.server.master_key.is_some());
    assert_eq!(config.password.scheme, Scheme::Bcrypt { cost: 14 });
    assert_eq!(config.password.min_length, 8);
    assert!(matches!(config.tokens.signing, Signing::EdDsa));
    assert!(config.tokens.refresh_idle_ttl <= config.tokens.refresh_max_ttl);
}

#[test]
fn a_tool_refuses_a_faulty_database_or_master_key_and_a_file_that_nobody_can_read() {
    let tool = |variables: &[(&str, &str)]| keys(Config::check(&from_environment(variables), Mode::Tool));
    let both = [("WARDGATE_SERVER__MASTER_KEY", "short"), ("WARDGATE_DATABASE__URL", "wardgate.db")];
    assert_eq!(tool(&both), ["server.master_key", "database.url"]);
    assert_eq!(
        tool(&[("WARDGATE_DATABASE__URI", "sqlite://a"), ("WARDGATE_TOKENS__X", "1")]),
        ["database.uri"]
    );
    let folder = tempfile::tempdir().unwrap();
    let broken = load(&[file(&folder, "[database\nurl = \"sqlite://a\"\n")], [], &[]);
    assert!(Config::check(&broken, Mode::Tool).is_err());
    assert!(Config::check(&from_environment(&[]), Mode::Tool).is_ok());
}

#[test]
fn the_file_is_the_one_named_or_the_usual_one_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let found = |given| ConfigFile::find(given, folder.path()).map(|files| files.len());
    assert_eq!(found(None).unwrap(), 0);
    let absent = folder.path().join("other.toml");
    assert!(report(&found(Some(&absent)).unwrap_err()).contains("other.toml"));
    std::os::unix::fs::symlink(&absent, folder.path().join("wardgate.toml")).unwrap();
    assert!(report(&found(None).unwrap_err()).contains("wardgate.toml"));
    fs::write(&absent, "").unwrap();
    assert_eq!(found(None).unwrap(), 1);
}

#[test]
fn every_word_of_a_choice_is_understood() {
    for setting in shape().settings.iter().chain(&shape().of_each_provider) {
        let Some(Limit::OneOf(words)) = limit(&setting.path) else { continue };
        for word in words {
            let faults = keys(production(&[(&setting.variable(), word)]));
            assert!(!faults.contains(&setting.path), "{} = {word}", setting.path);
        }
    }
}

const MAIL: &[(&str, &str)] = &[
    ("WARDGATE_MAIL__SMTP", "smtp://mail.example.com"),
    ("WARDGATE_MAIL__FROM", "Example <no-reply@example.com>"),
    ("WARDGATE_MAIL__USER", "wardgate"),
    ("WARDGATE_MAIL__PASSWORD", "kR8sPq2x"),
];

#[test]
fn mail_needs_a_server_a_sender_and_tls() {
    let config = production(MAIL).unwrap();
    let smtp = config.mail.smtp.as_ref().unwrap();
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.tls), ("mail.example.com", 587, Tls::Upgraded));
    assert!(!format!("{config:?}").contains("kR8sPq2x"));
    let with = |changes: &[(&str, &str)]| {
        let is_kept = |(name, _): &&(&str, &str)| changes.iter().all(|(changed, _)| changed != name);
        let kept: Vec<_> = MAIL.iter().filter(is_kept).copied().collect();
        keys(production(&[&kept, changes].concat()))
    };
    assert_eq!(with(&[("WARDGATE_REGISTRATION__MODE", "verified")]), Vec::<String>::new());
    assert_eq!(with(&[("WARDGATE_MAIL__TLS", "none")]), ["mail.tls"]);
    let relay = [("WARDGATE_MAIL__TLS", "none"), ("WARDGATE_MAIL__SMTP", "smtp://127.0.0.1:25")];
    assert_eq!(with(&relay), Vec::<String>::new());
    assert_eq!(with(&[("WARDGATE_MAIL__FROM", "nobody")]), ["mail.from"]);
    assert_eq!(with(&[("WARDGATE_MAIL__PASSWORD", "changeme")]), ["mail.password"]);
    assert_eq!(keys(production(&MAIL[..3])), ["mail.password"]);
    assert_eq!(keys(production(&[MAIL[0], MAIL[1], MAIL[3]])), ["mail.user"]);
    assert_eq!(keys(production(&[("WARDGATE_REGISTRATION__MODE", "verified")])), ["mail.smtp"]);
    let dev = Config::check(&from_environment(&[("WARDGATE_REGISTRATION__MODE", "verified")]), Mode::Dev);
    assert!(dev.unwrap().mail.smtp.is_none());
}

/// A file with two providers and the secret of one beside it.
fn with_providers(folder: &TempDir) -> Vec<ConfigFile> {
    written(folder, "google.secret", "GOCSPX-kR8sPq2x\n", 0o600);
    let text = "[providers.google]\npreset = \"google\"\nclient_id = \"1234\"\nclient_secret_file = \"google.secret\"\n\
                [providers.my-corp]\nissuer = \"https://id.example.com\"\nclient_id = \"wardgate\"\n\
                links_verified_email = true\nscopes = [\"openid\", \"email\"]\nlabel = \"Corp\"\n";
    vec![file(folder, text)]
}

#[test]
fn providers_are_read_from_sections_of_their_own_and_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let files = with_providers(&folder);
    let secret = ("WARDGATE_PROVIDERS__MY_CORP__CLIENT_SECRET", "hTq9-xWm3");
    let mut variables = environment(COMPLETE);
    variables.extend(environment(&[secret]));
    let raw = load(&files, variables, &[]);
    let config = Config::check(&raw, Mode::Production).unwrap();
    let [google, corp] = config.providers.as_slice() else { panic!("{:?}", config.providers) };
    assert_eq!((google.name.as_str(), google.label.as_str()), ("google", "Google"));
    assert_eq!(google.client_secret, Some(ClientSecret::new("GOCSPX-kR8sPq2x")));
    assert_eq!((corp.name.as_str(), corp.label.as_str(), corp.preset), ("my-corp", "Corp", Preset::Oidc));
    assert_eq!((corp.links_verified_email, google.links_verified_email), (true, false));
    assert_eq!(corp.client_secret, Some(ClientSecret::new("hTq9-xWm3")));
    for text in [show(&raw), show_json(&raw).to_string(), format!("{config:?}")] {
        assert!(text.contains("my-corp") && text.contains("1234"), "{text}");
        assert!(!text.contains("kR8sPq2x") && !text.contains("hTq9"), "{text}");
    }
    assert!(Config::check(&from_environment(COMPLETE), Mode::Production).unwrap().providers.is_empty());
}

#[test]
fn every_fault_of_a_provider_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[providers.a]\nissuer = \"http://id.example.com\"\nclient_id = \"x\"\n\
                [providers.b]\npreset = \"google\"\nclient_id = \"x\"\nclient_secret = \"changeme\"\n\
                [providers.c]\npreset = \"gogle\"\nclient_idd = \"x\"\nclient_id = \"x\"\n\
                [providers.d]\npreset = \"github\"\nclient_id = \"x\"\nscopes = \"user\"\n\
                [providers.e]\nissuer = \"https://10.0.0.1\"\nclient_id = \"x\"\nteam_id = \"T\"\n\
                [providers.f]\npreset = \"keycloak\"\n\
                [providers.My_Corp]\nclient_id = \"x\"\n[providers]\nx = 1\n";
    let raw = load(&[file(&folder, text)], environment(COMPLETE), &[]);
    let found = keys(Config::check(&raw, Mode::Production));
    let expected = [
        "providers.a.issuer",
        "providers.b.client_secret",
        "providers.c.client_idd",
        "providers.c.preset",
        "providers.d.scopes",
        "providers.d.client_secret",
        "providers.e.team_id",
        "providers.f.client_id",
        "providers.My_Corp",
        "providers.x",
    ];
    for key in expected {
        assert!(found.iter().any(|known| known == key), "{key}: {found:?}");
    }
    let faults = Config::check(&raw, Mode::Production).unwrap_err();
    let report = report(&faults);
    assert!(report.contains("client_id in section [providers.c], if that is meant"), "{report}");
    assert!(!report.contains("changeme"), "{report}");
    // A command minds none of it.
    Config::check(&raw, Mode::Tool).unwrap();
    // An issuer inside is one that the operator names.
    let inside = [
        ("WARDGATE_PROVIDERS__KC__PRESET", "keycloak"),
        ("WARDGATE_PROVIDERS__KC__ISSUER", "http://keycloak.internal/realms/a"),
        ("WARDGATE_PROVIDERS__KC__CLIENT_ID", "wardgate"),
    ];
    assert_eq!(keys(production(&inside)), ["providers.kc.issuer"]);
    let named = [&inside[..], &[("WARDGATE_SERVER__INTERNAL_HOSTS", "keycloak.internal")]].concat();
    assert_eq!(production(&named).unwrap().providers.len(), 1);
    let slip = [("WARDGATE_PROVIDERS__KC__CLIENT_IDD", "x")];
    let fault = production(&slip).unwrap_err().remove(0);
    assert_eq!(fault.remedy, "WARDGATE_PROVIDERS__KC__CLIENT_ID, if that is meant");
}

#[test]
fn a_file_of_a_provider_with_its_secret_in_it_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[providers.google]\npreset = \"google\"\nclient_id = \"1234\"\nclient_secret = \"GOCSPX-kR8sPq2x\"\n";
    let open = ConfigFile::read(Path::new(&written(&folder, "wardgate.toml", text, 0o644))).unwrap();
    let raw = load(&[open], environment(COMPLETE), &[]);
    assert_eq!(keys(Config::check(&raw, Mode::Production)), ["providers.google.client_secret"]);
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let key = written(&folder, "key", KEY, 0o600);
    let variables = [
        ("WARDGATE_SERVER__MASTER_KEY_FILE", key.as_str()),
        ("WARDGATE_DATABASE__URL", "postgres://wardgate:hunter2@db/wardgate"),
        ("WARDGATE_SERVER__CORS_ORIGINS", "https://a.example,https://b.example"),
        ("WARDGATE_AUDIT__WEBHOOK_SECRET", HOOK),
    ];
    let text = "[tokens]\nrefresh_grace = \"0\"\n";
    let raw = load(&[file(&folder, text)], environment(&variables), &[flag("127.0.0.1:9")]);
    let shown = show(&raw);
    assert!(!shown.contains(KEY) && !shown.contains("hunter2") && !shown.contains(HOOK));
    assert!(toml::de::DeTable::parse(&shown).is_ok());
    insta::assert_snapshot!(shown.replace(folder.path().to_str().unwrap(), "DIR"));
    let json = show_json(&raw);
    assert!(!json.to_string().contains(KEY) && !json.to_string().contains("hunter2"));
    assert_eq!(json["server"]["listen"], serde_json::json!({ "value": "127.0.0.1:9", "origin": "--listen" }));
    assert_eq!(json["server"]["issuer"]["value"], Value::Null);
}

#[test]
fn debug_output_has_no_secret() {
    let config = production(&[("WARDGATE_DATABASE__URL", "postgres://w:kR8sPq2x@db/w")]).unwrap();
    let text = format!("{config:?}");
    assert!(!text.contains("kR8sPq2x") && !text.contains("171, 205, 239"), "{text}");
}
