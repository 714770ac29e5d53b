//! What can go wrong between us and the topic.

use std::time::Duration;

use crate::advice::{Advice, Code};
use crate::kafka::error::START_HINT;

/// Why messages were not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// No broker can be reached, or the connection broke and did not come back.
    #[error("cannot reach Kafka at {brokers}: {reason}")]
    Unreachable {
        /// The brokers that were tried.
        brokers: String,
        /// What the last of them said.
        reason: String,
    },
    /// A broker answers, but its disk takes nothing.
    #[error("Kafka at {brokers} cannot write to its disk")]
    Storage {
        /// The brokers that were tried.
        brokers: String,
    },
    /// A connection stands, but nothing comes back.
    #[error("Kafka at {brokers} did not answer within {} s", limit.as_secs_f32())]
    Silent {
        /// The brokers that were tried.
        brokers: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The topic does not exist.
    #[error("the topic {topic} does not exist")]
    NoTopic {
        /// Which topic.
        topic: String,
    },
    /// The cluster will not take the messages, now or later.
    #[error("Kafka refuses messages for the topic {topic}: {reason}")]
    Refused {
        /// Which topic.
        topic: String,
        /// The cluster's own words.
        reason: String,
    },
}

impl Advice for ProducerError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => START_HINT.to_owned(),
            Self::Storage { .. } => {
                "make room on the broker's disk, and send again what was not acknowledged".to_owned()
            }
            Self::Silent { .. } => {
                "check that it is Kafka that listens there, and that it has finished starting".into()
            }
            Self::NoTopic { .. } => "`vitals init` makes it".to_owned(),
            Self::Refused { .. } => "check the topic's settings and the rights to write to it".to_owned(),
        })
    }
}
