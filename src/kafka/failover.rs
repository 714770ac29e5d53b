//! What passes while a cluster puts other brokers in the place of one that died.

use std::time::Duration;

use super::cluster::Cluster;
use super::error::{Attempts, KafkaError};

/// So long a cluster may take. It gives a broker up 9 s after its last sign of life (`broker.session.timeout.ms`), or 18 s
/// where a `ZooKeeper` watches it; the rest is for one that is busy.
pub(crate) const FAILOVER_LIMIT: Duration = Duration::from_secs(30);

/// Waits until the brokers answer that lead `topic` and coordinate `group`, where the cluster has several: else nobody
/// could take over. What is away in the end, or is refused, meets whoever asks for it.
pub(crate) async fn outlast(cluster: &mut Cluster, topic: &str, group: &str, told: impl FnOnce(&KafkaError)) {
    let mut told = Some(told);
    let mut attempts = Attempts::within(FAILOVER_LIMIT);
    while cluster.has_several()
        && let Err(error) = reach(cluster, topic, group).await
        // Where no broker answers any more, nobody takes over.
        && error.is_passing()
        && !matches!(error, KafkaError::Unreachable { .. })
    {
        if let Some(told) = told.take() {
            told(&error);
        }
        if attempts.pause(error).await.is_err() {
            break;
        }
    }
}

/// A partition that has no leader is nobody's to wait for: the cluster knows that its replicas are away.
async fn reach(cluster: &mut Cluster, topic: &str, group: &str) -> Result<(), KafkaError> {
    for leader in cluster.leaders(topic).await?.by_node().into_keys() {
        cluster.node(leader).await?;
    }
    cluster.coordinator_node(group).await.map(drop)
}
