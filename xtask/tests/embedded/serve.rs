//! `vitals serve`: what is sent, stored and raised is on the ward and in the interface for programs, whatever goes away
//! meanwhile.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::home::{Home, wait_for};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

/// How long an answer may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A server, and where it listens.
pub(crate) struct Ward {
    pub(crate) server: Running,
    pub(crate) address: String,
}

impl Ward {
    pub(crate) fn of(home: &Home) -> Self {
        Self::started(home, "serve --listen 127.0.0.1:0")
    }

    pub(crate) fn started(home: &Home, words: &str) -> Self {
        let mut server = home.start(words);
        let line = server.wait_for_line("the ward is shown on http://", RUN_LIMIT);
        let address = line.split_once("http://").unwrap().1.trim().to_owned();
        Self { server, address }
    }

    /// In the process of another command, whose output is about something else.
    fn beside(home: &Home, words: &str) -> Self {
        let mut server = home.start(words);
        let note = server.wait_for_note("the ward is shown on http://", RUN_LIMIT);
        let address = note.split_once("http://").unwrap().1.trim().to_owned();
        Self { server, address }
    }

    /// Sends these bytes; what comes back until the server ends it.
    pub(crate) fn told(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        // Who is refused early may see a reset.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let answer = self.told(request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") { joined(body) } else { body.to_owned() };
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    fn bed(&self, patient: &str) -> Option<Value> {
        let latest = self.get("/api/v1/latest");
        latest["beds"].as_array().unwrap().iter().find(|bed| bed["patient_id"] == patient).cloned()
    }

    fn wait_for_bed(&self, patient: &str, is_as_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        wait_for(|| {
            found = self.bed(patient).filter(|bed| is_as_wanted(bed));
            found.is_some()
        });
        found.unwrap()
    }
}

/// The parts of a body that came in parts.
fn joined(mut parts: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = parts.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        parts = rest[length..].trim_start_matches("\r\n");
        if length == 0 {
            break;
        }
    }
    whole
}

/// Sends readings of now.
pub(crate) fn send(home: &Home, rows: &str) {
    let rows = rows.replace('\n', ",,,,\n");
    home.file("in.csv", format!("patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n{rows}"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
}

/// Sends one of now, with what somebody observed.
fn send_observed(home: &Home) {
    let head =
        "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature,supplemental_oxygen,consciousness";
    home.file("in.csv", format!("{head}\nP/1,130,85,,,,,true,C\n"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
}

fn has_alarm(bed: &Value, rule: &str) -> bool {
    bed["alarms"].as_array().unwrap().iter().any(|alarm| alarm["rule"] == rule)
}

#[test]
fn what_is_sent_is_on_the_ward_with_its_alarm_which_is_acknowledged_once_for_all() {
    let home = Home::ready(6);
    let consumer = home.start("consume");
    let ward = Ward::started(&home, "serve --listen 127.0.0.1:0 --audit-log trail.log");
    home.done("patient admit P1 --name Ada --ward West --bed 3 --by Anna");
    send(&home, "P1,130,85\nP2,80,97\n");
    let bed = ward.wait_for_bed("P1", |bed| has_alarm(bed, "spo2_low") && bed["name"] == "Ada");
    assert_eq!(bed["signs"]["heart_rate"]["value"], 130);
    assert_eq!((&bed["score"]["name"], &bed["score"]["is_partial"]), (&json!("NEWS2"), &json!(true)));
    let alarm = bed["alarms"][0].clone();
    assert_eq!(
        (&alarm["rule"], &alarm["priority"], &alarm["signs"]),
        (&json!("spo2_low"), &json!("high"), &json!(["spo2"]))
    );
    assert!(!ward.bed("P2").unwrap()["is_admitted"].as_bool().unwrap());

    let body = json!({"id": alarm["id"], "by": "Anna"}).to_string();
    // The consumer announces it before it stores it.
    let mut answer = (404, Value::Null);
    wait_for(|| {
        answer = ward.ask("POST", "/api/v1/alarms/acknowledge", &body);
        answer.0 != 404
    });
    assert_eq!((answer.0, &answer.1["acknowledged_by"]), (200, &json!("Anna")), "{answer:?}");
    let (status, problem) = ward.ask("POST", "/api/v1/alarms/acknowledge", &body);
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("by Anna at"), "{problem}");
    assert!(ward.bed("P1").unwrap()["alarms"][0]["acknowledged_at"].is_string());
    let listed = home.rows("alarms list --active --patient P1");
    let stored = listed.iter().find(|stored| stored["id"] == alarm["id"]).unwrap();
    assert_eq!(stored["acknowledged_by"], "Anna");

    // What another program acknowledges is shown too.
    home.done("alarms ack P1 --rule heart_rate_high --by Bo");
    ward.wait_for_bed("P1", |bed| {
        bed["alarms"].as_array().unwrap().iter().all(|alarm| alarm["acknowledged_at"].is_string())
    });
    let groups = home.rows("group list");
    assert_eq!(groups.len(), 1, "it is in no group: {groups:?}");
    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
    ward.server.signal("TERM");
    ward.server.wait_end(RUN_LIMIT).well();
    let trail = std::fs::read_to_string(home.path().join("trail.log")).unwrap();
    // What was asked before it was stored, or once more, is in the trail too: as failed.
    let done: Vec<Value> = (trail.lines().filter(|line| line.contains("serve.acknowledge")))
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["outcome"] == "done")
        .collect();
    assert_eq!(done.len(), 1, "{trail}");
    assert_eq!((&done[0]["who"]["by"], &done[0]["what"]["alarm"]), (&json!("Anna"), &alarm["id"]));
}

#[test]
fn programs_get_readings_in_pages_in_spans_and_as_a_file() {
    let home = Home::ready(2);
    let rows: Vec<_> =
        (0..10).map(|second| format!("P/1,2025-10-26T10:30:{:02}Z,{},,,,,\n", second * 6, 80 + second)).collect();
    home.file(
        "old.csv",
        format!(
            "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n{}",
            rows.concat()
        ),
    );
    home.done("produce --mode csv --csv old.csv --once --interval 0");
    home.consume();
    let ward = Ward::of(&home);
    wait_for(|| ward.ask("GET", "/api/v1/patients/P%2F1/readings", "").0 == 200);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ward.get(&format!("/api/v1/patients/P%2F1/readings?limit=4{cursor}"));
        seen.extend(page["readings"].as_array().unwrap().iter().map(|row| row["heart_rate"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, (80..90).collect::<Vec<_>>());
    let spans = ward.get("/api/v1/patients/P%2F1/readings?every=30s");
    assert_eq!(
        spans["buckets"][0]["signs"]["heart_rate"],
        json!({"n": 5, "min": 80.0, "max": 84.0, "mean": 82.0, "sum": 410.0, "last": 84.0})
    );
    let (status, file) = ward.ask("GET", "/api/v1/patients/P%2F1/readings?format=csv&since=2025-10-26T10:30:54Z", "");
    assert_eq!((status, file.as_str().unwrap().lines().count()), (200, 2), "{file}");
    let scores = ward.get("/api/v1/patients/P%2F1/scores");
    assert!(scores["scores"].as_array().unwrap().iter().all(|score| score["is_partial"] == true), "{scores}");
    assert_eq!(ward.get("/api/v1/lag")["lag"], 0);
    assert_eq!(ward.ask("GET", "/api/v1/patients/nobody", "").0, 404);
}

#[test]
fn other_systems_get_observations_in_pages_and_alarms_with_who_acknowledged_them() {
    let home = Home::ready(2);
    home.done("patient admit P/1 --name Ada --birth-date 1950-01-01 --by Anna");
    send_observed(&home);
    home.consume();
    home.done("alarms ack P/1 --rule spo2_low --by Anna");
    let ward = Ward::of(&home);
    ward.wait_for_bed("P/1", |bed| has_alarm(bed, "spo2_low"));
    let known = ward.get("/fhir/metadata");
    assert_eq!((&known["resourceType"], &known["fhirVersion"]), (&json!("CapabilityStatement"), &json!("4.0.1")));
    let patients = ward.get("/fhir/Patient?identifier=P/1");
    let patient = &patients["entry"][0]["resource"];
    assert_eq!((&patient["name"][0]["text"], &patient["birthDate"]), (&json!("Ada"), &json!("1950-01-01")));
    let id = patient["id"].as_str().unwrap();
    assert_eq!(ward.get(&format!("/fhir/Patient/{id}"))["identifier"][0]["value"], "P/1");

    let mut codes = Vec::new();
    let mut next = Some(format!("/fhir/Observation?patient={id}&_count=1"));
    while let Some(path) = next {
        let page = ward.get(&path);
        let entries = page["entry"].as_array().unwrap();
        codes.extend(entries.iter().map(|entry| entry["resource"]["code"]["coding"][0]["code"].clone()));
        let links = page["link"].as_array().unwrap();
        let of = links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap());
        next = of.map(|url| url.split_once("localhost").unwrap().1.to_owned());
    }
    assert_eq!(codes, ["8867-4", "2708-6", "371825009", "67775-7"]);
    let observed = ward.get(&format!("/fhir/Observation?patient={id}&category=exam"));
    let [oxygen, awake] = [0, 1].map(|at| observed["entry"][at]["resource"]["valueCodeableConcept"].clone());
    assert_eq!((&oxygen["coding"][0]["display"], &awake["text"]), (&json!("Yes"), &json!("C")), "{observed}");
    let (status, outcome) = ward.ask("GET", &format!("/fhir/Observation?patient={id}&_lastUpdated=gt2026-01-01"), "");
    assert_eq!(status, 400);
    assert!(outcome["issue"][0]["diagnostics"].as_str().unwrap().contains("hint: 'date' asks by"), "{outcome}");
    assert_eq!(ward.get(&format!("/fhir/Observation?patient={id}&date=lt2000-01-01")).get("entry"), None);

    let issues = ward.get(&format!("/fhir/DetectedIssue?patient={id}"));
    let acknowledged =
        issues["entry"].as_array().unwrap().iter().find(|entry| entry["resource"]["mitigation"].is_array());
    assert_eq!(acknowledged.unwrap()["resource"]["mitigation"][0]["author"]["display"], "Anna");
    for (path, status) in [
        ("/fhir/Observation", 400),
        ("/fhir/Observation?patient=P2&_sort=date", 400),
        ("/fhir/Patient/nobody", 404),
        ("/fhir/Encounter", 404),
    ] {
        let (found, outcome) = ward.ask("GET", path, "");
        assert_eq!(found, status, "{path}: {outcome}");
    }
    let written = home.done("export -o fhir -");
    let observations: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(observations.len(), 4, "{written}");
    assert_eq!(observations[0]["subject"]["reference"], format!("Patient/{id}"));
}

#[test]
fn a_pause_is_shown_and_kept_and_ends_when_somebody_says_so() {
    let home = Home::ready(2);
    home.done("patient admit P1 --by Anna");
    let ward = Ward::of(&home);
    ward.wait_for_bed("P1", |_| true);
    let pause = r#"{"minutes":2,"by":"Anna","reason":"suction"}"#;
    let (status, answer) = ward.ask("POST", "/api/v1/patients/P1/pause", pause);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ward.bed("P1").unwrap()["paused_until"], answer["paused_until"]);
    assert_eq!(ward.get("/api/v1/patients/P1")["pause"]["reason"], "suction");
    home.run("patient show P1 -o table").well().shows(&["suction"]);
    let (status, answer) = ward.ask("POST", "/api/v1/patients/P1/resume", r#"{"by":"Anna"}"#);
    assert_eq!((status, &answer["paused_until"]), (200, &Value::Null));
    let (status, problem) = ward.ask("POST", "/api/v1/patients/P9/pause", pause);
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().starts_with("P9 is not admitted"), "{problem}");
}

#[test]
fn a_stream_has_the_ward_first_then_what_changes_and_says_that_it_goes_on() {
    let home = Home::ready(2);
    let ward = Ward::of(&home);
    let mut stream = TcpStream::connect(&ward.address).unwrap();
    stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut next = |name: &str| {
        let wanted = format!("event: {name}");
        assert!(lines.by_ref().any(|line| line == wanted), "no {name}");
        let data = lines.next().unwrap();
        serde_json::from_str::<Value>(data.trim_start_matches("data: ")).unwrap()
    };
    assert_eq!(next("ward")["beds"], json!([]));
    next("tick");
    send(&home, "P1,80,97\n");
    let beds = next("beds");
    assert_eq!(
        (&beds["beds"][0]["patient_id"], &beds["beds"][0]["signs"]["spo2"]["value"]),
        (&json!("P1"), &json!(97))
    );
}

#[test]
fn brokers_that_are_away_are_told_and_what_is_known_stays() {
    let mut home = Home::ready(2);
    send(&home, "P1,80,97\n");
    let ward = Ward::of(&home);
    ward.wait_for_bed("P1", |_| true);
    wait_for(|| ward.ask("GET", "/readyz", "").0 == 200);
    home.kill_broker();
    let is_told =
        |latest: &Value| latest["troubles"].as_array().unwrap().iter().any(|trouble| trouble["of"] == "brokers");
    wait_for(|| is_told(&ward.get("/api/v1/latest")));
    let latest = ward.get("/api/v1/latest");
    assert_eq!(ward.ask("GET", "/readyz", "").0, 503);
    let troubles = latest["troubles"].as_array().unwrap();
    assert!(troubles.iter().any(|trouble| trouble["of"] == "brokers" && trouble["since"].is_string()), "{latest}");
    assert_eq!(latest["beds"][0]["signs"]["heart_rate"]["value"], 80);
    home.up_again();
    send(&home, "P1,81,97\n");
    ward.wait_for_bed("P1", |bed| bed["signs"]["heart_rate"]["value"] == 81);
    wait_for(|| ward.ask("GET", "/readyz", "").0 == 200);
}

#[test]
fn nobody_from_elsewhere_and_no_page_of_another_name_is_answered() {
    let home = Home::ready(2);
    home.run("serve --listen 0.0.0.0:0").with_code(2).tells(&["can be reached from other machines", "ssh -L"]);
    let ward = Ward::of(&home);
    let taken = home.run(&format!("serve --listen {}", ward.address)).with_code(4);
    taken.tells(&["cannot listen on", "something listens there already"]);
    let answer = ward.told(b"GET /api/v1/latest HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let page = ward.told(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("script-src 'self'"), "{page}");
    // Everything that the page names is there.
    let names = page.split(['"', '\'']).filter(|name| name.starts_with("/assets/") || name.starts_with("assets/"));
    let names: Vec<_> = names.map(|name| format!("/{}", name.trim_start_matches('/'))).collect();
    assert!(names.len() > 2, "{page}");
    for name in names {
        assert_eq!(ward.ask("GET", &name, "").0, 200, "{name}");
    }
}

#[test]
fn who_says_nonsense_or_nothing_holds_up_nobody() {
    let home = Home::ready(2);
    let ward = Ward::of(&home);
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(&ward.address).unwrap()).collect();
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(256 * 1024));
    let body = format!(
        "POST /api/v1/alarms/acknowledge HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{}",
        128 * 1024,
        "{".repeat(128 * 1024)
    );
    let upwards = ["..", ".."].join("/");
    let upwards = format!(
        "GET /assets/{upwards}/etc/passwd HTTP/1.1
host: localhost
connection: close

"
    );
    for (bytes, status) in [
        (&b"\x16\x03\x01\x02\x00"[..], "400"),
        (b"hello\r\n\r\n", "400"),
        (long.as_bytes(), "431"),
        (body.as_bytes(), "413"),
        (b"GET /api/v1/patients/%ff HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "400"),
        (upwards.as_bytes(), "404"),
        (b"TRACE / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n", "405"),
    ] {
        let answer = ward.told(bytes);
        // One that is refused before it has said everything may lose the answer to a reset.
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    assert_eq!(ward.ask("GET", "/livez", "").0, 200);
    drop(silent);
    ward.server.signal("TERM");
    ward.server.wait_end(RUN_LIMIT).well();
}

#[test]
fn who_holds_a_stream_or_an_upload_does_not_hold_up_the_end() {
    const END_LIMIT: Duration = Duration::from_secs(5);
    let home = Home::ready(2);
    for signal in ["TERM", "INT"] {
        let ward = Ward::of(&home);
        let begun = |said: &str| {
            let mut stream = TcpStream::connect(&ward.address).unwrap();
            stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
            stream.write_all(format!("{said} HTTP/1.1\r\nhost: localhost\r\n").as_bytes()).unwrap();
            stream
        };
        let mut looking_on = begun("GET /api/v1/stream");
        looking_on.write_all(b"\r\n").unwrap();
        let mut seen = [0; 12];
        looking_on.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"HTTP/1.1 200");
        // One that trickles in, and one that is waited for by nobody but the server.
        let mut sending = begun("POST /api/v1/readings");
        sending.write_all(b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n[").unwrap();
        let _silent = begun("POST /api/v1/alarms/acknowledge");
        wait_for(|| ward.get("/metrics").as_str().unwrap().contains("\nvitals_streams 1\n"));
        let asked = std::time::Instant::now();
        ward.server.signal(signal);
        ward.server.wait_end(RUN_LIMIT).well();
        assert!(asked.elapsed() < END_LIMIT, "{signal}: {:?}", asked.elapsed());
        assert!(looking_on.read_to_end(&mut Vec::new()).is_ok() || sending.write_all(b"]").is_err(), "they are let go");
    }
}

#[test]
fn a_demonstration_and_the_broker_show_the_ward_too() {
    let home = Home::new();
    let demo = Ward::beside(&home, "demo --web=127.0.0.1:0 --for 20s --data demo");
    wait_for(|| demo.get("/api/v1/latest")["beds"].as_array().unwrap().len() == 8);
    demo.server.signal("TERM");
    demo.server.wait_end(RUN_LIMIT);
    let up = Ward::beside(&home, "up --listen 127.0.0.1:0 --web=127.0.0.1:0");
    assert_eq!(up.get("/api/v1/latest")["beds"], json!([]));
    up.server.signal("TERM");
    up.server.wait_end(RUN_LIMIT).well();
}
