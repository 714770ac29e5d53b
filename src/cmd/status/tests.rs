use super::report::{Alarms, Broker, Cluster, Group, Node, Store, Table, Topic};
use super::*;
use crate::store::{ActiveAlarms, SchemaVersion};

fn topic(name: &str, records: i64) -> Topic {
    Topic {
        name: name.to_owned(),
        exists: true,
        partitions: 6,
        replication: 1,
        leaderless: Vec::new(),
        under_replicated: Vec::new(),
        records: Some(records),
    }
}

fn healthy() -> Report {
    let broker = Broker { id: 1, address: Some("localhost:9093".to_owned()), up: true, version: Some("Kafka 4.x") };
    let node = Node {
        address: "127.0.0.1:9042".to_owned(),
        up: true,
        data_center: "datacenter1".to_owned(),
        version: "5.0.8".to_owned(),
    };
    Report {
        healthy: true,
        wrong: Vec::new(),
        brokers_address: "localhost:9093".to_owned(),
        cluster: Some(Cluster { id: Some("5L6g3nShT".to_owned()), controller: Some(1), brokers: vec![broker] }),
        topics: vec![topic("patient.vitals", 1234), topic("patient.vitals.dlq", 2)],
        group: Some(Group { name: "ward".to_owned(), state: Some("Stable".to_owned()), members: 2, lag: Some(0) }),
        store_address: "cassandra://localhost:9042/hospital".to_owned(),
        store: Some(Store::Cassandra {
            keyspace: "hospital".to_owned(),
            replication: Some("SimpleStrategy 1".to_owned()),
            schema_agrees: true,
            schema_version: SchemaVersion { found: 2, known: 2 },
            nodes: vec![node],
            tables: vec![
                Table { name: "patient_vitals", state: "fits" },
                Table { name: "patient_alerts", state: "fits" },
            ],
            alarms: Alarms::default(),
        }),
        retention: Some("readings are kept 30d, minutes for ever, alarms for ever".to_owned()),
        largest: Some("P001 about 1234 rows (92 KiB)".to_owned()),
    }
}

#[test]
fn a_healthy_set_up_fits_on_one_screen() {
    let expected = "\
brokers  localhost:9093, cluster 5L6g3nShT
         1  localhost:9093  up  Kafka 4.x  controller
topics   patient.vitals      6 partitions, 1 copy, 1234 records
         patient.vitals.dlq  6 partitions, 1 copy, 2 records
group    ward  Stable, 2 members, lag 0
store    cassandra://localhost:9042/hospital
         127.0.0.1:9042  up  Cassandra 5.0.8  datacenter1
         SimpleStrategy 1, schema agrees
         tables: patient_vitals fits, patient_alerts fits, version 2 (known: 2)
kept     readings are kept 30d, minutes for ever, alarms for ever
largest  P001 about 1234 rows (92 KiB)

all is well";
    assert_eq!(report::lines(&healthy(), 80).join("\n"), expected);
}

#[test]
fn what_is_wrong_stands_below_with_its_cure() {
    let mut report = healthy();
    report.healthy = false;
    report.topics[0].leaderless = vec![0, 3];
    report.topics[0].records = None;
    report.store = None;
    report.wrong = vec![Problem::new("a thing", "vitals init"), Problem::new("word ".repeat(20).trim(), "wait")];
    let lines = report::lines(&report, 80);
    let text = lines.join("\n");
    assert!(text.contains("6 partitions, 1 copy, ? records, 2 leaderless"), "{text}");
    assert!(text.contains("store    cassandra://localhost:9042/hospital: no answer"), "{text}");
    assert!(text.contains("WRONG  a thing\n  cure vitals init\n"), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn an_embedded_set_up_shows_its_file() {
    let tables = vec![Table { name: "patient_vitals", state: "fits" }];
    let store = Store::Sqlite {
        path: "/data/vitals.db".to_owned(),
        size_bytes: 40_961,
        journal_mode: "wal".to_owned(),
        schema_version: SchemaVersion::default(),
        tables,
        alarms: Alarms { active_alarms: Some(ActiveAlarms { high: 1, medium: 0, low: 2 }), not_counted: None },
    };
    let report = Report { store: Some(store), ..healthy() };
    let text = report::lines(&report, 80).join("\n");
    assert!(text.contains("sqlite:/data/vitals.db\n         41 KiB, log mode wal\n"), "{text}");
    assert!(text.contains("\nalarms   on: 1 *** high, 2 * low\n"), "{text}");
}

#[test]
fn alarms_in_cassandra_are_counted_or_it_is_said_why_they_are_not() {
    let with = |alarms: Alarms| {
        let mut report = healthy();
        if let Some(Store::Cassandra { alarms: place, .. }) = &mut report.store {
            *place = alarms;
        }
        report
    };
    let counted = with(Alarms { active_alarms: Some(ActiveAlarms { high: 0, medium: 3, low: 0 }), not_counted: None });
    let text = report::lines(&counted, 80).join("\n");
    assert!(text.contains("\nalarms   on: 3 ** medium\n"), "{text}");
    let not_counted = with(Alarms { active_alarms: None, not_counted: Some("too slow".to_owned()) });
    let text = report::lines(&not_counted, 80).join("\n");
    assert!(text.contains("\nalarms   not counted: too slow; `vitals alarms list --active` shows them\n"), "{text}");
    let json = serde_json::to_string(&not_counted).unwrap();
    assert!(json.contains(r#","active_alarms":null,"alarms_not_counted":"too slow"},"#), "{json}");
}

#[test]
fn programs_find_every_part_under_its_name() {
    let json = serde_json::to_string(&healthy()).unwrap();
    let expected = concat!(
        r#"{"healthy":true,"wrong":[],"brokers_address":"localhost:9093","#,
        r#""cluster":{"id":"5L6g3nShT","controller":1,"#,
        r#""brokers":[{"id":1,"address":"localhost:9093","up":true,"version":"Kafka 4.x"}]},"#,
        r#""topics":[{"name":"patient.vitals","exists":true,"partitions":6,"replication":1,"leaderless":[],"#,
        r#""under_replicated":[],"records":1234},{"name":"patient.vitals.dlq","exists":true,"partitions":6,"#,
        r#""replication":1,"leaderless":[],"under_replicated":[],"records":2}],"#,
        r#""group":{"name":"ward","state":"Stable","members":2,"lag":0},"#,
        r#""store_address":"cassandra://localhost:9042/hospital","#,
        r#""store":{"kind":"cassandra","keyspace":"hospital","replication":"SimpleStrategy 1","schema_agrees":true,"#,
        r#""schema_version":{"found":2,"known":2},"#,
        r#""nodes":[{"address":"127.0.0.1:9042","up":true,"data_center":"datacenter1","version":"5.0.8"}],"#,
        r#""tables":[{"name":"patient_vitals","state":"fits"},{"name":"patient_alerts","state":"fits"}],"#,
        r#""active_alarms":null},"retention":"readings are kept 30d, minutes for ever, alarms for ever","#,
        r#""largest":"P001 about 1234 rows (92 KiB)"}"#
    );
    assert_eq!(json, expected);
}

#[test]
fn only_where_nothing_answers_at_all_it_is_unreachable() {
    let mut report = healthy();
    assert_eq!(code(&report), Code::Done);
    report.healthy = false;
    assert_eq!(code(&report), Code::Finding);
    report.cluster = None;
    assert_eq!(code(&report), Code::Finding);
    report.store = None;
    assert_eq!(code(&report), Code::Unreachable);
}
