//! The program from outside, as far as it needs no server: options, settings, formats, errors, exit codes, signals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// design.md: who cannot be reached at the start is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(6);

/// The program in an empty folder, with an empty environment.
struct Vitals {
    folder: TempDir,
    command: Command,
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn vitals(words: &[&str]) -> Vitals {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
    command.args(words).env_clear().current_dir(folder.path()).stdin(Stdio::null());
    Vitals { folder, command }
}

impl Vitals {
    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    fn run(mut self) -> Ended {
        let Output { status, stdout, stderr } = self.command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// A port where nothing listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Every error of this program: one line, then what to do.
fn assert_told(ended: &Ended, code: i32, error: &str, hint: &str) {
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert_eq!(lines.len(), 2, "{}", ended.stderr);
    assert!(lines[0].starts_with("error: ") && lines[0].contains(error), "{}", ended.stderr);
    assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn without_a_command_the_help_is_shown() {
    let ended = vitals(&[]).run();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("Usage: vitals") && ended.stderr.contains("Commands:"), "{}", ended.stderr);
}

#[test]
fn the_version_is_shown() {
    let ended = vitals(&["--version"]).run();
    assert_eq!((ended.code, ended.stdout), (0, format!("vitals {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn an_unknown_option_is_a_wrong_usage_with_a_suggestion() {
    let ended = vitals(&["query", "--patinet", "P001"]).run();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--patient"), "{}", ended.stderr);
}

/// The subcommands that the help of `path` lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that goes on in the next line stands further to the right.
    let names = listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        let words: Vec<_> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = vitals(&words).run().stdout;
        let below = subcommands(&help);
        let example = help.lines().any(|line| line.trim_start().starts_with("vitals "));
        assert!(example || !below.is_empty(), "{path:?}: {help}");
        waiting.extend(below.into_iter().map(|name| path.iter().cloned().chain([name]).collect()));
        seen += 1;
    }
    assert!(seen > 3, "the help lists the commands in another way than this test reads");
}

#[test]
fn config_show_names_the_source_of_every_value() {
    let ended = vitals(&["config", "show", "-o", "csv", "--profile", "ward-a", "--group", "night"])
        .file("vitals.toml", "topic = \"t\"\nspo2_low = 90\n[profile.ward-a]\ntopic = \"a\"")
        .variable("VITALS_BROKERS", "kafka-1:9093")
        .run();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for line in [
        "config,./vitals.toml,default",
        "profile,ward-a,flag",
        "brokers,kafka-1:9093,environment VITALS_BROKERS",
        "topic,a,profile ward-a in ./vitals.toml",
        "group,night,flag",
        "spo2_low,90,file ./vitals.toml",
        "consistency,LOCAL_QUORUM,default",
    ] {
        assert!(ended.stdout.lines().any(|printed| printed == line), "{line} in {}", ended.stdout);
    }
}

#[test]
fn a_global_option_may_stand_before_and_behind_the_command() {
    for words in
        [["--topic", "t", "config", "show"], ["config", "--topic", "t", "show"], ["config", "show", "--topic", "t"]]
    {
        let ended = vitals(&words).run();
        assert!(ended.stdout.contains(r#"{"name":"topic","value":"t","source":"flag"}"#), "{}", ended.stdout);
    }
}

#[test]
fn in_a_pipe_the_format_is_ndjson_and_a_table_when_asked_for() {
    assert!(vitals(&["config", "show"]).run().stdout.starts_with("{\"name\":"));
    assert!(vitals(&["config", "show", "-o", "table"]).run().stdout.starts_with("NAME "));
}

#[test]
fn a_wrong_value_names_its_source_and_the_cure() {
    let ended = vitals(&["config", "show"]).variable("VITALS_BROKERS", "localhost").run();
    assert_told(&ended, 2, "brokers (from environment VITALS_BROKERS): 'localhost' names no port", "HOST:PORT");
}

#[test]
fn an_unknown_profile_lists_those_there_are() {
    let file = "[profile.ward-a]\n[profile.ward-b]";
    let ended = vitals(&["config", "show", "--profile", "ward-c"]).file("vitals.toml", file).run();
    assert_told(&ended, 2, "there is no profile named 'ward-c'", "./vitals.toml has these: ward-a, ward-b");
}

#[test]
fn an_unknown_key_of_the_file_is_told_with_its_line() {
    let ended = vitals(&["config", "show"]).file("vitals.toml", "\ntopics = \"t\"").run();
    assert_told(&ended, 2, "./vitals.toml, line 2: there is no setting named 'topics'", "did you mean topic?");
}

#[test]
fn a_missing_file_that_was_named_is_told() {
    let ended = vitals(&["config", "show", "--config", "ward.toml"]).run();
    assert_told(&ended, 2, "cannot read the settings file ward.toml: ", "--config");
}

#[test]
fn a_misspelt_environment_variable_is_noted_and_the_command_goes_on() {
    let ended = vitals(&["config", "show"]).variable("VITALS_TOPICS", "t").run();
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.stderr,
        "note: the environment has VITALS_TOPICS, which is no setting; did you mean VITALS_TOPIC?\n"
    );
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = vitals(&["config", "show"]).stdout(writer).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = vitals(&["config", "show"]).stdout(full).run();
    assert_told(&ended, 4, "cannot write to standard output: ", "space");
}

#[test]
fn a_store_where_nothing_listens_is_told_in_time() {
    let began = Instant::now();
    let ended = vitals(&["query", "--store", &format!("cassandra://{}/hospital", closed_port())]).run();
    assert_told(&ended, 4, "no Cassandra node can be used", "");
    assert!(began.elapsed() < UNREACHABLE_LIMIT, "{:?}", began.elapsed());
}

#[test]
fn a_store_that_is_silent_is_told_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let ended = vitals(&["query", "--store", &store_at(&silent)]).run();
    assert_told(&ended, 4, "no Cassandra node can be used", "");
    assert!(began.elapsed() < UNREACHABLE_LIMIT, "{:?}", began.elapsed());
}

#[test]
fn a_file_that_is_missing_names_vitals_init() {
    let ended = vitals(&["query", "--store", "sqlite:/nowhere/vitals.db"]).run();
    assert_told(&ended, 2, "there is no file /nowhere/vitals.db", "`vitals init`");
}

#[test]
fn a_range_without_a_moment_is_told_before_any_server_is_asked() {
    let range = ["--since", "2025-10-26T11:00:00Z", "--until", "2025-10-26T10:00:00Z"];
    let words: Vec<_> = ["query", "--patient", "P001"].into_iter().chain(range).collect();
    assert_told(&vitals(&words).run(), 2, "no time lies between", "earlier");
}

fn store_at(listener: &TcpListener) -> String {
    format!("cassandra://{}/hospital", listener.local_addr().unwrap())
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
fn cut_short_by(name: &str) -> ExitStatus {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut vitals = vitals(&["query", "--store", &store_at(&silent)]);
    let mut child = vitals.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Once it has connected, it handles signals.
    let _connection = silent.accept().unwrap();
    signal(&child, name);
    child.wait().unwrap()
}

#[cfg(unix)]
#[test]
fn a_signal_cuts_a_query_short() {
    assert_eq!(cut_short_by("-INT").code(), Some(130));
    assert_eq!(cut_short_by("-TERM").code(), Some(130));
}
