//! A keyspace for one test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cdrs_tokio::cluster::session::{SessionBuilder, TcpSessionBuilder};
use cdrs_tokio::cluster::{NodeTcpConfigBuilder, TcpConnectionManager};
use cdrs_tokio::load_balancing::RoundRobinLoadBalancingStrategy;
use cdrs_tokio::transport::TransportTcp;
use cdrs_tokio::types::{ByIndex, prelude::Row};
use vitals::store::Consistency;
use vitals::store::cassandra::{CassandraStore, Keyspace, Replication};

type Session = cdrs_tokio::cluster::session::Session<
    TransportTcp,
    TcpConnectionManager,
    RoundRobinLoadBalancingStrategy<TransportTcp, TcpConnectionManager>,
>;

/// The nodes that `VITALS_STORE` names.
pub(crate) fn nodes() -> Vec<String> {
    let address = std::env::var("VITALS_STORE").expect("VITALS_STORE is set by `cargo xtask test`");
    let nodes = address.trim_start_matches("cassandra://").split('/').next().unwrap_or_default();
    nodes.split(',').map(str::to_owned).collect()
}

/// A keyspace that goes when the test has passed, and the driver's own session to look at it from outside.
pub(crate) struct Scene {
    pub(crate) name: String,
    session: Session,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let name = format!("test_{micros}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let points = nodes().into_iter().map(Into::into).collect();
        let config = NodeTcpConfigBuilder::new().with_contact_points(points).build().await.unwrap();
        let session = TcpSessionBuilder::new(RoundRobinLoadBalancingStrategy::new(), config).build().await.unwrap();
        Self { name, session }
    }

    pub(crate) async fn with_tables() -> Self {
        let scene = Self::new().await;
        scene.store().await.init(&Replication::default()).await.unwrap();
        scene
    }

    pub(crate) fn keyspace(&self) -> Keyspace {
        self.name.parse().unwrap()
    }

    pub(crate) async fn store(&self) -> CassandraStore {
        CassandraStore::connect(nodes(), self.keyspace(), Consistency::default()).await.unwrap()
    }

    /// What a person does with cqlsh; `KS` stands for the keyspace.
    pub(crate) async fn cql(&self, cql: &str) -> Vec<Row> {
        let answer = self.session.query(cql.replace("KS", &self.name)).await.unwrap();
        answer.response_body().unwrap().into_rows().unwrap_or_default()
    }

    pub(crate) async fn count(&self, cql: &str) -> i64 {
        self.cql(cql).await.first().unwrap().r_by_index(0).unwrap()
    }

    pub(crate) async fn end(self) {
        self.cql("DROP KEYSPACE IF EXISTS KS").await;
    }
}
