//! What every table needs: the `dist` build, a Python with clients, a place for files, and a way to run programs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;

use crate::embedded_broker::EmbeddedBroker;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::services::folder::{make_folder, remove_folder};
use crate::services::stack::Stack;
use crate::signals;
use crate::{process, repository, worker};

#[derive(Debug)]
pub(super) struct Kit {
    pub(super) binary: PathBuf,
    /// A Python with clients of both servers.
    pub(super) python: PathBuf,
    pub(super) place: BenchFolder,
}

impl Kit {
    pub(super) fn kafka_tool(
        &self,
        stack: &Stack,
        heap: &str,
        class: &'static str,
        arguments: &[&str],
    ) -> Result<ToolOutput> {
        let command = stack.kafka_tool(&[heap], class, arguments)?;
        self.run(class, &command)
    }

    pub(super) fn python(&self, script: &'static str, arguments: &[&str]) -> Result<ToolOutput> {
        let mut command = self.python_command(script);
        command.extend(arguments.iter().map(OsString::from));
        self.run(script, &command)
    }

    pub(super) fn python_command(&self, script: &str) -> Vec<OsString> {
        let peers = crate::repository::root().join("xtask").join("tests").join("peers");
        // Nothing compiled is left beside the scripts.
        vec![self.python.clone().into(), "-B".into(), peers.join(script).into()]
    }

    pub(super) fn python_file(&self, what: &'static str, script: &Path, arguments: &[OsString]) -> Result<ToolOutput> {
        let mut command = vec![self.python.clone().into(), "-B".into(), script.into()];
        command.extend(arguments.iter().cloned());
        self.run(what, &command)
    }

    /// Runs a program that came with the Python clients.
    pub(super) fn python_program(&self, name: &'static str, arguments: &[&str]) -> Result<ToolOutput> {
        self.run(name, &process::command_of(self.python.with_file_name(name), arguments))
    }

    /// Runs the binary that is measured. What a producer says on stdout is dropped.
    pub(super) fn vitals(
        &self,
        what: &'static str,
        arguments: &[&str],
        environment: &[(String, OsString)],
    ) -> Result<ToolOutput> {
        // A producer's lines are as many as what it sends.
        let is_chatty = arguments.first() == Some(&"produce");
        let command = process::command_of(&self.binary, arguments);
        self.run_with(what, &command, environment, is_chatty)
    }

    fn run(&self, what: &'static str, command: &[OsString]) -> Result<ToolOutput> {
        self.run_with(what, command, &[], false)
    }

    fn run_with(
        &self,
        what: &'static str,
        command: &[OsString],
        environment: &[(String, OsString)],
        is_chatty: bool,
    ) -> Result<ToolOutput> {
        let log = self.place.path("tool.log");
        let program = Program { what, command, environment, is_chatty, log: &log };
        let taken = program.run()?;
        Ok(ToolOutput { what, text: program.output()?, taken })
    }
}

#[derive(Debug)]
pub(super) struct ToolOutput {
    pub(super) taken: Taken,
    what: &'static str,
    text: String,
}

impl ToolOutput {
    /// What `find` makes of it; an error that shows it where that is nothing.
    pub(super) fn find<T>(&self, missing: &'static str, find: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        find(&self.text).ok_or_else(|| Error::Unclear { what: self.what, missing, said: self.text.clone() })
    }

    /// What it took, if it said `expected`: a tool that did something else must not count.
    pub(super) fn having(self, missing: &'static str, expected: &str) -> Result<Taken> {
        self.find(missing, |text| text.contains(expected).then_some(self.taken))
    }
}

/// The folder. Held by one run at a time: two would measure each other.
#[derive(Debug)]
pub(super) struct BenchFolder {
    folder: PathBuf,
    _held: Lock,
}

impl BenchFolder {
    /// Waits for another run, and removes what a killed one has left.
    pub(super) fn make() -> Result<Self> {
        let lock = repository::services_folder().join("locks").join("bench");
        let held = Lock::wait(&lock, "a benchmark")?;
        let folder = repository::root().join("target").join("bench");
        remove_folder(&folder)?;
        make_folder(&folder)?;
        Ok(Self { folder, _held: held })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        remove_folder(&path)?;
        make_folder(&path)?;
        Ok(path)
    }
}

impl Drop for BenchFolder {
    fn drop(&mut self) {
        // The next run removes what cannot be removed now.
        let _ = remove_folder(&self.folder);
    }
}

pub(super) fn size_bytes(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(Error::file("look at", path))?.len())
}

/// Many times what the slowest of them takes.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long a running program is left alone between two looks, as a part of the time it has run: its end is seen to a
/// hundredth, and a short run costs few looks.
const LOOK_AGAIN_PART: u32 = 100;
const LOOK_AGAIN_SOONEST: Duration = Duration::from_micros(500);
const LOOK_AGAIN_LATEST: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) what: &'static str,
    pub(super) command: &'a [OsString],
    pub(super) environment: &'a [(String, OsString)],
    /// Whether what it says on stdout is dropped, being as long as what it sends.
    pub(super) is_chatty: bool,
    pub(super) log: &'a Path,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) elapsed: Duration,
    pub(super) usage: Usage,
}

impl Program<'_> {
    /// Runs it to a good end. Call it from the main thread (see [`EndsWithParent`](crate::process::Life)).
    pub(super) fn run(&self) -> Result<Taken> {
        self.start()?.finish()
    }

    /// Starts it, beside others. Call it from the main thread.
    pub(super) fn start(&self) -> Result<RunningProgram> {
        let mut command = worker::prepared(self.what, self.command, self.log)?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.is_chatty {
            command.stdout(Stdio::null());
        }
        let begun = Instant::now();
        let child = command.spawn().map_err(Error::start(self.what))?;
        Ok(RunningProgram { what: self.what, log: self.log.to_owned(), child, begun })
    }

    pub(super) fn output(&self) -> Result<String> {
        fs::read_to_string(self.log).map_err(Error::file("read", self.log))
    }
}

/// A program at work; it does not outlive this process.
#[derive(Debug)]
pub(super) struct RunningProgram {
    what: &'static str,
    log: PathBuf,
    child: Child,
    begun: Instant,
}

impl RunningProgram {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once; what comes of it is nobody's business.
    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its good end.
    pub(super) fn finish(mut self) -> Result<Taken> {
        let usage = self.watch();
        let elapsed = self.begun.elapsed();
        if usage.is_err() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = self.child.kill();
        }
        let status = self.child.wait().map_err(Error::start(self.what))?;
        let usage = usage?;
        if status.success() {
            Ok(Taken { elapsed, usage })
        } else {
            Err(Error::failed(self.what, &format!("ended with {status}"), &self.log, ""))
        }
    }

    /// Waits for the end. The process is left for the caller to notice, since its figures go with it.
    fn watch(&self) -> Result<Usage> {
        let mut peak_bytes = 0;
        loop {
            let usage = Usage::of(self.child.id()).ok_or(Error::NoServer(self.what))?;
            peak_bytes = usage.peak_bytes.max(peak_bytes);
            if usage.has_ended {
                return Ok(Usage { peak_bytes, ..usage });
            }
            if self.begun.elapsed() >= LIMIT {
                return Err(Error::too_long(self.what, LIMIT, &self.log));
            }
            signals::check()?;
            std::thread::sleep((self.begun.elapsed() / LOOK_AGAIN_PART).clamp(LOOK_AGAIN_SOONEST, LOOK_AGAIN_LATEST));
        }
    }
}

/// What a process has used since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Of all its threads, in the program and in the kernel; counted in ticks of 10 ms.
    pub(super) cpu: Duration,
    /// The most resident memory it ever had. Zero for one that has ended: the system forgets it then.
    pub(super) peak_bytes: u64,
    /// It has ended and waits to be noticed.
    pub(super) has_ended: bool,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Option<Self> {
        let (cpu_ticks, has_ended) = cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let millis = cpu_ticks.saturating_mul(1000) / clock_ticks_per_second().max(1);
        Some(Self { cpu: Duration::from_millis(millis), peak_bytes: process::peak_bytes(pid).unwrap_or(0), has_ended })
    }
}

impl Usage {
    pub(super) fn of_broker(broker: &EmbeddedBroker) -> Result<Self> {
        let pid = broker.worker.identity().ok_or(Error::NoServer("embedded broker"))?.pid;
        Self::of(pid).filter(|usage| !usage.has_ended).ok_or(Error::NoServer("embedded broker"))
    }
}

/// Fields 14 and 15 of /proc/PID/stat together, and whether the process has ended (field 3).
fn cpu_ticks(stat: &str) -> Option<(u64, bool)> {
    // The name in brackets may hold blanks and brackets itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system, has_ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_in_the_program_and_in_the_kernel_are_added() {
        let stat = "77 (odd) name (x)) S 4 5 6 7 8 9 10 11 12 13 140 15 16 17";
        assert_eq!(cpu_ticks(stat), Some((155, false)));
        assert_eq!(cpu_ticks(&stat.replace(" S ", " Z ")), Some((155, true)));
        assert_eq!(cpu_ticks("77 (x) S 4 5"), None);
    }

    #[test]
    fn a_living_process_has_memory() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.peak_bytes > 0 && !usage.has_ended));
    }
}
