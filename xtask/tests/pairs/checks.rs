//! What a user sees, of any broker and any store: the same checks run on the embedded broker with SQLite, and on Kafka with
//! Cassandra. `ready` makes topics with so many partitions, and tables.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, sorted, wrongs};
use crate::running::{RUN_LIMIT, Running};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// What is down is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(10);

macro_rules! on_a_pair {
    ($ready:path) => {
        pairs::on_a_pair! { $ready:
            a_deleted_group_is_gone_and_what_it_had_committed_was_said
            following_shows_what_comes_and_ctrl_c_ends_it_well
            messages_that_wait_for_nobody_are_a_finding
            a_broker_that_is_down_does_not_hide_the_store
            a_topic_made_anew_is_read_from_its_start_by_a_group_that_read_another_of_its_name
            what_is_exported_is_imported_and_exported_again_as_the_same_bytes
            what_is_archived_and_deleted_is_imported_and_exported_again_as_the_same_bytes
            of_a_patient_who_is_erased_nothing_is_left_but_that_there_was_one
            tables_of_a_newer_vitals_are_read_with_a_note_and_never_written_to
            what_is_older_is_counted_as_expired_by_consume_and_import_and_no_fault_to_an_audit
            minutes_hours_and_days_are_told_alike_out_of_readings_and_out_of_minutes
            readings_that_are_imported_are_in_minutes_wherever_they_lie
        }
    };
    ($ready:path: $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                pairs::$check($ready);
            }
        )*
    };
}
pub(crate) use on_a_pair;

pub(crate) fn a_deleted_group_is_gone_and_what_it_had_committed_was_said<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(2);
    ward.produce(40);
    ward.consume();
    let delete = format!("group delete {}", ward.group());
    ward.refused(&delete, 2).tells(&["committed offsets in 2 partitions, and there is no terminal to ask at"]);
    let deleted = ward.run(&format!("{delete} --yes")).well().tells(&["it had committed of "]);
    assert_eq!(deleted.output(), format!("group {}: deleted\n", ward.group()));
    ward.refused(&delete, 2).tells(&["does not exist"]);
    assert!(ward.rows("group list").iter().all(|group| group["group"] != ward.group()));
}

pub(crate) fn following_shows_what_comes_and_ctrl_c_ends_it_well<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(6);
    ward.produce(20);
    let mut tail = ward.start("topic tail --follow --last 2 -o ndjson");
    let lines = |count: usize| move |tail: &Running| (tail.stdout().len() >= count).then_some(());
    tail.wait_for("the last two", RUN_LIMIT, lines(2));
    ward.produce(5);
    tail.wait_for("what comes", RUN_LIMIT, lines(7));
    tail.signal("INT");
    let ended = tail.wait_end(RUN_LIMIT).well();
    assert_eq!((ended.stdout.len(), ended.talk()), (7, String::new()));
}

pub(crate) fn messages_that_wait_for_nobody_are_a_finding<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(6);
    ward.produce(7);
    let report = ward.status(1);
    assert_eq!((&report["group"]["lag"], &report["group"]["state"]), (&7.into(), &Value::Null));
    assert_eq!(report["wrong"].as_array().map(Vec::len), Some(1), "{report}");
    assert!(wrongs(&report).contains("nobody reads: 7 messages wait"), "{report}");
    assert_eq!(ward.doctor(1)["group"]["verdict"], "fail");
}

pub(crate) fn a_broker_that_is_down_does_not_hide_the_store<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(2);
    ward.produce(30);
    ward.consume();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = ward.run(&format!("status --brokers {closed} -o ndjson")).with_code(1);
    assert!(ended.lasted < UNREACHABLE_LIMIT, "{:?}", ended.lasted);
    let report = ended.json();
    assert_eq!((&report["cluster"], &report["store"]["tables"][0]["state"]), (&Value::Null, &"fits".into()));
    assert!(report["store"]["active_alarms"].is_object(), "{report}");
    assert!(wrongs(&report).starts_with("cannot reach Kafka"), "{report}");
    let checks = ward.run(&format!("doctor --brokers {closed} -o ndjson")).with_code(1).rows();
    let verdict = |name: &str| checks.iter().find(|check| check["check"] == name).map(|check| &check["verdict"]);
    assert_eq!((verdict("topic"), verdict("readings_table")), (Some(&"skip".into()), Some(&"ok".into())));
}

pub(crate) fn a_topic_made_anew_is_read_from_its_start_by_a_group_that_read_another_of_its_name<P: Program>(
    ready: fn(u32) -> P,
) {
    let ward = ready(1);
    let mut sent = 0;
    for (partitions, count) in [(1, 50), (1, 80), (3, 20), (1, 50)] {
        ward.done(&format!("topic delete {} --yes", ward.topic()));
        ward.done(&format!("init --partitions {partitions}"));
        ward.produce(count);
        sent += u64::from(count);
        ward.consume();
        assert_eq!(ward.count(), sent);
    }
}

/// Rows that a backup has to bring back, also strange ones.
pub(crate) fn odd_rows() -> String {
    let mut rows = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature,\
        supplemental_oxygen,consciousness\n\
        P001,2025-10-26T10:30:15.123456+00:00,95,98,120,80,16,36.8,true,A\n\
        P001,2025-10-26T10:30:15+00:00,,,,,,37.0,false,\n\
        P002,0001-01-01T00:00:00+00:00,,,,0,,-0.5,,U\n\
        \"P\\\"3\\\\, \",2025-10-26T10:00:00+00:00,-2147483648,2147483647,0,-1,,1e-45,,\n"
        .to_owned();
    for second in 0..2500 {
        writeln!(rows, "P9,2025-10-26T11:{:02}:{:02}+00:00,{second},,,,,,,", second / 60, second % 60).unwrap();
    }
    rows
}

pub(crate) fn minutes_hours_and_days_are_told_alike_out_of_readings_and_out_of_minutes<P: Program>(
    ready: fn(u32) -> P,
) {
    let ward = ready(1);
    ward.file("in.csv", odd_rows());
    ward.run("import in.csv").well().tells(&["; 45 minutes computed"]);
    let told = || {
        let series = |every: &str| ward.rows(&format!("query --patient P9 --every {every} --limit 100"));
        ["1m", "1h", "1d"].map(series)
    };
    let before = told();
    assert_eq!([&before[0], &before[1], &before[2]].map(Vec::len), [42, 1, 1]);
    let n = |rows: &[Value]| rows.iter().map(|row| row["n"].as_u64().unwrap()).sum::<u64>();
    assert_eq!([n(&before[0]), n(&before[1]), n(&before[2])], [2500; 3]);
    // Those from 1 to 350 are believed: 350 of them, of which the mean is 175.5.
    let of = |name: &str| before[2][0][format!("heart_rate_{name}")].as_f64().unwrap();
    let figures = ["n", "min", "max", "mean", "sum", "last"].map(of);
    assert_eq!(figures.map(|figure| figure.to_string()), ["350", "1", "350", "175.5", "61425", "350"]);
    ward.run("retention minutes").well().tells(&["of 4 patients written"]);
    assert_eq!(told(), before);
    ward.done("export --every 1m --patient P9 --force minutes.ndjson");
    let exported: Vec<Value> =
        ward.read("minutes.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(exported.iter().rev().eq(&before[0]), "the oldest first");
    ward.refused("export --every 1m -o fhir minutes.fhir.ndjson", 2).tells(&["--every cannot be written as FHIR"]);
}

/// Minutes are taken to go on without a gap from the first to the newest one.
pub(crate) fn readings_that_are_imported_are_in_minutes_wherever_they_lie<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(1);
    let rows = |days: &[u32]| {
        let row = |day: &u32| {
            format!("P1,2025-10-{day:02}T10:00:05+00:00,80,,,,,\nP1,2025-10-{day:02}T10:00:45+00:00,90,,,,,\n")
        };
        NAMES.to_owned() + &days.iter().map(row).collect::<String>()
    };
    ward.file("sent.csv", rows(&[5, 9]));
    ward.done("produce --mode csv --csv sent.csv --once --interval 0");
    ward.consume();
    let mut days = vec![5, 9];
    for imported in [&[7][..], &[1, 3], &[11, 13], &[6, 8]] {
        ward.file("in.csv", rows(imported));
        ward.run("import in.csv").well().tells(&["minutes computed"]);
        days.extend(imported);
        days.sort_unstable();
        let told = ward.rows("query --patient P1 --every 1m --limit 100");
        let expected: Vec<_> = days
            .iter()
            .rev()
            .map(|day| serde_json::json!([format!("2025-10-{day:02}T10:00:00+00:00"), 2, 80, 90]))
            .collect();
        let figures =
            |row: &Value| serde_json::json!([row["time"], row["n"], row["heart_rate_min"], row["heart_rate_last"]]);
        assert_eq!(told.iter().map(figures).collect::<Vec<_>>(), expected, "{imported:?}");
    }
}

pub(crate) fn what_is_exported_is_imported_and_exported_again_as_the_same_bytes<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(1);
    ward.file("in.csv", odd_rows());
    ward.run("import in.csv").well().tells(&["imported in.csv: 2504 rows"]);
    ward.done("export first.csv");
    ward.done("export first.ndjson");
    assert_eq!(sorted(&ward.read("first.csv")), sorted(&odd_rows()));
    for file in ["first.csv", "first.ndjson"] {
        ward.produce(3);
        ward.run("reset --yes").well().tells(&["3 records", "2504 readings"]);
        assert_eq!(ward.run("count").code, Some(2), "the table is gone");
        ward.done("init");
        ward.done(&format!("import {file}"));
        ward.done(&format!("import {file}"));
        ward.done("export --force again.csv");
        ward.done("export --force again.ndjson");
        assert!(ward.read("again.csv") == ward.read("first.csv"), "{file}");
        assert!(ward.read("again.ndjson") == ward.read("first.ndjson"), "{file}");
        assert_eq!(ward.count(), 2504);
    }
}

/// The same rows lie in four months, and one of them is that of the table's first moment.
pub(crate) fn what_is_archived_and_deleted_is_imported_and_exported_again_as_the_same_bytes<P: Program>(
    ready: fn(u32) -> P,
) {
    let ward = ready(1);
    let recent = "P001,2025-12-01T00:00:00+00:00,70,,,,,,,\nP9,2025-12-24T18:00:00+00:00,71,,,,,,,\n";
    let november = "P001,2025-11-30T23:59:59.999999+00:00,72,,,,,,,\n";
    ward.file("in.csv", odd_rows() + november + recent);
    ward.done("import in.csv");
    ward.done("export before.csv");
    ward.run("archive --before 2025-12-01T00:00:00Z old").well().tells(&[
        "patient_vitals-0001-01.parquet: 1 row of 1 patient",
        "patient_vitals-2025-10.parquet: 2503 rows of 3 patients",
        "patient_vitals-2025-11.parquet: 1 row of 1 patient",
        "archived to old: 2505 rows in 3 files",
    ]);
    let verified = |months: &[[u64; 5]]| {
        let told = ward.rows("archive verify old");
        let names = ["rows", "same", "differ", "table_only", "archive_only"];
        let of = |month: &Value| names.map(|name| month[name].as_u64().unwrap());
        assert_eq!(told.iter().map(of).collect::<Vec<_>>(), months);
    };
    verified(&[[1, 1, 0, 0, 0], [2503, 2503, 0, 0, 0], [1, 1, 0, 0, 0]]);
    assert_eq!(ward.count(), 2507, "nothing is deleted by that");

    ward.refused("archive delete old", 2).tells(&["2505 readings of 4 patients", "no terminal to ask at"]);
    ward.run("archive delete old --yes").well().tells(&[
        "from 0001-01-01T00:00:00+00:00 to 2025-11-30T23:59:59.999999+00:00",
        "2505 rows of 4 patients",
        "`vitals import old` brings them back",
    ]);
    assert_eq!(sorted(&ward.done("export --no-header -")), sorted(recent));
    verified(&[[1, 0, 0, 0, 1], [2503, 0, 0, 0, 2503], [1, 0, 0, 0, 1]]);
    ward.run("archive delete old --yes").well().tells(&["the table holds nothing that can be deleted"]);

    for _ in 0..2 {
        ward.run("import old").well().tells(&["imported old: 2505 rows"]);
        ward.done("export --force again.csv");
        assert!(ward.read("again.csv") == ward.read("before.csv"));
    }
}

pub(crate) fn of_a_patient_who_is_erased_nothing_is_left_but_that_there_was_one<P: Program>(ready: fn(u32) -> P) {
    let ward = ready(1);
    let rows = |patient: &str, rate: u32| {
        let row = |second| format!("{patient},2025-10-26T10:30:{second:02}Z,{rate},97,,,,\n");
        (0..30).map(row).collect::<String>()
    };
    ward.done("patient admit P001 --name Ada --bed 7 --by Anna");
    ward.done("patient admit P0011 --name Bo --by Anna");
    ward.done("patient set P001 --limit heart_rate.high=130 --reason sepsis --by Bo");
    ward.file("in.csv", format!("{NAMES}{}{}", rows("P001", 150), rows("P0011", 151)));
    ward.done("produce --mode csv --csv in.csv --once --interval 0");
    ward.consume();
    ward.done("archive --before 2025-12-01T00:00:00Z old");
    assert_eq!(ward.rows("alarms list --patient P001").len(), 1);

    ward.refused("patient erase P001", 2).tells(&["all that ", "holds of P001", "no terminal to ask at"]);
    ward.refused("patient erase P001 --confirm P0011", 2).tells(&["the name is 'P001'"]);
    assert_eq!(ward.count(), 60, "nothing was deleted");
    let receipt = ward.run("patient erase P001 --confirm P001 --by Cy --reason asked --archive old -o json").well();
    // Digits alone may be those of a time.
    for hidden in ["Ada", "sepsis", " 150", " 130", "2025-10-26T10"] {
        assert!(!receipt.output().contains(hidden), "{hidden}: {}", receipt.output());
    }
    let receipt: Value = serde_json::from_str(&receipt.output()).unwrap();
    let tables: Vec<_> = receipt["tables"].as_array().unwrap().iter().map(|table| &table["rows"]).collect();
    assert_eq!(tables, [30, 1, 1, 2], "{receipt}");
    assert_eq!((&receipt["patient_id"], &receipt["by"]), (&"P001".into(), &"Cy".into()));
    assert_eq!((&receipt["archives"][0]["rows"], receipt["archives"].as_array().unwrap().len()), (&30.into(), 1));
    assert_eq!(receipt["topics"][0]["topic"], ward.topic());
    assert!(receipt["topics"][0]["until"].is_string() && receipt["topics"][1]["until"].is_null(), "{receipt}");

    assert_eq!(ward.count(), 30);
    assert!(ward.rows("alarms list --patient P001").is_empty());
    assert_eq!((ward.rows("alarms list").len(), ward.rows("patient list").len()), (1, 1));
    let left = ward.run("patient show P001 -o table").well();
    left.shows(&["CHANGED", "Cy", "asked", "Bo", "erased"]);
    for hidden in ["Ada", "sepsis", " 130"] {
        assert!(!ward.run("patient show P001 -o table").output().contains(hidden), "{hidden}");
    }
    ward.run("patient erase P001 --yes").well();
    assert_eq!(ward.count(), 30);
}

pub(crate) fn tables_of_a_newer_vitals_are_read_with_a_note_and_never_written_to<P: Program>(ready: fn(u32) -> P) {
    const VERSIONS: &str = "the tables have schema version 99, this vitals knows version 9";
    let ward = ready(6);
    ward.produce(7);
    ward.consume();
    ward.produce(3);
    ward.make_tables_newer();
    ward.file("in.csv", "P1,2025-10-26T10:30:15+00:00,80,97,,,,\n");
    for words in ["consume --exit-at-end", "init", "import in.csv", "alarms ack P1/a/b --by Anna", "reset --yes"] {
        let refused = ward.run(words).with_code(2).tells(&[VERSIONS, "hint: use the newer vitals"]);
        assert_eq!(refused.output(), "", "{words}");
    }
    for words in ["query", "count", "alarms list", "export -", "audit", "schema show"] {
        ward.run(words).well().tells(&[VERSIONS]);
    }
    assert_eq!(ward.count(), 7);
    for words in ["status -o ndjson", "doctor -o ndjson"] {
        ward.run(words).with_code(1).shows(&[VERSIONS]);
    }
}

pub(crate) fn what_is_older_is_counted_as_expired_by_consume_and_import_and_no_fault_to_an_audit<P: Program>(
    ready: fn(u32) -> P,
) {
    const CONSUME: &str = "consume --exit-at-end --quiet --durability-delay 0";
    const COLUMNS: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature";
    let ward = ready(1);
    let row = |days| {
        let time = chrono::Utc::now() - chrono::TimeDelta::days(days);
        format!("P001,{},70,,,,,\n", time.to_rfc3339())
    };
    ward.file("month.csv", format!("{COLUMNS}\n{}", (0..30).map(row).collect::<String>()));
    ward.done("produce --mode csv --csv month.csv --once --interval 0");
    let set = |keep: &str| ward.run(&format!("retention set --raw {keep} --by Anna --reason test --yes")).well();
    set("10d");
    ward.run(CONSUME).well().tells(&["10 readings stored, 20 expired, 0 refused"]);
    assert_eq!((ward.count(), ward.total_lag()), (10, 0), "what is over is dealt with");
    ward.run("audit").well().tells(&["(rows 10, repeats 0, dead letters 0, expired 20); nothing is missing"]);
    ward.run("import month.csv").well().tells(&["20 of them are older than what is kept"]);
    assert_eq!(ward.count(), 10);
    // What is kept again comes back from the topic.
    set("keep");
    ward.done("group seek --to earliest");
    ward.run(CONSUME).well().tells(&["30 readings stored, 0 refused"]);
    assert_eq!(ward.count(), 30);
    ward.run("audit").well().tells(&["(rows 30, repeats 0, dead letters 0); nothing is missing"]);
}
