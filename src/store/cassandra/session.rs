//! The driver's session, kept on a short leash.
//!
//! What the driver lacks is here: a probe before it connects, a time limit around every request, and an end to a session
//! that cannot be trusted any more. A session ends when the last request on it has: dropping it closes its connections.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cdrs_tokio::cluster::send_envelope::send_envelope;
use cdrs_tokio::cluster::session::{
    NodeDistanceEvaluatorWrapper, ReconnectionPolicyWrapper, RetryPolicyWrapper, Session,
};
use cdrs_tokio::cluster::{connect_generic, topology};
use cdrs_tokio::error::Error as DriverError;
use cdrs_tokio::frame::message_error::ErrorType;
use cdrs_tokio::frame::message_query::BodyReqQuery;
use cdrs_tokio::frame::{Envelope, Flags};
use cdrs_tokio::load_balancing::QueryPlan;
use cdrs_tokio::load_balancing::node_distance_evaluator::AllLocalNodeDistanceEvaluator;
use cdrs_tokio::query::QueryParams;
use cdrs_tokio::retry::{ConstantReconnectionPolicy, FallthroughRetryPolicy, RetryPolicy};
use cdrs_tokio::transport::{CdrsTransport as _, TransportTcp};
use cdrs_tokio::types::prelude::Row;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout};

use super::Keyspace;
use super::balance::{InTurn, of_partition};
use super::connect::{ClusterConfig, Connections, VERSION};
use super::error::{CassandraError, Doing};
use super::probe::probe;
use super::silent::{Asked, SilentNodes};
use super::write::Inserts;

/// How long the driver may take to connect and to learn the cluster, once a node has answered the probe.
pub(super) const BUILD_LIMIT: Duration = Duration::from_secs(5);
/// How long the server may take to prepare a statement.
pub(super) const PREPARE_LIMIT: Duration = Duration::from_secs(10);
/// How long a single connection may take, with all that it says to begin with: the driver has no limit of its own.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The driver's pause between two attempts to reconnect. By default it grows to a minute.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long a node may take to answer a question that is for it alone.
pub(super) const NODE_LIMIT: Duration = Duration::from_secs(5);
/// After a failed attempt to connect, nobody tries again for this long: its failure is the answer for all.
const REBUILD_PAUSE: Duration = Duration::from_millis(500);

pub(super) type DriverSession = Session<TransportTcp, Connections, InTurn>;

/// A node of the cluster, as the driver knows it.
pub(super) type Node = topology::Node<TransportTcp, Connections>;

pub(super) type Plan = QueryPlan<TransportTcp, Connections>;

/// One session, and the statements prepared on it.
pub(super) struct Connected {
    pub(super) session: DriverSession,
    silent: Arc<SilentNodes>,
    inserts: OnceCell<Inserts>,
}

/// The current session to some nodes; a new one is made when it is needed.
pub(super) struct CurrentSession {
    config: ClusterConfig,
    current: RwLock<Option<Arc<Connected>>>,
    /// Who holds this connects. The last attempt that failed, and when.
    building: Mutex<Option<(Instant, CassandraError)>>,
}

impl CurrentSession {
    pub(super) fn new(config: ClusterConfig) -> Self {
        Self { config, current: RwLock::new(None), building: Mutex::new(None) }
    }

    /// Gives the current session, or makes one. Of many that ask at once one makes it and the rest wait for that.
    pub(super) async fn connected(&self) -> Result<Arc<Connected>, CassandraError> {
        if let Some(connected) = self.current() {
            return Ok(connected);
        }
        let mut failure = self.building.lock().await;
        if let Some(connected) = self.current() {
            return Ok(connected);
        }
        if let Some((_, error)) = failure.as_ref().filter(|(at, _)| at.elapsed() < REBUILD_PAUSE) {
            return Err(error.clone());
        }
        match build(&self.config).await {
            Ok(session) => {
                let connected =
                    Arc::new(Connected { session, silent: Arc::clone(&self.config.silent), inserts: OnceCell::new() });
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&connected));
                *failure = None;
                Ok(connected)
            }
            Err(error) => {
                *failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Waits for a `request` on `connected`, but not longer than `limit`. The session is given up where the outcome
    /// says that it cannot be trusted any more.
    pub(super) async fn within<T>(
        &self,
        connected: &Arc<Connected>,
        doing: Doing,
        limit: Duration,
        request: impl Future<Output = Result<T, DriverError>> + Send,
    ) -> Result<T, CassandraError> {
        let outcome = match timeout(limit, request).await {
            Ok(outcome) => outcome.map_err(|error| CassandraError::from_driver(doing, error)),
            Err(_) => Err(CassandraError::TimedOut(doing, limit)),
        };
        if outcome.as_ref().is_err_and(CassandraError::spoils_session) {
            self.forget(connected);
        }
        outcome
    }

    /// Makes sure that nobody starts another request on `connected`. Who is on it already ends on it.
    pub(super) fn forget(&self, connected: &Arc<Connected>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connected)) {
            *current = None;
        }
    }

    /// The nodes as the user named them, and how they are spoken with.
    pub(super) fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Whether all that is known of the cluster is one node.
    pub(super) fn has_one_node(&self) -> bool {
        self.current().is_some_and(|current| current.session.cluster_metadata().nodes().len() == 1)
    }

    fn current(&self) -> Option<Arc<Connected>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Connected {
    /// The statements that write, prepared by the first who needs them.
    pub(super) async fn inserts(&self, keyspace: &Keyspace) -> Result<&Inserts, DriverError> {
        self.inserts.get_or_try_init(|| Inserts::prepare(&self.session, keyspace)).await
    }

    /// Sends a request that names `inserts`, for rows of the partition `key`. A node that does not know them yet, or no more, is told them first.
    pub(super) async fn send(&self, request: &Envelope, key: &[u8], inserts: &Inserts) -> Result<(), DriverError> {
        let plan = self.session.query_plan(Some(of_partition(key)));
        let node = plan.nodes.first().map(|node| node.broadcast_rpc_address());
        let asked = Asked { silent: &self.silent, node };
        let outcome = send_to(plan.clone(), request).await;
        asked.ended();
        match outcome {
            Err(DriverError::Server { body, addr }) if matches!(body.ty, ErrorType::Unprepared(_)) => {
                let nodes = plan.nodes.into_iter().filter(|node| node.broadcast_rpc_address() == addr);
                let plan = Plan::new(nodes.collect());
                inserts.tell(&self.session, &plan).await?;
                send_to(plan, request).await
            }
            outcome => outcome,
        }
    }
}

/// The rows of a question to this node and no other.
pub(super) async fn rows_of(node: &Arc<Node>, cql: &str) -> Result<Vec<Row>, DriverError> {
    let question = BodyReqQuery { query: cql.to_owned(), query_params: QueryParams::default() };
    let question = Envelope::new_query(question, Flags::empty(), VERSION);
    let answer = async { node.persistent_connection().await?.write_envelope(&question, false).await?.response_body() };
    let late = |_| DriverError::Timeout(format!("{} does not answer", node.broadcast_rpc_address()));
    Ok(timeout(NODE_LIMIT, answer).await.map_err(late)??.into_rows().unwrap_or_default())
}

async fn send_to(plan: Plan, request: &Envelope) -> Result<(), DriverError> {
    let nodes = plan.nodes.into_iter();
    match send_envelope(nodes, request, true, FallthroughRetryPolicy.new_session()).await {
        Some(outcome) => outcome.map(drop),
        None => Err(DriverError::General("no node is up".to_owned())),
    }
}

/// Connects to the nodes that answer the probe; the driver learns the others of the cluster from them.
async fn build(config: &ClusterConfig) -> Result<DriverSession, CassandraError> {
    let reached: Arc<[_]> = probe(&config.nodes, &config.access).await?.into();
    let places: Vec<_> = reached.iter().map(|(address, _)| *address).collect();
    let config = &ClusterConfig { reached, ..config.clone() };
    let session = connect_generic(
        config,
        places,
        InTurn::new(config.access.local_dc.clone(), Arc::clone(&config.silent)),
        // The default policy goes on to the next node and then says that there is none, which hides the real error.
        RetryPolicyWrapper(Box::new(FallthroughRetryPolicy)),
        ReconnectionPolicyWrapper(Arc::new(ConstantReconnectionPolicy::new(RECONNECT_PAUSE))),
        NodeDistanceEvaluatorWrapper(Box::new(AllLocalNodeDistanceEvaluator)),
        None,
    );
    let session = match timeout(BUILD_LIMIT, session).await {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => return Err(CassandraError::Broken(Doing::ReadSchema, error.to_string())),
        Err(_) => return Err(CassandraError::NotReady(BUILD_LIMIT)),
    };
    let Some(local) = config.access.local_dc.clone() else { return Ok(session) };
    let known: BTreeSet<_> =
        session.cluster_metadata().nodes().values().map(|node| node.datacenter().to_owned()).collect();
    if known.contains(&local) { Ok(session) } else { Err(CassandraError::NoDataCenter { local, known }) }
}
