//! Arguments and variables that are not UTF-8: paths are taken as they are, anything else is named.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::home::{Home, ended};
use super::terminal::Terminal;

/// A name with a byte that is in no UTF-8.
const BYTES: &[u8] = b"w\xff";

/// `before`, the bytes, `after`.
fn word(before: &str, after: &str) -> OsString {
    OsString::from_vec([before.as_bytes(), BYTES, after.as_bytes()].concat())
}

/// These words, and the one that is no text behind them.
fn args(words: &str, last: OsString) -> Vec<OsString> {
    words.split(' ').map(OsString::from).chain([last]).collect()
}

#[test]
fn every_option_that_is_a_path_takes_it() {
    let home = Home::up();
    let store = || word("--store=sqlite:", ".db");
    let done = |args: &[OsString]| home.bare(args).well().output();
    let write = |ending: &str, text: &str| std::fs::write(home.path().join(word("", ending)), text).expect("written");
    done(&args("init --profile embedded", store()));
    assert!(home.path().join(word("", ".db")).is_file());
    write(".csv", "P001,2025-10-26T10:30:15+00:00,80,,,,,\n");
    done(&["import".into(), word("", ".csv"), store()]);
    assert_eq!(done(&args("count -o ndjson", store())), "{\"rows\":1}\n");
    done(&["export".into(), word("out", ".csv"), store()]);
    assert!(home.path().join(word("out", ".csv")).is_file());
    write(".toml", "[kafka]\ntopic = \"named\"\n");
    let shown = done(&args("config show -o csv --config", word("", ".toml")));
    assert!(shown.contains("topic,named,"), "{shown}");
    let summary = home.bare(&args("demo --for 1s -o json --data", word("demo", ""))).well().json();
    assert_eq!(summary["sent"], summary["stored"]);
    assert!(home.path().join(word("demo", "")).join("vitals.db").is_file());
}

#[test]
fn readings_of_a_file_and_the_reports_of_a_bench_may_have_any_name() {
    let home = Home::ready(6);
    std::fs::write(
        home.path().join(word("", ".csv")),
        "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\nP001,80,97,120,80,16,36.8\n",
    )
    .expect("written");
    let done = |words: &str, last| home.run(&args(words, last)).well().output();
    let sent = done("produce --mode csv --once --interval 0 --csv", word("", ".csv"));
    assert_eq!(sent.lines().count(), 1);
    let bench = "bench --for 1s --interval 0.1 -o json";
    let first = done(bench, word("--report=", ".html"));
    assert!(home.path().join(word("", ".html")).is_file());
    std::fs::write(home.path().join(word("", ".json")), first).expect("written");
    let compared = done(bench, word("--compare=", ".json"));
    assert!(compared.contains("\"with\""), "{compared}");
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
        let told = home.bare(&args(words, word("", ""))).with_code(2).talk();
        assert!(told.starts_with("error: "), "{words}: {told}");
        assert!(told.contains("w\\xFF") || told.contains("w\u{fffd}"), "{words}: {told}");
    }
    // Beside a path that may be so.
    let told = home.bare(&["export".into(), word("path", ""), "--patient".into(), word("", "")]).with_code(2).talk();
    assert!(told.starts_with("error: the argument \"w\\xFF\" is not UTF-8"), "{told}");
}

#[test]
fn a_variable_that_is_no_path_is_named() {
    let home = Home::new();
    for name in [
        "BROKERS",
        "TOPIC",
        "GROUP",
        "CONSISTENCY",
        "HEART_RATE_HIGH",
        "SPO2_LOW",
        "INSTANCE_ID",
        "SESSION_TIMEOUT",
        "DURABILITY_DELAY",
        "MAX_IN_FLIGHT_BYTES",
        "MAX_BATCH_ROWS",
        "COLOR",
        "PROFILE",
    ] {
        let variable = format!("VITALS_{name}");
        let told = ended(name, home.vitals("config show").env(&variable, word("", ""))).with_code(2).talk();
        assert!(told.contains(&variable) && told.contains("\"w\\xFF\"") && told.contains("\nhint: "), "{told}");
    }
    std::fs::write(home.path().join(word("", ".toml")), "[kafka]\ntopic = \"named\"\n").expect("written");
    let mut named = home.vitals("config show -o csv");
    let shown = ended("config show", named.env("VITALS_CONFIG", word("", ".toml"))).well().output();
    assert!(shown.contains("topic,named,"), "{shown}");
}

#[test]
fn a_folder_of_the_system_with_such_a_name_is_the_one_that_is_used() {
    let home = Home::up();
    for (variable, below) in [("XDG_DATA_HOME", "vitals"), ("HOME", ".local/share/vitals")] {
        let folder = home.path().join(variable).join(word("", ""));
        ended("init", home.embedded("init").env_remove("XDG_DATA_HOME").env(variable, &folder)).well();
        assert!(folder.join(below).join("vitals.db").is_file());
        let beside = std::fs::read_dir(home.path().join(variable)).expect("read").count();
        assert_eq!(beside, 1, "no second folder under a name like it");
    }
    let home = Home::new();
    let folder = home.path().join(word("", ""));
    let settings = folder.join("vitals");
    std::fs::create_dir_all(&settings).expect("made");
    std::fs::write(settings.join("vitals.toml"), "[kafka]\ntopic = \"named\"\n").expect("written");
    let mut command = home.vitals("config show -o csv");
    let shown = ended("config show", command.env("XDG_CONFIG_HOME", &folder)).well().output();
    assert!(shown.contains("topic,named,"), "{shown}");
}

#[test]
fn an_answer_that_is_no_text_is_another_name() {
    let home = Home::ready(6);
    let mut terminal = Terminal::open();
    terminal.press(b"\xff\n");
    let mut command = home.embedded("topic delete patient.vitals");
    command.stdin(terminal.theirs());
    let (code, shown) = terminal.run(command);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("nothing was deleted"), "{shown}");
}

#[test]
fn a_shell_completes_beside_such_a_word() {
    let home = Home::new();
    std::fs::write(home.path().join(word("", ".toml")), "[profile.ward-a]\n").expect("written");
    let mut words = args("-- vitals --config", word("", ".toml"));
    words.extend(["lag", "--profile", "war"].map(OsString::from));
    let mut shell = home.vitals(&words);
    shell.env("VITALS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "5").env("_CLAP_IFS", " ");
    assert_eq!(ended("completions", &mut shell).well().stdout, ["ward-a"]);
}
