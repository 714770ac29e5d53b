//! What can go wrong: each message names it and ends with the fix. A broken promise, a missed goal or a crash of a
//! fuzzed decoder is no error.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::services::ports::Owner;
use crate::services::server::{Member, Role};
use crate::signals::Interrupted;
use crate::worker::{LogTail, SHOWN_WITH_ERRORS};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what} does not build (cargo ended with {code})\nhint: the lines above say why{more}")]
    Build { what: &'static str, code: u8, more: &'static str },
    #[error("cannot start {what}: {source}\nhint: check that it is installed and may be run")]
    Start { what: String, source: io::Error },
    #[error("no command was given\nhint: put it after `--`")]
    NoCommand,
    #[error("{what} {how}\n{log}\nhint: the lines above say why{more}")]
    Failed { what: String, how: String, log: LogTail, more: String },
    #[error("{what} was not done after {} s\n{log}\nhint: the machine may be too busy; start again when it is calmer", limit.as_secs())]
    TooLong { what: String, limit: Duration, log: LogTail },
    #[error(
        "{what} did not say what was expected ({missing}), but: {said}\nhint: if it has changed, xtask/src has to follow"
    )]
    Unclear { what: &'static str, missing: &'static str, said: String },
    #[error("this run has no {0}\nhint: look whether somebody has ended it, then start again")]
    NoServer(&'static str),
    #[error("cannot {verb} {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("{what} is missing; {why}\nhint: install {cure}")]
    NoProgram { what: &'static str, why: String, cure: &'static str },
    #[error(
        "the reference programs are not in {}: {source}\nhint: --peers DIR names the folder that holds fill.py, measure.py, go and benthos",
        folder.display()
    )]
    NoReferences { folder: PathBuf, source: io::Error },
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
        "port {port} of {} for {member} is taken by {owner}\nhint: end that process, or choose another port with {option} N or --free-ports",
        member.host()
    )]
    PortTaken { member: Member, port: u16, owner: Owner, option: &'static str },
    #[error(
        "cannot listen on {}:{port} for {member}: {source}\nhint: choose another port with {option} N or --free-ports",
        member.host()
    )]
    PortRefused { member: Member, port: u16, option: &'static str, source: io::Error },
    #[error("no free port left between {from} and {to}\nhint: end what uses them, or name the ports")]
    NoFreePort { from: u16, to: u16 },
    #[error("{0} is for Kafka 4.3.1 alone\nhint: leave --kafka out")]
    WithoutKraft(&'static str),
    #[error(
        "the Kafka of stack {0} runs without the listeners of --secure\nhint: end it first (cargo xtask services down), or choose another --name"
    )]
    RunsInTheClear(String),
    #[error("a certificate for the tests cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error(
        "{member} on port {port} was not ready after {} s: {reason}\n{log}\nhint: the machine may be too busy, or the heap too small ({heap_option} SIZE); start again when it is calmer",
        limit.as_secs()
    )]
    NotReady { member: Member, port: u16, limit: Duration, reason: String, log: LogTail, heap_option: &'static str },
    #[error(
        "stack {stack} runs {role} {runs}, and {wanted} was asked for\nhint: cargo xtask services down --name {stack}, or give the new one another --name"
    )]
    OtherVersion { stack: String, role: Role, runs: String, wanted: &'static str },
    #[error("stack {stack} has no log {}\nhint: cargo xtask services status shows what runs", path.display())]
    NoLog { stack: String, path: PathBuf },
    #[error("{0} could not be ended even with SIGKILL\nhint: look at it with: ps -fp {0}")]
    Immortal(u32),
    #[error("{} is not readable as a stack's state: {source}\nhint: end its servers by hand, then remove that file", path.display())]
    State { path: PathBuf, source: serde_json::Error },
    #[error("the servers run on Linux only\nhint: use Docker: docker compose up -d")]
    NotLinux,
    #[error("`cargo -vV` does not tell this platform's name\nhint: check that cargo is the one of a Rust toolchain")]
    NoHost,
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Error {
    /// For `map_err`: a program could not be started, or not be waited for.
    pub(crate) fn start(what: &str) -> impl Fn(io::Error) -> Self + use<> {
        let what = what.to_owned();
        move |source| Self::Start { what: what.clone(), source }
    }

    /// For `map_err`: an operation on a file failed.
    pub(crate) fn file(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { verb, path, source }
    }

    /// A program came to another end than a good one; `more` is what may be done about it.
    pub(crate) fn failed(what: &str, how: &str, log: &Path, more: &str) -> Self {
        let log = LogTail::read(log, SHOWN_WITH_ERRORS);
        Self::Failed { what: what.to_owned(), how: how.to_owned(), log, more: more.to_owned() }
    }

    /// A program took longer than anybody waits.
    pub(crate) fn too_long(what: &str, limit: Duration, log: &Path) -> Self {
        Self::TooLong { what: what.to_owned(), limit, log: LogTail::read(log, SHOWN_WITH_ERRORS) }
    }

    /// For `cargo`'s exit codes.
    pub(crate) fn build(what: &'static str, code: u8) -> Result<()> {
        if code == 0 { Ok(()) } else { Err(Self::Build { what, code, more: "" }) }
    }
}
