//! `vitals up` under strace: what it asks of the system is seen from outside, and fails or kills it where a test wants.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::home::address_in;

pub(crate) struct Traced {
    child: Child,
    address: String,
    folder: PathBuf,
    /// The second line that it printed.
    pub(crate) told: String,
    trace: tempfile::NamedTempFile,
    _stdout: BufReader<ChildStdout>,
}

impl Traced {
    /// Starts a broker on `folder`, traced with these options.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        Self::start_with(folder, options, &[])
    }

    pub(crate) fn start_with(folder: &Path, options: &[&str], of_up: &[&str]) -> Self {
        let trace = tempfile::NamedTempFile::new().expect("a file");
        let mut child = Command::new("strace")
            .args(["-f", "-qq", "-y", "-s", "0", "-o"])
            .arg(trace.path())
            .args(options)
            .arg(env!("CARGO_BIN_EXE_vitals"))
            .args(["up", "--listen", "127.0.0.1:0"])
            .args(of_up)
            .arg("--data")
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("strace: {error}; hint: install it, as with apt-get install strace"));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a line");
        let address = address_in(&first);
        let mut told = String::new();
        stdout.read_line(&mut told).expect("a line");
        Self { child, address, folder: folder.to_owned(), told, trace, _stdout: stdout }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What was traced so far.
    pub(crate) fn so_far(&self) -> String {
        std::fs::read_to_string(self.trace.path()).expect("a trace")
    }

    /// Asks the broker to end, and gives what was traced, what it said, and its exit code.
    pub(crate) fn end(mut self) -> (String, String, Option<i32>) {
        let said = self.child.stderr.take().expect("a pipe");
        self.signal(Signal::TERM);
        let said = std::io::read_to_string(said).expect("text");
        let ended = self.child.wait().expect("ended");
        (self.so_far(), said, ended.code())
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.folder.join("lock")).expect("a lock");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a process");
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
