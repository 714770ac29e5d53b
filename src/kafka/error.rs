//! What can go wrong between us and Kafka.

use std::io;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::time::{Instant, sleep};

use super::group::admin::Kind;
use super::login::LoginError;
use super::right::{Operation, Resource, Right, is_missing_right};
use crate::advice::{Advice, Code};
use crate::retry::Backoff;
use crate::secret::NoPassword;
use crate::tls::{Refusal, TlsError};

/// What to do where nothing answers.
const START_HINT: &str = "run `vitals up` and choose it with --profile embedded, or start Kafka (cargo xtask services up, or docker compose \
     up -d), or name the brokers with --brokers HOST:PORT";

/// The same, of several.
const START_SEVERAL_HINT: &str = "start one of them, or see whether this machine reaches it; --brokers names them";

/// What to do where one broker does not answer, be there others or not.
const BROKER_HINT: &str = "start that broker again: `vitals status` shows those of its cluster and who leads what; or name others with --brokers \
     HOST:PORT";

/// What to do where none of `brokers` answers.
pub(super) fn start_hint(brokers: &str) -> &'static str {
    if brokers.contains(',') { START_SEVERAL_HINT } else { START_HINT }
}

/// What went wrong, and on what.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum KafkaError {
    /// The files or the password that the settings name cannot be used.
    #[error(transparent)]
    Files(#[from] TlsError),
    /// There is no password for the user.
    #[error(transparent)]
    NoPassword(#[from] NoPassword),
    /// None of the addresses answered.
    #[error("cannot reach Kafka at {brokers}: {reason}")]
    Unreachable { brokers: String, reason: String },
    /// A connection could not be opened, or broke.
    #[error("the connection to the broker at {address} broke")]
    Io {
        address: String,
        #[source]
        source: io::Error,
    },
    /// A broker did not answer in time. Its connection is closed: a late answer must not meet a later request.
    #[error("the broker at {address} did not answer {what} within {limit:?}")]
    TimedOut { address: String, what: &'static str, limit: Duration },
    /// The cluster gives no address for a broker: it was given up, or has not been heard of yet.
    #[error("the cluster names no address for broker {node}")]
    Unnamed { node: i32 },
    /// What answers does not speak the Kafka protocol, or broke it.
    #[error("what answers at {address} does not speak the Kafka protocol as expected ({what})")]
    Protocol { address: String, what: String },
    /// The broker speaks TLS, and we did not.
    #[error("the broker at {address} speaks TLS, and was spoken to without")]
    WantsTls { address: String },
    /// The broker is not believed to be who it should be, or does not believe us.
    #[error("the broker at {address} is not talked to: {refusal}")]
    Tls {
        address: String,
        #[source]
        refusal: Refusal,
    },
    /// The broker answered nothing but the question for its versions.
    #[error("the broker at {address} hung up at the first request")]
    HungUp { address: String },
    /// The broker does not let us in.
    #[error("the broker at {address} does not let us in: {error}")]
    Login { address: String, error: LoginError },
    /// The broker does not have this request in a version that we speak.
    #[error("the broker at {address} does not offer {what} in a version that is spoken here")]
    Unsupported { address: String, what: &'static str },
    /// The broker refused a request.
    #[error("Kafka refused {what}: {code}{detail}")]
    Refused {
        what: String,
        code: ResponseError,
        /// What the broker says beyond the code, behind `: `.
        detail: String,
        /// What would have to be allowed, where that is missing.
        right: Option<Box<Right>>,
    },
    /// The topic does not exist.
    #[error("the topic '{topic}' does not exist")]
    NoTopic { topic: String },
    /// The topic has no such partition.
    #[error("the topic '{topic}' has no partition {partition}")]
    NoPartition { topic: String, partition: i32, count: usize },
    /// The consumer group does not exist.
    #[error("the consumer group '{group}' does not exist")]
    NoGroup { group: String },
    /// Somebody is in the consumer group.
    #[error("the consumer group '{group}' has members: {}", named(members))]
    GroupInUse { group: String, members: Vec<String> },
    /// The group's members do not speak the classic protocol.
    #[error("'{group}' is a group of Kafka's {} protocol, which is not spoken here", protocol(kind))]
    OtherProtocol { group: String, kind: Kind },
    /// Another process took this member's static instance id.
    #[error("another member took the instance id '{instance_id}' in the group '{group}'")]
    Fenced { group: String, instance_id: String },
}

impl KafkaError {
    /// A refusal, with what was asked for.
    pub(crate) fn refused(what: impl Into<String>, code: ResponseError) -> Self {
        Self::Refused { what: what.into(), code, detail: String::new(), right: None }
    }

    /// The same, where what was asked for needs this `right`.
    #[must_use]
    pub(crate) fn needing(mut self, needed: Right) -> Self {
        if let Self::Refused { code, right, .. } = &mut self
            && is_missing_right(*code)
        {
            *right = Some(Box::new(needed));
        }
        self
    }

    /// The same, for whoever needs to do more with the topic than to know it: to do this includes that.
    #[must_use]
    pub(crate) fn rather(mut self, operation: Operation) -> Self {
        if let Self::Refused { right: Some(right), .. } = &mut self
            && matches!(right.as_ref(), Right { operation: Operation::Describe, resource: Resource::Topic(_) })
        {
            right.operation = operation;
        }
        self
    }

    /// Whether a broker answers, and does not let us in or is not believed.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::WantsTls { .. } | Self::Tls { .. } | Self::Login { .. }) && !self.is_passing()
    }

    /// Whether asking again later can help: another broker may lead, the broker may be back.
    pub fn is_passing(&self) -> bool {
        match self {
            // A broker that is being ended hangs up too.
            Self::Unreachable { .. }
            | Self::Io { .. }
            | Self::TimedOut { .. }
            | Self::HungUp { .. }
            | Self::Unnamed { .. } => true,
            Self::Tls { refusal, .. } => refusal.is_passing(),
            // What the broker itself does not understand may be over the next time.
            Self::Refused { code, .. } => code.is_retriable() || *code == ResponseError::UnknownServerError,
            _ => false,
        }
    }
}

impl Advice for KafkaError {
    fn code(&self) -> Code {
        match self {
            Self::NoTopic { .. } | Self::NoPartition { .. } | Self::NoGroup { .. } | Self::OtherProtocol { .. } => {
                Code::Usage
            }
            Self::GroupInUse { .. } => Code::Finding,
            Self::Files(_) | Self::NoPassword(_) => Code::Usage,
            _ => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { brokers, .. } => start_hint(brokers).into(),
            Self::Io { .. } | Self::TimedOut { .. } | Self::Unnamed { .. } => BROKER_HINT.into(),
            Self::Files(error) => return error.hint("broker"),
            Self::NoPassword(error) => error.hint(),
            Self::WantsTls { .. } => {
                "speak TLS: --broker-tls yes, or --broker-ca FILE with the certificate of who signed the broker's".into()
            }
            Self::Tls { refusal, .. } => refusal.hint("broker"),
            Self::HungUp { .. } => {
                "a broker that wants a login does so: name a user with --broker-user; else it is being stopped".into()
            }
            Self::Login { error, .. } => error.hint().into(),
            Self::Protocol { .. } => {
                "check the port in --brokers: Kafka for clients on the host listens on 9093 here; Cassandra's port is 9042".into()
            }
            Self::Unsupported { .. } => "Kafka 3.x and 4.x are spoken; upgrade the broker".into(),
            Self::NoTopic { .. } => "run `vitals init` to make it, or name another with --topic".into(),
            Self::NoPartition { count, .. } => format!("its partitions are 0 to {}", count.saturating_sub(1)),
            Self::NoGroup { .. } => "it comes into being with its first `vitals consume`; name another with --group".into(),
            Self::GroupInUse { .. } => {
                "end them first (Ctrl+C where they run); one that was killed leaves when its --session-timeout is over".into()
            }
            Self::OtherProtocol { kind: Kind::Consumer, .. } => {
                "end its members, or start them with group.protocol=classic; or choose another group with --group".into()
            }
            Self::OtherProtocol { .. } => "choose another group with --group".into(),
            Self::Fenced { .. } => "give each running member its own --instance-id".into(),
            Self::Refused { right: Some(right), .. } => format!("whoever runs the cluster gives this right by: {right}"),
            Self::Refused { code, .. } => return refusal_hint(*code),
        })
    }
}

/// Attempts, for which there is so much time.
pub(super) struct Attempts {
    deadline: Instant,
    backoff: Backoff,
}

impl Attempts {
    pub(super) fn within(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, backoff: Backoff::default() }
    }

    /// Waits before the next attempt; gives the error back where the time is over.
    pub(super) async fn pause(&mut self, error: KafkaError) -> Result<(), KafkaError> {
        if Instant::now() >= self.deadline {
            return Err(error);
        }
        sleep(self.backoff.next_pause()).await;
        Ok(())
    }
}

fn named(members: &[String]) -> String {
    if members.is_empty() { "their names are not told".to_owned() } else { members.join(", ") }
}

fn protocol(kind: &Kind) -> String {
    match kind {
        Kind::Consumer => "newer consumer".to_owned(),
        other => format!("'{}'", other.name()),
    }
}

fn refusal_hint(code: ResponseError) -> Option<String> {
    Some(match code {
        ResponseError::InvalidReplicationFactor => "give a replication factor of at most the number of brokers".into(),
        ResponseError::InvalidConfig => {
            "use the names and values of Kafka's topic settings, as retention.ms=86400000".into()
        }
        ResponseError::InconsistentGroupProtocol => {
            "another member of the group uses an assignor other than `range`; stop it, or choose another --group".into()
        }
        ResponseError::InvalidSessionTimeout => {
            "keep --session-timeout within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
                .into()
        }
        ResponseError::TopicAuthorizationFailed
        | ResponseError::GroupAuthorizationFailed
        | ResponseError::ClusterAuthorizationFailed => {
            "ask whoever runs the cluster for the right; `vitals grants` prints all that are needed".into()
        }
        ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge => {
            "raise max.message.bytes of the topic (and its segment.bytes, where that is lower)".into()
        }
        ResponseError::InvalidTimestamp => {
            "raise message.timestamp.before.max.ms or message.timestamp.after.max.ms of the topic".into()
        }
        ResponseError::InvalidRecord => {
            "set cleanup.policy=delete on the topic: a compacted one takes nothing without a key".into()
        }
        ResponseError::NotEnoughReplicas | ResponseError::NotEnoughReplicasAfterAppend => {
            "start the brokers that keep the topic's copies, or lower its min.insync.replicas".into()
        }
        ResponseError::PolicyViolation => "ask the cluster's operator to make the topic, or to allow it".into(),
        _ => return None,
    })
}
