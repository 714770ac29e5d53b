//! Real Kafka and Cassandra (and `ZooKeeper`) as child processes, from jars that Maven fetches once.
//!
//! ```text
//! target/services/
//!   jdk-11/               the Java of Cassandra 4.1
//!   jars/kafka-4.3.1/     pom.xml, lib/*.jar, complete (only when nothing is missing)
//!   browser/              what drives Chromium in the tests
//!   java/                 programs of ours on HAPI's jars, compiled
//!   prometheus/           Debian's package, unpacked, for the tests
//!   stacks/NAME/          state.json, conf/, data/, logs/
//!   locks/                one file for each thing that only one process may do at a time
//! ```
//!
//! - [`commands`]: up, down, status, logs, run
//! - [`options`]: what can be asked for, and what that comes to
//! - [`stack`]: servers that were started together; [`folder`]: where they live, and what is remembered of them
//! - [`kafka`] with its `ZooKeeper`, [`cassandra`], and what TLS and logins need of both in [`secure`]: settings and command line of each, behind [`server`]
//! - [`ready`]: has the server answered a request of its protocol
//! - [`java`]: the Java and the jars they are made of; [`ports`]: where they listen
//! - [`browser`]: what looks at the ward screen in the tests
//! - [`hapi`]: what judges FHIR and sends HL7 in the tests
//! - [`prometheus`]: what reads the metrics of `vitals` in the tests

pub(crate) mod browser;
pub(crate) mod cassandra;
pub(crate) mod commands;
pub(crate) mod folder;
pub(crate) mod hapi;
pub(crate) mod java;
pub(crate) mod kafka;
pub(crate) mod options;
pub(crate) mod ports;
pub(crate) mod prometheus;
pub(crate) mod ready;
pub(crate) mod secure;
pub(crate) mod server;
pub(crate) mod stack;

pub(crate) use self::commands::{Args, run};
