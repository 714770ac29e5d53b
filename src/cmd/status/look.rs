//! What is to be seen of the brokers, the topics, the group and the store.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::report::{Alarms, Broker, Cluster as Brokers, Group, Node, Report, Store, Table, Topic};
use crate::app::{self, cluster_check};
use crate::diagnose::{self, Finding, Problem};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::brokers::{self, BrokerState};
use crate::kafka::cluster::{Cluster, NodeId};
use crate::kafka::error::KafkaError;
use crate::kafka::topics::TopicState;
use crate::kafka::{dead_letters, lag};
use crate::settings::Settings;
use crate::store::{AnyStore, StoreError, Survey, TableState, TableSurvey};

/// How long it may take to count alarms: so much less remains for the rest of the look.
const COUNT_LIMIT: Duration = Duration::from_secs(2);

/// What the embedded broker is called where others have their version.
const EMBEDDED_BROKER: &str = "vitals up";

/// Looks as far as it gets; what was found stays in the report.
pub(super) async fn brokers(settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(app::kafka_config(settings)?).await?;
    report.wrong.extend(diagnose::brokers::kind(settings, cluster.id()).problem());
    let is_embedded = cluster_check::is_embedded(cluster.id());
    let found = report.cluster.insert(Brokers { id: cluster.id().map(str::to_owned), ..Brokers::default() });
    for state in brokers::survey(&mut cluster).await? {
        report.wrong.extend(diagnose::brokers::silent(&state));
        let BrokerState { id, address, speaks } = state;
        let version = speaks.ok().map(|speaks| if is_embedded { EMBEDDED_BROKER } else { speaks.version });
        found.brokers.push(Broker { id, address: Some(address), up: version.is_some(), version });
    }
    found.controller = brokers::controller(&mut cluster).await?;
    topics(&mut cluster, settings, report).await?;
    group(&mut cluster, settings, report).await
}

async fn topics(cluster: &mut Cluster, settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    let names = [settings.topic.clone(), dead_letter_topic(&settings.topic)];
    for name in names.into_iter().chain(settings.alarms_topic.clone()) {
        match diagnose::topic::describe(cluster, &name).await {
            Ok(state) => {
                add_brokers_that_are_down(&state, report);
                report.wrong.extend(diagnose::topic::copies(&state).into_iter().filter_map(Finding::problem));
                report.topics.push(Topic {
                    exists: true,
                    partitions: state.partitions.len(),
                    replication: state.replication(),
                    leaderless: diagnose::topic::leaderless(&state),
                    under_replicated: diagnose::topic::under_replicated(&state),
                    records: state.records(),
                    name,
                });
            }
            Err(KafkaError::NoTopic { .. }) => {
                report.wrong.push(diagnose::topic::missing(&name, settings));
                report.topics.push(Topic { name, ..Topic::default() });
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
            report.wrong.push(diagnose::brokers::down(id));
        }
    }
    found.brokers.sort_by_key(|broker| broker.id);
}

async fn group(cluster: &mut Cluster, settings: &Settings, report: &mut Report) -> Result<(), KafkaError> {
    let described = diagnose::group::describe(cluster, settings).await?;
    let lag = match (&described, report.topics.first()) {
        (_, None | Some(Topic { exists: false, .. })) => None,
        // Whoever joins first reads everything that is there.
        (None, Some(topic)) => topic.records,
        (Some(_), Some(_)) => {
            let lags = lag::measure(cluster, &settings.group, &settings.topic).await?;
            report.wrong.extend(diagnose::group::earlier(settings, &lags));
            Some(lags.iter().map(|partition| partition.lag).sum())
        }
    };
    let members = described.as_ref().map_or(0, |described| described.members.len());
    report.wrong.extend(lag.and_then(|lag| diagnose::group::unread(settings, lag, members > 0)));
    let state = described.map(|described| described.state);
    report.group = Some(Group { name: settings.group.clone(), state, members, lag });
    Ok(())
}

/// Looks at the store; it stays open for the next look.
pub(super) async fn store(
    settings: &Settings,
    open: &mut Option<AnyStore>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let store = match open.take() {
        Some(store) => store,
        None => app::open_store(settings).await?,
    };
    let store = open.insert(store);
    let survey = store.survey().await?;
    report.wrong.extend(diagnose::store::problems(&survey, settings));
    let alarms = if survey.is_whole() { alarms(store).await } else { Alarms::default() };
    if survey.is_whole() {
        let retention = store.retention().await?;
        report.wrong.extend(diagnose::retention::unmet(&retention, settings));
        report.retention = Some(diagnose::retention::in_words(&retention));
        if let Ok(Ok(largest)) = timeout(COUNT_LIMIT, store.largest()).await {
            report.wrong.extend(diagnose::store::large_partition(&largest, settings));
            report.largest = Some(diagnose::store::largest_in_words(&largest));
        }
    }
    let (schema_version, tables) = (survey.version(), survey.tables().iter().map(table).collect());
    report.store = Some(match survey {
        Survey::Cassandra(survey) => Store::Cassandra {
            keyspace: settings.store.keyspace().unwrap_or_default().to_owned(),
            replication: survey.replication,
            schema_agrees: survey.schema_agrees,
            schema_version,
            nodes: survey.nodes.into_iter().map(Node::from).collect(),
            tables,
            alarms,
        },
        Survey::Sqlite(survey) => Store::Sqlite {
            path: survey.path.display().to_string(),
            size_bytes: survey.size_bytes,
            journal_mode: survey.journal_mode,
            schema_version,
            tables,
            alarms,
        },
    });
    Ok(())
}

/// Counts the alarms that are on. That they could not be counted is nothing that is wrong: what may be wrong with the
/// store was looked at before.
async fn alarms(store: &AnyStore) -> Alarms {
    let not_counted = match timeout(COUNT_LIMIT, store.active_alarms()).await {
        Ok(Ok(Some(active))) => return Alarms { active_alarms: Some(active), not_counted: None },
        Ok(Ok(None)) => "there are too many rows to look through".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("that took longer than {} s", COUNT_LIMIT.as_secs()),
    };
    Alarms { active_alarms: None, not_counted: Some(not_counted) }
}

fn table(survey: &TableSurvey) -> Table {
    let state = match survey.state {
        TableState::Fits => "fits",
        TableState::Missing => "missing",
        TableState::Differs(_) => "differs",
    };
    Table { name: survey.name, state }
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
