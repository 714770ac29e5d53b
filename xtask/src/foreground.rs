//! One command in the foreground: signals reach it, its exit code is ours, and nothing of it is left behind.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use color_eyre::eyre;
use rustix::process::{Pid, Signal};

use crate::error::{Error, Result};
use crate::process::{self, LOOK_AGAIN, Life, Place};
use crate::{environment, repository, say, signals};

/// How long a command may tidy up after a signal was passed on to it, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Foreground<'a> {
    pub(crate) command: &'a [OsString],
    pub(crate) environment: &'a [(String, OsString)],
    /// Where it runs; the caller's folder when absent.
    pub(crate) folder: Option<&'a Path>,
}

/// Who passes Ctrl+C on to the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyboard {
    /// The command shares the terminal's foreground group, so the terminal does.
    Terminal,
    /// The command leads a group of its own, so this process does, and the whole group can be ended.
    Nobody,
}

impl Foreground<'_> {
    /// Runs the command to its end; the exit code is the command's, or 128 + the signal that ended it.
    pub(crate) fn run(&self) -> Result<u8> {
        self.supervise(Stdio::inherit(), |_| ())
    }

    /// Runs it, passes its output on line by line, and gives those lines of it that begin with `start`.
    pub(crate) fn run_and_keep(&self, start: &'static str) -> Result<(u8, Vec<String>)> {
        let mut reader = None;
        let take_output = |child: &mut Child| {
            reader = child.stdout.take().map(|output| thread::spawn(move || pass_on(output, start)));
        };
        let code = self.supervise(Stdio::piped(), take_output)?;
        let kept = reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
        Ok((code, kept))
    }

    fn supervise(&self, output: Stdio, started: impl FnOnce(&mut Child)) -> Result<u8> {
        let keyboard = if io::stdin().is_terminal() { Keyboard::Terminal } else { Keyboard::Nobody };
        let (program, arguments) = self.command.split_first().ok_or(Error::NoCommand)?;
        let start_error = Error::start(&program.to_string_lossy());
        let mut command = process::command(program, Place::Beside, Life::EndsWithParent).map_err(&start_error)?;
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value))).stdout(output);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        if keyboard == Keyboard::Nobody {
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(&start_error)?;
        started(&mut child);
        let guard = match keyboard {
            Keyboard::Nobody => Some(Guard::over(&child).map_err(&start_error)?),
            Keyboard::Terminal => None,
        };
        let status = wait(&mut child, keyboard).map_err(start_error)?;
        drop(guard);
        if keyboard == Keyboard::Nobody {
            // Whatever the command left running in its group belongs to it and ends with it.
            send(&child, keyboard, Signal::KILL);
        }
        Ok(exit_code(status))
    }
}

/// Has cargo build something of the workspace into its own target folder, which is named, since the user may have another.
pub(crate) fn cargo_build(what: &'static str, arguments: &[&str]) -> Result<PathBuf> {
    let target = repository::root().join("target");
    let mut command = process::command_of(environment::cargo(), &["build"]);
    command.extend(arguments.iter().map(OsString::from));
    command.extend(["--target-dir".into(), target.clone().into()]);
    let code = Foreground { command: &command, environment: &[], folder: Some(repository::root()) }.run()?;
    signals::check()?;
    Error::build(what, code)?;
    Ok(target)
}

/// Until the command and all that it started have closed their output.
fn pass_on(output: impl io::Read, start: &str) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        say::data(&line);
        if line.starts_with(start) {
            kept.push(line.into_owned());
        }
    }
    kept
}

fn wait(child: &mut Child, keyboard: Keyboard) -> io::Result<ExitStatus> {
    let mut kill_at: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let (None, Some(signal)) = (kill_at, signals::received().and_then(Signal::from_named_raw)) {
            // At a terminal the command has heard Ctrl+C already, and what it makes of it is its own affair.
            if keyboard == Keyboard::Nobody || signal != Signal::INT {
                send(child, keyboard, signal);
                kill_at = Some(Instant::now() + GRACE);
            }
        }
        if kill_at.is_some_and(|limit| Instant::now() >= limit) {
            send(child, keyboard, Signal::KILL);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// To the command, or to its whole group. An error means that nobody is left to hear it.
fn send(child: &Child, keyboard: Keyboard, signal: Signal) {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    let _ = match keyboard {
        Keyboard::Terminal => rustix::process::kill_process(pid, signal),
        Keyboard::Nobody => rustix::process::kill_process_group(pid, signal),
    };
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| signal + 128));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Ends a command with all its children when the `xtask` that runs it is gone, even by SIGKILL.
///
/// The kernel kills a child whose parent ends, but not the child's own children. So a second `xtask` in a session of its
/// own holds the end of a pipe: when the other end closes and nobody has called it off, it kills the whole group.
#[derive(Debug)]
pub(crate) struct Guard {
    watcher: Child,
}

impl Guard {
    /// From now on the group of `leader` ends with this process.
    pub(crate) fn over(leader: &Child) -> io::Result<Self> {
        let mut command = process::command(process::own_program()?.as_os_str(), Place::OwnSession, Life::Outlives)?;
        command.args(["guard".into(), OsString::from(leader.id().to_string())]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { watcher: command.spawn()? })
    }
}

/// Called off: the watcher ends before the pipe closes.
impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

#[derive(clap::Args)]
pub(crate) struct Guarded {
    /// The process group.
    group: i32,
}

impl Guarded {
    pub(crate) fn guard(&self) -> eyre::Result<u8> {
        io::stdin().lock().read_to_end(&mut Vec::new())?;
        if let Some(group) = Pid::from_raw(self.group) {
            // An error means that nobody of the group is left.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_asked_for_are_kept_in_their_order() {
        // No line of a test runner: those of the whole run are picked out by their start.
        let output = "running\nsample: 1\nelse: sample:\nsample: 2";
        assert_eq!(pass_on(output.as_bytes(), "sample:"), ["sample: 1", "sample: 2"]);
    }

    #[test]
    fn the_exit_code_of_a_killed_command_is_what_a_shell_reports() {
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }
}
