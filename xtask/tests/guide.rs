//! Every command of the coursework guide has its answer in the table of `src/guide/coursework.md`, and every answer works:
//! on the embedded broker with SQLite, and on Kafka with Cassandra.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "the test runner gives the servers' addresses by the environment")]

#[path = "documents.rs"]
mod documents;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "services/running.rs"]
mod running;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use documents::{read, repository, table_rows, words};
use running::{RUN_LIMIT, Running};

/// How long a command that runs on may take to show what it is for.
const SHOW_LIMIT: Duration = Duration::from_secs(30);

/// A row of the table: the guide's commands, and ours.
struct Row {
    guide: Vec<String>,
    ours: Vec<String>,
}

#[derive(Clone, Copy)]
enum Shows {
    /// This, and then it ends well.
    AtItsEnd(&'static str),
    /// This in a line, and then it runs on until Ctrl+C, which ends it well.
    UntilStopped(&'static str),
}

use Shows::{AtItsEnd, UntilStopped};

const ANSWERS: [(&str, Shows); 28] = [
    ("vitals init", AtItsEnd("topic patient.vitals: made (6 partitions)")),
    ("vitals status", AtItsEnd("patient.vitals")),
    ("vitals query", AtItsEnd("")),
    ("vitals schema show", AtItsEnd("patient_vitals")),
    ("vitals topic create --partitions 1 --if-not-exists", AtItsEnd("")),
    ("vitals topic list", AtItsEnd("patient.vitals.dlq")),
    ("vitals topic describe", AtItsEnd("partition")),
    ("vitals produce --mode random --interval 2 --patients \"P001,P002,P003,P004,P005\"", UntilStopped("SENT {")),
    ("vitals produce --mode random --interval 2 --patients \"P001,P002,P003\"", UntilStopped("SENT {")),
    ("vitals produce --mode random --interval 2", UntilStopped("SENT {")),
    ("vitals produce --mode random --interval 0.1", UntilStopped("\"patient_id\":\"P004\"")),
    ("vitals produce --mode csv --csv sample_vitals.csv --interval 1", UntilStopped("SENT {\"patient_id\":\"P001\"")),
    ("vitals topic tail --from earliest --max 5", AtItsEnd("heart_rate")),
    ("vitals topic tail --from earliest --follow", UntilStopped("heart_rate")),
    ("vitals consume", UntilStopped("--- Message #5 ---")),
    ("vitals lag", AtItsEnd("\"partition\":5")),
    ("vitals group describe", AtItsEnd("vitals-monitor-consumer-v7")),
    ("vitals query --limit 10", AtItsEnd("\"patient_id\":\"P0")),
    ("vitals query --limit 5", AtItsEnd("\"patient_id\":\"P0")),
    ("vitals count", AtItsEnd("rows")),
    ("vitals query --patient P001 --limit 5", AtItsEnd("\"patient_id\":\"P001\"")),
    ("vitals doctor", AtItsEnd("ok")),
    ("vitals top", UntilStopped("P001")),
    ("vitals export backup.csv", AtItsEnd("")),
    ("vitals import backup.csv", AtItsEnd("")),
    ("vitals reset --only store --yes", AtItsEnd("")),
    ("vitals topic delete patient.vitals --yes", AtItsEnd("")),
    ("vitals reset --yes", AtItsEnd("")),
];

/// What stands between backticks. In a table a pipe is written with a backslash.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(|code| code.replace("\\|", "|")).collect()
}

fn table() -> Vec<Row> {
    let rows = table_rows(&read("src/guide/coursework.md"), "| Command of the guide ");
    let cells = rows.iter().map(|row| row.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| Row { guide: code(cells[0]), ours: code(cells[1]) }).collect()
}

/// Runs every answer of the table, in its order, and gives how many there are. `vitals` makes a command of its words.
fn run_the_table(folder: &Path, vitals: impl Fn(&[String]) -> Command) -> usize {
    std::fs::copy(repository().join("fixtures/sample_vitals.csv"), folder.join("sample_vitals.csv")).unwrap();
    let mut asked = 0;
    for command in table().into_iter().flat_map(|row| row.ours).filter(|command| command.starts_with("vitals ")) {
        let (_, shows) =
            ANSWERS.iter().find(|(known, _)| *known == command).unwrap_or_else(|| panic!("{command}: no check"));
        let mut running = Running::start(&command, &mut vitals(&words(&command)[1..]));
        running.close_stdin();
        match *shows {
            AtItsEnd(text) => {
                let ended = running.wait_end(RUN_LIMIT).well();
                let said = format!("{}{}", ended.output(), ended.talk());
                assert!(said.contains(text), "{command}\n{said}");
            }
            UntilStopped(text) => {
                running.wait_for_line(text, SHOW_LIMIT);
                running.signal("INT");
                running.wait_end(RUN_LIMIT).well();
            }
        }
        asked += 1;
    }
    asked
}

fn vitals(folder: &Path, words: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
    command.args(words).env_clear().current_dir(folder);
    command
}

#[test]
fn every_answer_works_without_servers() {
    let folder = tempfile::tempdir().unwrap();
    let vitals = |words: &[String]| {
        let mut command = vitals(folder.path(), words);
        command.env("XDG_DATA_HOME", folder.path()).env("VITALS_PROFILE", "embedded");
        command
    };
    let mut up = Running::start("vitals up", &mut vitals(&words("up --listen 127.0.0.1:0")));
    let told = up.wait_for_line("listens on", SHOW_LIMIT);
    let address = told.split_once("listens on ").and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
    let settings = format!("[profile.embedded]\nbrokers = \"{address}\"\n");
    std::fs::write(folder.path().join("vitals.toml"), settings).unwrap();
    assert_eq!(run_the_table(folder.path(), vitals), ANSWERS.len());
}

#[cfg(feature = "real-services")]
#[test]
fn every_answer_works_on_kafka_and_cassandra() {
    let folder = tempfile::tempdir().unwrap();
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name}: run `cargo xtask test`"));
    let vitals = |words: &[String]| {
        let mut command = vitals(folder.path(), words);
        command.env("VITALS_BROKERS", variable("VITALS_BROKERS")).env("VITALS_STORE", variable("VITALS_STORE"));
        command
    };
    assert_eq!(run_the_table(folder.path(), vitals), ANSWERS.len());
}

/// Whether the table's text names this command; `…` stands for anything.
fn names(text: &str, command: &str) -> bool {
    match text.split_once('…') {
        Some((start, end)) => command.starts_with(start.trim_end()) && command.ends_with(end.trim_start()),
        None => text == command,
    }
}

#[test]
fn every_command_of_the_guide_is_in_the_table() {
    let (table, guide) = (table(), read("fixtures/guide_commands.txt"));
    let guide: Vec<_> = guide.lines().collect();
    assert_eq!(guide.len(), 53, "the guide has so many");
    let has_answer = |command: &&&str| {
        let row = table.iter().find(|row| row.guide.iter().any(|text| names(text, command)));
        row.is_some_and(|row| !row.ours.is_empty() || row.guide.iter().any(|text| text == "docker system prune -a"))
    };
    let open: Vec<_> = guide.iter().filter(|command| !has_answer(command)).collect();
    assert!(open.is_empty(), "{} of {} commands have no answer: {open:#?}", open.len(), guide.len());
}
