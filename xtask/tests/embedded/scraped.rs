//! A real Prometheus reads what `vitals` tells: its `promtool` finds nothing to improve, and each query of the dashboard and
//! of the alerts of the guide has an answer.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::health::{get, metrics, told_at};
use super::home::{Home, TOPIC, address_in, free_address};
use super::records::{self, record};
use super::serve;
use crate::program::Program as _;
use crate::running::{self, RUN_LIMIT, Running, look_until};

/// For how long a query may have no answer: a rate needs two scrapes, and there is one a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

fn program(name: &str) -> PathBuf {
    let folder = std::env::var("VITALS_TEST_PROMETHEUS").expect("hint: run `cargo xtask test`");
    Path::new(&folder).join(name)
}

fn guide(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide").join(file)
}

fn promtool(words: &[&str]) -> running::Ended {
    running::run("promtool", Command::new(program("promtool")).args(words))
}

/// What `promtool check metrics` says of this text, and how it ends.
fn checked(text: &str) -> (bool, String) {
    let mut tool = Command::new(program("promtool"));
    let tool = tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

/// A consumer and a broker that tell, and readings that come all the time, some of which are refused or raise alarms; beside
/// them a server that is asked all the time, and a listener.
struct Ward {
    _home: Home,
    _processes: Vec<Running>,
    addresses: [String; 3],
    server: serve::Ward,
}

impl Ward {
    fn start() -> Self {
        let home = Home::ready(2);
        let mut consumer = home.start("consume --quiet --health 127.0.0.1:0");
        let of_consumer = told_at(&mut consumer);
        let words = "up --listen 127.0.0.1:0 --data other --health 127.0.0.1:0";
        let mut broker = Running::start("vitals up", &mut home.vitals(words));
        let of_broker = told_at(&mut broker);
        assert!(!address_in(&broker.wait_for_line("listens on ", RUN_LIMIT)).is_empty());
        let high = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","heart_rate":150}"#;
        records::send(&home, TOPIC, 0, &[record("P1", high), record("P1", "[]")]);
        let producer = home.start("produce --interval 0.05");
        let mut listener = home.start("listen hl7 --mllp 127.0.0.1:0 --health 127.0.0.1:0");
        let addresses = [of_consumer, of_broker, told_at(&mut listener)];
        let server = serve::Ward::of(&home);
        Self { _home: home, _processes: vec![consumer, broker, producer, listener], addresses, server }
    }

    /// Asks the server what somebody might, and sends what cannot be used.
    fn ask(&self) {
        let of = |status: u16, (found, answer): (u16, Value)| assert_eq!(found, status, "{answer}");
        of(200, self.server.ask("GET", "/api/v1/latest", ""));
        of(404, self.server.ask("GET", "/nothing", ""));
        of(422, self.server.ask("POST", "/api/v1/readings", r#"{"patient_id":"P1"}"#));
    }
}

/// Prometheus with the rules of the guide, over these addresses.
fn prometheus(folder: &Path, targets: &[String], server: &str) -> (Running, String) {
    let address = free_address();
    let config = std::fs::read_to_string(guide("prometheus/prometheus.yaml")).unwrap();
    let config = config
        .replace("15s", "1s")
        .replace("vitals.rules.yaml", guide("prometheus/vitals.rules.yaml").to_str().unwrap())
        .replace(r#"["127.0.0.1:9100", "127.0.0.1:9101"]"#, &format!("{targets:?}"))
        .replace(r#"["127.0.0.1:8080"]"#, &format!("[{server:?}]"));
    let file = folder.join("prometheus.yaml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(program("prometheus"));
    command.current_dir(folder);
    command.arg(format!("--config.file={}", file.display())).arg(format!("--web.listen-address={address}"));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    let mut server = Running::start("prometheus", &mut command);
    server.wait_for_note("Server is ready to receive web requests", RUN_LIMIT);
    (server, address)
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

/// What it answers: the values of the series, as numbers.
fn asked(address: &str, query: &str) -> Vec<f64> {
    let (status, body) = get(address, &format!("/api/v1/query?query={}", encoded(query)));
    assert_eq!(status, 200, "{query}: {body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let series = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {body}"));
    series.iter().map(|of| of["value"][1].as_str().unwrap().parse().unwrap()).collect()
}

/// As Grafana would ask, all instances chosen.
fn queries_of_dashboard(file: &str) -> Vec<String> {
    let dashboard = std::fs::read_to_string(guide(&format!("grafana/{file}"))).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let query = |target: &Value| target["expr"].as_str().unwrap().to_owned();
    let queries: Vec<_> = targets.map(query).collect();
    assert!(queries.len() > 15, "{queries:?}");
    queries.iter().map(|query| query.replace("$__rate_interval", "10s").replace("$instance", ".*")).collect()
}

/// What each alert compares with its limit.
fn figures_of_alerts() -> Vec<String> {
    let rules = std::fs::read_to_string(guide("prometheus/vitals.rules.yaml")).unwrap();
    let expressions: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert_eq!(expressions.len(), rules.matches("- alert: ").count());
    let figure =
        |expression: &&str| expression.rsplit_once(' ').unwrap().0.trim_end_matches([' ', '=', '>']).to_owned();
    expressions.iter().map(figure).collect()
}

#[test]
fn a_real_prometheus_finds_an_answer_to_each_query_of_the_guide() {
    let ward = Ward::start();
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = prometheus(folder.path(), &ward.addresses, &ward.server.address);
    let mut open = Vec::new();
    let dashboards = ["vitals.json", "vitals-serve.json"].into_iter().flat_map(queries_of_dashboard);
    for query in dashboards.chain(figures_of_alerts()) {
        let answered = || {
            ward.ask();
            asked(&address, &query).iter().any(|value| value.is_finite()).then_some(())
        };
        if look_until(ANSWER_LIMIT, answered).is_none() {
            open.push(query);
        }
    }
    assert!(open.is_empty(), "no answer: {open:#?}");
    assert_eq!(asked(&address, "sum(up{job=\"vitals\"})"), [3.0]);
    assert_eq!(asked(&address, "sum(up{job=\"vitals-serve\"})"), [1.0]);
    for target in ward.addresses.iter().chain([&ward.server.address]) {
        let (is_well, said) = checked(&metrics(target));
        assert!(is_well && said.is_empty(), "{said}");
    }
    let (is_well, _) = checked("# TYPE vitals_bad_total gauge\nvitals_bad_total 1\n");
    assert!(!is_well, "it does look");
}

#[test]
fn the_alerts_of_the_guide_are_raised_when_they_should_be_and_by_nothing_else() {
    let rules = guide("prometheus/vitals.rules.yaml");
    promtool(&["check", "rules", rules.to_str().unwrap()]).well().shows(&["SUCCESS: 6 rules found"]);
    promtool(&["check", "config", guide("prometheus/prometheus.yaml").to_str().unwrap()]).well();
    let folder = tempfile::tempdir().unwrap();
    let story = include_str!("scraped/alerts.yaml").replace("RULES", rules.to_str().unwrap());
    let file = folder.path().join("alerts.yaml");
    std::fs::write(&file, story).unwrap();
    promtool(&["test", "rules", file.to_str().unwrap()]).well().shows(&["SUCCESS"]);
}
