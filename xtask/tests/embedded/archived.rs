//! Months of readings as files, with the whole program on an SQLite file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::home::Home;
use crate::program::Program as _;

const BEFORE: &str = "archive --before 2025-12-01T00:00:00Z old";

/// So many rows of each of three patients, from this day of October on, one a minute.
fn fill(home: &Home, day: u32, rows: u32) {
    home.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}), \
         p(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM p WHERE j < 3) \
         INSERT INTO patient_vitals (patient_id, timestamp, heart_rate, temperature) SELECT printf('P%03d', j), \
         strftime('%Y-%m-%dT%H:%M:%S+00:00', unixepoch('2025-10-{day:02}') + i * 60, 'unixepoch'), 60 + i % 40, 36.8 \
         FROM p, n"
    ));
}

fn files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path().join("old")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn in_old(home: &Home, name: &str) -> PathBuf {
    home.path().join("old").join(name)
}

#[test]
fn a_time_within_a_month_cuts_it_and_a_later_run_adds_what_came_and_what_changed() {
    let home = Home::with_tables();
    fill(&home, 30, 2 * 1440 + 10);
    home.run("archive --before 2025-11-01T00:05:00Z old").well().tells(&[
        "patient_vitals-2025-10.parquet: 8640 rows of 3 patients",
        "patient_vitals-2025-11.parquet: 15 rows of 3 patients",
    ]);
    let manifest: Value = serde_json::from_str(&home.read("old/manifest.json")).unwrap();
    assert_eq!(manifest["before"], "2025-11-01T00:05:00+00:00");
    assert_eq!(manifest["files"][1]["patients"], serde_json::json!({"P001": 5, "P002": 5, "P003": 5}));
    assert_eq!(manifest["files"][1]["to"], "2025-11-01T00:04:00+00:00");
    let again = home.run("archive --before 2025-11-01T00:05:00Z old").well().talk();
    assert!(again.contains("2025-10: is there, and nothing is new"), "{again}");
    assert_eq!(files(&home).len(), 3);

    home.sql(
        "UPDATE patient_vitals SET spo2 = 91 WHERE patient_id = 'P002' AND timestamp = '2025-10-30T00:07:00+00:00'",
    );
    home.sql(
        "INSERT INTO patient_vitals (patient_id, timestamp, spo2) VALUES ('P000', '2025-10-31T08:00:00+00:00', 97)",
    );
    let told = home.run("archive verify old -o ndjson").with_code(1).rows();
    let of = |month: &Value| ["same", "differ", "table_only"].map(|name| month[name].as_u64().unwrap());
    assert_eq!(told.iter().map(of).collect::<Vec<_>>(), [[8639, 1, 1], [15, 0, 0]]);
    // Of patients with rows that are not archived nothing goes.
    home.run("archive delete old --yes")
        .with_code(1)
        .tells(&["2 patients, with 1 row", "nothing of theirs is deleted"]);
    assert_eq!(home.count(), 1 + (2 * 1440 + 10) + 5 + 5);

    home.run(BEFORE)
        .well()
        .tells(&["patient_vitals-2025-10.2.parquet: 2 rows of 2 patients", "patient_vitals-2025-11.2.parquet: "]);
    home.done("archive verify old");
    home.done("export before.csv");
    home.done("archive delete old --yes");
    assert_eq!(home.count(), 0);
    home.done("import old");
    home.done("export after.csv");
    // Those of P001 and P003 had gone before.
    let (before, after) = (home.read("before.csv"), home.read("after.csv"));
    let [before, after] = [&before, &after].map(|rows| rows.lines().collect::<BTreeSet<_>>());
    assert_eq!(after.len(), 3 * (2 * 1440 + 10) + 2);
    assert!(before.is_subset(&after));
}

#[test]
fn what_is_no_archive_what_is_damaged_and_what_is_empty_is_told_with_what_helps() {
    let home = Home::with_tables();
    home.run(BEFORE).well().tells(&["there is nothing to archive"]);
    assert_eq!(files(&home), ["manifest.json"]);
    home.run("archive verify old").well().tells(&["old: in order, 0 rows in 0 files"]);
    home.run("archive delete old --yes").well().tells(&["nothing that can be deleted"]);
    home.run("import old").well().tells(&["imported old: 0 rows"]);

    for words in ["archive verify none", "archive delete none --yes"] {
        home.refused(words, 2).tells(&["there is no archive in none", "vitals archive --before TIME FOLDER"]);
    }
    assert!(!home.path().join("none").exists(), "nothing is made of it");
    home.refused("archive --before 2025-12-01T00:00:00Z no/folder", 2).tells(&["there is no folder"]);
    for wrong in ["archive", "archive old", "archive --before soon old", "archive delete", "archive verify old --yes"] {
        home.run(wrong).with_code(2);
    }

    fill(&home, 1, 200);
    home.done(BEFORE);
    let path = in_old(&home, "patient_vitals-2025-10.parquet");
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, damaged).unwrap();
    let found = home.run("archive verify old -o ndjson").with_code(1).tells(&["its SHA-256 is another"]).rows();
    assert_eq!((&found[0]["state"], &found[0]["same"]), (&"damaged".into(), &Value::Null));
    for words in ["archive delete old --yes", BEFORE, "import old", "import old/patient_vitals-2025-10.parquet"] {
        home.refused(words, 3).tells(&["is not as the manifest says", "copy of the archive"]);
    }
    assert_eq!(home.count(), 600, "nothing was deleted");
    fs::remove_file(&path).unwrap();
    home.refused(BEFORE, 3).tells(&["it is not there"]);
    fs::write(&path, &whole).unwrap();
    home.done("archive verify old --files");

    home.file("alone.parquet", &whole);
    home.refused("import alone.parquet", 2).tells(&["alone.parquet is in no archive"]);
    home.run("import old/patient_vitals-2025-10.parquet").well().tells(&["600 rows"]);
    let manifest = home.read("old/manifest.json");
    home.file("old/manifest.json", manifest.replace("\"version\": 1", "\"version\": 2"));
    home.refused("archive verify old", 3).tells(&["manifest.json cannot be used"]);
    fs::remove_file(in_old(&home, "manifest.json")).unwrap();
    home.refused(BEFORE, 2).tells(&["is there, and the manifest does not name it"]);
    home.refused("import old", 2).tells(&["old is a folder"]);
}

#[test]
fn rows_that_an_import_would_not_take_as_they_are_stay_in_the_table_and_so_does_all_of_their_patient() {
    let home = Home::with_tables();
    fill(&home, 1, 50);
    let other =
        "INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) VALUES ('P002', '2025-10-01T00:30:00Z', 1)";
    home.sql(other);
    home.run(BEFORE).well().tells(&["150 rows in 1 file", "which stay in the table: 1"]);
    home.run("archive verify old").with_code(1).tells(&["not in order"]);
    home.run("archive delete old --yes").with_code(1).tells(&["1 patient, with 1 row that", "100 rows of 2 patients"]);
    assert_eq!(home.count(), 51);
}

#[test]
fn what_is_cut_off_leaves_whole_files_alone_and_a_second_run_goes_on() {
    let home = Home::with_tables();
    for month in ["09", "10", "11"] {
        home.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) \
             INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) SELECT 'P001', \
             strftime('%Y-%m-%dT%H:%M:%S+00:00', unixepoch('2025-{month}-02') + i, 'unixepoch'), 70 FROM n"
        ));
    }
    let running = home.start(BEFORE);
    crate::home::wait_for(|| in_old(&home, "patient_vitals-2025-09.parquet").exists());
    running.signal("INT");
    let ended = running.wait_end(crate::running::RUN_LIMIT);
    assert!(matches!(ended.code, Some(0 | 130)), "{:?}", ended.code);
    assert!(files(&home).iter().all(|name| !name.contains("partial")), "{:?}", files(&home));
    home.done("archive verify old --files");
    home.done(BEFORE);
    assert_eq!(files(&home).iter().filter(|name| name.contains("parquet")).count(), 3);
    home.done("archive verify old");
}

/// DuckDB and pandas count what the table has, and know the columns by their types.
#[cfg(feature = "real-services")]
#[test]
fn an_archive_is_read_by_duckdb_and_by_pandas() {
    let home = Home::with_tables();
    fill(&home, 30, 2 * 1440);
    home.sql("INSERT INTO patient_vitals VALUES ('P\"ä', '2025-10-05T10:00:00.123456+00:00', NULL, 97, 120, 80, 16, 36.8, 1, 'V')");
    home.done(BEFORE);
    let python = std::env::var("VITALS_TEST_ARCHIVE_READERS").expect("hint: run `cargo xtask test`");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/xtask/tests/peers/read_archive.py");
    let mut command = std::process::Command::new(python);
    command.arg(script).arg(home.path().join("old"));
    let read: Value =
        serde_json::from_str(&crate::running::run("read_archive.py", &mut command).well().output()).unwrap();
    for reader in ["duckdb", "pandas"] {
        let read = &read[reader];
        assert_eq!(read["rows"], 3 * 2 * 1440 + 1, "{reader}");
        assert_eq!(read["last"], serde_json::json!(["2025-10-31T23:59:00+00:00", 60 + 2879 % 40]), "{reader}");
        let odd =
            serde_json::json!(["P\"ä", "2025-10-05T10:00:00.123456+00:00", null, 97, 120, 80, 16, 36.8, true, "V"]);
        assert_eq!(read["odd"], odd, "{reader}");
    }
}
