//! The store that needs no server: what every store has to do, and what only a file can do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod contract;
mod migrations;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;
use vitals::advice::{Advice as _, Code};
use vitals::alarm::{Step, Steps};
use vitals::pipeline::store::{Store as _, WriteError};
use vitals::reading::Signs;
use vitals::store::sqlite::{SqliteError, SqliteStore};
use vitals::store::{AnyStore, Order, Selection};

use contract::{keeps_the_contract, of, read};
use migrations::{Place, for_place, migrates};
use rows::{batch, heart_rate, one, reading};

keeps_the_contract!(with_store);
migrates!(with_place);

async fn with_store(check: impl AsyncFnOnce(&AnyStore)) {
    let folder = Folder::with_tables().await;
    check(&folder.store()).await;
}

async fn with_place(check: impl AsyncFnOnce(&Folder)) {
    check(&Folder::new()).await;
}

impl Place for Folder {
    async fn store(&self) -> AnyStore {
        self.store()
    }

    async fn run(&self, statement: &str) {
        self.sql(&for_place(statement, ""));
    }

    async fn texts(&self, query: &str) -> Vec<Option<String>> {
        let (connection, query) = (self.sql(""), for_place(query, "").replace("ALLOW FILTERING", ""));
        let mut ask = connection.prepare(&query).unwrap();
        let mut texts: Vec<_> = ask.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        texts.sort();
        texts
    }
}

/// A folder that goes with the test, and a file of ours in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn with_tables() -> Self {
        let folder = Self::new();
        folder.sqlite().init().await.unwrap();
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("vitals.db")
    }

    fn sqlite(&self) -> SqliteStore {
        SqliteStore::at(self.file()).unwrap()
    }

    fn store(&self) -> AnyStore {
        AnyStore::Sqlite(self.sqlite())
    }

    fn sql(&self, sql: &str) -> Connection {
        let connection = Connection::open(self.file()).unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }
}

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, (), |row| row.get(0)).unwrap()
}

async fn query_error(path: &Path) -> SqliteError {
    let store = SqliteStore::at(path.to_owned()).unwrap();
    let (by_read, by_prepare) =
        (store.readings(&Selection::Any, 5).next_page().await.unwrap_err(), store.prepare().await.unwrap_err());
    assert_eq!(by_read, by_prepare);
    by_read
}

#[tokio::test]
async fn init_makes_everything_and_the_second_time_nothing() {
    let folder = Folder::new();
    let file = format!("file {}", folder.file().display());
    for made in [true, false] {
        let steps = folder.sqlite().init().await.unwrap().into_iter().map(|step| (step.what, step.made));
        let tables = [
            "schema_migrations",
            "patient_vitals",
            "patient_alerts",
            "alarm_rules",
            "patient_admissions",
            "access_tokens",
            "retention_changes",
            "patient_vitals_1m",
        ];
        let parts = [file.clone()].into_iter().chain(tables.map(|table| format!("table {table}")));
        assert_eq!(steps.collect::<Vec<_>>(), parts.map(|part| (part, made)).collect::<Vec<_>>());
    }
    assert_eq!(count(&folder.sql(""), "SELECT COUNT(*) FROM schema_migrations"), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_init_at_once_make_every_part_once() {
    let folder = Folder::new();
    let stores: Vec<_> = (0..8).map(|_| folder.sqlite()).collect();
    let mut made = BTreeMap::new();
    for step in join_all(stores.iter().map(SqliteStore::init)).await.into_iter().flat_map(Result::unwrap) {
        *made.entry(step.what).or_insert(0) += u32::from(step.made);
    }
    assert!(made.len() == 9 && made.values().all(|times| *times == 1), "{made:?}");
}

#[tokio::test]
async fn a_table_that_was_dropped_is_made_again() {
    let folder = Folder::with_tables().await;
    folder.sql("DROP TABLE patient_alerts");
    let steps = folder.sqlite().prepare().await.unwrap();
    let made: Vec<_> = steps.into_iter().filter(|step| step.made).map(|step| step.what).collect();
    assert_eq!(made, ["table patient_alerts"]);
}

#[tokio::test]
async fn a_missing_file_or_table_names_vitals_init() {
    let folder = Folder::new();
    let missing = query_error(&folder.file()).await;
    assert_eq!(missing, SqliteError::NoFile(folder.file()));
    assert!(missing.hint().unwrap().contains("`vitals init`"));
    assert!(!folder.file().exists(), "looking makes no file");
    folder.sqlite().init().await.unwrap();
    folder.sql("DROP TABLE patient_vitals");
    let missing = query_error(&folder.file()).await;
    assert_eq!(missing, SqliteError::NoTable(folder.file(), "patient_vitals"));
    assert!(missing.hint().unwrap().contains("`vitals init`"));
}

#[tokio::test]
async fn other_readings_come_over_the_connection_of_those_before() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let rows = ["P001", "P002"].map(|patient| reading(patient, 0, heart_rate(60)));
    store.write(&batch(rows.into())).await.unwrap();
    let mut first = store.readings(&of("P001", Order::NewestFirst), 5);
    assert_eq!(first.next_page().await.unwrap().map(|page| page.len()), Some(1));
    std::fs::rename(folder.file(), folder.0.path().join("elsewhere.db")).unwrap();
    let mut second = store.readings_after(Some(first), &of("P002", Order::NewestFirst), 5);
    let page = second.next_page().await.unwrap().unwrap();
    assert_eq!(page.iter().map(|reading| reading.patient_id.as_str()).collect::<Vec<_>>(), ["P002"]);
    assert_eq!(second.next_page().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let text = folder.0.path().join("notes.txt");
    std::fs::write(&text, "not a database, but longer than its header is: ".repeat(50)).unwrap();
    folder.sql("CREATE TABLE accounts (id)");
    let place = folder.0.path().to_owned();
    let nowhere = place.join("no/vitals.db");
    for (path, expected) in [
        (text.clone(), SqliteError::NotADatabase(text)),
        (folder.file(), SqliteError::NotOurs(folder.file())),
        (place.clone(), SqliteError::Folder(place)),
        (nowhere.clone(), SqliteError::NoFolder(nowhere)),
    ] {
        let before = std::fs::read(&path).ok();
        let error = SqliteStore::at(path.clone()).unwrap().init().await.unwrap_err();
        assert_eq!(error, expected);
        assert_eq!((error.code(), error.hint().is_some()), (Code::Usage, true));
        assert_eq!(std::fs::read(&path).ok(), before, "{error}");
    }
}

#[tokio::test]
async fn a_table_of_another_shape_is_refused_by_its_column() {
    let folder = Folder::with_tables().await;
    folder.sql("ALTER TABLE patient_vitals RENAME COLUMN spo2 TO saturation");
    let error = query_error(&folder.file()).await.to_string();
    assert!(error.ends_with("has another shape: it has no column `spo2`"), "{error}");
}

#[tokio::test]
async fn an_alarm_written_again_keeps_who_acknowledged_it_and_that_it_ended() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let mut critical = batch(vec![reading("P001", 0, heart_rate(130))]);
    store.write(&critical).await.unwrap();
    // Raised it is once.
    critical.alarms.iter_mut().for_each(|alarm| (alarm.rules, alarm.steps) = (None, Steps::of(Step::Worse)));
    let other = folder.sql("UPDATE patient_alerts SET acknowledged_by = 'nurse', acknowledged_at = 'a', ended = 'b'");
    store.write(&critical).await.unwrap();
    let kept = "SELECT COUNT(*) FROM patient_alerts \
                WHERE acknowledged_by = 'nurse' AND acknowledged_at = 'a' AND peak = 130 AND ended = 'b' AND value = 130";
    assert_eq!(count(&other, kept), 1);
}

#[tokio::test]
async fn another_program_finds_the_temperature_that_was_sent() {
    let folder = Folder::with_tables().await;
    let signs = Signs { temperature: Some(36.8), ..Signs::default() };
    folder.store().write(&batch(vec![reading("P001", 0, signs)])).await.unwrap();
    assert_eq!(count(&folder.sql(""), "SELECT COUNT(*) FROM patient_vitals WHERE temperature = 36.8"), 1);
}

#[tokio::test]
async fn a_writer_of_a_file_that_no_init_has_brought_up_to_date_says_so() {
    let folder = Folder::with_tables().await;
    folder.sql("ALTER TABLE patient_vitals DROP COLUMN consciousness");
    let error = folder.store().write(&one(0)).await.unwrap_err();
    assert!(matches!(&error, WriteError::Later(reason) if reason.contains("that of an earlier vitals")), "{error}");
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_not_told() {
    let folder = Folder::with_tables().await;
    folder.sql("INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) VALUES ('P9', 'now', 5000000123)");
    let store = folder.sqlite();
    let error = store.readings(&Selection::Any, 5).next_page().await.unwrap_err().to_string();
    assert!(error.contains("out of range") && !error.contains("5000000123"), "{error}");
}

/// The log is copied as it lies on the disk while the store is open: what a killed process leaves.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let after = Folder::new();
    for second in 0..20 {
        store.write(&one(second)).await.unwrap();
        for ending in ["", "-wal"] {
            let part = |folder: &Folder| format!("{}{ending}", folder.file().display());
            std::fs::copy(part(&folder), part(&after)).unwrap();
        }
        let found = read(&after.store(), &of("P001", Order::NewestFirst), 100).await;
        assert_eq!(found.len(), usize::try_from(second).unwrap() + 1);
        std::fs::remove_file(after.file()).unwrap();
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_has_written_what_it_was_given_and_closed_the_file() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let rows = batch((0..500).map(|second| reading("P001", second, heart_rate(60))).collect());
    {
        // The batch is handed over, and nobody waits for the answer.
        let mut write = Box::pin(store.write(&rows));
        assert!(futures::poll!(&mut write).is_pending());
    }
    drop(store);
    let parts: Vec<_> = std::fs::read_dir(folder.0.path()).unwrap().map(|part| part.unwrap().file_name()).collect();
    assert_eq!(parts, ["vitals.db"], "the log goes with the last connection");
    assert_eq!(read(&folder.store(), &Selection::Any, 1000).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_write_and_read_one_file_at_once() {
    let folder = Folder::with_tables().await;
    let write = |writer: u32, store: AnyStore| async move {
        for second in 0..200 {
            store.write(&batch(vec![reading(&format!("P{writer}"), second, heart_rate(60))])).await.unwrap();
        }
    };
    let look = |store: AnyStore| async move {
        let mut before = 0;
        while before < 800 {
            let now = read(&store, &Selection::Any, 1000).await.len();
            assert!(now >= before, "{now} after {before}");
            before = now;
        }
    };
    let mut tasks: Vec<_> = (0..4).map(|writer| tokio::spawn(write(writer, folder.store()))).collect();
    tasks.push(tokio::spawn(look(folder.store())));
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(read(&folder.store(), &Selection::Any, 1000).await.len(), 800);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_query_while_rows_are_written() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let address = format!("sqlite:{}", folder.file().display());
    let queries = tokio::task::spawn_blocking(move || {
        for _ in 0..10 {
            let words = ["query", "--store", &address, "--limit", "1000", "-o", "csv"];
            let output = Command::new(env!("CARGO_BIN_EXE_vitals")).args(words).env_clear().output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    let mut second = 0;
    while !queries.is_finished() {
        store.write(&one(second)).await.unwrap();
        second += 1;
    }
    queries.await.unwrap();
    assert!(second > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_another_program_s_transaction() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let other = folder.sql("BEGIN IMMEDIATE");
    let rows = one(0);
    let mut write = Box::pin(store.write(&rows));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut write).await.is_err(), "it waits");
    other.execute_batch("COMMIT").unwrap();
    write.await.unwrap();
}

#[tokio::test]
async fn rows_for_a_file_that_was_removed_are_not_acknowledged() {
    let folder = Folder::with_tables().await;
    let store = folder.store();
    let rows = one(0);
    store.write(&rows).await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{ending}", folder.file().display())).unwrap();
    }
    let error = store.write(&rows).await.unwrap_err();
    assert!(matches!(&error, WriteError::Later(reason) if reason.contains("there is no file")), "{error}");
    folder.sqlite().init().await.unwrap();
    store.write(&rows).await.unwrap();
    assert_eq!(read(&store, &Selection::Any, 10).await.len(), 1);
}

#[tokio::test]
async fn a_writer_that_opens_the_file_of_a_newer_vitals_writes_nothing() {
    let folder = Folder::with_tables().await;
    let other = folder.sql("INSERT INTO schema_migrations VALUES (99, 'of tomorrow', 't')");
    let error = folder.store().write(&one(0)).await.unwrap_err();
    assert!(matches!(&error, WriteError::Later(reason) if reason.contains("schema version 99")), "{error}");
    assert!(folder.sqlite().clear().await.unwrap_err().to_string().contains("schema version 99"));
    assert_eq!(count(&other, "SELECT COUNT(*) FROM patient_vitals"), 0);
}
