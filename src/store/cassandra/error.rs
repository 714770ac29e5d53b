//! What can go wrong with Cassandra, and what to do about it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use cdrs_tokio::error::Error as DriverError;
use cdrs_tokio::frame::message_error::{ErrorBody, ErrorType};

use super::probe::NodeFault;
use crate::advice::{Advice, Code};
use crate::pipeline::store::WriteError;
use crate::store::{NEWER_HINT, OLDER_HINT, SchemaVersion};

/// What the store was doing when something went wrong: it completes "Cassandra did not …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each has its text")]
pub enum Doing {
    ReadSchema,
    ChangeSchema,
    Prepare,
    Write,
    Read,
    /// Reading the server's own settings, and when it was started.
    ReadSettings,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// A setting is at fault, ours or the server's: the consistency level, a guardrail.
    Setting,
    /// We are not allowed to.
    Right,
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
            ErrorType::Unauthorized => Self::Right,
            ErrorType::Authentication => Self::Setting,
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

/// How a column of a table differs from what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeFault {
    pub(super) column: String,
    /// Its type or its place in the key; `None` where it is missing.
    pub(super) found: Option<String>,
    pub(super) wanted: String,
}

impl fmt::Display for ShapeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, found, wanted } = self;
        match found {
            None => write!(f, "it has no column `{column}` {wanted}"),
            Some(found) => write!(f, "its column `{column}` is {found} where {wanted} is needed"),
        }
    }
}

/// What went wrong with Cassandra. No text of it holds patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each has its text")]
pub enum CassandraError {
    #[error("`{0}` cannot be a keyspace: a letter, then up to 47 letters, digits or `_`")]
    KeyspaceName(String),
    #[error("`{0}` is no replication: it is a number, or data centres with theirs, as `DC1:3,DC2:2`")]
    Replication(String),
    #[error("no Cassandra node can be used: {}", list(.0))]
    NoNode(Vec<NodeFault>),
    /// The nodes answered, but the connection was not ready in time.
    #[error("the connection to Cassandra was not ready within {} s", .0.as_secs())]
    NotReady(Duration),
    #[error("Cassandra did not {} within {} s", .0, .1.as_secs())]
    TimedOut(Doing, Duration),
    /// The connection broke, or what came was not understood.
    #[error("Cassandra did not {0}: {1}")]
    Broken(Doing, String),
    #[error("Cassandra refused to {doing}: {reason}")]
    Refused { doing: Doing, refusal: Refusal, reason: String },
    #[error("the keyspace `{0}` does not exist")]
    NoKeyspace(String),
    #[error("the table `{0}` does not exist")]
    NoTable(String),
    #[error("the table `{0}` has another shape: {1}")]
    Shape(String, ShapeFault),
    #[error("the table `{0}` is that of an earlier vitals: {1}")]
    Older(String, ShapeFault),
    #[error("nothing is written to the keyspace `{0}`: {1}")]
    Newer(String, SchemaVersion),
    #[error("no node is in the data centre '{local}', but in {}", known.iter().cloned().collect::<Vec<_>>().join(", "))]
    NoDataCenter { local: String, known: BTreeSet<String> },
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
            DriverError::Io(error) => Self::Broken(doing, error.kind().to_string()),
            other => Self::Broken(doing, other.to_string()),
        }
    }

    /// Whether the session that this happened on must not be used again. After a time-out a late answer could be taken
    /// for that of a later request; after a broken connection the driver may hold its nodes for down for ever.
    pub(super) fn spoils_session(&self) -> bool {
        matches!(self, Self::TimedOut(..) | Self::Broken(..))
    }

    /// Whether waiting may mend it: the nodes are starting, away, or busy.
    pub fn is_away(&self) -> bool {
        match self {
            Self::NoNode(faults) => faults.iter().any(NodeFault::is_passing),
            Self::NotReady(_) | Self::TimedOut(..) | Self::Broken(..) => true,
            _ => false,
        }
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
            // Whoever waits for this waits for somebody who gives the right.
            lacking @ CassandraError::Refused { refusal: Refusal::Right, .. } => {
                let hint = lacking.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                Self::Later(format!("{lacking}{hint}"))
            }
            other => Self::Later(other.to_string()),
        }
    }
}

impl Advice for CassandraError {
    fn code(&self) -> Code {
        match self {
            Self::KeyspaceName(_)
            | Self::Replication(_)
            | Self::NoKeyspace(_)
            | Self::NoTable(_)
            | Self::Shape(..)
            | Self::Older(..)
            | Self::Newer(..)
            | Self::NoDataCenter { .. }
            | Self::Refused { refusal: Refusal::Setting | Refusal::Missing, .. } => Code::Usage,
            _ => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { refusal: Refusal::Right, doing, reason } => {
                let grant = missing_grant(reason).map(|grant| format!(" gives this right by: {grant}"));
                let grant =
                    grant.unwrap_or_else(|| " gives rights; `vitals grants` prints all that are needed".to_owned());
                return Some(match doing {
                    Doing::ReadSettings => {
                        format!("say the time with --durability-delay, or: whoever runs the cluster{grant}")
                    }
                    Doing::ChangeSchema => {
                        format!(
                            "have `vitals init` run by whoever made the tables, or: whoever runs the cluster{grant}"
                        )
                    }
                    _ => format!("whoever runs the cluster{grant}"),
                });
            }
            Self::NoDataCenter { .. } => "name one of these with --store-local-dc, or leave it out",
            Self::KeyspaceName(_) => "name the keyspace in --store, as cassandra://localhost:9042/hospital",
            Self::Replication(_) => "on one node: 1; else as many copies as you want of every row",
            Self::NoNode(faults) => return Some(NodeFault::advice(faults)),
            Self::NotReady(_) | Self::TimedOut(..) | Self::Broken(..) => {
                "look at Cassandra's log; it may be starting, stopping or overloaded"
            }
            Self::Refused { refusal: Refusal::Setting, .. } => "check --consistency and --keyspace-replication",
            Self::NoKeyspace(_) | Self::NoTable(_) | Self::Refused { refusal: Refusal::Missing, .. } => {
                "run `vitals init`, or check the keyspace in --store"
            }
            Self::Older(..) => OLDER_HINT,
            Self::Newer(..) => NEWER_HINT,
            Self::Shape(..) => "name another keyspace in --store, or move that table's rows and drop it",
            Self::Refused { refusal: Refusal::Temporary, .. } => {
                "look at the cluster's nodes (`nodetool status`); fewer need to be up with a lower --consistency"
            }
            Self::Refused { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// The statement that would mend a refusal for want of a right, which reads `User ward has no SELECT permission on <table
/// hospital.patient_vitals> or any of its parents`.
fn missing_grant(reason: &str) -> Option<String> {
    let (user, rest) = reason.strip_prefix("User ")?.split_once(" has no ")?;
    let (right, rest) = rest.split_once(" permission on <")?;
    let (resource, _) = rest.split_once('>')?;
    let resource = match resource.split_once(' ') {
        Some(("all", "keyspaces")) => "ALL KEYSPACES".to_owned(),
        Some((kind @ ("table" | "keyspace"), name)) => {
            // Names keep their capitals only in quotes.
            let name = name.split('.').map(in_quotes).collect::<Vec<_>>().join(".");
            format!("{} {name}", kind.to_uppercase())
        }
        _ => return None,
    };
    Some(format!("GRANT {right} ON {resource} TO {};", in_quotes(user)))
}

/// A name of CQL, as it is.
pub(crate) fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(doing: Doing, ty: ErrorType, message: &str) -> CassandraError {
        let body = ErrorBody { message: message.to_owned(), ty };
        CassandraError::from_driver(doing, DriverError::Server { body, addr: ([127, 0, 0, 1], 9042).into() })
    }

    fn write_refused(ty: ErrorType, message: &str) -> WriteError {
        refused(Doing::Write, ty, message).into()
    }

    #[test]
    fn rows_that_are_at_fault_are_never_taken() {
        let error = write_refused(ErrorType::Invalid, "Key may not be empty");
        assert!(matches!(error, WriteError::Never(reason) if reason == "Key may not be empty"));
    }

    #[test]
    fn a_refusal_that_has_nothing_to_do_with_the_rows_can_pass() {
        for (ty, message) in [
            (ErrorType::Overloaded, "Server is in overloaded state"),
            (ErrorType::IsBootstrapping, "Cannot read from a bootstrapping node"),
            (ErrorType::Invalid, "unconfigured table patient_vitals"),
            (ErrorType::Invalid, "Keyspace hospital does not exist"),
            (ErrorType::Invalid, "SERIAL is not supported as conditional update commit consistency. Use ANY"),
            (ErrorType::Invalid, "Guardrail disk_usage violated: Write request failed because disk usage exceeds"),
            (ErrorType::Unauthorized, "User anonymous has no MODIFY permission"),
        ] {
            assert!(matches!(write_refused(ty, message), WriteError::Later(_)), "{message}");
        }
    }

    #[test]
    fn a_statement_that_cannot_be_prepared_says_nothing_about_the_rows() {
        let error = refused(Doing::Prepare, ErrorType::Invalid, "Undefined column name heart_rate").into();
        assert!(matches!(error, WriteError::Later(_)));
    }

    #[test]
    fn a_broken_connection_spoils_the_session_and_can_pass() {
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let error = CassandraError::from_driver(Doing::Write, DriverError::Io(io));
        assert_eq!(error.to_string(), "Cassandra did not take rows: connection reset");
        assert!(error.spoils_session());
        assert!(matches!(error.into(), WriteError::Later(_)));
    }

    #[test]
    fn an_answer_of_the_server_does_not_spoil_the_session() {
        assert!(!refused(Doing::Write, ErrorType::Overloaded, "busy").spoils_session());
    }

    #[test]
    fn a_missing_right_is_told_as_the_statement_that_gives_it() {
        for (resource, grant) in [
            ("table Hospital.patient_vitals", "TABLE \"Hospital\".\"patient_vitals\""),
            ("keyspace hospital", "KEYSPACE \"hospital\""),
            ("all keyspaces", "ALL KEYSPACES"),
        ] {
            let told = format!("User Ward-7 has no MODIFY permission on <{resource}> or any of its parents");
            let error = refused(Doing::Write, ErrorType::Unauthorized, &told);
            let hint = error.hint().unwrap();
            assert!(hint.ends_with(&format!(": GRANT MODIFY ON {grant} TO \"Ward-7\";")), "{hint}");
            assert_eq!(error.code(), Code::Unreachable);
        }
        let other = refused(Doing::Write, ErrorType::Unauthorized, "You have not logged in");
        assert!(!other.hint().unwrap().contains("GRANT"));
    }

    #[test]
    fn a_server_that_is_not_there_names_the_services() {
        let fault = super::super::probe::Fault::Refused;
        let error = CassandraError::NoNode(vec![NodeFault { node: "localhost:9042".to_owned(), fault }]);
        assert_eq!(error.to_string(), "no Cassandra node can be used: localhost:9042: nothing listens there");
        assert!(error.hint().is_some_and(|hint| hint.contains("cargo xtask services up")));
        assert_eq!(error.code(), Code::Unreachable);
    }
}
