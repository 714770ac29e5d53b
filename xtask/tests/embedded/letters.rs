//! Refused messages that their dead-letter topic does not take as they are: they hold up nobody, and lose no byte.

use bytes::Bytes;
use serde_json::Value;
use vitals::kafka::append::append;
use vitals::kafka::cluster::Cluster;
use vitals::kafka::error::KafkaError;
use vitals::kafka::history::{self, History};
use vitals::record::{Header, Record};

use super::commands::{Home, Up, done, text};

const TOPIC: &str = "patient.vitals";
const LETTERS: &str = "patient.vitals.dlq";

/// What nothing compresses: the same for the same length.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::try_from(length).expect("64 bits");
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// A home with a broker and two topics, whose settings others have chosen.
fn ready(of_topic: &[&str], of_letters: &[&str]) -> (Home, Up) {
    let home = Home::new();
    let up = home.up();
    for (name, settings) in [(TOPIC, of_topic), (LETTERS, of_letters)] {
        let settings = settings.iter().flat_map(|setting| ["-c", setting]);
        let words: Vec<_> = ["topic", "create", name, "--partitions", "1"].into_iter().chain(settings).collect();
        done(&home.run_embedded(&words));
    }
    done(&home.run_embedded(&["init"]));
    (home, up)
}

fn message(key: Option<Bytes>, value: Option<Bytes>, headers: Vec<Header>) -> Record {
    Record { offset: 0, timestamp_ms: 1_761_474_615_123, key, value, headers, fault: None }
}

fn reading() -> Record {
    let value = br#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;
    message(Some(Bytes::from_static(b"P1")), Some(Bytes::from_static(value)), Vec::new())
}

fn run<T>(future: impl Future<Output = Result<T, KafkaError>>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future).expect("done")
}

fn send(up: &Up, topic: &str, records: &[Record]) {
    run(async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await?;
        let leaders = cluster.leaders(topic).await?;
        for record in records {
            append(&mut cluster, &leaders, topic, 0, std::slice::from_ref(record), "a message").await?;
        }
        Ok(())
    });
}

fn records(up: &Up, topic: &str) -> Vec<Record> {
    run(async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await?;
        let everything = history::everything(&mut cluster, topic).await?;
        let mut history = History::open(&mut cluster, topic, &everything).await?;
        let mut records = Vec::new();
        while let Some((_, record)) = history.next().await? {
            records.push(record);
        }
        Ok(records)
    })
}

/// What `consume` tells.
fn consume(home: &Home) -> String {
    let ended = home.run_embedded(&["consume", "--exit-at-end", "--quiet"]);
    done(&ended);
    text(&ended.stderr)
}

fn rows(home: &Home, args: &[&str]) -> Vec<Value> {
    let lines = done(&home.run_embedded(&[args, &["-o", "ndjson"]].concat()));
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Consumes `refused` with a reading behind it, and replays its letter: what comes back is what was sent.
fn kept_whole(home: &Home, up: &Up, refused: &Record) -> String {
    let place = format!("0:{}", records(up, TOPIC).len());
    send(up, TOPIC, &[refused.clone(), reading()]);
    let told = consume(home);
    assert!(rows(home, &["lag"]).iter().all(|row| row["lag"] == 0), "{told}");
    assert_eq!(rows(home, &["query", "--patient", "P1"]).len(), 1, "the reading behind it");
    let raw = home.run_embedded(&["dlq", "show", &place, "--raw"]);
    done(&raw);
    assert!(raw.stdout == refused.value.as_deref().unwrap_or_default(), "the value of {place}, byte for byte");
    let audited = home.run_embedded(&["audit"]);
    assert!(done(&audited).is_empty() && text(&audited.stderr).contains("nothing is missing"));
    let offsets = format!("{place}-{}", &place[2..]);
    let sent = rows(home, &["dlq", "replay", "--force", "--offsets", &offsets]);
    assert_eq!(sent.len(), 1, "{sent:?}");
    let again = records(up, TOPIC).pop().expect("it was sent again");
    assert!((again.key == refused.key) && (again.value == refused.value), "key and value, byte for byte");
    assert!(again.headers == refused.headers, "headers, byte for byte");
    told
}

#[test]
fn a_message_that_leaves_no_room_for_the_headers_of_its_letter_is_kept_in_parts() {
    let (home, up) = ready(&[], &[]);
    let header = Header { key: Bytes::from_static(b"\xff"), value: None };
    let largest = message(None, Some(noise(1_048_588 - 90)), vec![header]);
    let told = kept_whole(&home, &up, &largest);
    assert!(told.contains("0:0 of 'patient.vitals' is kept in 2 parts"), "{told}");
    assert!(told.contains("'patient.vitals.dlq' takes 1048588 bytes") && told.contains("max.message.bytes"), "{told}");
}

#[test]
fn whatever_of_a_message_is_too_large_for_its_dead_letters_is_kept() {
    let (home, up) = ready(&["max.message.bytes=5000000"], &["max.message.bytes=100000"]);
    let large = || Some(noise(250_000));
    let header = |value| Header { key: Bytes::from_static(b"ward"), value };
    kept_whole(&home, &up, &message(Some(noise(1_000)), large(), vec![header(None)]));
    kept_whole(&home, &up, &message(large(), None, Vec::new()));
    kept_whole(&home, &up, &message(None, Some(Bytes::new()), vec![header(large()), header(None), header(large())]));
    // It is sent compressed, and is larger than its topic's limit without that.
    kept_whole(&home, &up, &message(None, Some(vec![b'{'; 6_000_000].into()), Vec::new()));
    // Many that fit one by one, and not together.
    let some: Vec<_> = (1..20).map(|number| message(None, Some(noise(20_000 + number)), Vec::new())).collect();
    send(&up, TOPIC, &some);
    consume(&home);
    assert_eq!(rows(&home, &["dlq", "list"]).len(), 8 + some.len());
}

#[test]
fn a_message_that_looks_like_a_part_is_kept_as_it_is() {
    let (home, up) = ready(&[], &[]);
    let headers = [("vitals.part", "1"), ("vitals.parts", "2"), ("vitals.whole", "x"), ("vitals.reason", "mine")];
    let header = |(key, value): (&'static str, &'static str)| Header { key: key.into(), value: Some(value.into()) };
    kept_whole(&home, &up, &message(None, Some(Bytes::from_static(b"{")), headers.map(header).into()));
}

#[test]
fn dead_letters_that_are_compacted_keep_each_message_under_a_key_of_its_own() {
    let (home, up) = ready(&[], &["cleanup.policy=compact"]);
    kept_whole(&home, &up, &message(None, Some(Bytes::from_static(b"{")), Vec::new()));
    kept_whole(&home, &up, &message(Some(Bytes::from_static(b"P1")), None, Vec::new()));
    let mut keys: Vec<_> = records(&up, LETTERS).into_iter().map(|record| record.key.expect("a key")).collect();
    let count = keys.len();
    keys.dedup();
    assert!(count >= 2 && keys.len() == count, "{keys:?}");
}

#[test]
fn half_a_letter_is_told_and_never_shown_or_replayed() {
    let (home, up) = ready(&["max.message.bytes=5000000"], &["max.message.bytes=100000"]);
    send(&up, TOPIC, &[message(None, Some(noise(250_000)), Vec::new()), message(None, None, Vec::new())]);
    consume(&home);
    let kept = records(&up, LETTERS);
    let parts: Vec<_> = kept.iter().filter(|record| record.headers.len() == 7).cloned().collect();
    assert_eq!((kept.len(), parts.len()), (4, 3));
    let made_of = |parts: &[Record]| {
        done(&home.run_embedded(&["topic", "delete", LETTERS, "--yes"]));
        done(&home.run_embedded(&["topic", "create", LETTERS, "--partitions", "1"]));
        send(&up, LETTERS, parts);
    };

    made_of(&[parts[2].clone(), parts[0].clone(), parts[2].clone()]);
    let shown = home.run_embedded(&["dlq", "show", "0:0"]);
    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(3), 0));
    assert!(text(&shown.stderr).contains("parts found: 2 of 3"), "{}", text(&shown.stderr));
    for action in ["list", "replay"] {
        let ended = home.run_embedded(&["dlq", action, "-o", "ndjson"]);
        assert_eq!(done(&ended), "");
        assert!(text(&ended.stderr).contains("1 dead letter; parts found of 0:0: 2 of 3"), "{}", text(&ended.stderr));
    }
    let audited = home.run_embedded(&["audit", "-o", "ndjson"]);
    assert_eq!(audited.status.code(), Some(1));
    assert!(text(&audited.stdout).contains(r#""offset":0"#) && text(&audited.stdout).contains("no_letter"));

    // In another order, and some twice.
    made_of(&[1, 2, 1, 0, 2].map(|at: usize| parts[at].clone()));
    let raw = home.run_embedded(&["dlq", "show", "0:0", "--raw"]);
    assert!(raw.status.success() && raw.stdout == noise(250_000), "{}", text(&raw.stderr));
    let tail = done(&home.run_embedded(&["topic", "tail", LETTERS, "-o", "table"]));
    assert!(tail.contains("LETTER of patient.vitals 0:0, part 1 of 3, refused: "), "{tail}");
}

#[test]
fn dead_letters_that_take_less_than_their_source_are_told_with_what_mends_it() {
    let (home, _up) = ready(&["max.message.bytes=5000000"], &[]);
    let init = home.run_embedded(&["init"]);
    done(&init);
    let status = home.run_embedded(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    let doctor = home.run_embedded(&["doctor", "-o", "ndjson"]);
    for told in [text(&init.stderr), text(&status.stdout), text(&doctor.stdout)] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("'patient.vitals.dlq' takes 1048588 bytes at once"), "{told}");
        assert!(told.contains("and 'patient.vitals' 5000000"), "{told}");
        assert!(told.contains("max.message.bytes of 'patient.vitals.dlq' to 5001024 or more"), "{told}");
    }
    assert!(text(&doctor.stdout).contains(r#""check":"letter_size","verdict":"warn""#));
}

#[test]
fn dead_letters_that_are_made_take_more_than_their_source() {
    let home = Home::new();
    let up = home.up();
    let create = ["topic", "create", TOPIC, "--partitions", "1", "-c", "max.message.bytes=12000000"];
    done(&home.run_embedded(&create));
    let init = home.run_embedded(&["init"]);
    done(&init);
    assert!(!text(&init.stderr).contains("max.message.bytes"), "{}", text(&init.stderr));
    let letters_take = || {
        let described = done(&home.run_embedded(&["topic", "describe", LETTERS, "-o", "table"]));
        assert!(described.contains("12001024"), "{described}");
    };
    letters_take();
    done(&home.run_embedded(&["topic", "delete", LETTERS, "--yes"]));
    send(&up, TOPIC, &[message(None, Some(noise(11_999_900)), Vec::new())]);
    consume(&home);
    letters_take();
    assert_eq!(records(&up, LETTERS).len(), 1, "in one piece");
}
