//! How long a cluster may forget what it has acknowledged, and whether it has been restarted since.
//!
//! With its periodic commit log, the default, Cassandra acknowledges a row before the row is on its disk. It goes on
//! acknowledging until its sync is late by `periodic_commitlog_sync_lag_block`, one and a half periods unless it is
//! set.
//!
//! Three copies do not change that. Two of them make a quorum; where the third did not come to its node, a killed node
//! that forgets the row leaves one, and a quorum of the two others does not see it. R20 loses rows by just that when
//! they are believed. So where a node has gone, or is in another run, everything is written again that is not
//! committed: to those that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::CassandraStore;
use super::connect::reach;
use super::error::{CassandraError, Doing, Refusal};
use super::read::Columns;
use super::session::{NODE_LIMIT, Node, rows_of};
use crate::pipeline::store::{NodeGeneration, RequiredDelay};
use crate::span::parse_duration;

/// What a sync may be late by beyond what the server allows itself: its disk has to take it.
const MARGIN: Duration = Duration::from_secs(1);

/// The period of Cassandra's default configuration, where a server does not tell its own.
const DEFAULT_PERIOD: Duration = Duration::from_secs(10);

/// How long a node may leave questions unanswered that does not refuse connections, before it is taken for one that is
/// away. What is busy must not be taken for that: all would be written again, and make it busier.
const SILENCE: Duration = Duration::from_secs(30);

/// When each node last told its generation.
#[derive(Debug, Default)]
pub(super) struct LastTold(Mutex<HashMap<Uuid, Instant>>);

impl LastTold {
    /// Whether a node that has not told it now may be there all the same.
    fn is_recent(&self, node: Uuid) -> bool {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&node).is_some_and(|at| at.elapsed() < SILENCE)
    }

    fn note(&self, node: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, Instant::now());
    }
}

impl CassandraStore {
    /// How long the cluster may forget what it has acknowledged, by its own settings.
    pub async fn durability_delay(&self) -> Result<RequiredDelay, CassandraError> {
        match self.server_settings().await {
            Ok(settings) => Ok(by_commit_log(&settings)),
            // Cassandra before 4.0 has no such table: it has its defaults then. Who may not read it cannot know.
            Err(error) if matches!(error.refusal(), Some(Refusal::Missing | Refusal::Request)) => {
                Ok(by_commit_log(&BTreeMap::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// The id of each node that is there, with its generation, which rises at every start. One that refuses connections is
    /// away, and one that has not answered for [`SILENCE`], or not since we are here.
    ///
    /// A node that only we do not reach may go on acknowledging. What it then forgets unseen is missed where it is also
    /// missing at the others.
    ///
    /// # Errors
    /// A node does not answer, and may be there: what it may have forgotten cannot be known yet.
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
        let answers = join_all(wanted.map(async |node| (node.host_id(), self.run_of(node).await))).await;
        let runs: BTreeMap<Uuid, Option<i32>> =
            answers.into_iter().filter_map(|(node, run)| Some((node?, run?))).collect();
        // The node that told its peers is not among them, and all of the others are.
        if runs.len() <= peers.len() || !peers.iter().all(|peer| runs.contains_key(peer)) {
            let reason = format!("nodes that answer: {} of {}", runs.len(), peers.len() + 1);
            return Err(CassandraError::Broken(Doing::ReadSettings, reason));
        }
        let there = runs.iter().filter_map(|(node, run)| run.map(|generation| format!("{node}:{generation}")));
        Ok(NodeGeneration(there.collect()))
    }

    /// Its generation, or that it is away; `None` where that cannot be told yet.
    async fn run_of(&self, node: &Arc<Node>) -> Option<Option<i32>> {
        let id = node.host_id()?;
        if let Some(generation) = generation(node).await {
            self.told.note(id);
            return Some(Some(generation));
        }
        (!self.told.is_recent(id) || refuses(node.broadcast_rpc_address()).await).then_some(None)
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

/// `None` where it does not answer, which is no reason to give up the session with the others.
async fn generation(node: &Arc<Node>) -> Option<i32> {
    let rows = rows_of(node, "SELECT gossip_generation FROM system.local").await.ok()?;
    Columns::of(rows.first()?, Doing::ReadSettings).need(0).ok()
}

/// Whether nobody listens there: the machine says so itself.
async fn refuses(address: SocketAddr) -> bool {
    reach(address).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
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

    #[tokio::test(start_paused = true)]
    async fn a_node_that_fell_silent_may_be_there_for_a_while_and_one_that_never_spoke_is_away() {
        let (told, node) = (LastTold::default(), Uuid::from_u128(1));
        assert!(!told.is_recent(node));
        told.note(node);
        tokio::time::advance(SILENCE.saturating_sub(Duration::from_secs(1))).await;
        assert!(told.is_recent(node));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!told.is_recent(node));
    }
}
