//! `vitals up` under strace: what it asks of the system is seen from outside, and fails or kills it where a test wants.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::home::address_in;
use crate::running::{Ended, RUN_LIMIT, Running};

pub(crate) struct Traced {
    strace: Option<Running>,
    address: String,
    folder: PathBuf,
    /// The second line that it printed.
    pub(crate) told: String,
    trace: tempfile::NamedTempFile,
}

impl Traced {
    /// Starts a broker on `folder`, traced with these options.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        Self::start_with(folder, options, &[])
    }

    pub(crate) fn start_with(folder: &Path, options: &[&str], of_up: &[&str]) -> Self {
        let trace = tempfile::NamedTempFile::new().expect("a file");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(trace.path()).args(options);
        command.arg(env!("CARGO_BIN_EXE_vitals")).args(["up", "--listen", "127.0.0.1:0"]).args(of_up);
        command.arg("--data").arg(folder);
        let mut strace = Running::start("strace, which apt-get install strace installs,", &mut command);
        let second = |strace: &Running| strace.stdout().get(1).cloned();
        let told = strace.wait_for("two lines", RUN_LIMIT, second);
        let address = address_in(&strace.stdout()[0]);
        Self { strace: Some(strace), address, folder: folder.to_owned(), told, trace }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What was traced so far.
    pub(crate) fn so_far(&self) -> String {
        std::fs::read_to_string(self.trace.path()).expect("a trace")
    }

    /// Asks the broker to end, and gives what was traced, and its end.
    pub(crate) fn end(mut self) -> (String, Ended) {
        self.signal(Signal::TERM);
        let ended = self.strace.take().expect("it was not ended before").wait_end(RUN_LIMIT);
        (self.so_far(), ended)
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.folder.join("lock")).expect("a lock");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a process");
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(mut strace) = self.strace.take() {
            if strace.is_running() {
                self.signal(Signal::KILL);
            }
            strace.wait_end(RUN_LIMIT);
        }
    }
}
