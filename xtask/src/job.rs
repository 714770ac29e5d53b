//! A program that works by itself until it is done: its talk goes to a log file, it has a time limit, and Ctrl+C ends it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{self, LOOK_AGAIN, Life, Place};
use crate::signals::Interrupt;

/// What to run, where its talk goes, and for how long at most.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// How it is called in messages.
    pub(crate) what: &'a str,
    /// Program and arguments.
    pub(crate) command: &'a [OsString],
    /// The folder it runs in.
    pub(crate) folder: &'a Path,
    /// Gets all it prints; an older file is replaced.
    pub(crate) log: &'a Path,
    /// After this it is killed.
    pub(crate) limit: Duration,
    /// What may be done where it fails, beside reading what it said.
    pub(crate) hint: &'a str,
}

impl Job<'_> {
    /// Runs to a good end. Call it from the main thread: the program ends with the thread that started it.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<(), Error> {
        let status = self.ended(interrupt)?;
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    /// Runs to whatever end; one that does not come is an error.
    pub(crate) fn ended(&self, interrupt: &Interrupt) -> Result<ExitStatus, Error> {
        let mut command = prepared(self.what, self.command, self.log)?;
        let mut child = command.current_dir(self.folder).spawn().map_err(Error::start(self.what))?;
        let outcome = self.wait(&mut child, interrupt);
        if outcome.is_err() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome
    }

    /// Its end was not a good one.
    pub(crate) fn failed(&self, status: ExitStatus) -> Error {
        Error::failed(self.what, &format!("ended with {status}"), self.log, self.hint)
    }

    fn wait(&self, child: &mut Child, interrupt: &Interrupt) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + self.limit;
        loop {
            match child.try_wait().map_err(Error::start(self.what))? {
                Some(status) => return Ok(status),
                None if Instant::now() >= deadline => return Err(Error::too_long(self.what, self.limit, self.log)),
                None => interrupt.check()?,
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// A command that ends with this process, in a session of its own, and prints into `log`.
pub(crate) fn prepared(what: &str, command: &[OsString], log: &Path) -> Result<Command, Error> {
    let (program, arguments) = command.split_first().ok_or(Error::NoCommand)?;
    let start = process::command(program, Place::OwnSession, Life::EndsWithParent);
    let mut command = start.map_err(Error::start(what))?;
    command.args(arguments);
    log_into(&mut command, log).map_err(Error::file("write", log))?;
    Ok(command)
}

/// No input; everything the command prints goes to the end of `log`, which starts empty.
pub(crate) fn log_into(command: &mut Command, log: &Path) -> io::Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(log)?;
    // Opened for appending: two writers never overwrite each other, and a log cut short by hand stays readable.
    let file = File::options().append(true).open(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    Ok(())
}
