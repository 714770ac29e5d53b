//! The brokers, the topics and the group, in their order.

use std::time::Duration;

use chrono::Utc;
use tokio::time::sleep;

use super::Checks;
use super::servers::{Servers, certificates, speaks_kafka};
use crate::advice::Advice as _;
use crate::app::{self, cluster_check};
use crate::diagnose::group::GroupState;
use crate::diagnose::{self, Finding};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{self, Sample};
use crate::kafka::{brokers, dead_letters, lag};
use crate::output::counted;
use crate::settings::{EMBEDDED_ADDRESS, Settings};

/// Whether something answers that speaks Kafka.
pub(super) const PROTOCOL: &str = "broker_protocol";
const KIND: &str = "broker_kind";
const LISTENERS: &str = "broker_listeners";
const VERSIONS: &str = "broker_versions";
const TOPIC: &str = "topic";
const PARTITIONS: &str = "partitions";
const KEYS: &str = "keys";
const DEAD_LETTERS: &str = "dead_letters";
/// What is announced in it.
const ALARMS_TOPIC: &str = "alarms_topic";
/// Only where the dead letters take less than their source.
const LETTER_SIZE: &str = "letter_size";
const GROUP: &str = "group";
/// Only inside TLS.
const CERTIFICATES: &str = "broker_certificates";
/// What the brokers allow us.
const RIGHTS: &str = "rights";
/// The clocks of those who send.
const CLOCK: &str = "clock";

pub(super) const OF_SERVERS: [&str; 12] = [
    "broker_address",
    "broker_port",
    PROTOCOL,
    KIND,
    LISTENERS,
    VERSIONS,
    RIGHTS,
    TOPIC,
    PARTITIONS,
    KEYS,
    DEAD_LETTERS,
    ALARMS_TOPIC,
];

pub(super) const OF_CLIENTS: [&str; 2] = [GROUP, CLOCK];

/// How long to look away before it is asked whether something has moved.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Goes as far as it gets.
pub(super) async fn examine(settings: &Settings, servers: &mut Checks, clients: &mut Checks) {
    let Some(mut cluster) = brokers(settings, servers).await else { return };
    let rights = diagnose::rights::judge(&mut cluster, settings).await;
    servers.note(RIGHTS, rights.unwrap_or_else(|error| Finding::fail_of(&error, "what we may do is not known")));
    let sample = topic(settings, &mut cluster, servers).await;
    dead_letter_topics(settings, &mut cluster, servers).await;
    alarms_topic(settings, &mut cluster, servers).await;
    let Some(sample) = sample else { return };
    let group = match group(settings, &mut cluster, sample.records == 0).await {
        Ok(finding) => finding,
        Err(error) => Finding::fail_of(&error, "who reads is not known"),
    };
    clients.note(GROUP, group);
    clients.note(CLOCK, diagnose::topic::clock(&sample, Utc::now()));
}

async fn brokers(settings: &Settings, checks: &mut Checks) -> Option<Cluster> {
    let [address_check, port_check, ..] = OF_SERVERS;
    let addresses = settings.brokers.as_slice();
    let servers = Servers { addresses, address_check, port_check, option: "--brokers", start: start(settings) };
    let open = servers.reach(checks).await;
    let kafka = match app::kafka_config(settings) {
        Ok(kafka) => kafka,
        Err(error) => {
            checks.note(PROTOCOL, Finding::fail_of(&error, "nobody can be asked"));
            return None;
        }
    };
    let files = settings.broker_access.tls.as_ref();
    let certificates = certificates(&open, kafka.access.tls.as_ref(), files).await;
    let protocol = speaks_kafka(&open, &kafka.access).await?;
    let none_speaks = matches!(protocol, Finding::Fail(..));
    checks.note(PROTOCOL, protocol);
    checks.note_if_made(CERTIFICATES, certificates);
    if none_speaks {
        return None;
    }
    let mut cluster = match Cluster::connect(kafka).await {
        Ok(cluster) => cluster,
        Err(error) => {
            checks.note(KIND, Finding::fail_of(&error, "what answers there cannot be asked on"));
            return None;
        }
    };
    checks.note(KIND, diagnose::brokers::kind(settings, cluster.id()));
    match brokers::survey(&mut cluster).await {
        Ok(states) => {
            checks.note(LISTENERS, diagnose::brokers::listeners(&states));
            let is_embedded = cluster_check::is_embedded(cluster.id());
            checks.note(VERSIONS, diagnose::brokers::versions(&states, is_embedded));
            Some(cluster)
        }
        Err(error) => {
            let why = "the brokers that lead the partitions are not known";
            checks.note(LISTENERS, Finding::fail_of(&error, why));
            None
        }
    }
}

/// The command that starts what the settings mean.
fn start(settings: &Settings) -> String {
    if !settings.is_embedded() {
        let unreachable = KafkaError::Unreachable { brokers: String::new(), reason: String::new() };
        return unreachable.hint().unwrap_or_default();
    }
    match settings.brokers.to_string() {
        address if address == EMBEDDED_ADDRESS => "vitals up".to_owned(),
        address => format!("vitals up --listen {address}"),
    }
}

/// Gives the sample of the last records, for the clocks.
async fn topic(settings: &Settings, cluster: &mut Cluster, checks: &mut Checks) -> Option<Sample> {
    let why = "there is nothing to send to, and nothing to read";
    let state = match diagnose::topic::describe(cluster, &settings.topic).await {
        Ok(state) => state,
        Err(KafkaError::NoTopic { .. }) => {
            checks.note(TOPIC, Finding::Fail(diagnose::topic::missing(&settings.topic, settings), why));
            return None;
        }
        Err(error) => {
            checks.note(TOPIC, Finding::fail_of(&error, why));
            return None;
        }
    };
    let records = state.records().map(|records| format!(", {}", counted(records, "record"))).unwrap_or_default();
    checks.note(TOPIC, Finding::ok(format!("{} is there{records}", state.name)));
    checks.note_worst(PARTITIONS, diagnose::topic::partition_health(&state));
    match topics::sample(cluster, &state).await {
        Ok(sample) => {
            checks.note(KEYS, diagnose::topic::keys(&sample, &state));
            Some(sample)
        }
        Err(error) => {
            checks.note(KEYS, Finding::fail_of(&error, "what was sent cannot be read"));
            None
        }
    }
}

async fn dead_letter_topics(settings: &Settings, cluster: &mut Cluster, checks: &mut Checks) {
    if let Ok(Some(less)) = dead_letters::compare(cluster, &settings.topic).await {
        let why = "a message in parts is for `vitals dlq` alone: other programs have to join it";
        checks.note(LETTER_SIZE, Finding::warn(less.to_string(), less.fix(), why));
    }
    let name = dead_letter_topic(&settings.topic);
    let described = diagnose::topic::describe(cluster, &name).await;
    checks.note(DEAD_LETTERS, diagnose::topic::dead_letters(&name, described, settings));
}

async fn alarms_topic(settings: &Settings, cluster: &mut Cluster, checks: &mut Checks) {
    let Some(name) = &settings.alarms_topic else {
        return checks.note(ALARMS_TOPIC, Finding::ok("alarms are not announced"));
    };
    let described = diagnose::topic::describe(cluster, name).await;
    checks.note(ALARMS_TOPIC, diagnose::topic::alarms(name, described, settings));
}

async fn group(settings: &Settings, cluster: &mut Cluster, is_empty: bool) -> Result<Finding, KafkaError> {
    let Some(first) = look(settings, cluster).await? else {
        return Ok(diagnose::group::missing(settings, is_empty));
    };
    if !first.worries() {
        return Ok(diagnose::group::judge(settings, &first, &first));
    }
    sleep(SECOND_LOOK).await;
    let second = look(settings, cluster).await?;
    Ok(diagnose::group::judge(settings, &first, second.as_ref().unwrap_or(&first)))
}

async fn look(settings: &Settings, cluster: &mut Cluster) -> Result<Option<GroupState>, KafkaError> {
    let Some(described) = diagnose::group::describe(cluster, settings).await? else { return Ok(None) };
    let lags = lag::measure(cluster, &settings.group, &settings.topic).await?;
    Ok(Some(GroupState { described, lags }))
}
