//! `vitals init`: what it makes, once, whoever asks and how often.

use std::collections::BTreeMap;

use crate::peer;
use crate::running::RUN_LIMIT;
use crate::ward::Ward;

/// What `init` says by part.
fn parts(lines: &[String]) -> BTreeMap<String, String> {
    lines.iter().map(|line| line.split_once(": ").unwrap()).map(|(part, how)| (part.into(), how.into())).collect()
}

#[test]
fn init_makes_everything_and_the_second_time_says_that_it_was_there() {
    let ward = Ward::new();
    let first = parts(&ward.run("init --partitions 3").well().stdout);
    let second = parts(&ward.run("init --partitions 3").well().stdout);

    let name = &ward.name;
    let in_store =
        ["schema_migrations", "patient_vitals", "patient_alerts"].map(|table| format!("table {name}.{table}"));
    let topics = [format!("topic {name}"), format!("topic {name}.dlq")];
    let mut expected: BTreeMap<_, _> = in_store.into_iter().map(|part| (part, "made".to_owned())).collect();
    expected.insert(format!("keyspace {name}"), "made".to_owned());
    expected.extend(topics.map(|part| (part, "made (3 partitions)".to_owned())));
    assert_eq!(first, expected);
    for how in expected.values_mut() {
        *how = how.replace("made", "was there");
    }
    assert_eq!(second, expected);
    assert_eq!(described(&ward)[name]["partitions"], 3);
}

#[test]
fn a_topic_with_other_partitions_stays_and_its_number_is_said() {
    let ward = Ward::with_partitions(2);
    let again = parts(&ward.run("init --partitions 5").well().stdout);
    assert_eq!(again[&format!("topic {}", ward.name)], "was there (2 partitions)");
    assert_eq!(described(&ward)[&ward.name]["partitions"], 2);
}

#[test]
fn several_init_at_once_make_every_part_once() {
    let ward = Ward::new();
    let runs: Vec<_> = (0..3).map(|_| ward.start("init --partitions 4")).collect();
    let mut made = BTreeMap::new();
    for run in runs {
        for (part, how) in parts(&run.wait_end(RUN_LIMIT).well().stdout) {
            *made.entry(part).or_insert(0) += u32::from(how.starts_with("made"));
        }
    }
    assert_eq!(made.len(), 6, "{made:?}");
    assert!(made.values().all(|times| *times == 1), "{made:?}");
}

#[test]
fn dead_letters_are_kept_without_time_limit_and_may_be_larger_than_messages() {
    let ward = Ward::with_partitions(3);
    let topics = described(&ward);
    let letters = &topics[&ward.dead_letter_topic()];
    assert_eq!(letters["partitions"], 3);
    assert_eq!(letters["retention.ms"], "-1");
    let bytes = |topic: &str| topics[topic]["max.message.bytes"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(bytes(&ward.dead_letter_topic()) > bytes(&ward.name));
}

/// Partitions and settings of the ward's two topics, as another client sees them.
fn described(ward: &Ward) -> serde_json::Value {
    let described = peer::python("topics.py", &[&ward.brokers, "describe", &ward.name, &ward.dead_letter_topic()]);
    serde_json::from_str(&described).unwrap()
}
