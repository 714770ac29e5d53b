//! Apache Cassandra, through `cdrs-tokio`.
//!
//! - [`schema`]: the keyspace and its tables: what `init` makes, what `consume` needs. The CQL is in
//!   `migrations/cassandra/`
//! - [`write`](mod@write): readings and alerts in
//! - [`read`]: readings and alerts out
//! - `minutes`: what the readings of minutes come to, out
//! - `acknowledge`: whose alarms there are, and who has acknowledged them
//! - [`scan`]: the whole table, row by row
//! - [`remove`]: rows that are kept elsewhere go, and all that is known of a patient
//! - `retention`: how long rows are kept, by those who write them
//! - `durability`: how long what was acknowledged may be forgotten
//! - `survey`: a look at the whole cluster
//! - `stock`: what the tables hold, by estimates
//! - `session`: the driver's session, kept on a short leash
//! - [`probe`]: is there a Cassandra, and does it let us in
//! - `connect`: the connections themselves: TLS and the login
//! - `access`: whom we believe, and who we are
//! - `balance`: which node is asked next
//! - [`error`]: what can go wrong, and what to do about it
//!
//! Every value is bound; only the keyspace's name goes into CQL text, and [`Keyspace`] has checked it.

mod access;
mod acknowledge;
mod balance;
mod connect;
mod durability;
pub mod error;
mod journal;
mod keyspace;
pub(super) mod minutes;
pub mod probe;
pub mod read;
pub mod remove;
pub(in crate::store) mod renew;
mod retention;
pub mod scan;
pub mod schema;
mod session;
mod silent;
mod stock;
mod survey;
pub mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cdrs_tokio::consistency::Consistency as Level;
use cdrs_tokio::frame::message_response::ResponseBody;
use cdrs_tokio::statement::{StatementParams, StatementParamsBuilder};
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;

pub use access::{NodeAccess, NodeLogin};
pub use error::CassandraError;
pub(super) use keyspace::MAX_NAME_BYTES;
pub use keyspace::{Keyspace, Replication};

use self::connect::ClusterConfig;
use self::durability::LastTold;
use self::error::Doing;
use self::session::CurrentSession;
use crate::store::Consistency;
use crate::store::retention::Known;

/// A keyspace of a Cassandra cluster as the store of readings and alerts. Clones share its connections.
#[derive(Clone)]
pub struct CassandraStore {
    session: Arc<CurrentSession>,
    keyspace: Keyspace,
    consistency: Consistency,
    /// How long rows are kept.
    kept: Arc<Known>,
    /// When nodes were last seen in one of their runs.
    told: Arc<LastTold>,
}

impl CassandraStore {
    /// Connects to the first of `nodes` (`host:port`) that can be used, and through it to its whole cluster. The
    /// keyspace need not exist yet.
    ///
    /// # Errors
    /// [`CassandraError::NoNode`] within 5 s when no node can be used, [`CassandraError::NotReady`] when one answers
    /// and then falls silent.
    pub async fn connect(
        nodes: &[String],
        access: NodeAccess,
        keyspace: Keyspace,
        consistency: Consistency,
    ) -> Result<Self, CassandraError> {
        let (nodes, reached, silent) = (nodes.into(), Arc::default(), Arc::default());
        let session = CurrentSession::new(ClusterConfig { nodes, access, reached, silent });
        let store =
            Self { session: Arc::new(session), keyspace, consistency, kept: Arc::default(), told: Arc::default() };
        store.session.connected().await?;
        Ok(store)
    }

    /// Sends one statement with its values and waits for the answer, but not longer than `limit`.
    async fn ask(
        &self,
        doing: Doing,
        limit: Duration,
        cql: &str,
        params: StatementParams,
    ) -> Result<ResponseBody, CassandraError> {
        let connected = self.session.connected().await?;
        let request = async { connected.session.query_with_params(cql, params).await?.response_body() };
        self.session.within(&connected, doing, limit, request).await
    }

    /// The rows of a query over a table of the server's own.
    async fn look(
        &self,
        doing: Doing,
        limit: Duration,
        cql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, CassandraError> {
        let params = StatementParamsBuilder::new().with_values(values.into()).idempotent(true).build();
        Ok(self.ask(doing, limit, cql, params).await?.into_rows().unwrap_or_default())
    }

    /// The keyspace.
    #[cfg(feature = "testing")]
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }
}

/// Leaves the driver's parts out: their own rendering shows what nobody should read in a log.
impl fmt::Debug for CassandraStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraStore")
            .field("keyspace", &self.keyspace)
            .field("consistency", &self.consistency)
            .finish_non_exhaustive()
    }
}

impl Consistency {
    fn for_writes(self) -> Level {
        match self {
            Self::Any => Level::Any,
            Self::One => Level::One,
            Self::Two => Level::Two,
            Self::Three => Level::Three,
            Self::Quorum => Level::Quorum,
            Self::All => Level::All,
            Self::LocalQuorum => Level::LocalQuorum,
            Self::EachQuorum => Level::EachQuorum,
            Self::LocalOne => Level::LocalOne,
        }
    }

    /// Whether one data centre answers for itself.
    fn is_local(self) -> bool {
        matches!(self, Self::LocalQuorum | Self::LocalOne)
    }

    /// What a condition is judged by: more than half of all copies, or of those in the data centre that is asked where a
    /// level asks no other.
    fn for_conditions(self) -> Level {
        match self {
            local if local.is_local() => Level::LocalSerial,
            _ => Level::Serial,
        }
    }

    /// ANY is a level for writes; the nearest for reads is ONE.
    fn for_reads(self) -> Level {
        if self == Self::Any { Level::One } else { self.for_writes() }
    }
}
