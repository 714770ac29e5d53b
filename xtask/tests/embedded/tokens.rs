//! `vitals serve` inside TLS: who comes shows a token, and does what its role may.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vitals::tls::{Tls, TlsFiles};

use super::home::{Home, wait_for};
use super::records::run;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

/// How long an answer may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

const TLS: &str = "--tls-cert certs/server.pem --tls-key certs/server-key.pem";

/// A server inside TLS.
pub(crate) struct Guarded {
    pub(crate) server: Running,
    pub(crate) address: String,
    tls: Tls,
}

/// Who believes the certificates of this home.
fn trusting(home: &Home) -> Tls {
    let authorities = Some(home.path().join("certs/ca.pem"));
    Tls::open(&TlsFiles { authorities, ..TlsFiles::default() }).unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn cookie(&self) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap()
    }

    #[track_caller]
    fn leads_to(&self, path: &str) {
        assert_eq!(self.status, 303, "{}", self.head);
        assert!(self.head.contains(&format!("location: {path}\r\n")), "{}", self.head);
    }
}

impl Guarded {
    pub(crate) fn at(home: &Home, options: &str) -> Self {
        if !home.path().join("certs").exists() {
            home.run("up --make-certs certs").well();
        }
        let mut server = home.start(&format!("serve --listen 127.0.0.1:0 {TLS} {options}"));
        let line = server.wait_for_line("the ward is shown on https://", RUN_LIMIT);
        assert!(line.ends_with(", to whoever has a token: vitals serve token --help"), "{line}");
        let address = line.split_once("https://").unwrap().1.split(',').next().unwrap().to_owned();
        Self { server, address, tls: trusting(home) }
    }

    fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    /// What comes back until the server ends it, or for so long.
    fn told(&self, request: &str, limit: Duration) -> String {
        let mut answer = Vec::new();
        run(async {
            let stream = TcpStream::connect(&self.address).await.unwrap();
            let mut stream = self.tls.connect(stream, "127.0.0.1").await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let _ = timeout(limit, stream.read_to_end(&mut answer)).await;
        });
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: ward-7.local\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let answer = self.told(&request, ANSWER_LIMIT);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: format!("{head}\r\n"), body: body.to_owned() }
    }

    pub(crate) fn status(&self, method: &str, path: &str, token: &str) -> u16 {
        let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let body = if method == "POST" { r#"{"id":"P1/spo2_low/2026-01-01T00:00:00+00:00","by":"Anna"}"# } else { "" };
        self.ask(method, path, &headers, body).status
    }

    fn log_in(&self, token: &str) -> Answer {
        self.ask("POST", "/login", "content-type: application/x-www-form-urlencoded\r\n", &format!("token={token}"))
    }
}

/// Gives a token.
pub(crate) fn token(home: &Home, name: &str, role: &str) -> String {
    let ended = home.run(&format!("serve token create --name {name} --role {role} --by Anna")).well();
    let token = ended.output().trim().to_owned();
    assert!(token.starts_with("vitals_") && !token.contains(char::is_whitespace), "{token}");
    ended.tells(&[&format!("'{name}' is let in as {role}"), "only now"]);
    token
}

const ACKNOWLEDGE: &str = "/api/v1/alarms/acknowledge";

#[test]
fn who_comes_from_elsewhere_shows_a_token_and_does_what_its_role_may() {
    let home = Home::ready(1);
    let ward = Guarded::at(&home, "");
    for (path, status) in [
        ("/api/v1/latest", 401),
        ("/api/v1/session", 401),
        ("/fhir/metadata", 401),
        ("/metrics", 401),
        ("/readyz", 401),
        ("/openapi.json", 401),
        ("/livez", 200),
        ("/login", 200),
        ("/assets/ward.css", 200),
    ] {
        let answer = ward.ask("GET", path, "", "");
        assert_eq!(answer.status, status, "{path}: {}", answer.head);
        assert_eq!(answer.head.contains("www-authenticate: Bearer\r\n"), status == 401, "{path}: {}", answer.head);
    }
    ward.ask("GET", "/", "", "").leads_to("/login");

    let [viewer, nurse, device] =
        [("West", "viewer"), ("Anna", "nurse"), ("gateway", "device")].map(|(name, role)| token(&home, name, role));
    wait_for(|| ward.status("GET", "/api/v1/latest", &device) == 403);
    for (method, path, token, status) in [
        ("GET", "/api/v1/latest", &viewer, 200),
        ("GET", "/metrics", &viewer, 200),
        ("POST", ACKNOWLEDGE, &viewer, 403),
        ("GET", "/api/v1/latest", &nurse, 200),
        // It is let in, and there is no such alarm.
        ("POST", ACKNOWLEDGE, &nurse, 404),
        ("GET", "/api/v1/session", &device, 200),
        ("POST", ACKNOWLEDGE, &device, 403),
        ("GET", "/api/v1/latest", &"vitals_nobody".to_owned(), 401),
    ] {
        assert_eq!(ward.status(method, path, token), status, "{method} {path} {token}");
    }
    let reading = r#"{"patient_id":"P1","timestamp":"2026-01-01T00:00:00Z","heart_rate":80}"#;
    for (token, status, told) in [(&device, 200, r#"{"accepted":1}"#), (&nurse, 403, "'Anna' is a nurse")] {
        let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let answer = ward.ask("POST", "/api/v1/readings", &headers, reading);
        assert!(answer.status == status && answer.body.contains(told), "{}{}", answer.head, answer.body);
    }
    let names = home.rows("serve token list").iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["Anna", "West", "gateway"]);
    for file in std::fs::read_dir(home.database().parent().unwrap()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let is_there = content.windows(nurse.len() - 7).any(|window| window == &nurse.as_bytes()[7..]);
        assert!(!is_there, "the store has what proves a token alone");
    }
}

#[test]
fn a_browser_logs_in_once_and_is_out_when_its_token_is_taken_back() {
    let home = Home::ready(1);
    let ward = Guarded::at(&home, "--audit-log trail.log");
    let anna = token(&home, "Anna", "nurse");
    wait_for(|| ward.status("GET", "/api/v1/session", &anna) == 200);
    let entered = ward.log_in(&anna);
    entered.leads_to("/");
    let cookie = entered.cookie();
    let name = format!("__Host-vitals-{}=", ward.port());
    for wanted in [&name, "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(wanted), "{cookie}");
    }
    let shown = format!("cookie: {}\r\n", cookie.split(';').next().unwrap());
    let session: Value = serde_json::from_str(&ward.ask("GET", "/api/v1/session", &shown, "").body).unwrap();
    assert_eq!((&session["name"], &session["role"]), (&"Anna".into(), &"nurse".into()));
    assert_eq!(ward.ask("GET", "/", &shown, "").status, 200);
    let elsewhere = format!("{shown}content-type: application/json\r\norigin: https://evil.example\r\n");
    assert_eq!(ward.ask("POST", ACKNOWLEDGE, &elsewhere, "{}").status, 403, "a page of another server");
    let out = ward.ask("POST", "/logout", &shown, "");
    out.leads_to("/login");
    assert!(out.cookie().starts_with(&format!("{name}; ")) && out.cookie().contains("Max-Age=0"), "{}", out.head);

    // One more is looked at every 6 s, which a slow machine may take over them.
    let answers: Vec<_> = (0..30).map(|_| ward.log_in("vitals_guess")).collect();
    answers[0].leads_to("/login?refused");
    answers[29].leads_to("/login?crowded");
    ward.log_in(&anna).leads_to("/");

    let stream = format!("GET /api/v1/stream HTTP/1.1\r\nhost: ward-7.local\r\nconnection: close\r\n{shown}\r\n");
    let (begun, seen) = std::thread::scope(|scope| {
        let begun = std::time::Instant::now();
        let watching = scope.spawn(|| ward.told(&stream, RUN_LIMIT));
        let trail = home.path().join("trail.log");
        wait_for(|| std::fs::read_to_string(&trail).is_ok_and(|trail| trail.contains("serve.stream")));
        home.done("serve token revoke Anna --by Bo");
        let seen = watching.join().unwrap();
        (begun, seen)
    });
    assert!(seen.contains("event: ward") && begun.elapsed() < RUN_LIMIT, "{seen}");
    assert_eq!(ward.ask("GET", "/api/v1/session", &shown, "").status, 401);
    home.refused("serve token revoke Anna --by Bo", 2).tells(&["'Anna' has no token", "serve token list"]);

    let trail = std::fs::read_to_string(home.path().join("trail.log")).unwrap();
    let lines: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |act: &str| lines.iter().filter(|line| line["act"] == act).collect::<Vec<_>>();
    let (done, failed): (Vec<_>, Vec<_>) = of("serve.login").into_iter().partition(|line| line["outcome"] == "done");
    // Not every one has a line: how many have not stands in the next.
    let untold: u64 = of("serve.login").iter().filter_map(|line| line["what"]["untold"].as_u64()).sum();
    let told = u64::try_from(failed.len()).unwrap();
    assert!(done.len() == 2 && told >= 20 && untold > 0 && told + untold == 30, "{told} and {untold}: {trail}");
    assert_eq!(done[0]["who"]["by"], "Anna");
    assert_eq!(of("serve.stream")[0]["what"]["token"], "Anna", "{trail}");
    assert!(!trail.contains(&anna[7..]) && !trail.contains("guess"), "{trail}");
}

#[test]
fn two_servers_on_one_host_let_a_browser_be_logged_in_at_both() {
    let home = Home::ready(1);
    let wards = [Guarded::at(&home, ""), Guarded::at(&home, "")];
    let tokens = ["Anna", "Bo"].map(|name| token(&home, name, "nurse"));
    let both: Vec<_> = (wards.iter().zip(&tokens))
        .map(|(ward, token)| {
            wait_for(|| ward.status("GET", "/api/v1/session", token) == 200);
            ward.log_in(token).cookie().split(';').next().unwrap().to_owned()
        })
        .collect();
    // As a browser shows them: all that it has of this host.
    let shown = format!("cookie: {}\r\n", both.join("; "));
    for (ward, name) in wards.iter().zip(["Anna", "Bo"]) {
        let session: Value = serde_json::from_str(&ward.ask("GET", "/api/v1/session", &shown, "").body).unwrap();
        assert_eq!(session["name"], name);
    }
    let out = wards[0].ask("POST", "/logout", &shown, "");
    assert_eq!(out.head.matches("set-cookie: ").count(), 1);
    assert!(!out.cookie().starts_with(both[1].split_once('=').unwrap().0), "the other stays: {}", out.cookie());
}

#[test]
fn who_asks_for_everything_again_and_again_is_one_line_of_each_token() {
    let home = Home::ready(1);
    let ward = Guarded::at(&home, "--audit-log trail.log");
    let begun = std::time::Instant::now();
    for (name, role) in [("Anna", "nurse"), ("West", "viewer")] {
        let token = token(&home, name, role);
        wait_for(|| ward.status("GET", "/api/v1/latest", &token) == 200);
        (0..10).for_each(|_| assert_eq!(ward.status("GET", "/api/v1/latest", &token), 200));
    }
    ward.server.signal("TERM");
    ward.server.wait_end(RUN_LIMIT).well();
    let trail = home.read("trail.log");
    let lines: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let looks = lines.iter().filter(|line| line["act"] == "serve.latest");
    let mut tokens: Vec<_> = looks.map(|line| line["what"]["token"].as_str().unwrap()).collect();
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    assert!(tokens.len() <= 2 * (1 + minutes), "{trail}");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens, ["Anna", "West"], "{trail}");
}

#[test]
fn the_broker_shows_the_ward_to_others_inside_tls_and_to_whoever_has_a_token() {
    let home = Home::with_tables();
    home.run("up --make-certs certs").well();
    home.file("users.toml", "ward = \"pencil\"\n");
    home.file("password", "pencil\n");
    let mut server = home.start(&format!(
        "up --listen 127.0.0.1:0 {TLS} --users users.toml --web=0.0.0.0:0 --broker-ca certs/ca.pem --broker-user ward \
         --broker-password-file password"
    ));
    let note = server.wait_for_note("the ward is shown on https://0.0.0.0:", RUN_LIMIT);
    let port = note.trim().rsplit_once(':').unwrap().1;
    let ward = Guarded { server, address: format!("127.0.0.1:{port}"), tls: trusting(&home) };
    assert_eq!(ward.ask("GET", "/api/v1/latest", "", "").status, 401);
    ward.ask("GET", "/", "", "").leads_to("/login");
    let anna = token(&home, "Anna", "nurse");
    wait_for(|| ward.status("GET", "/api/v1/latest", &anna) == 200);
    let entered = ward.log_in(&anna);
    entered.leads_to("/");
    let shown = format!("cookie: {}\r\n", entered.cookie().split(';').next().unwrap());
    assert_eq!(ward.ask("GET", "/", &shown, "").status, 200);
    // It comes to its broker as a client does.
    let sent = r#"{"patient_id":"P1","timestamp":"2026-01-01T00:00:00Z","heart_rate":80}"#;
    let device = token(&home, "gateway", "device");
    wait_for(|| ward.status("GET", "/api/v1/session", &device) == 200);
    let headers = format!("authorization: Bearer {device}\r\ncontent-type: application/json\r\n");
    let answer = ward.ask("POST", "/api/v1/readings", &headers, sent);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"accepted":1}"#), "{}", answer.head);
    ward.server.signal("TERM");
    ward.server.wait_end(RUN_LIMIT).well();
}

#[test]
fn nothing_is_served_to_others_in_the_clear() {
    let home = Home::ready(1);
    for words in
        ["serve --listen 0.0.0.0:0", "serve --listen 0.0.0.0:0 --brokers 127.0.0.1:1", "demo --for 1 --web=0.0.0.0:0"]
    {
        home.refused(words, 2).tells(&["can be reached from other machines", "--tls-cert and --tls-key"]);
    }
    let mut ward = Guarded::at(&home, "");
    let mut stream = std::net::TcpStream::connect(&ward.address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("begins with https"), "{answer}");
    assert!(ward.server.is_running());
}
