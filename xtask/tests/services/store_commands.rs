//! `vitals export`, `import`, `count`, `schema show` and `reset` on a real Cassandra, beside cqlsh.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::running::{RUN_LIMIT, Running, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward, cut, link_to};
use crate::{peer, place};

/// cqlsh starts several processes to copy, which takes its time on a busy machine.
const CQLSH_LIMIT: Duration = Duration::from_secs(90);

const COLUMNS: &str = "patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature";

/// Runs a statement of cqlsh in the ward's folder, and gives what it printed.
pub(crate) fn cqlsh(ward: &Ward, statement: &str) -> String {
    let node = place::cassandra();
    let (host, port) = node.rsplit_once(':').unwrap();
    let mut command = Command::new(place::python().with_file_name("cqlsh"));
    command.args([host, port, "-e", statement]).current_dir(ward.folder.path());
    let ended = Running::start("cqlsh", &mut command).wait_end(CQLSH_LIMIT).well();
    assert!(
        !ended.talk().contains("Error") && !ended.output().contains("Failed"),
        "{}{}",
        ended.output(),
        ended.talk()
    );
    ended.output()
}

/// Rows of several patients with gaps, and ids that have to be quoted.
fn rows(count: u32) -> String {
    let mut text = String::new();
    // From 1: a time without decimals is written without a point.
    for number in 1..=count {
        let patient = ["P001", "P002", "\"Ward 7, \\\"B\\\"\"", "P004"][usize::try_from(number % 4).unwrap()];
        let (minute, second) = (number / 60 % 60, number % 60);
        let temperature = f64::from(360 + number % 30) / 10.0;
        let spo2 = if number % 3 == 0 { String::new() } else { (90 + number % 10).to_string() };
        writeln!(
            text,
            "{patient},2025-10-26T{:02}:{minute:02}:{second:02}.{number:06}+00:00,{},{spo2},120,80,,{temperature:.1}",
            number / 3600,
            60 + number % 50
        )
        .unwrap();
    }
    text
}

fn read(ward: &Ward, file: &str) -> String {
    std::fs::read_to_string(ward.folder.path().join(file)).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn cqlsh_copies_an_export_in_and_its_own_export_is_imported() {
    let ward = Ward::with_partitions(1);
    ward.file("in.csv", rows(400));
    ward.run("import in.csv").well();
    ward.run("export ours.csv").well();

    let theirs = Ward::new();
    peer::python("by_hand.py", &[&place::cassandra(), &theirs.name]);
    std::fs::copy(ward.folder.path().join("ours.csv"), theirs.folder.path().join("ours.csv")).unwrap();
    cqlsh(&theirs, &format!("COPY {}.patient_vitals ({COLUMNS}) FROM 'ours.csv' WITH HEADER = TRUE", theirs.name));
    assert_eq!(theirs.stored(), ward.stored());

    cqlsh(&theirs, &format!("COPY {}.patient_vitals TO 'theirs.csv' WITH HEADER = TRUE", theirs.name));
    cqlsh(&theirs, &format!("COPY {}.patient_vitals ({COLUMNS}) TO 'bare.csv'", theirs.name));
    for file in ["theirs.csv", "bare.csv"] {
        let back = Ward::with_partitions(1);
        std::fs::copy(theirs.folder.path().join(file), back.folder.path().join(file)).unwrap();
        back.run(&format!("import {file}")).well();
        assert_eq!(back.stored(), ward.stored(), "{file}");
    }
}

#[test]
fn export_reset_init_and_import_give_the_same_bytes_again() {
    let ward = Ward::with_partitions(1);
    ward.file("in.csv", rows(5000));
    ward.run("import in.csv").well();
    ward.run("export first.csv").well();
    assert_eq!(sorted(&read(&ward, "first.csv"))[..5000], sorted(&rows(5000))[..]);
    ward.send(3);
    let reset = ward.run("reset --yes").well();
    assert!(reset.talk().contains("3 records") && reset.talk().contains("5000 readings"), "{}", reset.talk());
    assert_eq!(ward.run("count").code, Some(2), "the table is gone");
    ward.run("init").well();
    ward.run("import first.csv").well();
    ward.run("import first.csv").well();
    ward.run("export second.csv").well();
    assert!(read(&ward, "first.csv") == read(&ward, "second.csv"));
    assert_eq!(ward.run("count -o csv").well().stdout, ["rows", "5000"]);
}

#[test]
fn a_reset_is_refused_while_members_read_the_topic_and_a_new_topic_is_read_from_its_beginning() {
    let ward = Ward::with_partitions(2);
    ward.send(20);
    let consumer = ward.start("consume --quiet");
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    let refused = ward.run("reset --yes").with_code(1);
    assert!(refused.talk().contains("has members that read the topic"), "{}", refused.talk());
    assert_eq!(ward.run("count -o csv").well().stdout, ["rows", "20"], "nothing was deleted");
    assert_eq!(ward.lag().len(), 2);

    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
    ward.run("reset --yes").well();
    ward.run("init --partitions 2").well();
    ward.send(30);
    ward.run("consume --exit-at-end --quiet").well();
    assert_eq!(ward.run("count -o csv").well().stdout, ["rows", "30"]);
}

#[test]
fn an_import_goes_on_when_its_link_was_cut() {
    let direct = Ward::with_partitions(1);
    let proxy = link_to(&place::cassandra());
    let through = Ward { name: direct.name.clone(), cassandra: proxy.address().to_string(), ..Ward::new() };
    let all = rows(10_000);
    let half = all.lines().take(5000).map(str::len).sum::<usize>() + 5000;

    let mut import = through.start("import -");
    import.say(&all[..half]);
    let some = || direct.run("count -o csv").well().stdout[1] != "0";
    wait_until("rows before the cut", CATCH_UP_LIMIT, || some().then_some(()));
    cut(&proxy);
    import.say(&all[half..]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(import.is_running());
    proxy.set(None);
    import.close_stdin();
    import.wait_end(RUN_LIMIT).well();
    assert_eq!(direct.run("count -o csv").well().stdout, ["rows", "10000"]);
}

#[test]
fn a_table_made_by_hand_is_exported_without_its_further_columns_and_the_schema_tells_how_it_differs() {
    let ward = Ward::new();
    peer::python("by_hand.py", &[&place::cassandra(), &ward.name]);
    cqlsh(
        &ward,
        &format!(
            "ALTER TABLE {0}.patient_vitals ADD ward TEXT; \
             INSERT INTO {0}.patient_vitals (patient_id, timestamp, spo2, ward) VALUES ('P1', 't', 97, 'B')",
            ward.name
        ),
    );
    let exported = ward.run("export --no-header -").well();
    assert_eq!(exported.stdout, ["P1,t,,97,,,,"]);
    assert!(exported.talk().contains("not part of an export: ward"), "{}", exported.talk());
    let schema = ward.run("schema show").well().output();
    for expected in [
        "--   it keeps its rows in the order timestamp ASC, not DESC\n",
        "--   it has the further column ward TEXT\nCREATE TABLE ",
        "patient_alerts: missing; `vitals init` makes it",
    ] {
        assert!(schema.contains(expected), "{expected} in\n{schema}");
    }
}

#[test]
fn what_is_shown_of_the_schema_makes_the_same_tables_again() {
    let ward = Ward::with_partitions(1);
    let shown = ward.run("schema show").well().output();
    ward.file(
        "schema.cql",
        shown.replace(&format!("KEYSPACE {}", ward.name), &format!("KEYSPACE IF NOT EXISTS {}", ward.name)),
    );
    ward.run("reset --only store --yes").well();
    cqlsh(&ward, "SOURCE 'schema.cql'");
    let again = ward.run("schema show -o ndjson").well();
    assert!(again.stdout.iter().all(|line| line.contains("\"state\":\"as_made\"")), "{}", again.output());
    assert_eq!(ward.run("schema show").well().output(), shown);
}

#[test]
fn an_absent_cassandra_is_told_within_five_seconds_and_leaves_no_file() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ward = Ward { cassandra: closed.to_string(), ..Ward::new() };
    ward.file("in.csv", rows(3));
    for words in ["count", "schema show", "export out.csv", "import in.csv", "reset --only store --yes"] {
        let ended = ward.run(words).with_code(4);
        assert!(ended.lasted < Duration::from_secs(6), "{words}: {:?}", ended.lasted);
        assert!(ended.talk().contains("hint: "), "{words}: {}", ended.talk());
    }
    assert!(std::fs::read_dir(ward.folder.path()).unwrap().count() == 1, "only the file to import");
}

#[test]
fn tables_of_a_newer_vitals_are_read_with_a_note_and_never_written_to() {
    const VERSIONS: &str = "the tables have schema version 3, this vitals knows version 2";
    let ward = Ward::with_partitions(1);
    ward.send(7);
    ward.run("consume --exit-at-end --quiet").well();
    cqlsh(&ward, &format!("INSERT INTO {}.schema_migrations (version, name) VALUES (3, 'of tomorrow')", ward.name));
    ward.file("in.csv", rows(3));
    for words in ["consume --exit-at-end", "init", "import in.csv", "reset --yes"] {
        let refused = ward.run(words).with_code(2);
        assert!(refused.talk().contains(VERSIONS), "{words}: {}", refused.talk());
        assert!(refused.talk().contains("hint: use the newer vitals"), "{words}: {}", refused.talk());
    }
    for words in ["query", "count", "export -", "audit", "schema show"] {
        assert!(ward.run(words).well().talk().contains(VERSIONS), "{words}");
    }
    assert_eq!(ward.stored().len(), 7);
    for words in ["status -o ndjson", "doctor -o ndjson"] {
        assert!(ward.run(words).with_code(1).output().contains(VERSIONS), "{words}");
    }
}
