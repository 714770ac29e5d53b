//! The brokers, the topics and the group.

use std::collections::BTreeSet;

use super::report::{Broker, Cluster as Brokers, Group, Report, Topic};
use crate::app::cluster_check;
use crate::cmd::cure::{self, Wrong, command};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::brokers::{self, BrokerState, Speaks};
use crate::kafka::cluster::{Cluster, NodeId};
use crate::kafka::dead_letters;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin;
use crate::kafka::lag;
use crate::kafka::topics::{self, TopicState};
use crate::settings::Settings;

/// What the embedded broker is called where others have their version.
const EMBEDDED_BROKER: &str = "vitals up";

/// Looks as far as it gets; what was found stays in the report.
pub(super) async fn look(settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(settings.brokers.as_slice()).await?;
    if let Err(mixed_up) = cluster_check::judge(settings, cluster.id()) {
        report.wrong.push(Wrong::of(&mixed_up));
    }
    let found = report.cluster.insert(Brokers { id: cluster.id().map(str::to_owned), ..Brokers::default() });
    for state in brokers::survey(&mut cluster).await? {
        if let Err(error) = &state.speaks {
            report.wrong.push(Wrong::new(cure::told(error), "start that broker again; its log says why it ended"));
        }
        found.brokers.push(broker(state, found.id.as_deref()));
    }
    found.controller = brokers::controller(&mut cluster).await?;
    look_at_topics(&mut cluster, settings, report).await?;
    look_at_group(&mut cluster, settings, report).await
}

fn broker(state: BrokerState, cluster_id: Option<&str>) -> Broker {
    let embedded = cluster_check::is_embedded(cluster_id);
    let version = |speaks: Speaks| if embedded { EMBEDDED_BROKER } else { speaks.version };
    let speaks = state.speaks.ok();
    Broker { id: state.id, address: Some(state.address), up: speaks.is_some(), version: speaks.map(version) }
}

async fn look_at_topics(cluster: &mut Cluster, settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    for name in [settings.topic.clone(), dead_letter_topic(&settings.topic)] {
        match topics::describe(cluster, &name).await {
            Ok(mut state) => {
                topics::measure(cluster, std::slice::from_mut(&mut state)).await;
                add_brokers_that_are_down(&state, report);
                let topic = topic(&state);
                judge_topic(&topic, report);
                report.topics.push(topic);
            }
            Err(KafkaError::NoTopic { .. }) => {
                report.wrong.push(Wrong::new(format!("the topic '{name}' does not exist"), command(settings, "init")));
                report.topics.push(Topic::missing(name));
            }
            Err(error) => return Err(error),
        }
    }
    let less = dead_letters::compare(cluster, &settings.topic).await?;
    report.wrong.extend(less.map(|less| Wrong::new(less.to_string(), less.cure())));
    Ok(())
}

/// A broker that is down is not in the cluster's list, but replicas are still to be on it.
fn add_brokers_that_are_down(state: &TopicState, report: &mut Report) {
    let Some(found) = &mut report.cluster else { return };
    let named: BTreeSet<NodeId> = state.partitions.iter().flat_map(|partition| &partition.replicas).copied().collect();
    for id in named {
        if !found.brokers.iter().any(|broker| broker.id == id) {
            found.brokers.push(Broker { id, address: None, up: false, version: None });
            report.wrong.push(Wrong::new(
                format!("broker {id} is down, and partitions are to be kept on it"),
                "start that broker again; its log says why it ended",
            ));
        }
    }
    found.brokers.sort_by_key(|broker| broker.id);
}

fn topic(state: &TopicState) -> Topic {
    let those = |wanted: &dyn Fn(&topics::PartitionState) -> bool| {
        state.partitions.iter().filter(|state| wanted(state)).map(|state| state.partition).collect()
    };
    Topic {
        name: state.name.clone(),
        exists: true,
        partitions: state.partitions.len(),
        replication: state.replication(),
        leaderless: those(&|partition| partition.leader.is_none()),
        under_replicated: those(&|partition| partition.leader.is_some() && partition.is_under_replicated()),
        records: state.records(),
    }
}

impl Topic {
    fn missing(name: String) -> Self {
        Self {
            name,
            exists: false,
            partitions: 0,
            replication: 0,
            leaderless: Vec::new(),
            under_replicated: Vec::new(),
            records: None,
        }
    }
}

fn judge_topic(topic: &Topic, report: &mut Report) {
    let cure = "start the brokers that are down; partitions come back by themselves";
    let name = &topic.name;
    if !topic.leaderless.is_empty() {
        let what = format!("{name}: {} can be neither written nor read", cure::partitions(&topic.leaderless));
        report.wrong.push(Wrong::new(what, cure));
    }
    if !topic.under_replicated.is_empty() {
        let what = format!("{name}: too few copies of {}", cure::partitions(&topic.under_replicated));
        report.wrong.push(Wrong::new(what, cure));
    }
}

async fn look_at_group(cluster: &mut Cluster, settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    let name = settings.group.clone();
    let coordinator = admin::coordinator(cluster, &name).await?;
    let described = match admin::describe(cluster.node(coordinator).await?, &name).await {
        Ok(described) => Some(described),
        Err(KafkaError::NoGroup { .. }) => None,
        Err(error) => return Err(error),
    };
    let topic = report.topics.first();
    let lag = match (&described, topic) {
        (_, None | Some(Topic { exists: false, .. })) => None,
        // Whoever joins first reads everything that is there.
        (None, Some(topic)) => topic.records,
        (Some(_), Some(_)) => {
            let lags = lag::measure(cluster, &name, &settings.topic).await?;
            report.wrong.extend(cure::earlier(settings, &lags));
            Some(lags.iter().map(|partition| partition.lag).sum())
        }
    };
    let group = Group {
        name,
        members: described.as_ref().map_or(0, |described| described.members.len()),
        state: described.map(|described| described.state),
        lag,
    };
    if let Some(wrong) = unread(&group, settings) {
        report.wrong.push(wrong);
    }
    report.group = Some(group);
    Ok(())
}

/// Messages that wait while nobody reads: alarms that nobody raises.
fn unread(group: &Group, settings: &Settings) -> Option<Wrong> {
    let waiting = group.lag.filter(|lag| *lag > 0 && group.members == 0)?;
    let what = format!("nobody reads: {} for the group {}", cure::waiting(waiting), group.name);
    Some(Wrong::new(what, command(settings, "consume")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::topics::PartitionState;

    fn partition(partition: i32, leader: Option<NodeId>, in_sync: &[NodeId]) -> PartitionState {
        PartitionState {
            partition,
            leader,
            replicas: vec![1, 2],
            in_sync: in_sync.to_vec(),
            ..PartitionState::default()
        }
    }

    fn state(partitions: Vec<PartitionState>) -> TopicState {
        TopicState { name: "t".to_owned(), id: uuid::Uuid::nil(), is_internal: false, partitions }
    }

    #[test]
    fn partitions_without_a_leader_or_a_copy_are_told_once_each() {
        let state = state(vec![partition(0, Some(1), &[1, 2]), partition(1, Some(1), &[1]), partition(2, None, &[2])]);
        let topic = topic(&state);
        assert_eq!((&topic.leaderless, &topic.under_replicated), (&vec![2], &vec![1]));
        let mut report = Report::default();
        judge_topic(&topic, &mut report);
        let whats: Vec<_> = report.wrong.iter().map(|wrong| wrong.what.as_str()).collect();
        assert_eq!(whats, ["t: partition 2 can be neither written nor read", "t: too few copies of partition 1"]);
    }

    #[test]
    fn a_broker_that_only_replicas_name_is_down() {
        let up = Broker { id: 1, address: Some("a:1".to_owned()), up: true, version: None };
        let mut report =
            Report { cluster: Some(Brokers { brokers: vec![up], ..Brokers::default() }), ..Report::default() };
        add_brokers_that_are_down(&state(vec![partition(0, Some(1), &[1])]), &mut report);
        add_brokers_that_are_down(&state(vec![partition(0, Some(1), &[1])]), &mut report);
        let brokers = report.cluster.unwrap().brokers;
        assert_eq!(brokers.iter().map(|broker| (broker.id, broker.up)).collect::<Vec<_>>(), [(1, true), (2, false)]);
        assert_eq!(report.wrong.len(), 1);
    }
}
