//! The programs of a run, where their files are, and what they are started with.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::stack::Addresses;
use crate::error::Error;
use crate::job::Job;
use crate::process::LOOK_AGAIN;
use crate::repository;
use crate::services::folder::StackFolder;
use crate::services::ports::FreePorts;
use crate::signals::Interrupt;
use crate::worker::Worker;

/// What a command on little data may take on a busy machine, and a program until it gives its first sign of work.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// What a program may take to end that is asked to, where that is not what is attacked.
pub(super) const END_LIMIT: Duration = Duration::from_secs(30);
/// What sending or comparing half a million readings may take.
pub(super) const MANY_LIMIT: Duration = Duration::from_secs(5 * 60);

/// What all campaigns on one stack share.
#[derive(Debug)]
pub(super) struct Stand {
    binary: PathBuf,
    python: PathBuf,
    folder: StackFolder,
    ports: RefCell<FreePorts>,
    interrupt: Interrupt,
    /// Numbers the logs: none replaces another.
    logs: Cell<u32>,
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(super) code: Option<i32>,
    /// How long it ran.
    pub(super) lasted: Duration,
    /// Everything that it printed.
    pub(super) said: String,
}

impl Stand {
    /// Makes its folder.
    pub(super) fn new(
        binary: PathBuf,
        python: PathBuf,
        folder: StackFolder,
        interrupt: &Interrupt,
    ) -> Result<Self, Error> {
        folder.make()?;
        let interrupt = interrupt.clone();
        Ok(Self { binary, python, folder, ports: RefCell::new(FreePorts::new()), interrupt, logs: Cell::new(0) })
    }

    /// A command of `vitals` on these servers.
    pub(super) fn vitals(&self, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        Self::command(&self.binary, at, arguments)
    }

    /// A consumer with a fault of its own on these servers.
    pub(super) fn tampered(&self, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        // Where cargo puts examples.
        Self::command(&self.binary.with_file_name("examples").join("tampered"), at, arguments)
    }

    fn command(program: &Path, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        let mut command = vec![OsString::from(program)];
        command.extend(arguments.iter().map(OsString::from));
        let options = ["--brokers", &at.brokers, "--store", &at.store, "--topic", &at.topic, "--group", &at.group];
        command.extend(options.map(OsString::from));
        command
    }

    /// A script of `xtask/tests/peers`.
    pub(super) fn script(&self, script: &str, arguments: &[&str]) -> Vec<OsString> {
        let peers = repository::root().join("xtask").join("tests").join("peers");
        // Nothing compiled is left beside the scripts.
        let mut command = vec![self.python.clone().into(), "-B".into(), peers.join(script).into()];
        command.extend(arguments.iter().map(OsString::from));
        command
    }

    /// Starts a program that works beside the faults.
    pub(super) fn start(&self, what: &'static str, command: &[OsString]) -> Result<Worker, Error> {
        Worker::start(what, command, &self.log(what))
    }

    /// Runs a program to its good end, and gives what it printed.
    pub(super) fn run(&self, what: &str, command: &[OsString], limit: Duration) -> Result<String, Error> {
        let log = self.log(what);
        self.job(what, command, limit, &log).run(&self.interrupt)?;
        std::fs::read_to_string(&log).map_err(Error::file("read", &log))
    }

    /// Runs a program to whatever end; one that does not come is an error.
    pub(super) fn ended(&self, what: &str, command: &[OsString], limit: Duration) -> Result<Ended, Error> {
        let (log, begun) = (self.log(what), Instant::now());
        let code = self.job(what, command, limit, &log).ended(&self.interrupt)?.code();
        let lasted = begun.elapsed();
        let said = std::fs::read_to_string(&log).map_err(Error::file("read", &log))?;
        Ok(Ended { code, lasted, said })
    }

    fn job<'a>(&'a self, what: &'a str, command: &'a [OsString], limit: Duration, log: &'a Path) -> Job<'a> {
        Job { what, command, folder: self.folder.path(), log, limit, hint: "" }
    }

    /// Lets some time pass; Ctrl+C ends it.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Error> {
        let end = Instant::now() + length;
        loop {
            self.interrupt.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK_AGAIN));
        }
    }

    /// A port that nobody has.
    pub(super) fn port(&self) -> Result<u16, Error> {
        self.ports.borrow_mut().take()
    }

    /// Where a file or folder of the run is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.data(name)
    }

    /// A new log.
    pub(super) fn log(&self, what: &str) -> PathBuf {
        self.logs.set(self.logs.get() + 1);
        let name: String =
            what.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        self.folder.path().join("logs").join(format!("{:04}-{name}.log", self.logs.get()))
    }

    /// The folder of the run.
    pub(super) fn folder(&self) -> &StackFolder {
        &self.folder
    }

    /// The program under test.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Whether the user wants the end.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}
