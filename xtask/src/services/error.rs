//! What can go wrong with the services: each message names it and ends with the cure.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::log_tail::LogTail;
use super::port_owner::Owner;
use super::server::Role;
use crate::lock::LockError;
use crate::signals::Interrupted;
use crate::venv::PythonError;

/// Why a stack could not be started, looked at or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(
        "no Java found: {tried} does not start ({source})\nhint: install a JDK {needed} (Debian: apt-get install openjdk-{needed}-jdk-headless), or set JAVA_HOME to one"
    )]
    NoJava { tried: String, needed: u32, source: io::Error },
    #[error(
        "{tried} is Java {found}; a server needs {needed}\nhint: install a JDK {needed}, or set JAVA_HOME to one (JAVA_HOME_11 for Cassandra 4.1)"
    )]
    OtherJava { tried: String, found: String, needed: u32 },
    #[error(
        "no Java in {}, where a JDK {needed} was installed\nhint: remove that folder and start again, or set JAVA_HOME_11 to a JDK {needed}",
        folder.display()
    )]
    NoOlderJava { folder: PathBuf, needed: u32 },
    #[error(
        "Maven (mvn) is missing; it fetches the jars of {bundle} once\nhint: install it (Debian: apt-get install maven); afterwards no network is needed"
    )]
    NoMaven { bundle: String },
    #[error(
        "Maven could not fetch the jars of {bundle} ({how})\n{log}\nhint: check the network and Maven's settings, then start the same command again; by hand: {by_hand}"
    )]
    Fetch { bundle: String, how: String, log: LogTail, by_hand: String },
    #[error(
        "port {port} for {role} is taken by {owner}\nhint: end that process, or choose another port with {option} N or --free-ports"
    )]
    PortTaken { role: Role, port: u16, owner: Owner, option: &'static str },
    #[error(
        "cannot listen on 127.0.0.1:{port} for {role}: {source}\nhint: choose another port with {option} N or --free-ports"
    )]
    PortRefused { role: Role, port: u16, option: &'static str, source: io::Error },
    #[error("no free port left between {from} and {to}\nhint: end what uses them, or name the ports")]
    NoFreePort { from: u16, to: u16 },
    #[error(
        "{role} ended while it was starting ({how})\n{log}\nhint: the lines above say why; no lines at all often mean that the heap is too small ({heap_option} SIZE)"
    )]
    Died { role: Role, how: String, log: LogTail, heap_option: &'static str },
    #[error(
        "{role} on port {port} was not ready after {} s: {reason}\n{log}\nhint: the machine may be too busy, or the heap too small ({heap_option} SIZE); start again when it is calmer",
        limit.as_secs()
    )]
    NotReady { role: Role, port: u16, limit: Duration, reason: String, log: LogTail, heap_option: &'static str },
    #[error(
        "the storage folder of Kafka could not be formatted ({how})\n{log}\nhint: the lines above say why; if an earlier start left something behind, remove it: cargo xtask services down --purge"
    )]
    Format { how: String, log: LogTail },
    #[error("cannot start {program}: {source}\nhint: check that it is installed and may be run")]
    Start { program: String, source: io::Error },
    #[error(
        "stack {stack} runs {role} {runs}, and {wanted} was asked for\nhint: cargo xtask services down --name {stack}, or give the new one another --name"
    )]
    OtherVersion { stack: String, role: Role, runs: String, wanted: &'static str },
    #[error("stack {stack} has no log {}\nhint: cargo xtask services status shows what runs", path.display())]
    NoLog { stack: String, path: PathBuf },
    #[error("{0} could not be ended even with SIGKILL\nhint: look at it with: ps -fp {0}")]
    Immortal(u32),
    #[error("cannot {verb} {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not readable as a stack's state: {source}\nhint: end its servers by hand, then remove that file", path.display())]
    State { path: PathBuf, source: serde_json::Error },
    #[error("the servers run on Linux only\nhint: use Docker: docker compose up -d")]
    NotLinux,
    /// Boxed, since it may hold one of these itself.
    #[error(transparent)]
    Python(#[from] Box<PythonError>),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// For `map_err`: an operation on a file failed.
pub(crate) fn file_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ServiceError {
    let path = path.to_owned();
    move |source| ServiceError::File { verb, path, source }
}
