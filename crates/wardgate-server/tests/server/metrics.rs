//! What is counted, on a listener of its own (S-138, S-131).

use serde_json::json;

use crate::support::{PASSWORD, Server, agent, run, stderr};

fn scrape(url: &str) -> (u16, String, String) {
    let mut answer = agent().get(url).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn they_are_where_the_configuration_says_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("WARDGATE_METRICS__LISTEN", "127.0.0.1:0")]);
    server.register("ada@example.com");
    let (access, refresh) = server.log_in("ada@example.com");
    let wrong = json!({ "email": "ada@example.com", "password": "wrong password" });
    assert_eq!(server.post("/auth/login", &wrong).0, 401);
    assert_eq!(server.get("/auth/me", &access).0, 200);
    assert_eq!(server.get("/metrics", &access).0, 404);
    let url = server.banner.iter().find_map(|line| line.strip_prefix("metrics: ")).unwrap();
    let (status, kind, text) = scrape(url);
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for line in [
        "wardgate_http_requests_total{method=\"GET\",route=\"/auth/me\",status=\"2xx\"} 1",
        "wardgate_sign_ins_total{by=\"password\",outcome=\"success\"} 1",
        "wardgate_sign_ins_total{by=\"password\",outcome=\"refused\"} 1",
        "wardgate_connections_shown_out_total 0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    assert!(text.contains("wardgate_build_info{version=\"") && text.ends_with("\n# EOF\n"), "{text}");
    for secret in [&access, &refresh, "ada", PASSWORD, "usr_", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let rebound = agent().get(url).header("host", "evil.example.com").call().unwrap();
    assert_eq!(rebound.status(), 421);
    let api = url.replace("/metrics", "/auth/me");
    assert_eq!(agent().get(api).call().unwrap().status(), 404);
}

#[test]
fn they_are_off_unless_asked_for_and_never_on_the_port_of_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert!(!server.banner.iter().any(|line| line.contains("metrics")), "{:?}", server.banner);
    drop(server);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = folder.path().join("wardgate.toml");
    std::fs::write(&config, format!("[metrics]\nlisten = \"{address}\"\n")).unwrap();
    let config = config.to_str().unwrap();
    let refused = run(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0", "--config", config]);
    let text = stderr(&refused);
    assert!(text.contains(&address) && text.contains("metrics.listen"), "{text}");
}
