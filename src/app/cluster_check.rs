//! Whether the broker that answers is the one that the settings mean.
//!
//! The embedded broker and Kafka listen on the same port by default. Readings of the one must not end up in the store of
//! the other only because somebody forgot an option.

use crate::advice::{Advice, Code};
use crate::broker::folder::CLUSTER_ID_PREFIX;
use crate::kafka::error::KafkaError;
use crate::settings::{EMBEDDED, Settings};

/// The broker is not the one that the settings mean.
#[derive(Debug, thiserror::Error)]
pub enum WrongCluster {
    /// The profile is that of the embedded broker, and another one answers.
    #[error("what answers at {brokers} is not the broker of `vitals up`, which the profile '{EMBEDDED}' is for")]
    NotEmbedded {
        /// Where it answers.
        brokers: String,
    },
    /// Nobody chose the embedded broker, and it answers.
    #[error("what answers at {brokers} is the broker of `vitals up`, and not Kafka")]
    Embedded {
        /// Where it answers.
        brokers: String,
    },
    /// No broker answers.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl Advice for WrongCluster {
    fn code(&self) -> Code {
        match self {
            Self::Kafka(error) => error.code(),
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotEmbedded { .. } => {
                Some(format!("leave --profile {EMBEDDED} out, or end what listens there and run `vitals up`"))
            }
            Self::Embedded { .. } => Some(format!("add --profile {EMBEDDED}, or name the brokers with --brokers")),
            Self::Kafka(error) => error.hint(),
        }
    }
}

/// Whether the user has said which brokers are meant.
pub(super) fn is_certain(settings: &Settings) -> bool {
    !settings.is_embedded() && !settings.has_default_brokers()
}

/// Whether a cluster of this id is that of `vitals up`.
#[must_use]
pub fn is_embedded(cluster_id: Option<&str>) -> bool {
    cluster_id.is_some_and(|id| id.starts_with(CLUSTER_ID_PREFIX))
}

/// Makes sure that a cluster of this id is the one that is meant. Where the user named the brokers, the user is right.
///
/// # Errors
/// It is the other one.
pub fn judge(settings: &Settings, cluster_id: Option<&str>) -> Result<(), WrongCluster> {
    if is_certain(settings) {
        return Ok(());
    }
    let (chosen, embedded) = (settings.is_embedded(), is_embedded(cluster_id));
    let brokers = settings.brokers.to_string();
    match (chosen, embedded) {
        (true, false) => Err(WrongCluster::NotEmbedded { brokers }),
        (false, true) => Err(WrongCluster::Embedded { brokers }),
        _ => Ok(()),
    }
}
