//! Programs that print into a log: a [`Worker`] works beside this program until it is ended, a [`Job`] by itself until it
//! is done.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::error::{Error, Result};
use crate::process::{self, Identity, Life, Place};
use crate::signals;

/// How often a wait that is measured looks again.
const LOOK_AGAIN_SOON: Duration = Duration::from_millis(5);
/// Read at most this much of a log's end: 20 lines with a Java stack trace fit many times.
const READ_LIMIT_BYTES: u64 = 256 * 1024;
/// How many lines an error message shows.
pub(crate) const SHOWN_WITH_ERRORS: usize = 20;

/// Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    what: String,
    child: Child,
    pub(crate) log: PathBuf,
}

impl Worker {
    /// Starts it. Call it from a thread that lives as long (see [`Life::EndsWithParent`]).
    pub(crate) fn start(what: &str, command: &[OsString], log: &Path) -> Result<Self> {
        Self::spawn(what, prepared(what, command, log)?, log)
    }

    fn spawn(what: &str, mut command: Command, log: &Path) -> Result<Self> {
        let child = command.spawn().map_err(Error::start(what))?;
        Ok(Self { what: what.to_owned(), child, log: log.to_owned() })
    }

    /// Ends it by SIGKILL; an error unless it still ran.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.must_run()?;
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(Error::start(&self.what))
    }

    /// An error that shows its log, unless it runs.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        self.ended_by_itself()?.map_or(Ok(()), |status| Err(self.ended(status)))
    }

    /// How it has ended by itself, if it has.
    pub(crate) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::start(&self.what))
    }

    /// Asks it to end, and waits until it has come to a good end.
    pub(crate) fn end(&mut self, signal: Signal, limit: Duration) -> Result<()> {
        self.signal(signal);
        self.wait(limit)
    }

    /// Sends it a signal; one that has ended already is noticed by who waits for it.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Which process it is; `None` when it has ended.
    pub(crate) fn identity(&self) -> Option<Identity> {
        Identity::of(self.child.id())
    }

    /// Its process, also after its end.
    pub(crate) fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// The most memory that it had at once, in bytes; `None` when it has ended.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        process::peak_bytes(self.child.id())
    }

    /// How much of that were pages of files, as it is now.
    pub(crate) fn mapped_file_bytes(&self) -> Option<u64> {
        process::mapped_file_bytes(self.child.id())
    }

    /// Waits until it has come to a good end by itself.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<()> {
        let status = self.wait_for_some_end(limit)?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// Waits until it has killed itself.
    pub(crate) fn wait_for_death(&mut self, limit: Duration) -> Result<()> {
        let status = self.wait_for_some_end(limit)?;
        if status.signal() == Some(Signal::KILL.as_raw()) { Ok(()) } else { Err(self.ended(status)) }
    }

    fn wait_for_some_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.wait_for_end(limit)?.ok_or_else(|| Error::too_long(&self.what, limit, &self.log))
    }

    /// Waits until it has ended in whatever way; `None` where it still runs.
    pub(crate) fn wait_for_end(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.ended_by_itself()? {
                None if Instant::now() < deadline => signals::check()?,
                status => return Ok(status),
            }
            std::thread::sleep(LOOK_AGAIN_SOON);
        }
    }

    /// Waits until it has printed a line that begins so.
    pub(crate) fn wait_for_line(&mut self, beginning: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            // Looked at first: what it has printed before its end counts.
            let ended = self.must_run();
            if self.said().lines().any(|found| found.starts_with(beginning)) {
                return Ok(());
            }
            ended?;
            signals::check()?;
            if Instant::now() >= deadline {
                return Err(Error::too_long(&self.what, limit, &self.log));
            }
            std::thread::sleep(LOOK_AGAIN_SOON);
        }
    }

    /// What it has printed so far, as far as it is text.
    pub(crate) fn said(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub(crate) fn tail(&self) -> LogTail {
        LogTail::read(&self.log, SHOWN_WITH_ERRORS)
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::failed(&self.what, &format!("ended by itself with {status}"), &self.log, "")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) what: &'a str,
    pub(crate) command: &'a [OsString],
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
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.ended()?;
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    /// Runs to whatever end; one that does not come is an error.
    pub(crate) fn ended(&self) -> Result<ExitStatus> {
        let mut command = prepared(self.what, self.command, self.log)?;
        command.current_dir(self.folder);
        Worker::spawn(self.what, command, self.log)?.wait_for_some_end(self.limit)
    }

    /// Its end was not a good one.
    pub(crate) fn failed(&self, status: ExitStatus) -> Error {
        Error::failed(self.what, &format!("ended with {status}"), self.log, self.hint)
    }
}

/// A command that ends with this process, in a session of its own, and prints into `log`.
pub(crate) fn prepared(what: &str, command: &[OsString], log: &Path) -> Result<Command> {
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

/// A log file's last lines, printed under the file's name.
#[derive(Debug)]
pub(crate) struct LogTail {
    path: PathBuf,
    pub(crate) lines: Vec<String>,
}

impl LogTail {
    /// The last `count` lines; none when there is no such file.
    pub(crate) fn read(path: &Path, count: usize) -> Self {
        let text = read_end(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let skipped = lines.len().saturating_sub(count);
        Self { path: path.to_owned(), lines: lines.into_iter().skip(skipped).collect() }
    }
}

impl fmt::Display for LogTail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.lines.is_empty() {
            return write!(out, "({path} is empty)");
        }
        write!(out, "the last lines of {path}:")?;
        self.lines.iter().try_for_each(|line| write!(out, "\n  | {line}"))
    }
}

fn read_end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ_LIMIT_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(READ_LIMIT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
