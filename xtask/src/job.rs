//! A program that works by itself until it is done: its talk goes to a log file, it has a time limit, and Ctrl+C ends it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::process::{self, LOOK_AGAIN, Life, Place};
use crate::signals::{Interrupt, Interrupted};

/// What to run, where its talk goes, and for how long at most.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// The program.
    pub(crate) program: &'a OsStr,
    /// Its arguments.
    pub(crate) arguments: &'a [OsString],
    /// The folder it runs in.
    pub(crate) folder: &'a Path,
    /// Gets all it prints; an older file is replaced.
    pub(crate) log: &'a Path,
    /// After this it is killed.
    pub(crate) limit: Duration,
}

/// Why a job did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("it could not be started: {0}")]
    Start(#[from] io::Error),
    #[error("it ended with {0}")]
    Failed(ExitStatus),
    #[error("it was not done after {} s", .0.as_secs())]
    TooLong(Duration),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Job<'_> {
    /// Runs to the end. Call it from the main thread: the program ends with the thread that started it.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<(), JobError> {
        let mut command = process::command(self.program, Place::OwnSession, Life::EndsWithParent)?;
        command.args(self.arguments).current_dir(self.folder);
        log_into(&mut command, self.log)?;
        let mut child = command.spawn()?;
        let outcome = self.wait(&mut child, interrupt);
        if outcome.is_err() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome
    }

    fn wait(&self, child: &mut Child, interrupt: &Interrupt) -> Result<(), JobError> {
        let deadline = Instant::now() + self.limit;
        loop {
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(JobError::Failed(status)),
                None if Instant::now() >= deadline => return Err(JobError::TooLong(self.limit)),
                None => interrupt.check()?,
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
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
