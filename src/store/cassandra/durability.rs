//! How long a cluster may forget what it has acknowledged, and whether it has been restarted since.
//!
//! With its periodic commit log, the default, Cassandra acknowledges a row before the row is on its disk. It goes on
//! acknowledging until its sync is late by `periodic_commitlog_sync_lag_block`, one and a half periods unless it is
//! set. Where enough other copies have the row, a killed node forgets nothing that matters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use uuid::Uuid;

use super::CassandraStore;
use super::error::{CassandraError, Doing, Refusal};
use super::read::Columns;
use super::session::{NODE_LIMIT, Node, rows_of};
use crate::pipeline::store::{NodeGeneration, RequiredDelay};
use crate::span::parse_duration;
use crate::store::Consistency;

/// What a sync may be late by beyond what the server allows itself: its disk has to take it.
const MARGIN: Duration = Duration::from_secs(1);

/// The period of Cassandra's default configuration, where a server does not tell its own.
const DEFAULT_PERIOD: Duration = Duration::from_secs(10);

/// With so many copies, most of which have to acknowledge, one node may forget.
const ENOUGH_COPIES: u32 = 3;

impl CassandraStore {
    /// How long the cluster may forget what it has acknowledged, by its own settings.
    pub async fn durability_delay(&self) -> Result<RequiredDelay, CassandraError> {
        let copies = self.replication(Doing::ReadSettings, NODE_LIMIT).await?.and_then(|map| fewest_copies(&map));
        let most = matches!(
            self.consistency,
            Consistency::Quorum | Consistency::LocalQuorum | Consistency::EachQuorum | Consistency::All
        );
        if most && copies.is_some_and(|copies| copies >= ENOUGH_COPIES) {
            let why = format!("{} of {ENOUGH_COPIES} copies or more have acknowledged", self.consistency);
            return Ok(RequiredDelay { time: Duration::ZERO, why });
        }
        match self.server_settings().await {
            Ok(settings) => Ok(by_commit_log(&settings)),
            // Cassandra before 4.0 has no such table: it has its defaults then. Who may not read it cannot know.
            Err(error) if matches!(error.refusal(), Some(Refusal::Missing | Refusal::Request)) => {
                Ok(by_commit_log(&BTreeMap::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// Each node's id, with its generation, which rises at every start.
    ///
    /// # Errors
    /// A node does not answer: what it may have forgotten cannot be known.
    pub async fn read_node_generation(&self) -> Result<NodeGeneration, CassandraError> {
        // Where one data centre acknowledges by itself, the others need not answer.
        let local = self.session.config().access.local_dc.as_deref().filter(|_| self.consistency.is_local());
        let is_wanted = |data_center: &str| local.is_none_or(|local| local == data_center);
        let cql = "SELECT host_id, data_center FROM system.peers";
        let mut peers: BTreeSet<Uuid> = BTreeSet::new();
        for row in self.look(Doing::ReadSettings, NODE_LIMIT, cql, Vec::new()).await? {
            let columns = Columns::of(&row, Doing::ReadSettings);
            if is_wanted(&columns.need::<String>(1)?) {
                peers.insert(columns.need(0)?);
            }
        }
        // Each node knows its own generation alone, so each is asked. Left to the driver, whose turns are shared with
        // the writes, the question would come to some of them twice and to others not at all.
        let cluster = self.session.connected().await?.session.cluster_metadata();
        let wanted = cluster.nodes().values().filter(|node| is_wanted(node.datacenter()));
        let answers = join_all(wanted.map(generation)).await;
        let generations: BTreeMap<Uuid, i32> = answers.into_iter().flatten().collect();
        // The node that told its peers is not among them, and all of the others are.
        if generations.len() <= peers.len() || !peers.iter().all(|peer| generations.contains_key(peer)) {
            let reason = format!("nodes that answer: {} of {}", generations.len(), peers.len() + 1);
            return Err(CassandraError::Broken(Doing::ReadSettings, reason));
        }
        let parts: Vec<_> = generations.iter().map(|(node, generation)| format!("{node}:{generation}")).collect();
        Ok(NodeGeneration(parts.join(",")))
    }

    async fn server_settings(&self) -> Result<BTreeMap<String, String>, CassandraError> {
        let mut settings = BTreeMap::new();
        let cql = "SELECT name, value FROM system_views.settings";
        for row in self.look(Doing::ReadSettings, NODE_LIMIT, cql, Vec::new()).await? {
            let columns = Columns::of(&row, Doing::ReadSettings);
            settings.insert(columns.need(0)?, columns.find(1)?.unwrap_or_default());
        }
        Ok(settings)
    }
}

/// A node's id and its generation; `None` where it does not answer, which is no reason to give up the session with the
/// others.
async fn generation(node: &Arc<Node>) -> Option<(Uuid, i32)> {
    let rows = rows_of(node, "SELECT host_id, gossip_generation FROM system.local").await.ok()?;
    let columns = Columns::of(rows.first()?, Doing::ReadSettings);
    Some((columns.need(0).ok()?, columns.need(1).ok()?))
}

/// What the commit log's own settings allow.
fn by_commit_log(settings: &BTreeMap<String, String>) -> RequiredDelay {
    let setting =
        |name: &str| settings.get(name).map(String::as_str).filter(|value| !value.is_empty() && *value != "null");
    let sync = setting("commitlog_sync").unwrap_or("periodic");
    if sync != "periodic" {
        let why = format!("the commit log is synced before a row is acknowledged (commitlog_sync: {sync})");
        return RequiredDelay { time: Duration::ZERO, why };
    }
    let span = |name: &str| setting(name).and_then(|text| parse_duration(text).ok());
    let millis = |name: &str| setting(name).and_then(|text| text.parse().ok()).map(Duration::from_millis);
    let period = span("commitlog_sync_period").or_else(|| millis("commitlog_sync_period_in_ms"));
    let period = period.unwrap_or(DEFAULT_PERIOD);
    let lag = span("periodic_commitlog_sync_lag_block").or_else(|| millis("periodic_commitlog_sync_lag_block_in_ms"));
    let lag = lag.unwrap_or(period.saturating_mul(3) / 2);
    let why =
        format!("the commit log is synced every {} s, late by up to {} s", period.as_secs_f64(), lag.as_secs_f64());
    RequiredDelay { time: lag + MARGIN, why }
}

/// The number of copies in the data centre that has the fewest; `None` where the keyspace does not say.
fn fewest_copies(map: &BTreeMap<String, String>) -> Option<u32> {
    // With transient replicas it is written 3/1: three, one of them transient.
    let copies = |text: &String| text.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    map.iter().filter(|(name, _)| *name != "class").map(|(_, text)| copies(text)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn delay_of(settings: &[(&str, &str)]) -> Duration {
        by_commit_log(&map(settings)).time
    }

    #[test]
    fn a_periodic_commit_log_may_be_late_by_one_and_a_half_periods() {
        assert_eq!(
            delay_of(&[("commitlog_sync", "periodic"), ("commitlog_sync_period", "10s")]),
            Duration::from_secs(16)
        );
        assert_eq!(delay_of(&[("commitlog_sync_period_in_ms", "2000")]), Duration::from_secs(4));
        assert_eq!(
            delay_of(&[("commitlog_sync_period", "10000ms"), ("periodic_commitlog_sync_lag_block", "3s")]).as_secs(),
            4
        );
        assert_eq!(delay_of(&[]), Duration::from_secs(16), "a server that tells nothing has its defaults");
    }

    #[test]
    fn a_commit_log_that_is_synced_first_forgets_nothing() {
        assert_eq!(delay_of(&[("commitlog_sync", "batch")]), Duration::ZERO);
        assert_eq!(delay_of(&[("commitlog_sync", "group"), ("commitlog_sync_period", "10s")]), Duration::ZERO);
    }

    #[test]
    fn the_data_centre_with_the_fewest_copies_counts() {
        let simple = [("class", "org.apache.cassandra.locator.SimpleStrategy"), ("replication_factor", "1")];
        assert_eq!(fewest_copies(&map(&simple)), Some(1));
        assert_eq!(fewest_copies(&map(&[("class", "NetworkTopologyStrategy"), ("a", "3/1"), ("b", "5")])), Some(3));
        assert_eq!(fewest_copies(&map(&[])), None);
    }
}
