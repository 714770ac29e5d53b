//! What passes while a cluster puts other brokers in the place of one that died.

use std::time::Duration;

use super::cluster::Cluster;
use super::error::{Attempts, KafkaError};

/// So long a cluster may take. It gives a broker up 9 s after its last sign of life (`broker.session.timeout.ms`), or 18 s
/// where a `ZooKeeper` watches it; the rest is for one that is busy.
pub(crate) const FAILOVER_LIMIT: Duration = Duration::from_secs(30);

/// Waits until the brokers answer that lead `topics` and coordinate the `group`, where the cluster has several: else nobody
/// could take over. What is away in the end, or is refused, meets whoever asks for it.
pub(crate) async fn outlast(
    cluster: &mut Cluster,
    topics: &[&str],
    group: Option<&str>,
    told: impl FnOnce(&KafkaError),
) {
    let mut told = Some(told);
    let mut attempts = Attempts::within(FAILOVER_LIMIT);
    while cluster.has_several()
        && let Err(error) = reach(cluster, topics, group).await
        && is_of_one_away(&error)
        // Where no broker is found at the place that it gives, all of them are behind something.
        && cluster.reaches_some()
    {
        if let Some(told) = told.take() {
            told(&error);
        }
        if attempts.pause(error).await.is_err() {
            break;
        }
    }
}

/// Whether one broker is away. Where none answers, nobody takes over; and what has no leader or coordinator is nobody's to
/// wait for: the cluster knows that its replicas are away.
fn is_of_one_away(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::Io { .. }
            | KafkaError::TimedOut { .. }
            | KafkaError::HungUp { .. }
            | KafkaError::Tls { .. }
            | KafkaError::Unnamed { .. }
    ) && error.is_passing()
}

async fn reach(cluster: &mut Cluster, topics: &[&str], group: Option<&str>) -> Result<(), KafkaError> {
    for topic in topics {
        for leader in cluster.leaders(topic).await?.by_node().into_keys() {
            cluster.node(leader).await?;
        }
    }
    match group {
        Some(group) => cluster.coordinator_node(group).await.map(drop),
        None => Ok(()),
    }
}
