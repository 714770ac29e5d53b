//! What can go wrong with Cassandra, and what to do about it.

use std::time::Duration;

use cdrs_tokio::error::Error as DriverError;
use cdrs_tokio::frame::message_error::{ErrorBody, ErrorType};

use super::probe::NodeFault;
use crate::advice::{Advice, Code};
use crate::pipeline::store::WriteError;
use crate::store::{NEWER_HINT, SchemaVersion};

/// What the store was doing when something went wrong: it completes "Cassandra did not …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading what the schema is.
    ReadSchema,
    /// Creating keyspaces and tables.
    ChangeSchema,
    /// Preparing a statement.
    Prepare,
    /// Writing readings and alerts.
    Write,
    /// Reading readings and alerts.
    Read,
    /// Reading the server's own settings, and when it was started.
    ReadSettings,
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ReadSchema => "tell its schema",
            Self::ChangeSchema => "change its schema",
            Self::Prepare => "prepare a statement",
            Self::Write => "take rows",
            Self::Read => "give rows",
            Self::ReadSettings => "tell how it is set up",
        })
    }
}

/// What kind of refusal it was that a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot now: overloaded, too few replicas, a time-out within the cluster.
    Temporary,
    /// The keyspace or the table does not exist.
    Missing,
    /// A setting is at fault, ours or the server's: the consistency level, a permission, a guardrail.
    Setting,
    /// A prepared statement is not known, and preparing it again did not help.
    Unprepared,
    /// The request itself is at fault.
    Request,
}

impl Refusal {
    /// Tells by the error's code and, where one code stands for several kinds, by its text.
    pub(super) fn of(body: &ErrorBody) -> Self {
        match &body.ty {
            ErrorType::Invalid => Self::of_invalid(&body.message),
            ErrorType::Syntax => Self::Request,
            // Two that made a table at the same time get this code too: an "ID mismatch", which passes.
            ErrorType::Config if !body.message.contains("mismatch") => Self::Setting,
            ErrorType::Unprepared(_) => Self::Unprepared,
            ErrorType::Unauthorized | ErrorType::Authentication => Self::Setting,
            _ => Self::Temporary,
        }
    }

    fn of_invalid(message: &str) -> Self {
        let text = message.to_lowercase();
        if text.contains("unconfigured table") || text.contains("does not exist") {
            Self::Missing
        } else if ["consistency", "replication strategy", "guardrail"].iter().any(|word| text.contains(word)) {
            // A guardrail can be that of a full disk: nothing is wrong with the rows.
            Self::Setting
        } else {
            Self::Request
        }
    }
}

/// How a table differs from the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeFault {
    /// A column is missing.
    #[error("it has no column `{column}` {wanted}")]
    NoColumn {
        /// The column.
        column: String,
        /// The type it should have.
        wanted: String,
    },
    /// A column has another type.
    #[error("its column `{column}` is {found} where {wanted} is needed")]
    Type {
        /// The column.
        column: String,
        /// The type it has.
        found: String,
        /// The type it should have.
        wanted: String,
    },
    /// A column has another place in the key.
    #[error("its column `{column}` is {found} where {wanted} is needed")]
    Key {
        /// The column.
        column: String,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
}

impl ShapeFault {
    /// The fault with the table as its subject.
    pub(super) fn difference(&self) -> String {
        match self {
            Self::NoColumn { column, wanted } => format!("has no column `{column}` {wanted}"),
            Self::Type { column, found, wanted } | Self::Key { column, found, wanted } => {
                format!("has its column `{column}` as {found}, not {wanted}")
            }
        }
    }
}

/// What went wrong with Cassandra. No text of it holds patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CassandraError {
    /// The keyspace's name cannot be used.
    #[error("`{0}` cannot be a keyspace: a letter, then up to 47 letters, digits or `_`")]
    KeyspaceName(String),
    /// The replication setting cannot be read.
    #[error("`{0}` is no replication: it is a number, or data centres with theirs, as `DC1:3,DC2:2`")]
    Replication(String),
    /// None of the nodes can be used.
    #[error("no Cassandra node can be used: {}", list(.0))]
    NoNode(Vec<NodeFault>),
    /// The nodes answered, but the connection was not ready in time.
    #[error("the connection to Cassandra was not ready within {} s", .0.as_secs())]
    NotReady(Duration),
    /// A request was not answered in time.
    #[error("Cassandra did not {doing} within {} s", .limit.as_secs())]
    TimedOut {
        /// What was asked.
        doing: Doing,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The connection broke, or what came was not understood.
    #[error("Cassandra did not {doing}: {reason}")]
    Broken {
        /// What was asked.
        doing: Doing,
        /// What happened.
        reason: String,
    },
    /// A server answered that it will not.
    #[error("Cassandra refused to {doing}: {reason}")]
    Refused {
        /// What was asked.
        doing: Doing,
        /// Why, by kind.
        refusal: Refusal,
        /// Why, in the server's words.
        reason: String,
    },
    /// The keyspace does not exist.
    #[error("the keyspace `{0}` does not exist")]
    NoKeyspace(String),
    /// The table does not exist.
    #[error("the table `{0}` does not exist")]
    NoTable(String),
    /// The table exists in another shape.
    #[error("the table `{table}` has another shape: {fault}")]
    Shape {
        /// The table.
        table: String,
        /// How it differs.
        fault: ShapeFault,
    },
    /// A newer `vitals` has made the tables.
    #[error("nothing is written to the keyspace `{keyspace}`: {version}")]
    Newer {
        /// The keyspace.
        keyspace: String,
        /// The versions.
        version: SchemaVersion,
    },
}

fn list(faults: &[NodeFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl CassandraError {
    pub(super) fn from_driver(doing: Doing, error: DriverError) -> Self {
        match error {
            DriverError::Server { body, .. } => {
                Self::Refused { doing, refusal: Refusal::of(&body), reason: body.message }
            }
            // The driver copies an error of the system without its text.
            DriverError::Io(error) => Self::Broken { doing, reason: error.kind().to_string() },
            other => Self::Broken { doing, reason: other.to_string() },
        }
    }

    /// Whether the session that this happened on must not be used again. After a time-out a late answer could be taken
    /// for that of a later request; after a broken connection the driver may hold its nodes for down for ever.
    pub(super) fn spoils_session(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Broken { .. })
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}

/// Only a refusal of the request itself is final: everything else can be another answer tomorrow.
impl From<CassandraError> for WriteError {
    fn from(error: CassandraError) -> Self {
        match error {
            CassandraError::Refused { doing: Doing::Write, refusal: Refusal::Request, reason } => Self::Never(reason),
            other => Self::Later(other.to_string()),
        }
    }
}

impl CassandraError {
    /// Whether waiting may mend it: the nodes are starting, away, or busy.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::NoNode(_) | Self::NotReady(_) | Self::TimedOut { .. } | Self::Broken { .. })
    }
}

impl Advice for CassandraError {
    fn code(&self) -> Code {
        match self {
            Self::KeyspaceName(_)
            | Self::Replication(_)
            | Self::NoKeyspace(_)
            | Self::NoTable(_)
            | Self::Shape { .. }
            | Self::Newer { .. }
            | Self::Refused { refusal: Refusal::Setting | Refusal::Missing, .. } => Code::Usage,
            _ => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::KeyspaceName(_) => "name the keyspace in --store, as cassandra://localhost:9042/hospital",
            Self::Replication(_) => "on one node: 1; else as many copies as you want of every row",
            Self::NoNode(faults) => return Some(NodeFault::advice(faults)),
            Self::NotReady(_) | Self::TimedOut { .. } | Self::Broken { .. } => {
                "look at Cassandra's log; it may be starting, stopping or overloaded"
            }
            Self::Refused { refusal: Refusal::Setting, .. } => {
                "check --consistency, --keyspace-replication and what this user may do"
            }
            Self::NoKeyspace(_) | Self::NoTable(_) | Self::Refused { refusal: Refusal::Missing, .. } => {
                "run `vitals init`, or check the keyspace in --store"
            }
            Self::Newer { .. } => NEWER_HINT,
            Self::Shape { .. } => "name another keyspace in --store, or move that table's rows and drop it",
            Self::Refused { refusal: Refusal::Temporary, .. } => {
                "look at the cluster's nodes (`nodetool status`); fewer need to be up with a lower --consistency"
            }
            Self::Refused { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests;
