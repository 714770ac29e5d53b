//! `vitals export`, `import`, `count`, `schema show` and `reset` on an SQLite file, each a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::home::{Home, TOPIC, end_of};
use crate::running::{Ended, RUN_LIMIT, Running};

/// A home with a file that has tables, and no broker.
struct Ward(Home);

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

impl Ward {
    fn new() -> Self {
        let ward = Self(Home::new());
        ward.write("vitals.toml", "[store]\nstore = \"sqlite:vitals.db\"\n");
        let store = vitals::store::sqlite::SqliteStore::at(ward.path("vitals.db")).expect("a store");
        tokio::runtime::Runtime::new().expect("a runtime").block_on(store.init()).expect("tables");
        ward
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &str) -> Ended {
        self.0.bare(words)
    }

    /// It ends well; gives what it shows.
    fn shows(&self, words: &str) -> String {
        self.run(words).well().output()
    }

    /// It ends well; gives its standard error.
    fn well(&self, words: &str) -> String {
        self.run(words).well().talk()
    }

    /// It ends with this code; gives its standard error.
    fn fails(&self, words: &str, code: i32) -> String {
        let told = self.run(words).with_code(code).talk();
        assert!(told.contains("error: ") && told.contains("hint: "), "{words}: {told}");
        told
    }

    fn write(&self, name: &str, text: &str) {
        self.0.file(name, text);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn count(&self) -> String {
        self.run("count -o csv").well().stdout.remove(1)
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

/// Rows that a backup has to bring back, also strange ones.
fn odd_rows() -> String {
    let mut rows = NAMES.to_owned();
    rows.push_str("P001,2025-10-26T10:30:15.123456+00:00,95,98,120,80,16,36.8\n");
    rows.push_str("P001,2025-10-26T10:30:15+00:00,,,,,,37.0\n");
    rows.push_str("P002,0001-01-01T00:00:00+00:00,,,,0,,-0.5\n");
    rows.push_str("\"P\\\"3\\\\, \",2025-10-26T10:00:00+00:00,-2147483648,2147483647,0,-1,,1e-45\n");
    for second in 0..2500 {
        writeln!(rows, "P9,2025-10-26T11:{:02}:{:02}+00:00,{second},,,,,", second / 60, second % 60).expect("text");
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
    let (first, second) = ("2025-10-26T10:30:15+00:00", "2025-10-26T10:30:15.500000+00:00");
    ward.write("a.csv", &format!("P1,{first},80,97,,,,\nP1,{second},70,,,,,\n"));
    ward.write("b.csv", &format!("P1,{first},81,,120,,,\n"));
    for file in ["a.csv", "a.csv", "b.csv", "b.csv"] {
        ward.well(&format!("import {file}"));
    }
    ward.well("export --no-header out.csv");
    assert_eq!(ward.read("out.csv"), format!("P1,{second},70,,,,,\nP1,{first},81,97,120,,,\n"));
}

#[test]
fn a_damaged_file_changes_nothing_and_every_fault_has_its_line_and_column() {
    let ward = Ward::new();
    let mut lines: Vec<String> = odd_rows().lines().map(str::to_owned).collect();
    lines[2000] = "P9,2025-10-26T10:30:15Z,secret,,,,,".to_owned();
    lines[2100] = "P9,2025-10-26T10:30:15Z,,,".to_owned();
    lines[2200..2230].fill("P9,2025-10-26T10:30:15Z,,,,,,hot".to_owned());
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
fn a_file_that_a_spreadsheet_has_touched_never_doubles_the_table() {
    let ward = Ward::new();
    ward.write("in.csv", "P001,2026-11-29T10:00:00+00:00,95,98,120,80,16,36.8\nP001,2026-11-29T10:00:01.5Z,96,,,,,\n");
    ward.well("import in.csv");
    ward.well("export before.csv");
    for time in ["2026-11-29 10:00:00", "2026-11-29 10:00", "29.11.2026 10:00", "46355.4166", "2026-11-29T10:00:00"] {
        ward.write("touched.csv", &format!("{NAMES}P001,{time},95,98,120,80,16,36.8\n"));
        let told = ward.fails("import touched.csv", 3);
        assert!(told.contains("line 2, column timestamp: not an RFC 3339 time with an offset"), "{told}");
        assert!(told.contains("nothing was written") && told.contains("2025-10-26T10:30:15+00:00"), "{told}");
    }
    for time in ["2026-11-29 10:00:00+00:00", "2026-11-29T11:00:00+01:00", "2026-11-29T10:00:00.000Z"] {
        ward.write("same.csv", &format!("P001,{time},95.0,98,12e1,80,16,36.80\n"));
        ward.well("import same.csv");
    }
    ward.well("export after.csv");
    assert_eq!(ward.read("after.csv"), ward.read("before.csv"));
}

#[test]
fn what_consume_refuses_an_import_refuses_with_line_and_column() {
    let ward = Ward::new();
    let at = "2026-11-29T10:00:00Z";
    let long = "x".repeat(65);
    let rows = [
        format!("P1,{at},2.0e-400,,,,,\n"),
        format!("{long},{at},95,,,,,\n"),
        "P1,2026-11-29T10:00:60Z,95,,,,,\n".to_owned(),
        format!("P1,{at},,,,,,\n"),
        format!("P1,{at},,,,,,NaN\n"),
        format!("P1,{at},,,,,,1e-50\n"),
    ];
    ward.write("bad.csv", &rows.concat());
    let told = ward.fails("import bad.csv", 3);
    for fault in [
        "line 1, column heart_rate: not a whole number",
        "line 2, column patient_id: not a patient id of 1 to 64 bytes",
        "line 3, column timestamp: not an RFC 3339 time",
        "line 4: no vital sign",
        "line 5, column temperature: not a number",
        "line 6, column temperature: a number that does not fit",
    ] {
        assert!(told.contains(fault), "{fault} in {told}");
    }
    // Implausible values are stored as sent, as consume does it.
    ward.write("implausible.csv", &format!("P1,{at},0,130,90,95,-4,98.6\n"));
    ward.well("import implausible.csv");
    assert_eq!(ward.count(), "1");
}

#[test]
fn rows_of_other_programs_are_exported_as_they_are_and_their_import_is_refused() {
    let ward = Ward::new();
    ward.sql(
        "INSERT INTO patient_vitals (patient_id, timestamp, spo2) VALUES
         ('P1', 'yesterday', 97), ('P1', '2026-11-29 10:00:00+00:00', 97), ('P1', '2026-11-29T10:00:01+00:00', 97)",
    );
    let told = ward.well("export out.csv");
    assert!(told.contains("an import changes their time or refuses them: 2"), "{told}");
    assert_eq!(
        sorted(&ward.read("out.csv"))[..2],
        ["P1,2026-11-29 10:00:00+00:00,,97,,,,", "P1,2026-11-29T10:00:01+00:00,,97,,,,"]
    );
    let other = Ward::new();
    fs::copy(ward.path("out.csv"), other.path("out.csv")).expect("copied");
    let told = other.fails("import out.csv", 3);
    assert!(told.contains("column timestamp") && told.contains("1 line is no row, 2 in order"), "{told}");
    assert_eq!(other.count(), "0");
}

#[test]
fn what_is_wrong_with_every_line_is_one_error_with_one_hint() {
    let ward = Ward::new();
    let rows = "P001,2026-11-29T10:00:00Z,95,98,120,80,16,36.8\n".repeat(30);
    let semicolons = format!("{NAMES}{rows}").replace(',', ";").replace('.', ",");
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (content, told, hint) in [
        (semicolons.clone().into_bytes(), "semicolons", "commas"),
        (semicolons.replace('\n', "\r\n").into_bytes(), "semicolons", "commas"),
        (semicolons.replace(';', "\t").into_bytes(), "tabs", "commas"),
        (utf16(&format!("\u{feff}{NAMES}{rows}")), "UTF-16", "UTF-8"),
    ] {
        fs::write(ward.path("x.csv"), content).expect("written");
        for words in ["import x.csv", "produce --mode csv --csv x.csv --once"] {
            let all = ward.fails(words, 3);
            assert!(all.contains(told) && all.contains(hint), "{words}: {all}");
            assert!(all.matches("line ").count() == 1 && all.lines().count() == 2, "{words}: {all}");
        }
    }
    ward.write("x.json", "[\n{\"patient_id\":\"P1\"},\n{\"patient_id\":\"P2\"}\n]\n");
    let all = ward.fails("import x.json", 3);
    assert!(all.contains("not one JSON object") && all.lines().count() == 2, "{all}");
    assert_eq!(ward.count(), "0");
}

#[test]
fn standard_input_is_written_up_to_its_first_fault_and_that_is_said() {
    let ward = Ward::new();
    let import = |text: &str| {
        let mut import = Running::start("vitals import", &mut ward.0.vitals("import -"));
        import.say(text.trim_end());
        import.close_stdin();
        import.wait_end(RUN_LIMIT)
    };
    import("\u{feff}{\"patient_id\":\"P1\",\"timestamp\":\"2025-10-26T10:30:10Z\",\"spo2\":97}\n").well();
    let line = |second: u8, rate: &str| format!("P1,2025-10-26T10:30:{second}Z,{rate},,,,,\n");
    let told = import(&[line(11, "80"), line(12, "81"), line(13, "fast"), line(14, "83")].concat()).with_code(3).talk();
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
    let told = end_of(&ward.0.vitals("export -").stdout(full).output().expect("ran")).with_code(4).talk();
    assert!(told.contains("hint: "), "{told}");
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
        let text = ward.shows(&format!("export --no-header {words} -"));
        text.lines().map(|line| line.split(',').step_by(2).take(2).collect::<Vec<_>>().join(":")).collect::<Vec<_>>()
    };
    let range = "--since 2025-10-26T10:01:00Z --until 2025-10-26T10:03:00Z";
    assert_eq!(exported(range), ["P1:2", "P1:1", "P2:2", "P2:1"]);
    assert_eq!(exported(&format!("--patient P2 {range}")), ["P2:2", "P2:1"]);
    assert_eq!(exported("--patient P1").len(), 5);
    assert!(exported("--patient P3").is_empty());
    let json = ward.shows("export --patient P1 --until 2025-10-26T10:01:00Z -o ndjson -");
    let expected = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":0,"spo2":null,"systolic":null,"diastolic":null,"respiratory_rate":null,"temperature":null}"#;
    assert_eq!(json, format!("{expected}\n"));
    ward.fails("export --since 2025-10-26T10:01:00Z --until 2025-10-26T10:01:00Z out.csv", 2);
}

#[test]
fn rows_are_counted_by_patient_and_by_hour() {
    let ward = Ward::new();
    ward.write("in.csv", &odd_rows());
    ward.well("import in.csv");
    assert_eq!(ward.shows("count -o json"), "[\n{\"rows\":2504}\n]\n");
    let patients = ward.shows("count --by patient -o csv");
    assert_eq!(patients, "patient_id,rows\n\"P\"\"3\\, \",1\nP001,2\nP002,1\nP9,2500\n");
    assert_eq!(ward.shows("count --patient P001 --by hour -o csv"), "hour,rows\n2025-10-26T10:00:00+00:00,2\n");
    assert_eq!(ward.shows("count --patient nobody -o ndjson"), "{\"rows\":0}\n");
}

#[test]
fn a_further_column_is_left_out_and_said_and_the_schema_shows_it() {
    let ward = Ward::new();
    assert!(ward.shows("schema show -o ndjson").lines().all(|line| line.contains("\"state\":\"as_made\"")));
    ward.sql("ALTER TABLE patient_vitals ADD ward TEXT; DROP TABLE patient_alerts; CREATE TABLE beds (id INTEGER)");
    assert!(ward.well("export out.csv").contains("not part of an export: ward"));
    let shown = ward.shows("schema show");
    assert!(shown.contains("--   it has the further column ward TEXT\nCREATE TABLE patient_vitals"), "{shown}");
    assert!(shown.contains("-- table patient_alerts: missing; `vitals init` makes it"), "{shown}");
    assert!(shown.contains("-- table beds: not made by vitals\nCREATE TABLE beds (id INTEGER);"), "{shown}");
}

#[test]
fn a_reset_takes_topic_and_file_and_init_makes_them_anew() {
    let home = Home::up();
    for _ in 0..2 {
        home.done("init");
        home.produce(30);
        home.consume();
        // After the second time: a group that remembered its offsets would have passed over all of it.
        assert_eq!(home.count(), 30);
        let told = home.run("reset").with_code(2).talk();
        for expected in ["topic patient.vitals: 30 records", "30 readings", "--yes"] {
            assert!(told.contains(expected), "{told}");
        }
        let gone = home.done("reset --confirm vitals.db");
        assert!(gone.starts_with(&format!("topic {TOPIC}: deleted\ntopic {TOPIC}.dlq: deleted\nfile ")), "{gone}");
        assert!(home.run("reset --yes").talk().contains("nothing to delete"));
    }
}

#[test]
fn a_reset_of_one_leaves_the_other() {
    let home = Home::filled(6, 7);
    home.consume();
    home.run("reset --only topic --confirm vitals.db").with_code(2);
    home.done("reset --only topic --yes");
    assert_eq!(home.count(), 7);
    assert_eq!(home.run("lag").code, Some(2), "the topic is gone");
    home.done("reset --only store --yes");
    assert_eq!(home.run("count").code, Some(2), "the file is gone");
}

#[test]
fn tables_of_a_newer_vitals_are_read_with_a_note_and_never_written_to() {
    const VERSIONS: &str = "the tables have schema version 3, this vitals knows version 2";
    let home = Home::filled(6, 7);
    home.consume();
    home.produce(3);
    home.sql("INSERT INTO schema_migrations VALUES (3, 'of tomorrow', '2027-01-01T00:00:00+00:00')");
    home.file("in.csv", "P1,2025-10-26T10:30:15+00:00,80,97,,,,\n");
    for words in ["consume --exit-at-end", "init", "import in.csv", "reset --yes"] {
        let refused = home.run(words).with_code(2);
        let told = refused.talk();
        assert!(told.contains(VERSIONS) && told.contains("hint: use the newer vitals"), "{words}: {told}");
        assert_eq!(refused.output(), "", "{words}");
    }
    for words in ["query", "count", "export -", "audit", "schema show"] {
        let told = home.run(words).well().talk();
        assert!(told.contains(VERSIONS), "{words}: {told}");
    }
    assert_eq!(home.count(), 7);
    for words in ["status -o ndjson", "doctor -o ndjson"] {
        let shown = home.run(words).with_code(1).output();
        assert!(shown.contains(VERSIONS), "{words}: {shown}");
    }
}

#[test]
fn tables_of_this_vitals_are_read_without_a_note() {
    let ward = Ward::new();
    assert!(!ward.well("query").contains("version"));
    assert!(ward.well("schema show").contains("the tables have schema version 2, this vitals knows version 2"));
}
