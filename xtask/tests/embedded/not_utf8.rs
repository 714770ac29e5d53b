//! Arguments and variables that are not UTF-8: paths are taken as they are, anything else is named.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;

use super::home::Home;
use super::terminal::Terminal;
use crate::program::Program as _;
use crate::running::{self, Ended};

/// `before`, a name with a byte that is in no UTF-8, `after`.
fn word(before: &str, after: &str) -> OsString {
    OsString::from_vec([before.as_bytes(), b"w\xff", after.as_bytes()].concat())
}

fn run(mut command: Command, further: &[OsString]) -> Ended {
    running::run("vitals", command.args(further))
}

fn write(home: &Home, ending: &str, text: impl AsRef<[u8]>) {
    std::fs::write(home.path().join(word("", ending)), text).unwrap();
}

const SETTINGS: &str = "[kafka]\ntopic = \"named\"\n";

#[test]
fn every_option_that_is_a_path_takes_it() {
    let home = Home::up();
    let done = |words: &str, further: &[OsString]| run(home.vitals(words), further).well();
    let store = || word("--store=sqlite:", ".db");
    done("init --profile embedded", &[store()]);
    assert!(home.path().join(word("", ".db")).is_file());
    write(&home, ".csv", "P001,2025-10-26T10:30:15+00:00,80,,,,,\n");
    done("import", &[word("", ".csv"), store()]);
    assert_eq!(done("count -o ndjson", &[store()]).output(), "{\"rows\":1}\n");
    done("export", &[word("out", ".csv"), store()]);
    assert!(home.path().join(word("out", ".csv")).is_file());
    write(&home, ".toml", SETTINGS);
    done("config show -o csv --config", &[word("", ".toml")]).shows(&["topic,named,"]);
    let summary = done("demo --for 1s -o json --data", &[word("demo", "")]).json();
    assert_eq!(summary["sent"], summary["stored"]);
    assert!(home.path().join(word("demo", "")).join("vitals.db").is_file());
}

#[test]
fn readings_of_a_file_and_the_reports_of_a_bench_may_have_any_name() {
    let home = Home::ready(6);
    let names = "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";
    write(&home, ".csv", format!("{names}P001,80,97,120,80,16,36.8\n"));
    let done = |words: &str, last| run(home.command(words), &[last]).well();
    // The option stands last, behind the profile.
    assert_eq!(done("produce --mode csv --once --interval 0", word("--csv=", ".csv")).stdout.len(), 1);
    let bench = "bench --for 1s --interval 0.1 -o json";
    let first = done(bench, word("--report=", ".html"));
    assert!(home.path().join(word("", ".html")).is_file());
    write(&home, ".json", first.output());
    done(bench, word("--compare=", ".json")).shows(&["\"with\""]);
}

#[test]
fn an_argument_that_is_no_path_is_named() {
    let home = Home::new();
    for words in [
        "query --patient",
        "query --limit",
        "produce --interval",
        "topic describe",
        "group delete",
        "topic create --partitions",
        "completions",
        "query --topic",
    ] {
        let told = run(home.vitals(words), &[word("", "")]).with_code(2).talk();
        assert!(told.starts_with("error: "), "{words}: {told}");
        assert!(told.contains("w\\xFF") || told.contains("w\u{fffd}"), "{words}: {told}");
    }
    // Beside a path that may be so.
    let told = run(home.vitals("export"), &[word("path", ""), "--patient".into(), word("", "")]).with_code(2).talk();
    assert!(told.starts_with("error: the argument \"w\\xFF\" is not UTF-8"), "{told}");
}

#[test]
fn a_variable_that_is_no_path_is_named() {
    let home = Home::new();
    let names = "BROKERS TOPIC GROUP CONSISTENCY HEART_RATE_HIGH SPO2_LOW INSTANCE_ID SESSION_TIMEOUT SETTLE_TIME \
                 MAX_IN_FLIGHT_BYTES MAX_BATCH_ROWS COLOR PROFILE";
    for name in names.split_whitespace() {
        let variable = format!("VITALS_{name}");
        let ended = running::run(name, home.vitals("config show").env(&variable, word("", "")));
        ended.with_code(2).tells(&[&variable, "\"w\\xFF\"", "\nhint: "]);
    }
    write(&home, ".toml", SETTINGS);
    let mut command = home.vitals("config show -o csv");
    running::run("config show", command.env("VITALS_CONFIG", word("", ".toml"))).well().shows(&["topic,named,"]);
}

#[test]
fn a_folder_of_the_system_with_such_a_name_is_the_one_that_is_used() {
    let home = Home::up();
    for (variable, below) in [("XDG_DATA_HOME", "vitals"), ("HOME", ".local/share/vitals")] {
        let folder = home.path().join(variable).join(word("", ""));
        running::run("init", home.command("init").env_remove("XDG_DATA_HOME").env(variable, &folder)).well();
        assert!(folder.join(below).join("vitals.db").is_file());
        let beside = std::fs::read_dir(home.path().join(variable)).unwrap().count();
        assert_eq!(beside, 1, "no second folder under a name like it");
    }
    let home = Home::new();
    let folder = home.path().join(word("", ""));
    std::fs::create_dir_all(folder.join("vitals")).unwrap();
    std::fs::write(folder.join("vitals/vitals.toml"), SETTINGS).unwrap();
    let mut command = home.vitals("config show -o csv");
    running::run("config show", command.env("XDG_CONFIG_HOME", &folder)).well().shows(&["topic,named,"]);
}

#[test]
fn an_answer_that_is_no_text_is_another_name() {
    let home = Home::ready(6);
    let mut terminal = Terminal::open();
    terminal.press(b"\xff\n");
    let mut command = home.command("topic delete patient.vitals");
    command.stdin(terminal.theirs());
    let (code, shown) = terminal.run(command);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("nothing was deleted"), "{shown}");
}

#[test]
fn a_shell_completes_beside_such_a_word() {
    let home = Home::new();
    write(&home, ".toml", "[profile.ward-a]\n");
    let mut shell = home.vitals("-- vitals --config");
    shell.env("VITALS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "5").env("_CLAP_IFS", " ");
    let typed = [word("", ".toml"), "lag".into(), "--profile".into(), "war".into()];
    assert_eq!(run(shell, &typed).well().stdout, ["ward-a"]);
}
