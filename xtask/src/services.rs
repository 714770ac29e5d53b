//! Real Kafka and Cassandra (and `ZooKeeper`) as child processes, from jars that Maven fetches once.
//!
//! ```text
//! target/services/
//!   jdk-11/               the Java of Cassandra 4.1
//!   jars/kafka-4.3.1/     pom.xml, lib/*.jar, complete (only when nothing is missing)
//!   stacks/NAME/          state.json, conf/, data/, logs/
//!   locks/                one file for each thing that only one process may do at a time
//! ```
//!
//! - [`cmd`]: up, down, status, logs, run
//! - [`options`]: what can be asked for, and what that comes to
//! - [`stack`]: servers that were started together; [`state`]: what is remembered of them; [`folder`]: where they live
//! - [`fresh`]: stacks for one run only
//! - [`kafka`], [`zookeeper`], [`cassandra`]: settings and command line of each, behind [`server`]
//! - [`ready`]: has the server answered a request of its protocol
//! - [`jars`], [`java`]: what they are made of; [`ports`], [`port_owner`]: where they listen
//! - [`log_tail`]: the last lines of a log

pub(crate) mod cassandra;
pub(crate) mod cmd;
pub(crate) mod folder;
pub(crate) mod fresh;
pub(crate) mod jars;
pub(crate) mod java;
pub(crate) mod kafka;
pub(crate) mod log_tail;
pub(crate) mod options;
pub(crate) mod port_owner;
pub(crate) mod ports;
pub(crate) mod ready;
pub(crate) mod server;
pub(crate) mod stack;
pub(crate) mod state;
pub(crate) mod zookeeper;

pub(crate) use cmd::{Args, run};
