//! `vitals export`, `import`, `count`, `schema show` and `reset` on an SQLite file, each a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use super::commands::{Home, done, text};

/// A home with a file that has tables, and no broker.
struct Ward(Home);

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

impl Ward {
    fn new() -> Self {
        let ward = Self(Home::new());
        fs::write(ward.0.path().join("vitals.toml"), "store = \"sqlite:vitals.db\"\n").expect("written");
        let store = vitals::store::sqlite::SqliteStore::at(ward.path("vitals.db")).expect("a store");
        tokio::runtime::Runtime::new().expect("a runtime").block_on(store.init()).expect("tables");
        ward
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &str) -> Output {
        self.0.run(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// It ends well; gives its standard error.
    fn well(&self, words: &str) -> String {
        let output = self.run(words);
        done(&output);
        text(&output.stderr)
    }

    /// It ends with this code; gives its standard error.
    fn fails(&self, words: &str, code: i32) -> String {
        let output = self.run(words);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {told}");
        assert!(told.contains("error: ") && told.contains("hint: "), "{words}: {told}");
        told
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn count(&self) -> String {
        done(&self.run("count -o csv")).lines().nth(1).expect("a count").to_owned()
    }

    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.path("vitals.db")).and_then(|file| file.execute_batch(sql)).expect("changed");
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        names.retain(|name| name != "vitals.toml" && !name.starts_with("vitals.db"));
        names.sort();
        names
    }
}

/// Rows that a backup has to bring back, also those that no reading would have.
fn odd_rows() -> String {
    let mut rows = NAMES.to_owned();
    rows.push_str("P001,2025-10-26T10:30:15.123456+00:00,95,98,120,80,16,36.8\n");
    rows.push_str("P001,2025-10-26T10:30:15+00:00,,,,,,37.0\n");
    rows.push_str("P002,yesterday,,,,,,\n");
    rows.push_str("\"P\\\"3\\\\, \",2025-10-26T12:00:00+02:00,-2147483648,2147483647,0,-1,,1e-45\n");
    for second in 0..2500 {
        writeln!(rows, "P9,2025-10-26T{:02}:{:02}:00+00:00,{second},,,,,", second / 60, second % 60).expect("text");
    }
    rows
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn an_export_that_is_imported_into_a_new_file_is_exported_as_the_same_bytes() {
    let ward = Ward::new();
    ward.write("in.csv", &odd_rows());
    assert!(ward.well("import in.csv").contains("imported in.csv: 2504 rows"));
    ward.well("export first.csv");
    assert_eq!(sorted(&ward.read("first.csv")), sorted(&odd_rows()));
    ward.well("export first.ndjson");
    for file in ["first.csv", "first.ndjson"] {
        let other = Ward::new();
        fs::copy(ward.path(file), other.path(file)).expect("copied");
        other.well(&format!("import {file}"));
        other.well("export again.csv");
        other.well("export again.ndjson");
        assert!(other.read("again.csv") == ward.read("first.csv"), "{file}");
        assert!(other.read("again.ndjson") == ward.read("first.ndjson"), "{file}");
    }
}

#[test]
fn an_import_is_safe_to_run_twice_and_erases_nothing() {
    let ward = Ward::new();
    ward.write("a.csv", "P1,t,80,97,,,,\nP1,u,70,,,,,\n");
    ward.write("b.csv", "P1,t,81,,120,,,\n");
    for file in ["a.csv", "a.csv", "b.csv", "b.csv"] {
        ward.well(&format!("import {file}"));
    }
    ward.well("export --no-header out.csv");
    assert_eq!(ward.read("out.csv"), "P1,u,70,,,,,\nP1,t,81,97,120,,,\n");
}

#[test]
fn a_damaged_file_changes_nothing_and_every_fault_has_its_line_and_column() {
    let ward = Ward::new();
    let mut lines: Vec<String> = odd_rows().lines().map(str::to_owned).collect();
    lines[2000] = "P9,t,secret,,,,,".to_owned();
    lines[2100] = "P9,t,,,".to_owned();
    lines[2200..2230].fill("P9,t,,,,,,hot".to_owned());
    ward.write("bad.csv", &lines.join("\n"));
    let told = ward.fails("import bad.csv", 3);
    assert!(told.contains("line 2001, column heart_rate: not a number"), "{told}");
    assert!(told.contains("line 2101: 5 cells instead of 8"), "{told}");
    assert!(told.contains("line 2201, column temperature: not a number"), "{told}");
    assert!(told.contains("and 12 more") && told.contains("32 lines are no rows"), "{told}");
    assert!(told.contains("nothing was written") && !told.contains("secret"), "{told}");
    assert_eq!(ward.count(), "0");
}

#[test]
fn standard_input_is_written_up_to_its_first_fault_and_that_is_said() {
    let ward = Ward::new();
    let import = |text: &str| {
        let mut command = ward.0.vitals(&["import", "-"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
        child.wait_with_output().expect("ended")
    };
    done(&import("{\"patient_id\":\"P1\",\"timestamp\":\"t\",\"spo2\":97}\n"));
    let cut = import("P1,u,80,,,,,\nP1,v,81,,,,,\nP1,w,fast,,,,,\nP1,x,83,,,,,\n");
    assert_eq!(cut.status.code(), Some(3));
    let told = text(&cut.stderr);
    assert!(told.contains("standard input, line 3, column heart_rate"), "{told}");
    assert!(told.contains("2 were written"), "{told}");
    assert_eq!(ward.count(), "3");
}

#[test]
fn a_file_that_is_there_is_not_replaced_unless_asked() {
    let ward = Ward::new();
    ward.write("out.csv", "precious");
    assert!(ward.fails("export out.csv", 2).contains("--force"));
    assert_eq!(ward.read("out.csv"), "precious");
    ward.well("export --force out.csv");
    assert_eq!(ward.read("out.csv"), NAMES);
    assert_eq!(ward.files(), ["out.csv"]);
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    let ward = Ward::new();
    ward.sql("INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) VALUES ('P9', 'now', 5000000123)");
    ward.fails("export out.csv", 4);
    ward.fails("export no/out.csv", 2);
    ward.fails("export --store sqlite:elsewhere.db out.csv", 2);
    assert_eq!(ward.files(), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_no_device_is_replaced() {
    let ward = Ward::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let output = ward.0.vitals(&["export", "-"]).stdout(full).stderr(Stdio::piped()).output().expect("ran");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("hint: "), "{}", text(&output.stderr));
    assert!(ward.fails("export --force /dev/full", 2).contains("not a file"));
}

#[test]
fn a_part_is_exported_by_patient_and_time() {
    let ward = Ward::new();
    let at = |minute: u32| format!("2025-10-26T10:{minute:02}:00+00:00");
    let rows: String = ["P1", "P2"]
        .iter()
        .flat_map(|patient| (0..5).map(move |minute| format!("{patient},{},{minute},,,,,\n", at(minute))))
        .collect();
    ward.write("in.csv", &rows);
    ward.well("import in.csv");
    let exported = |words: &str| {
        let text = done(&ward.run(&format!("export --no-header {words} -")));
        text.lines().map(|line| line.split(',').step_by(2).take(2).collect::<Vec<_>>().join(":")).collect::<Vec<_>>()
    };
    let range = "--since 2025-10-26T10:01:00Z --until 2025-10-26T10:03:00Z";
    assert_eq!(exported(range), ["P1:2", "P1:1", "P2:2", "P2:1"]);
    assert_eq!(exported(&format!("--patient P2 {range}")), ["P2:2", "P2:1"]);
    assert_eq!(exported("--patient P1").len(), 5);
    assert!(exported("--patient P3").is_empty());
    let json = done(&ward.run("export --patient P1 --until 2025-10-26T10:01:00Z -o ndjson -"));
    let expected = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":0,"spo2":null,"systolic":null,"diastolic":null,"respiratory_rate":null,"temperature":null}"#;
    assert_eq!(json, format!("{expected}\n"));
    ward.fails("export --since 2025-10-26T10:01:00Z --until 2025-10-26T10:01:00Z out.csv", 2);
}

#[test]
fn rows_are_counted_by_patient_and_by_hour() {
    let ward = Ward::new();
    ward.write("in.csv", &odd_rows());
    ward.well("import in.csv");
    assert_eq!(done(&ward.run("count -o json")), "[\n{\"rows\":2504}\n]\n");
    let patients = done(&ward.run("count --by patient -o csv"));
    assert_eq!(patients, "patient_id,rows\n\"P\"\"3\\, \",1\nP001,2\nP002,1\nP9,2500\n");
    assert_eq!(done(&ward.run("count --patient P001 --by hour -o csv")), "hour,rows\n2025-10-26T10:00:00+00:00,2\n");
    assert_eq!(done(&ward.run("count --patient nobody -o ndjson")), "{\"rows\":0}\n");
}

#[test]
fn a_further_column_is_left_out_and_said_and_the_schema_shows_it() {
    let ward = Ward::new();
    assert!(done(&ward.run("schema show -o ndjson")).lines().all(|line| line.contains("\"state\":\"as_made\"")));
    ward.sql("ALTER TABLE patient_vitals ADD ward TEXT; DROP TABLE patient_alerts; CREATE TABLE beds (id INTEGER)");
    assert!(ward.well("export out.csv").contains("not part of an export: ward"));
    let shown = done(&ward.run("schema show"));
    assert!(shown.contains("--   it has the further column ward TEXT\nCREATE TABLE patient_vitals"), "{shown}");
    assert!(shown.contains("-- table patient_alerts: missing; `vitals init` makes it"), "{shown}");
    assert!(shown.contains("-- table beds: not made by vitals\nCREATE TABLE beds (id INTEGER);"), "{shown}");
}

#[test]
fn a_reset_takes_topic_and_file_and_init_makes_them_anew() {
    let home = Home::new();
    let _up = home.up();
    let send = ["produce", "--count", "30", "--interval", "0"];
    let consume = ["consume", "--exit-at-end", "--quiet"];
    for _ in 0..2 {
        done(&home.run_embedded(&["init"]));
        done(&home.run_embedded(&send));
        done(&home.run_embedded(&consume));
        // After the second time: a group that remembered its offsets would have passed over all of it.
        assert_eq!(done(&home.run_embedded(&["count", "-o", "csv"])), "rows\n30\n");
        let refused = home.run_embedded(&["reset"]);
        assert_eq!(refused.status.code(), Some(2));
        let told = text(&refused.stderr);
        assert!(told.contains("topic patient.vitals: 30 records") && told.contains("30 readings"), "{told}");
        assert!(told.contains("--yes"), "{told}");
        let gone = done(&home.run_embedded(&["reset", "--confirm", "vitals.db"]));
        assert!(gone.starts_with("topic patient.vitals: deleted\ntopic patient.vitals.dlq: deleted\nfile "), "{gone}");
        assert!(text(&home.run_embedded(&["reset", "--yes"]).stderr).contains("nothing to delete"));
    }
}

#[test]
fn a_reset_of_one_leaves_the_other() {
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    done(&home.run_embedded(&["produce", "--count", "7", "--interval", "0"]));
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
    let other_name = home.run_embedded(&["reset", "--only", "topic", "--confirm", "vitals.db"]);
    assert_eq!(other_name.status.code(), Some(2));
    done(&home.run_embedded(&["reset", "--only", "topic", "--yes"]));
    assert_eq!(done(&home.run_embedded(&["count", "-o", "csv"])), "rows\n7\n");
    assert_eq!(home.run_embedded(&["lag"]).status.code(), Some(2), "the topic is gone");
    done(&home.run_embedded(&["reset", "--only", "store", "--yes"]));
    assert_eq!(home.run_embedded(&["count"]).status.code(), Some(2), "the file is gone");
}

#[test]
fn tables_of_a_newer_vitals_are_read_with_a_note_and_never_written_to() {
    const VERSIONS: &str = "the tables have schema version 3, this vitals knows version 2";
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    done(&home.run_embedded(&["produce", "--count", "7", "--interval", "0"]));
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
    done(&home.run_embedded(&["produce", "--count", "3", "--interval", "0"]));
    let note = "INSERT INTO schema_migrations VALUES (3, 'of tomorrow', '2027-01-01T00:00:00+00:00')";
    let path = home.path().join("data/vitals/vitals.db");
    rusqlite::Connection::open(&path).and_then(|file| file.execute(note, [])).expect("noted");
    fs::write(home.path().join("in.csv"), "P1,2025-10-26T10:30:15+00:00,80,97,,,,\n").expect("written");

    let reset = ["reset", "--yes"];
    for words in [&["consume", "--exit-at-end"][..], &["init"], &["import", "in.csv"], &reset] {
        let refused = home.run_embedded(words);
        let told = text(&refused.stderr);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(2), String::new()), "{words:?}: {told}");
        assert!(told.contains(VERSIONS) && told.contains("hint: use the newer vitals"), "{words:?}: {told}");
    }
    for words in [&["query"][..], &["count"], &["export", "-"], &["audit"], &["schema", "show"]] {
        let read = home.run_embedded(words);
        done(&read);
        assert!(text(&read.stderr).contains(VERSIONS), "{words:?}: {}", text(&read.stderr));
    }
    assert_eq!(done(&home.run_embedded(&["count", "-o", "csv"])), "rows\n7\n");
    for words in [["status", "-o", "ndjson"], ["doctor", "-o", "ndjson"]] {
        let looked = home.run_embedded(&words);
        assert_eq!(looked.status.code(), Some(1));
        assert!(text(&looked.stdout).contains(VERSIONS), "{words:?}: {}", text(&looked.stdout));
    }
}

#[test]
fn tables_of_this_vitals_are_read_without_a_note() {
    let ward = Ward::new();
    assert!(!ward.well("query").contains("version"));
    assert!(ward.well("schema show").contains("the tables have schema version 2, this vitals knows version 2"));
}
