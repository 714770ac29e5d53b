//! The description of the interface for programs is true: schemathesis asks a real server for whatever it allows, and
//! for what it does not; and a client that is generated of it alone reads what was sent.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::home::{Home, wait_for};
use super::serve::Ward;
use super::tokens::{Guarded, token};
use crate::program::Program as _;
use crate::running::{self, Ended, Running};

/// On a calm machine it takes ten seconds.
const TOOL_LIMIT: Duration = Duration::from_secs(4 * 60);

/// The answers to what the description does not allow: those that schemathesis expects, and 413, which RFC 9110 has for
/// more readings than `maxItems`.
const SETTINGS: &str = "\
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, \"5xx\"]
";

/// So many cases are tried at least, of some 1,400.
const FEWEST_CASES: usize = 800;

/// All of its checks, and every path but that of the stream, whose answer has no end.
const OPTIONS: &str = "--checks all --exclude-path /api/v1/stream --seed 20251026 --max-examples 40 --continue-on-failure \
                       --no-color --request-timeout 30";

fn tool(name: &str) -> PathBuf {
    let folder = std::env::var("VITALS_TEST_API_TOOLS").expect("hint: run `cargo xtask test`");
    Path::new(&folder).join(name)
}

fn ended(name: &str, home: &Home, arguments: &[&str]) -> Ended {
    let mut command = Command::new(tool(name));
    command.args(arguments).current_dir(home.path());
    Running::start(name, &mut command).wait_end(TOOL_LIMIT)
}

/// A patient with readings and alarms, and one with an id that has to be escaped.
fn filled() -> (Home, Running) {
    let home = Home::ready(2);
    let consumer = home.start("consume --quiet");
    home.done("patient admit P1 --name Ada --ward West --bed 3 --birth-date 1950-01-01 --by Anna");
    home.done("patient admit a/b --ward East --by Anna");
    let head = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature,\
                supplemental_oxygen,consciousness";
    let rows: Vec<_> = (0..10)
        .map(|number| {
            let (second, rate) = (number * 6, 80 + number);
            format!("P1,2025-10-26T10:30:{second:02}Z,{rate},97,120,80,16,36.6,false,A\n")
        })
        .collect();
    let last = "P1,2025-10-26T10:31:00Z,150,85,120,80,16,36.6,true,V\na/b,2025-10-26T10:31:00Z,80,97,,,,,,\n";
    home.file("in.csv", format!("{head}\n{}{last}", rows.concat()));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
    wait_for(|| home.rows("alarms list --active").len() >= 2);
    (home, consumer)
}

/// Runs it to its good end, and looks whether it has done something.
fn tried(home: &Home, url: &str, more: &[&str]) {
    home.file("schemathesis.toml", SETTINGS);
    let description = format!("{url}/openapi.json");
    let options: Vec<_> = OPTIONS.split_whitespace().collect();
    let ended = ended("schemathesis", home, &[&["run", &description], &options[..], more].concat());
    let said = ended.stdout.join("\n");
    assert_eq!(ended.code, Some(0), "{}", said.split("FAILURES").last().unwrap());
    let cases =
        ended.stdout.iter().find_map(|line| line.trim().split_once(" generated").map(|(count, _)| count.to_owned()));
    let cases: usize = cases.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!(cases > FEWEST_CASES, "{cases} cases");
    assert!(said.contains("Tested: 15"), "{said}");
}

#[test]
fn the_server_keeps_to_its_description_whatever_is_asked() {
    let (home, consumer) = filled();
    let mut ward = Ward::of(&home);
    wait_for(|| ward.ask("GET", "/readyz", "").0 == 200);
    tried(&home, &format!("http://{}", ward.address), &[]);
    assert!(ward.server.is_running());
    assert_eq!(ward.get("/api/v1/status")["troubles"], json!({}));
    drop(consumer);
}

#[test]
fn inside_tls_it_does_so_for_whoever_has_a_token_and_tells_others_nothing() {
    let (home, consumer) = filled();
    let mut ward = Guarded::at(&home, "");
    let admin = token(&home, "tools", "admin");
    wait_for(|| ward.status("GET", "/api/v1/latest", &admin) == 200);
    let header = format!("Authorization: Bearer {admin}");
    let authorities = home.path().join("certs/ca.pem");
    // A token asks 200 times a second and no more.
    let more = ["--header", &header, "--tls-verify", authorities.to_str().unwrap(), "--rate-limit", "150/s"];
    tried(&home, &format!("https://{}", ward.address), &more);
    assert!(ward.server.is_running());
    drop(consumer);
}

#[test]
fn a_client_that_is_generated_of_it_reads_what_was_sent() {
    let (home, consumer) = filled();
    let ward = Ward::of(&home);
    wait_for(|| ward.ask("GET", "/readyz", "").0 == 200);
    let url = format!("http://{}", ward.address);
    // It would format what it has written by another program.
    home.file("generator.yaml", "post_hooks: []\n");
    let description = format!("{url}/openapi.json");
    let words = ["generate", "--url", &description, "--output-path", "ward_client", "--meta", "none"];
    ended("openapi-python-client", &home, &[&words[..], &["--config", "generator.yaml"]].concat()).well();
    let mut reader = Command::new(tool("python"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/tests/peers/ward_reader.py");
    reader.arg(script).args([&url, "P1"]).current_dir(home.path());
    let read = running::run("ward_reader.py", &mut reader).well().output();
    let read: Value = serde_json::from_str(&read).unwrap();

    assert_eq!(read["patients"], json!([["P1", "Ada", "West", "3"], ["a/b", null, "East", null]]));
    assert_eq!((&read["pages"], &read["observed"]), (&json!([4, 4, 3]), &json!([true, "V"])));
    let mut rows: Vec<_> = (0..10)
        .map(|number| {
            let time = format!("2025-10-26T10:30:{:02}+00:00", number * 6);
            json!([time, 80 + number, 97, 120, 80, 16, 36.6])
        })
        .collect();
    rows.push(json!(["2025-10-26T10:31:00+00:00", 150, 85, 120, 80, 16, 36.6]));
    assert_eq!(read["rows"], json!(rows));
    let rates = json!({"n": 5, "min": 80.0, "max": 84.0, "mean": 82.0, "sum": 410.0, "last": 84.0});
    assert_eq!(read["spans"][0], json!(["2025-10-26T10:30:00+00:00", rates]));
    assert_eq!((&read["latest"]["heart_rate"], &read["latest"]["spo2"]), (&json!(150), &json!(85)));
    assert_eq!(read["shown"], json!(["P1", "Ada", "1950-01-01", true]));
    let alarms = read["alarms"].as_array().unwrap();
    assert!(alarms.contains(&json!(["P1", "spo2_low", "high", 85.0])), "{alarms:?}");
    assert!(read["of_patient"].as_array().unwrap().contains(&json!("heart_rate_high")), "{read}");
    assert_eq!((&read["acknowledged"], &read["problems"]), (&json!([alarms[0][1], "Anna"]), &json!([409, 404])));
    assert_eq!((&read["scores"], &read["troubles"]), (&json!(true), &json!({})));
    drop(consumer);
}
