//! Patient vital signs through Kafka, or the embedded broker, into Cassandra or SQLite.
//!
//! ```text
//!  device, CSV, simulator ─ produce ─▶ topic patient.vitals ─ fetch ─▶ decode ─▶ rules ─▶ store ─▶ commit
//!                                                                       │ refused  │ alert
//!                                                                       ▼          ▼
//!                                                         patient.vitals.dlq    patient_alerts, screen
//! ```
//!
//! The order of these steps is the promise: nothing is committed before it is stored, or kept as a dead letter.
//!
//! In reading order:
//!
//! - the core, without sockets, clock, environment or printing:
//!   - [`reading`]: one reading, and the message that carries it
//!   - [`reject`]: why a message was refused
//!   - [`alarm`]: readings in, alerts out; the limits and the ranges
//!   - [`ledger`]: what may be committed
//!   - [`faults`]: what is wrong with the lines of a file
//! - the story:
//!   - [`pipeline`]: the file to read first; from fetched to committed
//! - the edges, with every byte of input and output:
//!   - [`kafka`]: producing, and our own group membership, fetch and offsets
//!   - [`broker`]: the embedded broker of `vitals up` and `vitals demo`
//!   - [`store`]: where readings and alerts are kept; Cassandra, or an SQLite file
//!   - [`archive`]: rows of the table as a file, and back
//!   - [`intake`]: where readings come from: the simulated ward, CSV files
//!   - [`disk`]: whether a folder can be written to
//!   - [`port`]: what is behind an address, for who looks for a fault
//!   - [`retry`]: how long to wait between attempts
//! - the commands, one file each:
//!   - [`cmd`]: their arguments, and what each does
//!   - [`guide`]: the pages of the guide, printed by `vitals guide`
//! - the shell:
//!   - [`settings`]: every option, environment variable and file key
//!   - [`output`]: everything that is printed
//!   - [`shutdown`]: Ctrl+C and SIGTERM
//!   - [`exit`]: the exit codes, and what an error tells

pub mod alarm;
pub mod archive;
pub mod broker;
pub mod cmd;
pub mod disk;
pub mod exit;
pub mod faults;
pub mod guide;
pub mod intake;
pub mod kafka;
pub mod ledger;
pub mod output;
pub mod pipeline;
pub mod port;
pub mod reading;
pub mod reject;
pub mod retry;
pub mod settings;
pub mod shutdown;
pub mod store;
