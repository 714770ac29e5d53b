//! Child processes that end when they should, and pids that are checked before they are trusted.
//!
//! A child is started through `xtask become`, which changes itself and then turns into the wanted program: without
//! unsafe code this is the place where a process can leave the terminal's session and tie its life to its parent's.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// How long a server may take to end after SIGTERM. Kafka and Cassandra flush in 2–5 s; a busy machine takes longer.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How long the kernel may take to remove a killed process that has much memory to give back.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// How often a wait for a process looks again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// The kernel kills it when the starting thread ends, even by SIGKILL. Start such children from the main thread.
    EndsWithParent,
    /// It stays when its parent has ended.
    Outlives,
}

/// Whether a child hears the terminal's Ctrl+C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A session of its own: the terminal's signals do not reach it.
    OwnSession,
    /// The process group of its parent.
    Beside,
}

/// A command that becomes `program` at `place` with `life`; the caller adds arguments, folder and output.
pub(crate) fn command(program: &OsStr, place: Place, life: Life) -> io::Result<Command> {
    let mut command = Command::new(own_program()?);
    command.arg("become");
    if place == Place::OwnSession {
        command.arg("--own-session");
    }
    if life == Life::EndsWithParent {
        command.arg("--die-with").arg(std::process::id().to_string());
    }
    command.arg("--").arg(program);
    Ok(command)
}

/// A command line: the program, and its arguments.
pub(crate) fn command_of(program: impl Into<OsString>, arguments: &[&str]) -> Vec<OsString> {
    [program.into()].into_iter().chain(arguments.iter().map(OsString::from)).collect()
}

/// This link stays right when a build replaces the program's file while it runs.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}

/// The hidden task that stands between `xtask` and a child.
#[derive(clap::Args)]
pub(crate) struct Become {
    /// Leave the terminal's session.
    #[arg(long)]
    own_session: bool,
    /// Be killed when this process, which must be the parent, ends.
    #[arg(long, value_name = "PID")]
    die_with: Option<i32>,
    /// The program to become, with its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum BecomeError {
    #[error("no program was named\nhint: this task is for xtask's own use")]
    NoProgram,
    #[error("cannot prepare a child process: {0}\nhint: the servers need Linux; elsewhere use compose.yaml")]
    Prepare(#[from] io::Error),
    #[error("the process that asked for this one has ended\nhint: start the task again")]
    ParentGone,
    #[error("cannot start {}: {source}\nhint: check that it is installed and may be run", program.display())]
    Start { program: OsString, source: io::Error },
}

/// Turns this process into the wanted program; comes back only with the reason why it could not.
pub(crate) fn become_command(wanted: &Become) -> BecomeError {
    let Some((program, arguments)) = wanted.command.split_first() else {
        return BecomeError::NoProgram;
    };
    if let Err(error) = prepare(wanted) {
        return error;
    }
    BecomeError::Start { program: program.clone(), source: Command::new(program).args(arguments).exec() }
}

fn prepare(wanted: &Become) -> Result<(), BecomeError> {
    if wanted.own_session {
        rustix::process::setsid().map_err(io::Error::from)?;
    }
    if let Some(parent) = wanted.die_with {
        die_with_parent()?;
        // The parent may have ended before the kernel was asked.
        if rustix::process::getppid().map(Pid::as_raw_pid) != Some(parent) {
            return Err(BecomeError::ParentGone);
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// One process for good: a pid alone can be given to another process later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub(crate) start_ticks: u64,
}

impl Identity {
    /// The living process with this pid.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        living_since(&stat).map(|start_ticks| Self { pid, start_ticks })
    }

    /// Whether this very process still runs.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    pub(crate) fn command_line_has(self, text: &str) -> bool {
        command_line(self.pid).is_some_and(|line| line.contains(text))
    }

    pub(crate) fn resident_bytes(self) -> Option<u64> {
        memory_bytes(self.pid, "VmRSS:")
    }

    pub(crate) fn descriptors(self) -> Option<u64> {
        u64::try_from(fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?.count()).ok()
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal(self, signal: Signal) {
        // The process may end between the look and the signal: then there is nothing left to do.
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// The most resident memory that a process had at once, in bytes; `None` when it has ended.
pub(crate) fn peak_bytes(pid: u32) -> Option<u64> {
    memory_bytes(pid, "VmHWM:")
}

/// How much of the files that a process has mapped is in memory, in bytes: mostly pages of the program itself.
pub(crate) fn mapped_file_bytes(pid: u32) -> Option<u64> {
    memory_bytes(pid, "RssFile:")
}

/// A line of /proc/PID/status that tells an amount of memory.
fn memory_bytes(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The command line of a process, its parts joined by blanks.
pub(crate) fn command_line(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned())
}

/// The start time (field 22) out of a line of /proc/PID/stat, unless the process has ended and only waits to be noticed.
fn living_since(stat: &str) -> Option<u64> {
    // The name in brackets may hold blanks and brackets itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

/// Ends all of them at once: SIGTERM, then SIGKILL after [`STOP_LIMIT`]. Returns those that are still there.
pub(crate) fn stop(all: &[Identity]) -> Vec<Identity> {
    for process in all {
        process.signal(Signal::TERM);
    }
    kill(&wait_until_gone(all, STOP_LIMIT))
}

/// Ends all of them at once by SIGKILL. Returns those that are still there.
pub(crate) fn kill(all: &[Identity]) -> Vec<Identity> {
    for process in all {
        process.signal(Signal::KILL);
    }
    wait_until_gone(all, KILL_LIMIT)
}

fn wait_until_gone(all: &[Identity], limit: Duration) -> Vec<Identity> {
    let deadline = Instant::now() + limit;
    loop {
        let left: Vec<Identity> = all.iter().copied().filter(|process| process.is_alive()).collect();
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_blanks_and_brackets_does_not_shift_the_start_time() {
        let fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
        let stat = format!("77 (odd) name (x)) S {}", fields.join(" "));
        assert_eq!(living_since(&stat), Some(22));
    }

    #[test]
    fn a_process_that_has_ended_but_was_not_noticed_is_not_alive() {
        assert_eq!(living_since("77 (java) Z 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22"), None);
    }

    #[test]
    fn a_pid_with_another_start_time_is_another_process() {
        let own = Identity::of(std::process::id());
        assert!(own.is_some_and(Identity::is_alive));
        let other = own.map(|own| Identity { start_ticks: own.start_ticks + 1, ..own });
        assert!(!other.is_some_and(Identity::is_alive));
    }
}
