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

/// What an answer shows that ends well by itself.
const AT_ITS_END: [(&str, &str); 20] = [
    ("vitals init", "topic patient.vitals: made (6 partitions)"),
    ("vitals status", "patient.vitals"),
    ("vitals query", ""),
    ("vitals schema show", "patient_vitals"),
    ("vitals topic create --partitions 1 --if-not-exists", ""),
    ("vitals topic list", "patient.vitals.dlq"),
    ("vitals topic describe", "partition"),
    ("vitals topic tail --from earliest --max 5", "heart_rate"),
    ("vitals lag", "\"partition\":5"),
    ("vitals group describe", "vitals-monitor-consumer-v7"),
    ("vitals query --limit 10", "\"patient_id\":\"P0"),
    ("vitals query --limit 5", "\"patient_id\":\"P0"),
    ("vitals count", "rows"),
    ("vitals query --patient P001 --limit 5", "\"patient_id\":\"P001\""),
    ("vitals doctor", "ok"),
    ("vitals export backup.csv", ""),
    ("vitals import backup.csv", ""),
    ("vitals reset --only store --yes", ""),
    ("vitals topic delete patient.vitals --yes", ""),
    ("vitals reset --yes", ""),
];

/// What is in a line of an answer that runs on until Ctrl+C, which ends it well.
const UNTIL_STOPPED: [(&str, &str); 8] = [
    ("vitals produce --mode random --interval 2 --patients \"P001,P002,P003,P004,P005\"", "SENT {"),
    ("vitals produce --mode random --interval 2 --patients \"P001,P002,P003\"", "SENT {"),
    ("vitals produce --mode random --interval 2", "SENT {"),
    ("vitals produce --mode random --interval 0.1", "\"patient_id\":\"P004\""),
    ("vitals produce --mode csv --csv sample_vitals.csv --interval 1", "SENT {\"patient_id\":\"P001\""),
    ("vitals topic tail --from earliest --follow", "heart_rate"),
    ("vitals consume", "--- Message #5 ---"),
    ("vitals top", "P001"),
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
        let mut running = Running::start(&command, &mut vitals(&words(&command)[1..]));
        running.close_stdin();
        let of = |(known, _): &&(&str, &str)| *known == command;
        if let Some((_, text)) = UNTIL_STOPPED.iter().find(of) {
            running.wait_for_line(text, SHOW_LIMIT);
            running.signal("INT");
            running.wait_end(RUN_LIMIT).well();
        } else {
            let (_, text) = AT_ITS_END.iter().find(of).unwrap_or_else(|| panic!("{command}: no check"));
            let ended = running.wait_end(RUN_LIMIT).well();
            let said = format!("{}{}", ended.output(), ended.talk());
            assert!(said.contains(text), "{command}\n{said}");
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
    let settings = format!("[profile.embedded.kafka]\nbrokers = \"{address}\"\n");
    std::fs::write(folder.path().join("vitals.toml"), settings).unwrap();
    assert_eq!(run_the_table(folder.path(), vitals), AT_ITS_END.len() + UNTIL_STOPPED.len());
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
    assert_eq!(run_the_table(folder.path(), vitals), AT_ITS_END.len() + UNTIL_STOPPED.len());
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
