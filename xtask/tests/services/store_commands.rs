//! `vitals export`, `import`, `count`, `schema show` and `reset` on a real Cassandra, beside cqlsh.

use std::fmt::Write as _;
use std::time::Duration;

use crate::peer::cqlsh;
use crate::place;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward, cut, link_to};

const COLUMNS: &str = "patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature, \
                       supplemental_oxygen, consciousness";

/// Rows of several patients with gaps, and ids that have to be quoted.
fn rows(count: u32) -> String {
    let mut text = String::new();
    // From 1: a time without decimals is written without a point.
    for number in 1..=count {
        let patient = ["P001", "P002", "\"Ward 7, \\\"B\\\"\"", "P004"][usize::try_from(number % 4).unwrap()];
        let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
        let (rate, temperature) = (60 + number % 50, f64::from(360 + number % 30) / 10.0);
        let spo2 = if number % 3 == 0 { String::new() } else { (90 + number % 10).to_string() };
        let time = format!("2025-10-26T{hour:02}:{minute:02}:{second:02}.{number:06}+00:00");
        let observed = ["", "true", "false"][usize::try_from(number % 3).unwrap()];
        let state = ["", "", "A", "V"][usize::try_from(number / 4 % 4).unwrap()];
        writeln!(text, "{patient},{time},{rate},{spo2},120,80,,{temperature:.1},{observed},{state}").unwrap();
    }
    text
}

#[test]
fn cqlsh_copies_an_export_in_and_its_own_export_is_imported() {
    let ward = Ward::with_partitions(1);
    ward.file("in.csv", rows(400));
    ward.done("import in.csv");
    ward.done("export ours.csv");

    let theirs = Ward::new();
    theirs.make_by_hand(&[]);
    theirs.done("init");
    theirs.file("ours.csv", ward.read("ours.csv"));
    let table = format!("{}.patient_vitals", theirs.name);
    cqlsh(theirs.path(), &format!("COPY {table} ({COLUMNS}) FROM 'ours.csv' WITH HEADER = TRUE"));
    assert_eq!(theirs.stored(), ward.stored());

    cqlsh(theirs.path(), &format!("COPY {table} TO 'theirs.csv' WITH HEADER = TRUE"));
    cqlsh(theirs.path(), &format!("COPY {table} ({COLUMNS}) TO 'bare.csv'"));
    for file in ["theirs.csv", "bare.csv"] {
        let back = Ward::with_partitions(1);
        back.file(file, theirs.read(file));
        back.done(&format!("import {file}"));
        assert_eq!(back.stored(), ward.stored(), "{file}");
    }
}

#[test]
fn what_was_stored_before_is_given_its_end_when_somebody_asks_and_means_it() {
    let ward = Ward::with_partitions(1);
    let row = |days| {
        let time = chrono::Utc::now() - chrono::TimeDelta::days(days);
        format!("P001,{},70,,,,,\n", time.to_rfc3339())
    };
    let columns = COLUMNS.replace(", ", ",").replace(",supplemental_oxygen,consciousness", "");
    ward.file("month.csv", format!("{columns}\n{}", (1..=30).map(row).collect::<String>()));
    ward.done("import month.csv");
    ward.run("retention apply").well().tells(&["kept for ever", "30 readings of 1 patient: 0 have another end now"]);
    ward.done("retention set --raw 10d --by Anna --reason test --yes");
    assert_eq!(ward.count(), 30);
    let asked = ward.refused("retention apply", 2);
    asked.tells(&["to be deleted: readings in ", "older than 10d", "no terminal to ask at", "--yes"]);
    assert_eq!(ward.count(), 30, "nothing was deleted");
    let applied = ward.run("retention apply --patient P001 --yes").well();
    applied.tells(&["older than 10d of P001", "30 readings of 1 patient: 9 have another end now, 21 were over"]);
    assert_eq!(ward.count(), 9);
    let days = ward.rows("query --patient P001 --every 1d --since -400d --limit 40");
    assert_eq!(days.iter().map(|day| day["n"].as_u64().unwrap()).sum::<u64>(), 30, "their minutes are there: {days:?}");
    ward.run("retention apply --yes").well().tells(&["9 readings of 1 patient: 0 have another end now, 0 were over"]);
}

#[test]
fn a_reset_is_refused_while_members_read_the_topic_and_a_new_topic_is_read_from_its_beginning() {
    let ward = Ward::with_partitions(2);
    ward.send(20);
    let consumer = ward.start("consume --quiet");
    ward.wait_for_no_lag();
    ward.run("reset --yes").with_code(1).tells(&["has members that read the topic"]);
    assert_eq!((ward.count(), ward.rows("lag").len()), (20, 2), "nothing was deleted");

    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
    ward.done("reset --yes");
    ward.done("init --partitions 2");
    ward.send(30);
    ward.consume();
    assert_eq!(ward.count(), 30);
}

#[test]
fn an_import_goes_on_when_its_link_was_cut() {
    let direct = Ward::with_partitions(1);
    let proxy = link_to(&place::own_cassandra());
    let through = Ward { name: direct.name.clone(), cassandra: proxy.address().to_string(), ..Ward::new() };
    let all = rows(10_000);
    let half = all.lines().take(5000).map(str::len).sum::<usize>() + 5000;

    let mut import = through.start("import -");
    import.say(&all[..half]);
    wait_until("rows before the cut", CATCH_UP_LIMIT, || (direct.count() > 0).then_some(()));
    cut(&proxy);
    import.say(&all[half..]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(import.is_running());
    proxy.set(None);
    import.close_stdin();
    import.wait_end(RUN_LIMIT).well();
    assert_eq!(direct.count(), 10_000);
}

#[test]
fn a_table_made_by_hand_is_exported_without_its_further_columns_and_the_schema_tells_how_it_differs() {
    let ward = Ward::new();
    ward.make_by_hand(&[]);
    let table = format!("{}.patient_vitals", ward.name);
    let row = format!("INSERT INTO {table} (patient_id, timestamp, spo2, ward) VALUES ('P1', 't', 97, 'B')");
    cqlsh(ward.path(), &format!("ALTER TABLE {table} ADD ward TEXT; {row}"));
    let exported = ward.run("export --no-header -").well().tells(&["not part of an export: ward"]);
    assert_eq!(exported.stdout, ["P1,t,,97,,,,,,"]);
    ward.run("schema show").well().shows(&[
        "--   it keeps its rows in the order timestamp ASC, not DESC\n",
        "--   it has no column consciousness TEXT\n",
        "--   it has the further column ward TEXT\nCREATE TABLE ",
        "patient_alerts: missing; `vitals init` makes it",
    ]);
}

#[test]
fn what_is_shown_of_the_schema_makes_the_same_tables_again() {
    let ward = Ward::with_partitions(1);
    let shown = ward.done("schema show");
    let keyspace = format!("KEYSPACE {}", ward.name);
    ward.file("schema.cql", shown.replace(&keyspace, &format!("KEYSPACE IF NOT EXISTS {}", ward.name)));
    ward.done("reset --only store --yes");
    cqlsh(ward.path(), "SOURCE 'schema.cql'");
    let again = ward.rows("schema show");
    assert!(again.iter().all(|part| part["state"] == "as_made"), "{again:?}");
    assert_eq!(ward.done("schema show"), shown);
}
