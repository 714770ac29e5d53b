//! The Python that checks ours from outside: with the clients that other programs use for Kafka and Cassandra.

use std::path::PathBuf;

use crate::error::Error;
use crate::signals::Interrupt;
use crate::venv::{Venv, python};

const CLIENTS: Venv = Venv {
    name: "venv",
    what: "the Python clients that the tests check with",
    requirements: "\
cassandra-driver==3.30.1
confluent-kafka==2.16.1
cqlsh==6.2.2
kafka-python==3.0.12
",
};

/// A Python that has them.
pub(crate) fn ensure(interrupt: &Interrupt) -> Result<PathBuf, Error> {
    CLIENTS.ensure(interrupt).map(|folder| python(&folder))
}
