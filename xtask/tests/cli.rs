//! The program from outside, as far as it needs no server: options, settings, formats, errors, exit codes, signals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// design.md: who cannot be reached at the start is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(10);

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
    assert!(
        ended.stderr.contains("Usage: vitals [OPTIONS] <COMMAND>") && ended.stderr.contains("\n  demo  "),
        "{}",
        ended.stderr
    );
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

#[test]
fn a_mistyped_command_is_a_wrong_usage_with_a_suggestion() {
    let ended = vitals(&["qeury"]).run();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("'query'"), "{}", ended.stderr);
}

#[test]
fn the_profiles_are_listed_and_shown_with_what_they_set() {
    let file = "topic = \"t\"\n[profile.ward-a]\ntopic = \"a\"\n[profile.embedded]\nstore = \"sqlite:x.db\"";
    let listed = vitals(&["profile", "list", "-o", "csv", "--profile", "ward-a"]).file("vitals.toml", file).run();
    assert_eq!(listed.stdout, "name,in_force,sets\nembedded,false,brokers store\nward-a,true,topic\n");
    let shown = vitals(&["profile", "show", "embedded", "-o", "csv"]).file("vitals.toml", file).run();
    let expected = "name,value,source\n\
                    brokers,127.0.0.1:9093,profile embedded (built in)\n\
                    store,sqlite:x.db,profile embedded in ./vitals.toml\n";
    assert_eq!(shown.stdout, expected);
    assert_told(&vitals(&["profile", "show", "embeded"]).run(), 2, "there is no profile", "did you mean embedded?");
}

#[test]
fn colours_are_where_they_are_wanted_and_nowhere_else() {
    let shown = |words: &[&str]| vitals(&[&["profile", "list", "-o", "table"], words].concat());
    let bold = "\u{1b}[1m";
    assert!(!shown(&[]).run().stdout.contains('\u{1b}'), "into a pipe");
    assert!(shown(&["--color", "always"]).run().stdout.starts_with(bold));
    assert!(shown(&[]).variable("VITALS_COLOR", "always").variable("NO_COLOR", "1").run().stdout.starts_with(bold));
    assert_told(&shown(&["--color", "sometimes"]).run(), 2, "when to colour", "auto, always or never");
}

#[test]
fn a_shell_completes_commands_options_and_profiles() {
    let completed = |words: &[&str]| {
        let last = (words.len() - 1).to_string();
        let words = [&["--"], words].concat();
        let ended = vitals(&words)
            .file("vitals.toml", "[profile.ward-a]\n[profile.ward-b]\n")
            .variable("VITALS_COMPLETE", "bash")
            .variable("_CLAP_COMPLETE_INDEX", &last)
            .variable("_CLAP_IFS", "\n")
            .run();
        assert_eq!(ended.stderr, "");
        ended.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed(&["vitals", "que"]), ["query"]);
    assert_eq!(completed(&["vitals", "query", "--pat"]), ["--patient"]);
    assert_eq!(completed(&["vitals", "lag", "--profile", "ward"]), ["ward-a", "ward-b"]);
    assert_eq!(completed(&["vitals", "guide", "p"]), ["promises", "performance"]);
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = vitals(&["completions", shell]).run();
        assert!(script.code == 0 && script.stdout.contains("VITALS_COMPLETE"), "{shell}: {}", script.stdout);
    }
}

#[test]
fn the_guide_is_listed_and_its_pages_are_printed_as_they_are() {
    let listed = vitals(&["guide"]).run();
    assert_eq!((listed.code, listed.stderr.as_str()), (0, "read one: vitals guide start\n"));
    assert!(listed.stdout.starts_with("start        First steps"), "{}", listed.stdout);
    let page = vitals(&["guide", "settings"]).run();
    assert_eq!(
        (page.code, page.stdout.as_str(), page.stderr.as_str()),
        (0, include_str!("../../src/guide/settings.md"), "")
    );
}

#[test]
fn a_page_that_is_not_there_is_told_with_the_nearest() {
    let hint = "did you mean settings? `vitals guide` lists the pages";
    assert_told(&vitals(&["guide", "setings"]).run(), 2, "there is no page named 'setings'", hint);
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
    assert_told(
        &ended,
        2,
        "there is no profile named 'ward-c'",
        "did you mean ward-a? `vitals profile list` shows all",
    );
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
    let ended = vitals(&["config", "show"]).stdout(writer.try_clone().unwrap()).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let ended = vitals(&["guide", "coursework"]).stdout(writer).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = vitals(&["config", "show"]).stdout(full.try_clone().unwrap()).run();
    assert_told(&ended, 4, "cannot write to standard output: ", "space");
    let ended = vitals(&["guide", "start"]).stdout(full).run();
    assert_told(&ended, 4, "cannot write to standard output: ", "space");
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_printed_is_told() {
    let asked: [&[&str]; 5] = [&["--help"], &["--version"], &["-h"], &["query", "--help"], &["help", "query"]];
    for words in asked {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_told(&vitals(words).stdout(full).run(), 4, "cannot write to standard output: ", "space");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = vitals(words).stdout(writer).run();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    }
}

#[test]
fn help_has_colours_where_they_are_wanted() {
    assert!(!vitals(&["--help"]).run().stdout.contains('\u{1b}'));
    assert!(vitals(&["--color", "always", "--help"]).run().stdout.contains("\u{1b}["));
    assert!(vitals(&["--color=always", "qeury"]).run().stderr.contains("\u{1b}["));
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
