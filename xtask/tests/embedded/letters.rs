//! Refused messages that their dead-letter topic does not take as they are: they hold up nobody, and lose no byte.

use bytes::Bytes;
use vitals::record::{Header, Record};

use super::home::{DEAD_LETTERS, Home, TOPIC};
use super::records::{all, header, message, record, send};
use crate::program::Program as _;
use crate::running::Ended;

/// What nothing compresses: the same for the same length.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::try_from(length).unwrap();
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// A home with a broker and two topics, whose settings others have chosen.
fn ready(of_topic: &str, of_letters: &str) -> Home {
    let home = Home::up();
    for (name, settings) in [(TOPIC, of_topic), (DEAD_LETTERS, of_letters)] {
        home.done(&format!("topic create {name} --partitions 1 {settings}"));
    }
    home.done("init");
    home
}

fn reading() -> Record {
    record("P1", r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#)
}

fn raw(home: &Home, place: &str) -> Vec<u8> {
    let shown = home.command(&format!("dlq show {place} --raw")).output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    shown.stdout
}

/// Consumes `refused` with a reading behind it, and replays its letter: what comes back is what was sent.
fn kept_whole(home: &Home, refused: &Record) -> Ended {
    let place = format!("0:{}", all(home, TOPIC).len());
    send(home, TOPIC, 0, &[refused.clone(), reading()]);
    let told = home.consume();
    assert_eq!(home.total_lag(), 0, "{}", told.talk());
    assert_eq!(home.rows("query --patient P1").len(), 1, "the reading behind it");
    assert!(raw(home, &place) == refused.value.as_deref().unwrap_or_default(), "the value of {place}, byte for byte");
    assert_eq!(home.run("audit").well().tells(&["nothing is missing"]).output(), "");
    let sent = home.rows(&format!("dlq replay --force --offsets {place}-{}", &place[2..]));
    assert_eq!(sent.len(), 1, "{sent:?}");
    let again = all(home, TOPIC).pop().expect("it was sent again");
    assert!((again.key == refused.key) && (again.value == refused.value), "key and value, byte for byte");
    assert!(again.headers == refused.headers, "headers, byte for byte");
    told
}

#[test]
fn a_message_that_leaves_no_room_for_the_headers_of_its_letter_is_kept_in_parts() {
    let home = ready("", "");
    let header = Header { key: Bytes::from_static(b"\xff"), value: None };
    let largest = message(None, Some(noise(1_048_588 - 90)), vec![header]);
    kept_whole(&home, &largest).tells(&[
        "0:0 of 'patient.vitals' is kept in 2 parts",
        "'patient.vitals.dlq' takes 1048588 bytes",
        "max.message.bytes",
    ]);
}

#[test]
fn whatever_of_a_message_is_too_large_for_its_dead_letters_is_kept() {
    let home = ready("-c max.message.bytes=5000000", "-c max.message.bytes=100000");
    let large = || Some(noise(250_000));
    let header = |value| Header { key: Bytes::from_static(b"ward"), value };
    kept_whole(&home, &message(Some(noise(1_000)), large(), vec![header(None)]));
    kept_whole(&home, &message(large(), None, Vec::new()));
    kept_whole(&home, &message(None, Some(Bytes::new()), vec![header(large()), header(None), header(large())]));
    // It is sent compressed, and is larger than its topic's limit without that.
    kept_whole(&home, &message(None, Some(vec![b'{'; 6_000_000].into()), Vec::new()));
    // Many that fit one by one, and not together.
    let some: Vec<_> = (1..20).map(|number| message(None, Some(noise(20_000 + number)), Vec::new())).collect();
    send(&home, TOPIC, 0, &some);
    home.consume();
    assert_eq!(home.rows("dlq list").len(), 8 + some.len());
}

#[test]
fn a_message_that_looks_like_a_part_is_kept_as_it_is() {
    let home = ready("", "");
    let headers = [("vitals.part", "1"), ("vitals.parts", "2"), ("vitals.whole", "x"), ("vitals.reason", "mine")];
    let headers = headers.map(|(key, value)| header(key, value)).into();
    kept_whole(&home, &message(None, Some(Bytes::from_static(b"{")), headers));
}

#[test]
fn dead_letters_that_are_compacted_keep_each_message_under_a_key_of_its_own() {
    let home = ready("", "-c cleanup.policy=compact");
    kept_whole(&home, &message(None, Some(Bytes::from_static(b"{")), Vec::new()));
    kept_whole(&home, &message(Some(Bytes::from_static(b"P1")), None, Vec::new()));
    let mut keys: Vec<_> = all(&home, DEAD_LETTERS).into_iter().map(|record| record.key.unwrap()).collect();
    let count = keys.len();
    keys.dedup();
    assert!(count >= 2 && keys.len() == count, "{keys:?}");
}

#[test]
fn half_a_letter_is_told_and_never_shown_or_replayed() {
    let home = ready("-c max.message.bytes=5000000", "-c max.message.bytes=100000");
    send(&home, TOPIC, 0, &[message(None, Some(noise(250_000)), Vec::new()), message(None, None, Vec::new())]);
    home.consume();
    let kept = all(&home, DEAD_LETTERS);
    let parts: Vec<_> = kept.iter().filter(|record| record.headers.len() == 7).cloned().collect();
    assert_eq!((kept.len(), parts.len()), (4, 3));
    let made_of = |parts: &[Record]| {
        home.done(&format!("topic delete {DEAD_LETTERS} --yes"));
        home.done(&format!("topic create {DEAD_LETTERS} --partitions 1"));
        send(&home, DEAD_LETTERS, 0, parts);
    };

    made_of(&[parts[2].clone(), parts[0].clone(), parts[2].clone()]);
    for (words, code, told) in [
        ("dlq show 0:0", 3, "parts found: 2 of 3"),
        ("dlq list -o ndjson", 0, "1 dead letter; parts found of 0:0: 2 of 3"),
        ("dlq replay -o ndjson", 0, "1 dead letter; parts found of 0:0: 2 of 3"),
    ] {
        assert_eq!(home.run(words).with_code(code).tells(&[told]).output(), "", "{words}");
    }
    home.run("audit -o ndjson").with_code(1).shows(&[r#""offset":0"#, "no_letter"]);

    // In another order, and some twice.
    made_of(&[1, 2, 1, 0, 2].map(|at: usize| parts[at].clone()));
    assert!(raw(&home, "0:0") == noise(250_000));
    let part = "LETTER of patient.vitals 0:0, part 1 of 3, refused: ";
    home.run(&format!("topic tail {DEAD_LETTERS} -o table")).well().shows(&[part]);
}

#[test]
fn dead_letters_that_take_less_than_their_source_are_told_with_what_mends_it() {
    let home = ready("-c max.message.bytes=5000000", "");
    let init = home.run("init").well();
    let status = home.run("status").with_code(1);
    let doctor = home.run("doctor -o ndjson");
    for told in [init.talk(), status.output(), doctor.output()] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [
            "'patient.vitals.dlq' takes 1048588 bytes at once",
            "and 'patient.vitals' 5000000",
            "max.message.bytes of 'patient.vitals.dlq' to 5001024 or more",
        ] {
            assert!(told.contains(expected), "{told}");
        }
    }
    doctor.shows(&[r#""check":"letter_size","verdict":"warn""#]);
}

#[test]
fn dead_letters_that_are_made_take_more_than_their_source() {
    let home = Home::up();
    home.done(&format!("topic create {TOPIC} --partitions 1 -c max.message.bytes=12000000"));
    let told = home.run("init").well().talk();
    assert!(!told.contains("max.message.bytes"), "{told}");
    let described = || home.run(&format!("topic describe {DEAD_LETTERS} -o table")).well();
    described().shows(&["12001024"]);
    home.done(&format!("topic delete {DEAD_LETTERS} --yes"));
    send(&home, TOPIC, 0, &[message(None, Some(noise(11_999_900)), Vec::new())]);
    home.consume();
    described().shows(&["12001024"]);
    assert_eq!(all(&home, DEAD_LETTERS).len(), 1, "in one piece");
}
