//! The program from outside, as far as it needs no server: options, settings, formats, errors, exit codes, signals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "services/running.rs"]
mod running;

use std::fs::File;
use std::io::PipeWriter;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use running::{Ended, Running};
use tempfile::TempDir;

/// Who cannot be reached at the start is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(10);

struct Vitals {
    folder: TempDir,
    command: Command,
}

/// With these words, which are separated by blanks.
fn vitals(words: &str) -> Vitals {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
    command.args(words.split_whitespace()).env_clear().current_dir(folder.path());
    Vitals { folder, command }
}

impl Vitals {
    fn file(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("vitals.toml"), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn run(mut self) -> Ended {
        running::run("vitals", &mut self.command)
    }

    /// Runs it with its standard output going there; gives code and standard error.
    fn run_into(mut self, stdout: impl Into<Stdio>) -> Ended {
        let output = self.command.stdin(Stdio::null()).stdout(stdout).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect();
        Ended { code: output.status.code(), stdout: Vec::new(), stderr, lasted: Duration::ZERO }
    }
}

/// Every error of this program: one line, then what to do.
#[track_caller]
fn assert_told(ended: &Ended, code: i32, error: &str, hint: &str) {
    assert_eq!((ended.code, ended.stderr.len()), (Some(code), 2), "{}", ended.talk());
    assert!(ended.stderr[0].starts_with("error: ") && ended.stderr[0].contains(error), "{}", ended.talk());
    assert!(ended.stderr[1].starts_with("hint: ") && ended.stderr[1].contains(hint), "{}", ended.talk());
    assert_eq!(ended.output(), "");
}

#[test]
fn without_a_command_the_help_is_shown() {
    vitals("").run().with_code(2).tells(&["Usage: vitals [OPTIONS] <COMMAND>", "\n  demo  "]);
}

#[test]
fn the_version_is_shown() {
    assert_eq!(vitals("--version").run().well().stdout, [format!("vitals {}", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn a_mistyped_option_or_command_is_a_wrong_usage_with_a_suggestion() {
    vitals("query --patinet P001").run().with_code(2).tells(&["--patient"]);
    vitals("qeury").run().with_code(2).tells(&["'query'"]);
}

#[test]
fn the_profiles_are_listed_and_shown_with_what_they_set() {
    let file = "topic = \"t\"\n[profile.ward-a]\ntopic = \"a\"\n[profile.embedded]\nstore = \"sqlite:x.db\"";
    let listed = vitals("profile list -o csv --profile ward-a").file(file).run();
    assert_eq!(listed.stdout, ["name,in_force,sets", "embedded,false,brokers store", "ward-a,true,topic"]);
    let shown = vitals("profile show embedded -o csv").file(file).run();
    let expected = [
        "name,value,source",
        "brokers,127.0.0.1:9093,profile embedded (built in)",
        "store,sqlite:x.db,profile embedded in ./vitals.toml",
    ];
    assert_eq!(shown.stdout, expected);
}

#[test]
fn colours_are_where_they_are_wanted_and_nowhere_else() {
    let shown = |options: &str| vitals(&format!("profile list -o table {options}"));
    let bold = "\u{1b}[1m";
    assert!(!shown("").run().output().contains('\u{1b}'), "into a pipe");
    assert!(shown("--color always").run().output().starts_with(bold));
    assert!(shown("").variable("VITALS_COLOR", "always").variable("NO_COLOR", "1").run().output().starts_with(bold));
    assert!(!vitals("--help").run().output().contains('\u{1b}'));
    vitals("--color always --help").run().shows(&["\u{1b}["]);
    vitals("--color=always qeury").run().tells(&["\u{1b}["]);
}

#[test]
fn a_shell_completes_commands_options_and_profiles() {
    let completed = |words: &str| {
        let last = (words.split(' ').count() - 1).to_string();
        let shell = vitals(&format!("-- {words}")).file("[profile.ward-a]\n[profile.ward-b]\n");
        let shell = shell.variable("VITALS_COMPLETE", "bash").variable("_CLAP_COMPLETE_INDEX", &last);
        let ended = shell.variable("_CLAP_IFS", "\n").run();
        assert_eq!(ended.talk(), "");
        ended.stdout
    };
    assert_eq!(completed("vitals que"), ["query"]);
    assert_eq!(completed("vitals query --pat"), ["--patient"]);
    assert_eq!(completed("vitals lag --profile ward"), ["ward-a", "ward-b"]);
    assert_eq!(completed("vitals guide p"), ["patients", "promises", "performance"]);
    for shell in ["bash", "zsh", "fish", "powershell"] {
        vitals(&format!("completions {shell}")).run().well().shows(&["VITALS_COMPLETE"]);
    }
}

#[test]
fn the_guide_is_listed_and_its_pages_are_printed_as_they_are() {
    let listed = vitals("guide").run().well();
    assert_eq!(listed.stderr, ["read one: vitals guide start"]);
    assert!(listed.stdout[0].starts_with("start        First steps"), "{}", listed.output());
    let page = vitals("guide settings").run().well();
    assert_eq!((&*page.output(), &*page.talk()), (include_str!("../../src/guide/settings.md"), ""));
}

#[test]
fn config_show_names_the_source_of_every_value() {
    let ended = vitals("config show -o csv --profile ward-a --group night")
        .file("topic = \"t\"\nspo2_low = 90\n[profile.ward-a]\ntopic = \"a\"")
        .variable("VITALS_BROKERS", "kafka-1:9093")
        .run()
        .well();
    for line in [
        "config,./vitals.toml,default",
        "profile,ward-a,flag",
        "brokers,kafka-1:9093,environment VITALS_BROKERS",
        "topic,a,profile ward-a in ./vitals.toml",
        "group,night,flag",
        "spo2_low,90,file ./vitals.toml",
        "consistency,LOCAL_QUORUM,default",
    ] {
        assert!(ended.stdout.iter().any(|printed| printed == line), "{line} in {}", ended.output());
    }
}

#[test]
fn a_global_option_may_stand_before_and_behind_the_command() {
    for words in ["--topic t config show", "config --topic t show", "config show --topic t"] {
        vitals(words).run().shows(&[r#"{"name":"topic","value":"t","source":"flag"}"#]);
    }
}

#[test]
fn in_a_pipe_the_format_is_ndjson_and_a_table_when_asked_for() {
    assert!(vitals("config show").run().output().starts_with("{\"name\":"));
    assert!(vitals("config show -o table").run().output().starts_with("NAME "));
}

#[test]
fn what_is_wrong_with_the_settings_or_the_words_is_told_in_a_line_with_a_hint() {
    let file = "[profile.ward-a]\n[profile.ward-b]";
    for (words, file, error, hint) in [
        ("profile show embeded", "", "there is no profile", "did you mean embedded?"),
        ("profile list --color sometimes", "", "when to colour", "auto, always or never"),
        (
            "config show --profile ward-c",
            file,
            "there is no profile named 'ward-c'",
            "did you mean ward-a? `vitals profile list` shows all",
        ),
        (
            "config show",
            "\ntopics = \"t\"",
            "./vitals.toml, line 2: there is no setting named 'topics'",
            "did you mean topic?",
        ),
        ("config show --config ward.toml", "", "cannot read the settings file ward.toml: ", "--config"),
        (
            "guide setings",
            "",
            "there is no page named 'setings'",
            "did you mean settings? `vitals guide` lists the pages",
        ),
        ("query --store sqlite:/nowhere/vitals.db", "", "there is no file /nowhere/vitals.db", "`vitals init`"),
        (
            "query --patient P001 --since 2025-10-26T11:00:00Z --until 2025-10-26T10:00:00Z",
            "",
            "no time lies between",
            "earlier",
        ),
    ] {
        assert_told(&vitals(words).file(file).run(), 2, error, hint);
    }
    let ended = vitals("config show").variable("VITALS_BROKERS", "localhost").run();
    assert_told(&ended, 2, "brokers (from environment VITALS_BROKERS): 'localhost' names no port", "HOST:PORT");
}

#[test]
fn a_misspelt_environment_variable_is_noted_and_the_command_goes_on() {
    let ended = vitals("config show").variable("VITALS_TOPICS", "t").run().well();
    let note = "note: the environment has VITALS_TOPICS, which is no setting; did you mean VITALS_TOPIC?";
    assert_eq!(ended.stderr, [note]);
}

/// A pipe whose reader has gone.
fn unread() -> PipeWriter {
    std::io::pipe().unwrap().1
}

/// What prints rows, text, or what clap makes.
const PRINTING: [&str; 10] = [
    "config show",
    "guide coursework",
    "rules list",
    "rules show ward --toml",
    "rules schema",
    "--help",
    "--version",
    "-h",
    "query --help",
    "help query",
];

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for words in PRINTING {
        assert_eq!(vitals(words).run_into(unread()).well().talk(), "", "{words}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    for words in PRINTING {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_told(&vitals(words).run_into(full), 4, "cannot write to standard output: ", "space");
    }
}

fn store_at(listener: &TcpListener) -> String {
    format!("query --store cassandra://{}/hospital", listener.local_addr().unwrap())
}

#[test]
fn a_store_where_nothing_listens_or_that_is_silent_is_told_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = store_at(&TcpListener::bind("127.0.0.1:0").unwrap());
    for words in [store_at(&silent), closed] {
        let ended = vitals(&words).run();
        assert_told(&ended, 4, "no Cassandra node can be used", "");
        assert!(ended.lasted < UNREACHABLE_LIMIT, "{:?}", ended.lasted);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_cuts_a_query_short() {
    for signal in ["INT", "TERM"] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut vitals = vitals(&store_at(&silent));
        let query = Running::start("vitals query", &mut vitals.command);
        // Once it has connected, it handles signals.
        let _connection = silent.accept().unwrap();
        query.signal(signal);
        query.wait_end(UNREACHABLE_LIMIT).with_code(130);
    }
}
