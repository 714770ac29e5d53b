//! The topic and its dead letters.

use chrono::{DateTime, TimeDelta, Utc};

use super::check::Sheet;
use crate::diagnose::{self, Finding, Problem, command};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letters;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{self, Sample, TopicState};
use crate::output::counted;
use crate::settings::Settings;

const TOPIC: &str = "topic";
const PARTITIONS: &str = "partitions";
const KEYS: &str = "keys";
const DEAD_LETTERS: &str = "dead_letters";
/// Only where the dead letters take less than their source.
const LETTER_SIZE: &str = "letter_size";
/// The clocks of those who send.
pub(super) const CLOCK: &str = "clock";

pub(super) const CHECKS: [&str; 4] = [TOPIC, PARTITIONS, KEYS, DEAD_LETTERS];

/// Clocks that are kept by NTP are nearer than this.
const MAX_AHEAD: TimeDelta = TimeDelta::seconds(5);

/// Gives the sample of the last records, for the clocks.
pub(super) async fn examine(settings: &Settings, cluster: &mut Cluster, sheet: &mut Sheet) -> Option<Sample> {
    let sample = readings(settings, cluster, sheet).await;
    dead_letters(settings, cluster, sheet).await;
    sample
}

async fn readings(settings: &Settings, cluster: &mut Cluster, sheet: &mut Sheet) -> Option<Sample> {
    let state = match described(cluster, &settings.topic).await {
        Ok(state) => state,
        Err(KafkaError::NoTopic { .. }) => {
            let wrong = diagnose::topic::missing(&settings.topic, settings);
            sheet.fail(TOPIC, wrong, "there is nothing to send to, and nothing to read");
            return None;
        }
        Err(error) => {
            sheet.fail_of(TOPIC, &error, "there is nothing to send to, and nothing to read");
            return None;
        }
    };
    let records = state.records().map(|records| format!(", {}", counted(records, "record"))).unwrap_or_default();
    sheet.ok(TOPIC, format!("{} is there{records}", state.name));
    partitions(&state, sheet);
    match topics::sample(cluster, &state).await {
        Ok(sample) => {
            keys(&sample, &state, sheet);
            Some(sample)
        }
        Err(error) => {
            sheet.fail_of(KEYS, &error, "what was sent cannot be read");
            None
        }
    }
}

async fn described(cluster: &mut Cluster, name: &str) -> Result<TopicState, KafkaError> {
    let mut state = topics::describe(cluster, name).await?;
    topics::measure(cluster, std::slice::from_mut(&mut state)).await;
    Ok(state)
}

fn partitions(state: &TopicState, sheet: &mut Sheet) {
    match diagnose::topic::copies(state).into_iter().next() {
        Some(Finding::Well(_)) if state.partitions.len() == 1 => {
            let fix = "vitals init --partitions 6 --topic OTHER, and send there";
            let wrong = Problem::new("the topic has one partition", fix);
            sheet.warn(PARTITIONS, wrong, "only one member of the group can read at a time");
        }
        Some(worst) => sheet.note(PARTITIONS, worst),
        None => {}
    }
}

fn keys(sample: &Sample, state: &TopicState, sheet: &mut Sheet) {
    let why = "alarm state needs all messages of a patient in one partition, in order";
    let Sample { records, unkeyed, misplaced, .. } = *sample;
    let alone = state.partitions.len() == 1;
    if records == 0 {
        sheet.ok(KEYS, "the topic is empty");
    } else if unkeyed > 0 && !alone {
        let what = format!("of the last {} {unkeyed} have no key", counted(records, "message"));
        let cure = "send with the patient's id as the key, as `vitals produce` does";
        sheet.warn(KEYS, Problem::new(what, cure), why);
    } else if misplaced > 0 {
        let what = format!(
            "of the last {}, so many are in another partition than their key says: {misplaced}",
            counted(records, "message")
        );
        let cure =
            "let senders place keys by murmur2, as Java and kafka-python do (librdkafka: partitioner=murmur2_random)";
        sheet.warn(KEYS, Problem::new(what, cure), why);
    } else {
        sheet.ok(KEYS, format!("the last {} each lie where their key belongs", counted(records, "message")));
    }
}

async fn dead_letters(settings: &Settings, cluster: &mut Cluster, sheet: &mut Sheet) {
    if let Ok(Some(less)) = dead_letters::compare(cluster, &settings.topic).await {
        let why = "a message in parts is for `vitals dlq` alone: other programs have to join it";
        sheet.warn(LETTER_SIZE, Problem::new(less.to_string(), less.fix()), why);
    }
    let name = dead_letter_topic(&settings.topic);
    match described(cluster, &name).await.map(|state| state.records()) {
        Ok(Some(0) | None) => sheet.ok(DEAD_LETTERS, format!("{name} is there")),
        Ok(Some(records)) => {
            let count = counted(records, "refused message");
            let cure = command(settings, &format!("topic tail {name}"));
            sheet.warn(DEAD_LETTERS, Problem::new(format!("{name} holds {count}"), cure), "these are not in the table");
        }
        Err(KafkaError::NoTopic { .. }) => {
            let wrong = diagnose::topic::missing(&name, settings);
            sheet.warn(DEAD_LETTERS, wrong, "the first refused message waits until it is made");
        }
        Err(error) => sheet.fail_of(DEAD_LETTERS, &error, "a refused message holds its partition up"),
    }
}

/// The time that a record was sent at is the sender's: one that is ahead betrays its clock.
pub(super) fn clock(sample: &Sample, now: DateTime<Utc>, sheet: &mut Sheet) {
    let newest = sample.newest_ms.and_then(DateTime::from_timestamp_millis);
    let ahead = newest.map(|newest| newest.signed_duration_since(now));
    match ahead {
        None => sheet.ok(CLOCK, "no message tells of its sender's clock"),
        Some(ahead) if ahead > MAX_AHEAD => {
            let what = format!("the latest message was sent {} s in the future", ahead.num_seconds());
            let wrong = Problem::new(what, "set the clocks of the senders and of this machine by NTP");
            sheet.warn(CLOCK, wrong, "--from TIME, the lag in seconds and retention go by these times");
        }
        Some(_) => sheet.ok(CLOCK, "no message comes from the future"),
    }
}
