//! What those who work with the pipeline have to be allowed: one table, for `vitals grants` and for `vitals doctor`.

use super::Finding;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::right::{self, Allowed, Operation, Resource, Right};
use crate::settings::Settings;
use crate::store::cassandra::error::in_quotes;

/// What somebody does with the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// `consume`
    Consumer,
    /// `produce`
    Producer,
    /// `listen`, and `serve` where devices send to it
    Gateway,
    /// Whoever looks at it and looks after patients: `status`, `lag`, `top`, `serve`, `query`, `alarms`, `patient`,
    /// `rules`
    Operator,
    /// All of it: `init`, `reset`, `import`, `retention`, topics and groups
    Admin,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Consumer, Self::Producer, Self::Gateway, Self::Operator, Self::Admin];

    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Producer => "producer",
            Self::Gateway => "gateway",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// What Kafka has to allow.
    pub(crate) fn in_kafka(self, settings: &Settings) -> Vec<Right> {
        use Operation::{All, Describe, DescribeConfigs, Read, Write};
        let Settings { topic, group, alarms_topic, .. } = settings;
        let letters = dead_letter_topic(topic);
        let topics = || [topic, &letters].into_iter().chain(alarms_topic);
        match self {
            Self::Consumer => [Right::topic(Read, topic), Right::group(Read, group)]
                .into_iter()
                .chain(topics().skip(1).map(|topic| Right::topic(Write, topic)))
                .collect(),
            Self::Producer => vec![Right::topic(Write, topic)],
            // What cannot be used it keeps.
            Self::Gateway => vec![Right::topic(Write, topic), Right::topic(Write, &letters)],
            Self::Operator => topics()
                .flat_map(|topic| [Read, Describe, DescribeConfigs].map(|operation| Right::topic(operation, topic)))
                .chain([Right::group(Describe, group)])
                // Who acknowledges an alarm announces that.
                .chain(alarms_topic.as_ref().map(|topic| Right::topic(Write, topic)))
                .collect(),
            Self::Admin => topics().map(|topic| Right::topic(All, topic)).chain([Right::group(All, group)]).collect(),
        }
    }

    /// What Cassandra has to allow to `role` in the keyspace, as statements without a semicolon.
    pub(crate) fn in_cassandra(self, keyspace: &str, role: &str) -> Vec<String> {
        let (keyspace, role) = (in_quotes(keyspace), in_quotes(role));
        let grant = |right: &str, resource: &str| format!("GRANT {right} ON {resource} TO {role}");
        let table = |right: &str, table: &str| grant(right, &format!("{keyspace}.{table}"));
        match self {
            Self::Consumer => vec![
                grant("SELECT", &format!("KEYSPACE {keyspace}")),
                table("MODIFY", "patient_vitals"),
                table("MODIFY", "patient_vitals_1m"),
                table("MODIFY", "patient_alerts"),
                // How long the commit log may be late.
                grant("SELECT", "system_views.settings"),
            ],
            Self::Producer | Self::Gateway => Vec::new(),
            Self::Operator => vec![
                grant("SELECT", &format!("KEYSPACE {keyspace}")),
                table("MODIFY", "patient_alerts"),
                table("MODIFY", "patient_admissions"),
                table("MODIFY", "alarm_rules"),
            ],
            // Who makes the keyspace may do everything in it.
            Self::Admin => vec![grant("CREATE", "ALL KEYSPACES"), grant("SELECT", "system_views.settings")],
        }
    }
}

/// Which roles we may take, as far as the brokers tell.
pub(crate) async fn judge(cluster: &mut Cluster, settings: &Settings) -> Result<Finding, KafkaError> {
    let letters = dead_letter_topic(&settings.topic);
    let mut topics = vec![settings.topic.as_str(), &letters];
    topics.extend(settings.alarms_topic.as_deref());
    let to_topics = right::to_topics(cluster, &topics).await?;
    let to_group = right::to_group(cluster, &settings.group).await?;
    let allowed = |right: &Right| -> Option<Allowed> {
        match &right.resource {
            Resource::Topic(name) => to_topics.get(name).copied(),
            Resource::Group(_) => Some(to_group),
        }
    };
    let is_missing = |right: &Right| allowed(right).is_some_and(|allowed| allowed.refuses(right.operation));
    let missing = |role: Role| role.in_kafka(settings).into_iter().find(|right| is_missing(right));
    let (may, may_not): (Vec<Role>, Vec<Role>) =
        [Role::Consumer, Role::Producer, Role::Operator].into_iter().partition(|role| missing(*role).is_none());
    let names = |roles: &[Role]| roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    Ok(match may_not.first() {
        None => Finding::ok("Kafka allows all that is needed"),
        Some(_) if !may.is_empty() => {
            Finding::ok(format!("as {}, and not as {}, by the rights in Kafka", names(&may), names(&may_not)))
        }
        Some(role) => {
            let right = missing(*role).map(|right| right.to_string()).unwrap_or_default();
            Finding::fail(
                "Kafka allows this user neither to consume, nor to produce, nor to look",
                format!("`vitals grants` prints what each needs; first: {right}"),
                "every command is refused",
            )
        }
    })
}
