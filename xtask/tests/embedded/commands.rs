//! `vitals demo`, and `vitals up` with the other commands beside it, each a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a command may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A home of its own: a data folder, and a settings file with the address of this test's broker.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn vitals(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.args(args).current_dir(self.path()).env("XDG_DATA_HOME", self.path().join("data")).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VITALS_")) {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.vitals(args).output().expect("ran")
    }

    pub(crate) fn run_embedded(&self, args: &[&str]) -> Output {
        let whole: Vec<_> = args.iter().copied().chain(["--profile", "embedded"]).collect();
        self.run(&whole)
    }

    /// Starts the broker on a free port, and tells the profile where it is.
    pub(crate) fn up(&self) -> Up {
        let mut child = self
            .vitals(&["up", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut first).expect("a line");
        let address = first.split_once("listens on ").and_then(|(_, rest)| rest.split_once(',')).expect("an address").0;
        let settings = format!("[profile.embedded]\nbrokers = \"{address}\"\n");
        std::fs::write(self.path().join("vitals.toml"), settings).expect("written");
        Up { address: address.to_owned(), child, _stdout: stdout }
    }
}

pub(crate) struct Up {
    pub(crate) address: String,
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn summary(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[test]
fn the_demo_stores_everything_that_it_sent_and_says_so_as_json() {
    let home = Home::new();
    let stdout = done(&home.run(&["demo", "--for", "2s", "--rate", "50", "-o", "json"]));
    let summary = summary(&stdout);
    assert_eq!(summary["sent"], summary["stored"]);
    assert_eq!(summary["sent"], 100);
    assert!(summary["latency_ms"]["p50"].as_f64().expect("a number") > 0.0);
    assert!(Path::new(summary["data"].as_str().expect("a path")).join("vitals.db").is_file());
    let keys = ["sent", "stored", "alerts", "latency_ms", "data"].map(|key| stdout.find(key).expect("a key"));
    assert!(keys.is_sorted(), "{stdout}");
}

#[test]
fn the_demo_shows_its_first_reading_within_a_second_and_its_summary_at_the_end() {
    let home = Home::new();
    let began = Instant::now();
    let mut child = home.vitals(&["demo", "--for", "3s"]).stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    // A second on an idle machine; the tests beside this one take their share.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(first.contains(" -> HR:"), "{first}");
    let rest: Vec<_> = lines.map(|line| line.expect("text")).collect();
    assert!(rest.iter().any(|line| line.starts_with("sent 60, stored 60")), "{rest:?}");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_demo_early_with_the_same_summary_and_check() {
    let home = Home::new();
    let mut child = home.vitals(&["demo", "--for", "0"]).stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a reading").expect("text");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("ran");
    assert!(killed.success());
    let began = Instant::now();
    let rest: Vec<_> = lines.map(|line| line.expect("text")).collect();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(rest.iter().any(|line| line.starts_with("sent ")), "{rest:?}");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn all_commands_work_beside_the_embedded_broker() {
    let home = Home::new();
    let _up = home.up();
    let made = done(&home.run_embedded(&["init"]));
    assert!(made.contains("topic patient.vitals: made (6 partitions)"), "{made}");
    assert_eq!(done(&home.run_embedded(&["produce", "--count", "40", "--interval", "0"])).lines().count(), 40);
    let lags = done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
    assert_eq!(lags, "");
    let lag: i64 = done(&home.run_embedded(&["lag", "-o", "ndjson"]))
        .lines()
        .map(|line| summary(line)["lag"].as_i64().expect("a number"))
        .sum();
    assert_eq!(lag, 0);
    let rows: usize = ["P001", "P002", "P003", "P004"]
        .iter()
        .map(|patient| {
            let query = ["query", "--patient", patient, "--limit", "100", "-o", "ndjson"];
            done(&home.run_embedded(&query)).lines().count()
        })
        .sum();
    assert_eq!(rows, 40);
}

#[test]
fn a_consumer_goes_on_by_itself_when_the_broker_was_killed_and_started_again() {
    let home = Home::new();
    let folder = home.path().join("broker");
    let address = super::killed::free_address();
    std::fs::write(home.path().join("vitals.toml"), format!("[profile.embedded]\nbrokers = \"{address}\"\n"))
        .expect("written");
    let mut broker = super::killed::Served::start(&folder, &address);
    wait_for(|| home.run_embedded(&["init", "--wait", "20s"]).status.success());
    let mut consumer =
        home.vitals(&["consume", "--quiet", "--profile", "embedded"]).stderr(Stdio::null()).spawn().expect("started");
    let lags = || -> Vec<Value> {
        let shown = text(&home.run_embedded(&["lag", "-o", "ndjson"]).stdout);
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    // Who has never reached a broker ends, as it should, when there is none.
    wait_for(|| lags().iter().any(|lag| lag["member"].is_string()));
    done(&home.run_embedded(&["produce", "--count", "30", "--interval", "0"]));
    broker.kill();
    let _broker = super::killed::Served::start(&folder, &address);
    wait_for(|| home.run_embedded(&["produce", "--count", "30", "--interval", "0"]).status.success());
    wait_for(|| lags().iter().filter_map(|lag| lag["committed"].as_i64()).sum::<i64>() >= 60);
    assert!(consumer.try_wait().expect("asked").is_none(), "it runs on");
    consumer.kill().expect("ended");
    consumer.wait().expect("ended");
}

pub(crate) fn wait_for(ready: impl Fn() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < LIMIT, "in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_broker_goes_on_when_nobody_reads_what_it_says() {
    let home = Home::new();
    let mut child = home
        .vitals(&["up", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(500));
    let running = child.try_wait().expect("asked").is_none();
    let _ = child.kill();
    let _ = child.wait();
    assert!(running);
}

#[test]
fn a_second_broker_on_the_same_folder_or_port_is_refused_with_a_hint() {
    let home = Home::new();
    let _up = home.up();
    let same_folder = home.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(same_folder.status.code(), Some(4));
    let told = text(&same_folder.stderr);
    assert!(told.contains("is in use by the process") && told.contains("hint:"), "{told}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let same_port = home.run(&["up", "--listen", &address, "--data", "elsewhere"]);
    assert_eq!(same_port.status.code(), Some(4));
    let told = text(&same_port.stderr);
    assert!(told.contains("cannot listen on") && told.contains("hint:"), "{told}");
}

#[test]
fn a_shell_completes_the_topics_and_groups_of_the_running_broker() {
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    done(&home.run_embedded(&["produce", "--count", "1", "--interval", "0"]));
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
    let completed = |typed: &[&str]| {
        let words: Vec<_> = ["--", "vitals", "--profile", "embedded"].iter().chain(typed).copied().collect();
        let mut shell = home.vitals(&words);
        shell.env("VITALS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", (words.len() - 2).to_string());
        done(&shell.env("_CLAP_IFS", " ").output().expect("ran"))
    };
    assert_eq!(completed(&["topic", "describe", "pat"]), "patient.vitals patient.vitals.dlq");
    assert_eq!(completed(&["lag", "--group", "vit"]), "vitals-monitor-consumer-v7");
}
