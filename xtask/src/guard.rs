//! Ends a command with all its children when the `xtask` that runs it is gone, even by SIGKILL.
//!
//! The kernel kills a child whose parent ends, but not the child's own children. So a second `xtask` in a session of its
//! own holds the end of a pipe: when the other end closes and nobody has called it off, it kills the whole group.

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Child, Stdio};

use color_eyre::eyre;
use rustix::process::{Pid, Signal};

use crate::process::{self, Life, Place};

/// Watches over a process group until dropped.
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

/// The watching side.
#[derive(clap::Args)]
pub(crate) struct Guarded {
    /// The process group.
    group: i32,
}

impl Guarded {
    /// Waits until the pipe closes.
    pub(crate) fn guard(&self) -> eyre::Result<u8> {
        io::stdin().lock().read_to_end(&mut Vec::new())?;
        if let Some(group) = Pid::from_raw(self.group) {
            // An error means that nobody of the group is left.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        Ok(0)
    }
}
