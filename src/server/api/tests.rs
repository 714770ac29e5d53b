mod bounds;

use std::collections::BTreeSet;

use axum::http::Request;
use serde_json::Value;
use tower::util::ServiceExt as _;

use super::*;
use crate::alarm::Limits;
use crate::alarm::rules::RuleSet;
use crate::reading::{PatientId, Reading, Signs, Timestamp};
use crate::server::access::Access;
use crate::server::guard;
use crate::server::hub::Hub;
use crate::server::ingest::Ingest;
use crate::settings::{Environment, Flags, resolve};

fn described() -> Value {
    serde_json::from_str(include_str!("openapi.json")).expect("JSON")
}

/// A server whose store is never there.
fn shared() -> Arc<Shared> {
    shared_by(Access::Local)
}

fn shared_by(access: Access) -> Arc<Shared> {
    let settings = resolve(&Flags::default(), &Environment::default()).expect("the defaults");
    let hub = Arc::new(Hub::new(RuleSet::classic(Limits::default())));
    Arc::new(Shared::new(&settings, Ingest::of(&settings).0, &hub, &Arc::new(access), &Arc::default()))
}

async fn asked(shared: &Arc<Shared>, method: &str, path: &str, body: &'static str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("content-type", "application/json").body(Body::from(body)).expect("a request");
    let paths = guard::around(paths().with_state(Arc::clone(shared)), Arc::clone(&shared.access));
    let response = paths.oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn heard(shared: &Shared, patient: &str, heart_rate: i32) {
    let time = Timestamp::parse("2025-10-26T10:30:15Z").expect("a time");
    let signs = Signs { heart_rate: Some(heart_rate), ..Signs::default() };
    let reading = Reading::new(PatientId::parse(patient).expect("an id"), time, signs).expect("a reading");
    shared.hub.hear([reading].iter());
    shared.hub.publish();
}

#[test]
fn every_path_is_described_and_no_other() {
    let described = described();
    let described: BTreeSet<_> = described["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let answered: BTreeSet<_> = all().iter().map(|(path, _)| *path).collect();
    assert_eq!(answered, described);
}

#[tokio::test]
async fn every_parameter_is_described_and_any_other_refused() {
    let described = described();
    let paths = described["paths"].as_object().expect("paths");
    for (path, ways) in paths.iter().filter(|(path, _)| *path != "/openapi.json") {
        for (method, way) in ways.as_object().expect("ways") {
            let parameters = way["parameters"].as_array().cloned().unwrap_or_default();
            let names =
                parameters.iter().filter(|parameter| parameter["in"] == "query").map(|parameter| &parameter["name"]);
            let names: Vec<_> = names.filter_map(Value::as_str).collect();
            let place = format!("{}?zzzzzzzz=1", path.replace("{patient}", "P1"));
            let (status, problem) = asked(&shared(), &method.to_uppercase(), &place, "{}").await;
            assert_eq!(status, 400, "{method} {path}: {problem}");
            let told = match names.as_slice() {
                [] => "leave it out".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            assert_eq!(problem["hint"], told, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn everything_is_known_again_by_its_mark_until_something_changes() {
    let shared = shared();
    heard(&shared, "P1", 80);
    let ask = async |mark: Option<&str>| {
        let mut request = Request::builder().uri("/api/v1/latest").header("host", "localhost");
        if let Some(mark) = mark {
            request = request.header("if-none-match", mark);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = paths().with_state(Arc::clone(&shared)).oneshot(request).await.expect("an answer");
        let mark = response.headers()["etag"].to_str().expect("text").to_owned();
        (response.status().as_u16(), mark)
    };
    let (status, mark) = ask(None).await;
    assert_eq!((status, ask(Some(&mark)).await.0), (200, 304));
    heard(&shared, "P2", 80);
    assert_eq!(ask(Some(&mark)).await.0, 200);
}

#[tokio::test]
async fn what_needs_the_store_says_that_it_is_away_and_the_ward_goes_on() {
    let shared = shared();
    heard(&shared, "P1", 80);
    for path in ["/api/v1/patients/P1/readings", "/api/v1/patients/P1/alarms", "/api/v1/patients/P1/scores"] {
        let (status, problem) = asked(&shared, "GET", path, "").await;
        assert_eq!((status, &problem["status"]), (503, &Value::from(503)), "{path}");
    }
    let body = r#"{"id":"P1/spo2_low/2025-10-26T10:30:15+00:00","by":"Anna"}"#;
    assert_eq!(asked(&shared, "POST", "/api/v1/alarms/acknowledge", body).await.0, 503);
    let (status, patient) = asked(&shared, "GET", "/api/v1/patients/P1", "").await;
    assert_eq!((status, &patient["signs"]["heart_rate"]["value"]), (200, &Value::from(80)));
    assert!(patient["limits"].as_array().is_some_and(|limits| !limits.is_empty()), "{patient}");
}

#[tokio::test]
async fn an_id_may_have_any_letters_and_what_is_none_is_not_found() {
    let shared = shared();
    heard(&shared, "a/b<script>\"", 80);
    let (status, patient) = asked(&shared, "GET", "/api/v1/patients/a%2Fb%3Cscript%3E%22", "").await;
    assert_eq!((status, &patient["patient_id"]), (200, &Value::from("a/b<script>\"")));
    assert_eq!(asked(&shared, "GET", "/api/v1/patients/a%0Ab", "").await.0, 404);
    let (status, problem) = asked(&shared, "GET", "/api/v1/nothing", "").await;
    assert_eq!((status, &problem["title"]), (404, &Value::from("Not Found")));
}

#[tokio::test]
async fn what_is_said_is_looked_at_before_anything_is_changed() {
    let shared = shared();
    for (path, body) in [
        ("/api/v1/alarms/acknowledge", "{"),
        ("/api/v1/alarms/acknowledge", r#"{"id":"x","by":"Anna"}"#),
        ("/api/v1/alarms/acknowledge", r#"{"id":"a/b/c","by":" "}"#),
        ("/api/v1/alarms/acknowledge", r#"{"id":"a/b/c","by":"Anna","why":"?"}"#),
        ("/api/v1/patients/P1/pause", r#"{"minutes":0,"by":"Anna","reason":"x"}"#),
        ("/api/v1/patients/P1/pause", r#"{"minutes":61,"by":"Anna","reason":"x"}"#),
        ("/api/v1/patients/P1/pause", r#"{"minutes":2,"by":"Anna"}"#),
        ("/api/v1/patients/P1/pause", r#"{"minutes":-1,"by":"Anna","reason":"x"}"#),
        ("/api/v1/patients/P1/pause", r#"{"minutes":2.5,"by":"Anna","reason":"x"}"#),
        ("/api/v1/patients/P1/resume", r#"{"by":"a\nb"}"#),
    ] {
        assert_eq!(asked(&shared, "POST", path, body).await.0, 400, "{path} {body}");
    }
    let pause = r#"{"minutes":2.0,"by":"Anna","reason":"x"}"#;
    assert_eq!(asked(&shared, "POST", "/api/v1/patients/P1/pause", pause).await.0, 503, "it goes on to the store");
    assert_eq!(asked(&shared, "GET", "/api/v1/patients/P1/pause", "").await.0, 405);
    assert_eq!(asked(&shared, "TRACE", "/api/v1/status", "").await.0, 405);
    let form = Request::builder().method("POST").uri("/api/v1/alarms/acknowledge").header("content-type", "text/plain");
    let form = form.body(Body::from(r#"{"id":"a/b/c","by":"Anna"}"#)).expect("a request");
    let refused = paths().with_state(Arc::clone(&shared)).oneshot(form).await.expect("an answer");
    assert_eq!(refused.status().as_u16(), 415);
}

const READING: &str = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;

async fn sent(shared: &Arc<Shared>, kind: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::builder().method("POST").uri("/api/v1/readings").header("content-type", kind);
    let request = request.body(body.into()).expect("a request");
    let response = paths().with_state(Arc::clone(shared)).oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    assert_eq!(response.headers().contains_key("retry-after"), matches!(status, 429 | 503));
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).expect("JSON"))
}

#[tokio::test]
async fn readings_come_as_json_or_as_lines_and_not_too_many_and_of_what_is_broken_nothing_is_taken() {
    let shared = shared();
    let long = format!("[{}]", vec!["1"; 10_001].join(","));
    for (kind, body, status) in [
        ("text/plain", READING.to_owned(), 415),
        ("", READING.to_owned(), 415),
        ("application/json", format!("[{READING},"), 400),
        ("application/json", String::new(), 400),
        ("application/json", long, 413),
        ("application/json; charset=utf-8", " ".repeat(1024 * 1024) + "[]", 413),
        ("application/x-ndjson", "\n".repeat(2 * 1024 * 1024), 413),
    ] {
        let (found, problem) = sent(&shared, kind, body).await;
        assert_eq!((found, problem["status"].as_u64()), (status, Some(u64::from(status))), "{kind}: {problem}");
    }
    for (kind, body) in [("application/json", "[]"), ("Application/X-NDJSON; charset=utf-8", "\r\n")] {
        assert_eq!(sent(&shared, kind, body).await, (200, serde_json::json!({"accepted": 0})), "{kind}");
    }
}

#[tokio::test]
async fn a_body_that_comes_compressed_is_refused_and_one_of_unknown_length_is_read_to_its_limit() {
    let shared = shared();
    let request = Request::builder().method("POST").uri("/api/v1/readings").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(Body::from("[]")).expect("a request");
    let response = paths().with_state(Arc::clone(&shared)).oneshot(request).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 415);
    let parts = |count| futures::stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(" ".repeat(64 * 1024))));
    let (status, problem) = sent(&shared, "application/json", Body::from_stream(parts(17))).await;
    assert_eq!(status, 413, "{problem}");
    assert_eq!(sent(&shared, "application/x-ndjson", Body::from_stream(parts(16))).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_gives_its_place_back() {
    let shared = shared();
    let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(sent(&shared, "application/json", endless).await.0, 408);
    assert_eq!(sent(&shared, "application/json", "[]").await.0, 200);
}

#[tokio::test]
async fn who_finds_no_place_to_send_comes_again_and_so_does_who_is_not_acknowledged() {
    let shared = shared();
    let mut places = Vec::new();
    while let Ok(place) = shared.ingest.admit(0).await {
        places.push(place);
    }
    assert_eq!(sent(&shared, "application/json", READING).await.0, 429);
    drop(places);
    // There is no lane here that would send it.
    assert_eq!(sent(&shared, "application/json", READING).await.0, 503);
}
