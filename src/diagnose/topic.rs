//! The topics: whether they are there, with all their leaders and copies.

use super::{Finding, Problem, command, partitions};
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{PartitionState, TopicState};
use crate::output::counted;
use crate::settings::Settings;

/// What mends a partition without a leader, or with too few copies.
const START_BROKERS: &str = "start the brokers that are down; partitions come back by themselves";

/// A topic that does not exist.
pub(crate) fn missing(name: &str, settings: &Settings) -> Problem {
    let missing = KafkaError::NoTopic { topic: name.to_owned() };
    Problem::new(missing.to_string(), command(settings, "init"))
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
        findings.push(Finding::Fault(Problem::new(what, START_BROKERS), "they can be neither written nor read"));
    }
    if !behind.is_empty() {
        let what = format!("{name}: {} of {counted} lack copies", partitions(&behind));
        let why = "when one more broker goes, messages may be lost";
        findings.push(Finding::Doubt(Problem::new(what, START_BROKERS), why));
    }
    if findings.is_empty() {
        findings.push(Finding::Well(format!("{counted}, each with a leader and all its copies")));
    }
    findings
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
