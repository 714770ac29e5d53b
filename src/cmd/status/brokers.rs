//! The brokers, the topics and the group.

use std::collections::BTreeSet;

use super::report::{Broker, Cluster as Brokers, Group, Report, Topic};
use crate::app::{self, cluster_check};
use crate::diagnose::{self, Finding, Problem};
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
    let mut cluster = Cluster::connect(&app::kafka_config(settings)).await?;
    if let Err(wrong_cluster) = cluster_check::judge(settings, cluster.id()) {
        report.wrong.push(Problem::of(&wrong_cluster));
    }
    let found = report.cluster.insert(Brokers { id: cluster.id().map(str::to_owned), ..Brokers::default() });
    for state in brokers::survey(&mut cluster).await? {
        if let Err(error) = &state.speaks {
            report
                .wrong
                .push(Problem::new(diagnose::told(error), "start that broker again; its log says why it ended"));
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
                report.wrong.extend(diagnose::topic::copies(&state).into_iter().filter_map(Finding::problem));
                report.topics.push(topic);
            }
            Err(KafkaError::NoTopic { .. }) => {
                report.wrong.push(diagnose::topic::missing(&name, settings));
                report.topics.push(Topic::missing(name));
            }
            Err(error) => return Err(error),
        }
    }
    let less = dead_letters::compare(cluster, &settings.topic).await?;
    report.wrong.extend(less.map(|less| Problem::new(less.to_string(), less.fix())));
    Ok(())
}

/// A broker that is down is not in the cluster's list, but replicas are still to be on it.
fn add_brokers_that_are_down(state: &TopicState, report: &mut Report) {
    let Some(found) = &mut report.cluster else { return };
    let named: BTreeSet<NodeId> = state.partitions.iter().flat_map(|partition| &partition.replicas).copied().collect();
    for id in named {
        if !found.brokers.iter().any(|broker| broker.id == id) {
            found.brokers.push(Broker { id, address: None, up: false, version: None });
            report.wrong.push(Problem::new(
                format!("broker {id} is down, and partitions are to be kept on it"),
                "start that broker again; its log says why it ended",
            ));
        }
    }
    found.brokers.sort_by_key(|broker| broker.id);
}

fn topic(state: &TopicState) -> Topic {
    Topic {
        name: state.name.clone(),
        exists: true,
        partitions: state.partitions.len(),
        replication: state.replication(),
        leaderless: diagnose::topic::leaderless(state),
        under_replicated: diagnose::topic::under_replicated(state),
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
            report.wrong.extend(diagnose::group::earlier(settings, &lags));
            Some(lags.iter().map(|partition| partition.lag).sum())
        }
    };
    let group = Group {
        name,
        members: described.as_ref().map_or(0, |described| described.members.len()),
        state: described.map(|described| described.state),
        lag,
    };
    let waiting = group.lag.and_then(|lag| diagnose::group::unread(settings, lag, group.members > 0));
    report.wrong.extend(waiting);
    report.group = Some(group);
    Ok(())
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
