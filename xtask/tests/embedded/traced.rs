//! `vitals up` under strace: what it asks of the system is seen from outside, and fails or kills it where a test wants.
//! What is acknowledged is on the disk by then.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use kafka_protocol::ResponseError;
use rustix::process::{Pid, Signal, kill_process};

use super::home::address_in;
use super::wire::Wire;
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
    /// Starts a broker on `folder`, traced with the one options and started with the others.
    pub(crate) fn start(folder: &Path, options: &[&str], of_up: &[&str]) -> Self {
        let trace = tempfile::NamedTempFile::new().unwrap();
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

    pub(crate) fn so_far(&self) -> String {
        std::fs::read_to_string(self.trace.path()).unwrap()
    }

    /// Asks the broker to end, and gives what was traced, and its end.
    pub(crate) fn end(mut self) -> (String, Ended) {
        self.signal(Signal::TERM);
        let ended = self.strace.take().expect("it was not ended before").wait_end(RUN_LIMIT);
        (self.so_far(), ended)
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.folder.join("lock")).unwrap();
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).unwrap();
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

const LIMIT: Duration = Duration::from_secs(20);

const CALLS: &str =
    "trace=write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";

/// What the broker asked of the system, in the order in which it was done.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Wrote(String),
    Synced(String),
    Removed(String),
    Answered,
}

/// Reads a trace. An answer counts from when it is sent, everything else when it is done.
fn steps(trace: &str) -> Vec<Step> {
    let mut begun = HashMap::new();
    let mut steps = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(char::is_whitespace).unwrap();
        let call = call.trim_start();
        let whole = match call.strip_suffix(" <unfinished ...>") {
            Some(beginning) => {
                begun.insert(thread, beginning);
                if beginning.contains("<socket:") {
                    steps.push(Step::Answered);
                }
                continue;
            }
            None if call.starts_with("<... ") => begun.remove(thread).expect("what is resumed was begun"),
            None => call,
        };
        let is_resumed = call.starts_with("<... ");
        if call.contains(" = -1 ") {
            continue;
        }
        // Signals and ends are no calls.
        let Some((name, rest)) = whole.split_once('(') else { continue };
        let of_descriptor =
            || rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        match (name, of_descriptor()) {
            ("fsync" | "fdatasync", Some(path)) => steps.push(Step::Synced(path)),
            ("unlink", _) => steps.extend(rest.split('"').nth(1).map(|path| Step::Removed(path.to_owned()))),
            ("write" | "writev" | "pwrite64" | "sendto" | "sendmsg", Some(path)) => {
                if !path.starts_with("socket:") {
                    steps.push(Step::Wrote(path));
                } else if !is_resumed {
                    steps.push(Step::Answered);
                }
            }
            _ => {}
        }
    }
    steps
}

/// Whether, up to the answer, `path` was brought to the disk behind the last step like `done`.
fn is_synced_after(steps: &[Step], done: &Step, path: &str) -> bool {
    let at = steps.iter().rposition(|step| step == done);
    let synced = Step::Synced(path.to_owned());
    at.is_some_and(|at| steps[at..].contains(&synced))
}

#[tokio::test]
async fn everything_is_on_the_disk_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    // Paths are shown as strings, so they must not be cut.
    let traced = Traced::start(&folder, &["-e", CALLS, "-s", "300"], &[]);
    assert!(traced.told.contains("on the disk before they are acknowledged"), "{}", traced.told);
    let mut wire = Wire::connect(traced.address()).await;
    wire.create("ward", 1).await;
    assert_eq!(wire.produce("ward", 5).await, 0);
    assert_eq!(wire.commit("ward", 3).await, 0);
    wire.delete("ward").await;
    let (trace, ended) = traced.end();
    ended.well();
    let steps = steps(&trace);
    let answers: Vec<&[Step]> = steps.split(|step| *step == Step::Answered).collect();
    // Behind the four answers stands what the signal that ends it writes to itself.
    assert!(answers.len() > 4, "{steps:#?}");
    let path = |tail: &str| folder.join(tail).to_str().unwrap().to_owned();
    let wrote = |tail: &str| Step::Wrote(path(tail));
    let made = wrote("topics/ward/topic.new");
    for synced in ["topics/ward/topic.new", "topics/ward", "topics", "topics/ward/0"] {
        assert!(is_synced_after(answers[0], &made, &path(synced)), "{synced}: {:#?}", answers[0]);
    }
    let log = "topics/ward/0/00000000000000000000.log";
    assert!(is_synced_after(answers[1], &wrote(log), &path(log)), "{:#?}", answers[1]);
    assert!(is_synced_after(answers[2], &wrote("offsets"), &path("offsets")), "{:#?}", answers[2]);
    let removed = Step::Removed(path("topics/ward/topic.json"));
    for synced in ["topics/ward", "topics"] {
        assert!(is_synced_after(answers[3], &removed, &path(synced)), "{synced}: {:#?}", answers[3]);
    }
}

#[tokio::test]
async fn requests_that_wait_together_share_a_flush() {
    const SENDERS: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    let slow = "inject=fdatasync:delay_enter=500000";
    let traced = Traced::start(folder.path(), &["-e", "trace=fdatasync", "-e", slow], &[]);
    Wire::connect(traced.address()).await.create("ward", 1).await;
    let mut wires = join_all((0..SENDERS).map(|_| Wire::connect(traced.address()))).await;
    let codes = join_all(wires.iter_mut().map(|wire| wire.produce("ward", 1))).await;
    assert_eq!(codes, [0; SENDERS]);
    let flushes = traced.so_far().lines().filter(|line| line.contains(" = 0")).count();
    assert!((1..=4).contains(&flushes), "{flushes} for {SENDERS} requests");
}

#[tokio::test]
async fn where_the_disk_fails_nothing_is_acknowledged_any_more_and_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let traced = Traced::start(folder.path(), &["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"], &[]);
    let mut wire = Wire::connect(traced.address()).await;
    wire.create("ward", 1).await;
    for _ in 0..2 {
        assert_eq!(wire.produce("ward", 5).await, ResponseError::KafkaStorageError.code());
        assert_eq!(wire.commit("ward", 0).await, ResponseError::CoordinatorNotAvailable.code());
    }
    let failed = ["partition 0 of the topic 'ward'", "the committed offsets"]
        .map(|what| format!("the disk has failed under {what} (Input/output error"));
    let ended = traced.end().1.with_code(4).tells(&failed.each_ref().map(String::as_str));
    assert!(!ended.talk().contains("its records are kept"), "{}", ended.talk());
}

#[tokio::test]
async fn what_is_flushed_once_in_a_while_is_acknowledged_before_and_on_the_disk_then() {
    let folder = tempfile::tempdir().unwrap();
    let traced = Traced::start(folder.path(), &["-e", CALLS], &["--flush", "1s"]);
    assert!(traced.told.contains("every 1s"), "{}", traced.told);
    let mut wire = Wire::connect(traced.address()).await;
    wire.create("ward", 1).await;
    assert_eq!((wire.produce("ward", 5).await, wire.commit("ward", 3).await), (0, 0));
    let begin = Instant::now();
    let is_synced = |trace: &str, tail: &str| {
        steps(trace).iter().any(|step| matches!(step, Step::Synced(path) if path.ends_with(tail)))
    };
    while !(is_synced(&traced.so_far(), "0.log") && is_synced(&traced.so_far(), "/offsets")) {
        assert!(begin.elapsed() < LIMIT, "{}", traced.so_far());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
