//! `vitals export`, `import`, `count`, `schema show` and `reset` on an SQLite file, each a process of its own.

use std::fs;

use super::home::{Home, TOPIC, end_of};
use crate::pairs::odd_rows;
use crate::program::{Program as _, sorted};
use crate::running::{RUN_LIMIT, Running};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// What lies in its folder besides the settings and the data.
fn files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "vitals.toml" && name != "data");
    names
}

#[test]
fn an_import_is_safe_to_run_twice_and_erases_nothing() {
    let home = Home::with_tables();
    let (first, second) = ("2025-10-26T10:30:15+00:00", "2025-10-26T10:30:15.500000+00:00");
    home.file("a.csv", format!("P1,{first},80,97,,,,\nP1,{second},70,,,,,\n"));
    home.file("b.csv", format!("P1,{first},81,,120,,,\n"));
    for file in ["a.csv", "a.csv", "b.csv", "b.csv"] {
        home.done(&format!("import {file}"));
    }
    home.done("export --no-header out.csv");
    assert_eq!(home.read("out.csv"), format!("P1,{second},70,,,,,,,\nP1,{first},81,97,120,,,,,\n"));
}

#[test]
fn observations_go_all_the_way_and_a_file_of_before_them_is_imported() {
    let home = Home::with_tables();
    let time = "2025-10-26T10:30:15+00:00";
    home.file("old.csv", format!("{NAMES}P1,{time},80,97,,,,\n"));
    home.file("seen.ndjson", format!("{{\"patient_id\":\"P1\",\"timestamp\":\"{time}\",\"consciousness\":\"V\"}}\n"));
    for file in ["old.csv", "seen.ndjson", "old.csv"] {
        home.done(&format!("import {file}"));
    }
    let all = format!("P1,{time},80,97,,,,,,V\n");
    assert_eq!(home.done("export --no-header -"), all);
    home.file("oxygen.csv", format!("P1,{time},,,,,,,True,\n"));
    home.done("import oxygen.csv");
    let rows = home.rows("query");
    assert_eq!((&rows[0]["supplemental_oxygen"], &rows[0]["consciousness"]), (&true.into(), &"V".into()));
    for format in ["csv", "ndjson"] {
        home.done(&format!("export all.{format}"));
        let other = Home::with_tables();
        other.file(&format!("all.{format}"), home.read(&format!("all.{format}")));
        other.done(&format!("import all.{format}"));
        assert_eq!(other.rows("query"), rows, "{format}");
    }
}

#[test]
fn a_damaged_file_changes_nothing_and_every_fault_has_its_line_and_column() {
    let home = Home::with_tables();
    let mut lines: Vec<String> = odd_rows().lines().map(str::to_owned).collect();
    lines[2000] = "P9,2025-10-26T10:30:15Z,secret,,,,,,,".to_owned();
    lines[2100] = "P9,2025-10-26T10:30:15Z,,,".to_owned();
    lines[2200..2230].fill("P9,2025-10-26T10:30:15Z,,,,,,hot,,".to_owned());
    home.file("bad.csv", lines.join("\n"));
    let told = home.refused("import bad.csv", 3).tells(&[
        "line 2001, column heart_rate: not a number",
        "line 2101: 5 cells instead of 10",
        "line 2201, column temperature: not a number",
        "and 12 more",
        "32 lines are no rows",
        "nothing was written",
    ]);
    assert!(!told.talk().contains("secret"), "{}", told.talk());
    assert_eq!(home.count(), 0);
}

#[test]
fn a_file_that_a_spreadsheet_has_touched_never_doubles_the_table() {
    let home = Home::with_tables();
    home.file("in.csv", "P001,2026-11-29T10:00:00+00:00,95,98,120,80,16,36.8\nP001,2026-11-29T10:00:01.5Z,96,,,,,\n");
    home.done("import in.csv");
    home.done("export before.csv");
    for time in ["2026-11-29 10:00:00", "2026-11-29 10:00", "29.11.2026 10:00", "46355.4166", "2026-11-29T10:00:00"] {
        home.file("touched.csv", format!("{NAMES}P001,{time},95,98,120,80,16,36.8\n"));
        let fault = "line 2, column timestamp: not an RFC 3339 time with an offset";
        home.refused("import touched.csv", 3).tells(&[fault, "nothing was written", "2025-10-26T10:30:15+00:00"]);
    }
    for time in ["2026-11-29 10:00:00+00:00", "2026-11-29T11:00:00+01:00", "2026-11-29T10:00:00.000Z"] {
        home.file("same.csv", format!("P001,{time},95.0,98,12e1,80,16,36.80\n"));
        home.done("import same.csv");
    }
    home.done("export after.csv");
    assert_eq!(home.read("after.csv"), home.read("before.csv"));
}

#[test]
fn implausible_values_are_imported_as_consume_stores_them() {
    let home = Home::with_tables();
    home.file("implausible.csv", "P1,2026-11-29T10:00:00Z,0,130,90,95,-4,98.6\n");
    home.done("import implausible.csv");
    assert_eq!(home.count(), 1);
}

#[test]
fn rows_of_other_programs_are_exported_as_they_are_and_their_import_is_refused() {
    let home = Home::with_tables();
    home.sql(
        "INSERT INTO patient_vitals (patient_id, timestamp, spo2) VALUES
         ('P1', 'yesterday', 97), ('P1', '2026-11-29 10:00:00+00:00', 97), ('P1', '2026-11-29T10:00:01+00:00', 97)",
    );
    home.run("export out.csv").well().tells(&["an import changes their time or refuses them: 2"]);
    let exported = home.read("out.csv");
    let expected = ["P1,2026-11-29 10:00:00+00:00,,97,,,,,,", "P1,2026-11-29T10:00:01+00:00,,97,,,,,,"];
    assert_eq!(sorted(&exported)[..2], expected);
    let other = Home::with_tables();
    other.file("out.csv", exported);
    other.refused("import out.csv", 3).tells(&["column timestamp", "1 line is no row, 2 in order"]);
    assert_eq!(other.count(), 0);
}

#[test]
fn what_is_wrong_with_every_line_is_one_error_with_one_hint() {
    let home = Home::with_tables();
    let rows = "P001,2026-11-29T10:00:00Z,95,98,120,80,16,36.8\n".repeat(30);
    let semicolons = format!("{NAMES}{rows}").replace(',', ";").replace('.', ",");
    for (content, told) in [(semicolons.replace('\n', "\r\n"), "semicolons"), (semicolons.replace(';', "\t"), "tabs")] {
        home.file("x.csv", content);
        for words in ["import x.csv", "produce --mode csv --csv x.csv --once"] {
            let all = home.refused(words, 3).tells(&[told, "commas"]).talk();
            assert!(all.matches("line ").count() == 1 && all.lines().count() == 2, "{words}: {all}");
        }
    }
    home.file("x.json", "[\n{\"patient_id\":\"P1\"},\n{\"patient_id\":\"P2\"}\n]\n");
    let told = home.refused("import x.json", 3).tells(&["not one JSON object"]);
    assert_eq!((told.stderr.len(), home.count()), (2, 0));
}

#[test]
fn standard_input_is_written_up_to_its_first_fault_and_that_is_said() {
    let home = Home::with_tables();
    let import = |text: &str| {
        let mut import = Running::start("vitals import", &mut home.command("import -"));
        import.say(text.trim_end());
        import.close_stdin();
        import.wait_end(RUN_LIMIT)
    };
    import("\u{feff}{\"patient_id\":\"P1\",\"timestamp\":\"2025-10-26T10:30:10Z\",\"spo2\":97}\n").well();
    let line = |second: u8, rate: &str| format!("P1,2025-10-26T10:30:{second}Z,{rate},,,,,\n");
    let told = import(&[line(11, "80"), line(12, "81"), line(13, "fast"), line(14, "83")].concat()).with_code(3);
    told.tells(&["standard input, line 3, column heart_rate", "2 were written"]);
    assert_eq!(home.count(), 3);
}

#[test]
fn a_file_that_is_there_is_not_replaced_unless_asked() {
    let home = Home::with_tables();
    home.file("out.csv", "precious");
    home.refused("export out.csv", 2).tells(&["--force"]);
    assert_eq!(home.read("out.csv"), "precious");
    home.done("export --force out.csv");
    assert_eq!(home.read("out.csv"), NAMES.replace('\n', ",supplemental_oxygen,consciousness\n"));
    assert_eq!(files(&home), ["out.csv"]);
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    let home = Home::with_tables();
    home.sql("INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) VALUES ('P9', 'now', 5000000123)");
    home.refused("export out.csv", 4);
    home.refused("export no/out.csv", 2);
    home.refused("export --store sqlite:elsewhere.db out.csv", 2);
    assert_eq!(files(&home), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_no_device_is_replaced() {
    let home = Home::with_tables();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    end_of(&home.command("export -").stdout(full).output().unwrap()).with_code(4).tells(&["hint: "]);
    home.refused("export --force /dev/full", 2).tells(&["not a file"]);
}

#[test]
fn a_part_is_exported_by_patient_and_time() {
    let home = Home::with_tables();
    let row = |patient, minute| format!("{patient},2025-10-26T10:0{minute}:00+00:00,{minute},,,,,\n");
    home.file(
        "in.csv",
        ["P1", "P2"].map(|patient| (0..5).map(|minute| row(patient, minute)).collect::<String>()).concat(),
    );
    home.done("import in.csv");
    let exported = |words: &str| {
        let text = home.done(&format!("export --no-header {words} -"));
        text.lines().map(|line| line.split(',').step_by(2).take(2).collect::<Vec<_>>().join(":")).collect::<Vec<_>>()
    };
    let range = "--since 2025-10-26T10:01:00Z --until 2025-10-26T10:03:00Z";
    assert_eq!(exported(range), ["P1:2", "P1:1", "P2:2", "P2:1"]);
    assert_eq!(exported(&format!("--patient P2 {range}")), ["P2:2", "P2:1"]);
    assert_eq!(exported("--patient P1").len(), 5);
    assert!(exported("--patient P3").is_empty());
    let json = home.done("export --patient P1 --until 2025-10-26T10:01:00Z -o ndjson -");
    let expected = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":0,"spo2":null,"systolic":null,"diastolic":null,"respiratory_rate":null,"temperature":null,"supplemental_oxygen":null,"consciousness":null}"#;
    assert_eq!(json, format!("{expected}\n"));
    home.refused("export --since 2025-10-26T10:01:00Z --until 2025-10-26T10:01:00Z out.csv", 2);
}

#[test]
fn rows_are_counted_by_patient_and_by_hour() {
    let home = Home::with_tables();
    home.file("in.csv", odd_rows());
    home.done("import in.csv");
    assert_eq!(home.done("count -o json"), "[\n{\"rows\":2504}\n]\n");
    let patients = home.done("count --by patient -o csv");
    assert_eq!(patients, "patient_id,rows\n\"P\"\"3\\, \",1\nP001,2\nP002,1\nP9,2500\n");
    assert_eq!(home.done("count --patient P001 --by hour -o csv"), "hour,rows\n2025-10-26T10:00:00+00:00,2\n");
    assert_eq!(home.done("count --patient nobody -o ndjson"), "{\"rows\":0}\n");
}

#[test]
fn a_further_column_is_left_out_and_said_and_the_schema_shows_it() {
    let home = Home::with_tables();
    assert!(home.rows("schema show").iter().all(|part| part["state"] == "as_made"));
    home.run("schema show").well().tells(&["the tables have schema version 9, this vitals knows version 9"]);
    assert!(!home.run("query").well().talk().contains("version"), "no note");
    home.sql("ALTER TABLE patient_vitals ADD ward TEXT; DROP TABLE patient_alerts; CREATE TABLE beds (id INTEGER)");
    home.run("export out.csv").well().tells(&["not part of an export: ward"]);
    home.run("schema show").well().shows(&[
        "--   it has the further column ward TEXT\nCREATE TABLE patient_vitals",
        "-- table patient_alerts: missing; `vitals init` makes it",
        "-- table beds: not made by vitals\nCREATE TABLE beds (id INTEGER);",
    ]);
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
        home.run("reset").with_code(2).tells(&["topic patient.vitals: 30 records", "30 readings", "--yes"]);
        let gone = home.done("reset --confirm vitals.db");
        let topics = [TOPIC, "patient.vitals.dlq", "patient.alarms"].map(|topic| format!("topic {topic}: deleted\n"));
        assert!(gone.starts_with(&format!("{}file ", topics.concat())), "{gone}");
        home.run("reset --yes").tells(&["nothing to delete"]);
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
