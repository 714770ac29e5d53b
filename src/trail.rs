//! The audit trail: who changed something, or looked at a patient, when, and what came of it. One line of JSON for each.
//!
//! A patient's id is in it, since whose record was looked at is what a trail is for. No vital sign is, no name, birth date
//! or reason, and no password: what a command was given comes in only by the names that its table lists
//! (`cmd/acts.rs`). The command goes on where the trail cannot be written, and waits for it no longer than
//! [`WRITE_LIMIT`].

mod file;
mod line;
#[cfg(unix)]
mod syslog;
mod who;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

pub use line::{Act, Kind, Outcome};
pub use who::{Names, Who};

use crate::advice::{BadValue, Code};
use crate::system_text::behind;
use file::MAX_FILE_BYTES;
use line::Line;

/// A command waits for its line so long and no longer: a disk behind a network may never answer.
pub const WRITE_LIMIT: Duration = Duration::from_secs(1);

/// What stands for no trail, and for that of the system.
const NONE: &str = "none";
const SYSLOG: &str = "syslog";

/// Where programs leave what goes into the system's log.
const SYSLOG_SOCKET: &str = "/dev/log";

/// Where the lines go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AuditLog {
    /// Nowhere.
    #[default]
    None,
    /// Behind the others in this file.
    File(PathBuf),
    /// To whoever listens on this socket for the system's log.
    Syslog(PathBuf),
}

impl AuditLog {
    /// Takes `none`, `syslog`, `syslog:SOCKET`, or a file.
    ///
    /// # Errors
    /// Where it names nothing, or a log that this system does not have.
    pub fn parse(text: &OsStr) -> Result<Self, BadValue> {
        let socket = if text == SYSLOG { Some(SYSLOG_SOCKET.into()) } else { behind(text, "syslog:") };
        match socket {
            Some(_) if !cfg!(unix) => {
                Err(BadValue::new("names a system log, and there is none that is known here", "name a file"))
            }
            Some(socket) if socket.is_empty() => Err(BadValue::new("names no socket", "leave the colon out")),
            Some(socket) => Ok(Self::Syslog(socket.into())),
            None if text.is_empty() => Err(BadValue::new("is empty", "name a file, or none")),
            None if text == NONE => Ok(Self::None),
            None => Ok(Self::File(text.into())),
        }
    }

    /// Writes one line.
    fn write(&self, line: &str) -> Result<(), Fault> {
        match self {
            Self::None => Ok(()),
            Self::File(path) => file::append(path, line, MAX_FILE_BYTES),
            #[cfg(unix)]
            Self::Syslog(socket) => Ok(syslog::send(socket, line)?),
            #[cfg(not(unix))]
            Self::Syslog(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }
}

impl fmt::Display for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(NONE),
            Self::File(path) => path.display().fmt(f),
            Self::Syslog(socket) if socket == Path::new(SYSLOG_SOCKET) => f.write_str(SYSLOG),
            Self::Syslog(socket) => write!(f, "syslog:{}", socket.display()),
        }
    }
}

/// Why a line is not there, or the file not as it should be.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it is no regular file")]
    NoFile,
    #[error("only a part of the line found room")]
    Part,
    #[error("it did not answer within {} s", WRITE_LIMIT.as_secs())]
    Late,
    /// The line is there.
    #[error("a new file cannot be begun: {0}")]
    Rotation(io::Error),
    #[error(transparent)]
    Other(#[from] io::Error),
}

/// What is wrong with the trail, in words.
#[derive(Debug, thiserror::Error)]
#[error("the audit log {log} {}: {fault}", if matches!(fault, Fault::Rotation(_)) { "is too large" } else { "was not written" })]
pub struct TrailError {
    log: AuditLog,
    fault: Fault,
}

impl TrailError {
    /// What to do next, as one sentence without a full stop.
    pub fn hint(&self) -> &'static str {
        match (&self.fault, &self.log) {
            (Fault::Rotation(_), _) => "let this user write to its folder, on a file system that knows hard links",
            (_, AuditLog::Syslog(_)) => "start the system's log, or name its socket with --audit-log syslog:SOCKET",
            _ => "name a file that this user may append to, in a folder that is there: --audit-log FILE",
        }
    }
}

/// What is written of one command.
#[derive(Debug)]
pub struct Trail {
    log: AuditLog,
    who: Who,
    act: Act,
    servers: BTreeMap<&'static str, String>,
    /// Once is enough for what is wrong.
    is_told: bool,
}

impl Trail {
    /// Of `act`, which is done here and now; `value_of` tells what a setting is.
    pub fn new(log: &AuditLog, mut act: Act, names: Names, value_of: impl Fn(&str) -> Option<String>) -> Self {
        for name in std::mem::take(&mut act.settings) {
            if let (Some(value), false) = (value_of(name), act.what.contains_key(name)) {
                act.what.insert(name, value.into());
            }
        }
        let servers = act.servers.iter().filter_map(|name| Some((*name, value_of(name)?))).collect();
        let who = Who::of_process(names, act.by.take());
        Self { log: log.clone(), who, act, servers, is_told: false }
    }

    /// Says that it begins, of what may go on for long: it could be ended in a way that leaves no line.
    ///
    /// # Errors
    /// Where the line is not there. It is told once.
    pub fn begin(&mut self) -> Result<(), TrailError> {
        if self.act.lasts { self.write(Outcome::Started, None) } else { Ok(()) }
    }

    /// Says what came of it.
    ///
    /// # Errors
    /// As [`Trail::begin`].
    pub fn end(&mut self, code: Code) -> Result<(), TrailError> {
        self.write(code.into(), Some(code))
    }

    fn write(&mut self, outcome: Outcome, code: Option<Code>) -> Result<(), TrailError> {
        if self.log == AuditLog::None {
            return Ok(());
        }
        let line = Line::new(outcome, code, &self.who, &self.act, &self.servers).to_json();
        let written = line.map_err(|error| Fault::Other(error.into())).and_then(|line| write_in_time(&self.log, line));
        match written {
            Err(fault) if !std::mem::replace(&mut self.is_told, true) => {
                Err(TrailError { log: self.log.clone(), fault })
            }
            _ => Ok(()),
        }
    }
}

/// Writes on a thread of its own, which is left alone when the time is over.
fn write_in_time(log: &AuditLog, line: String) -> Result<(), Fault> {
    let (done, heard) = sync_channel(1);
    let log = log.clone();
    thread::Builder::new().name("audit-log".to_owned()).spawn(move || {
        // Nobody hears it where the time is over.
        let _ = done.send(log.write(&line));
    })?;
    heard.recv_timeout(WRITE_LIMIT).unwrap_or(Err(Fault::Late))
}

#[cfg(test)]
mod tests;
