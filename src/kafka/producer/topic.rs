//! Makes a missing topic, by way of rskafka. A temporary step: it cannot give a topic settings.

use rskafka::client::error::{Error, ProtocolError};

use super::cluster::{Failure, Rskafka, classify};

/// The settings of a topic that `produce` makes: as `vitals init` has them.
const PARTITIONS: i32 = 6;
const REPLICATION: i16 = 1;
const TIMEOUT_MILLIS: i32 = 3000;

impl Rskafka {
    /// Makes `topic`; that somebody else has made it meanwhile is no failure. The caller limits the time.
    ///
    /// # Errors
    /// Where the cluster cannot be reached or refuses.
    pub async fn make_topic(&self, topic: &str) -> Result<(), Failure> {
        let controller = self.client().await?.controller_client().map_err(|error| classify(&error))?;
        match controller.create_topic(topic, PARTITIONS, REPLICATION, TIMEOUT_MILLIS).await {
            Ok(()) | Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => Ok(()),
            Err(error) => Err(classify(&error)),
        }
    }
}
