//! The topics: whether they are there, with all their leaders and copies, and what the messages in them tell.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Finding, Problem, command, partitions};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::Sample;
use crate::kafka::topics::{self, PartitionState, TopicState};
use crate::output::counted;
use crate::settings::Settings;

/// Clocks that are kept by NTP are nearer than this.
const MAX_AHEAD: TimeDelta = TimeDelta::seconds(5);

/// What mends a partition without a leader, or with too few copies.
const START_BROKERS: &str = "start the brokers that are down; partitions come back by themselves";

/// A topic that does not exist.
pub(crate) fn missing(name: &str, settings: &Settings) -> Problem {
    let missing = KafkaError::NoTopic { topic: name.to_owned() };
    Problem::new(missing.to_string(), command(settings, "init"))
}

/// The topic as it is now, with how many records it has.
pub(crate) async fn describe(cluster: &mut Cluster, name: &str) -> Result<TopicState, KafkaError> {
    let mut state = topics::describe(cluster, name).await?;
    topics::measure(cluster, std::slice::from_mut(&mut state)).await;
    Ok(state)
}

/// The partitions that have no leader.
pub(crate) fn leaderless(state: &TopicState) -> Vec<i32> {
    those(state, |partition| partition.leader.is_none())
}

/// The partitions that have a leader and lack copies.
pub(crate) fn under_replicated(state: &TopicState) -> Vec<i32> {
    those(state, |partition| partition.leader.is_some() && partition.is_under_replicated())
}

/// Whether each partition has a leader and all its copies: what is wrong with any of them, the worst first.
pub(crate) fn copies(state: &TopicState) -> Vec<Finding> {
    let (leaderless, behind) = (leaderless(state), under_replicated(state));
    let (name, counted) = (&state.name, counted(state.partitions.len(), "partition"));
    let mut findings = Vec::new();
    if !leaderless.is_empty() {
        let what = format!("{name}: {} of {counted} have no leader", partitions(&leaderless));
        findings.push(Finding::fail(what, START_BROKERS, "they can be neither written nor read"));
    }
    if !behind.is_empty() {
        let what = format!("{name}: {} of {counted} lack copies", partitions(&behind));
        let why = "when one more broker goes, messages may be lost";
        findings.push(Finding::warn(what, START_BROKERS, why));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(format!("{counted}, each with a leader and all its copies")));
    }
    findings
}

/// Whether several consumers can share the partitions, and each of these is whole, the worst first.
pub(crate) fn partition_health(state: &TopicState) -> Vec<Finding> {
    let mut findings = copies(state);
    if let [only @ Finding::Ok(_)] = findings.as_mut_slice()
        && state.partitions.len() == 1
    {
        let fix = "vitals init --partitions 6 --topic OTHER, and send there";
        *only = Finding::warn("the topic has one partition", fix, "only one member of the group can read at a time");
    }
    findings
}

/// Whether each patient's messages come into one partition.
pub(crate) fn keys(sample: &Sample, state: &TopicState) -> Finding {
    let why = "alarm state needs all messages of a patient in one partition, in order";
    let Sample { records, unkeyed, misplaced, .. } = *sample;
    let last = format!("the last {}", counted(records, "message"));
    if records == 0 {
        Finding::ok("the topic is empty")
    } else if unkeyed > 0 && state.partitions.len() != 1 {
        let fix = "send with the patient's id as the key, as `vitals produce` does";
        Finding::warn(format!("of {last} {unkeyed} have no key"), fix, why)
    } else if misplaced > 0 {
        let what = format!("of {last}, so many are in another partition than their key says: {misplaced}");
        let fix =
            "let senders place keys by murmur2, as Java and kafka-python do (librdkafka: partitioner=murmur2_random)";
        Finding::warn(what, fix, why)
    } else {
        Finding::ok(format!("{last} each lie where their key belongs"))
    }
}

/// Whether refused messages wait in the dead letter topic `name`; `described` is what became of asking for it.
pub(crate) fn dead_letters(name: &str, described: Result<TopicState, KafkaError>, settings: &Settings) -> Finding {
    match described.map(|state| state.records()) {
        Ok(Some(0) | None) => Finding::ok(format!("{name} is there")),
        Ok(Some(records)) => {
            let what = format!("{name} holds {}", counted(records, "refused message"));
            Finding::warn(what, command(settings, &format!("topic tail {name}")), "these are not in the table")
        }
        Err(KafkaError::NoTopic { .. }) => {
            Finding::Warn(missing(name, settings), "the first refused message waits until it is made")
        }
        Err(error) => Finding::fail_of(&error, "a refused message holds its partition up"),
    }
}

/// Whether alarms can be announced in the topic `name`; `described` is what became of asking for it.
pub(crate) fn alarms(name: &str, described: Result<TopicState, KafkaError>, settings: &Settings) -> Finding {
    match described {
        Ok(_) => Finding::ok(format!("{name} is there")),
        Err(KafkaError::NoTopic { .. }) => {
            Finding::Warn(missing(name, settings), "the first alarm waits until it is made")
        }
        Err(error) => Finding::fail_of(&error, "what raises an alarm is not committed before that is announced"),
    }
}

/// The time that a record was sent at is the sender's: one that is ahead betrays its clock.
pub(crate) fn clock(sample: &Sample, now: DateTime<Utc>) -> Finding {
    let newest = sample.newest_ms.and_then(DateTime::from_timestamp_millis);
    match newest.map(|newest| newest.signed_duration_since(now)) {
        None => Finding::ok("no message tells of its sender's clock"),
        Some(ahead) if ahead > MAX_AHEAD => {
            let what = format!("the latest message was sent {} s in the future", ahead.num_seconds());
            let fix = "set the clocks of the senders and of this machine by NTP";
            Finding::warn(what, fix, "--from TIME, the lag in seconds and retention go by these times")
        }
        Some(_) => Finding::ok("no message comes from the future"),
    }
}

fn those(state: &TopicState, wanted: impl Fn(&PartitionState) -> bool) -> Vec<i32> {
    state.partitions.iter().filter(|state| wanted(state)).map(|state| state.partition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_without_a_leader_or_a_copy_are_told_once_each() {
        let partition = |partition, leader, in_sync: &[i32]| PartitionState {
            partition,
            leader,
            replicas: vec![1, 2],
            in_sync: in_sync.to_vec(),
            ..PartitionState::default()
        };
        let partitions = vec![partition(0, Some(1), &[1, 2]), partition(1, Some(1), &[1]), partition(2, None, &[2])];
        let state = TopicState { name: "t".to_owned(), id: uuid::Uuid::nil(), is_internal: false, partitions };
        let whats: Vec<_> =
            copies(&state).into_iter().filter_map(Finding::problem).map(|problem| problem.what).collect();
        assert_eq!(
            whats,
            ["t: partition 2 of 3 partitions have no leader", "t: partition 1 of 3 partitions lack copies"]
        );
    }
}
