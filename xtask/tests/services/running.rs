//! A process: what it has said so far, waits that end, and its end with the test's.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How often a condition is looked at. It costs little, and what is waited for is mostly a matter of seconds.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How many of the last lines a failure shows.
const SHOWN_LINES: usize = 30;

/// How long a process that is to end by itself may take, where the test does not say.
pub(crate) const RUN_LIMIT: Duration = Duration::from_secs(45);

/// Looks again and again until there is something; `None` when `limit` is over.
pub(crate) fn look_until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

pub(crate) fn wait_until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    look_until(limit, look).unwrap_or_else(|| panic!("{what}: not within {limit:?}"))
}

/// Runs a command to its end, with no input.
pub(crate) fn run(name: &str, command: &mut Command) -> Ended {
    let mut running = Running::start(name, command);
    running.close_stdin();
    running.wait_end(RUN_LIMIT)
}

type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
    pub(crate) lasted: Duration,
}

impl Running {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let readers =
            vec![listen(child.stdout.take().unwrap(), &stdout), listen(child.stderr.take().unwrap(), &stderr)];
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, stdout, stderr, readers, begun: Instant::now() }
    }

    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap().clone()
    }

    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Tells it that no more lines come.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until `look` finds something in what it says. Its end before that is a failure.
    pub(crate) fn wait_for<T>(&mut self, what: &str, limit: Duration, look: impl Fn(&Self) -> Option<T>) -> T {
        let found = look_until(limit, || {
            let running = self.is_running();
            match look(self) {
                Some(found) => Some(Some(found)),
                None if running => None,
                None => Some(None),
            }
        });
        match found {
            Some(Some(found)) => found,
            Some(None) => panic!("{} ended before {what}\n{}", self.name, self.last_words()),
            None => panic!("{} within {limit:?}: no {what}\n{}", self.name, self.last_words()),
        }
    }

    /// Waits for a line of standard output that has `text` in it.
    pub(crate) fn wait_for_line(&mut self, text: &str, limit: Duration) -> String {
        let look = |running: &Self| running.stdout().into_iter().find(|line| line.contains(text));
        self.wait_for(&format!("line with '{text}'"), limit, look)
    }

    /// Waits for a line of standard error that has `text` in it.
    pub(crate) fn wait_for_note(&mut self, text: &str, limit: Duration) -> String {
        let look = |running: &Self| running.stderr().into_iter().find(|line| line.contains(text));
        self.wait_for(&format!("note with '{text}'"), limit, look)
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        // The shell's own `kill`, which is everywhere.
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status().unwrap();
        assert!(sent.success(), "SIG{signal} to {}", self.name);
    }

    /// Ends it by SIGKILL: nothing of it goes on.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.wait_end(RUN_LIMIT)
    }

    pub(crate) fn wait_end(mut self, limit: Duration) -> Ended {
        let ended = look_until(limit, || self.child.try_wait().unwrap());
        let lasted = self.begun.elapsed();
        let Some(status) = ended else { panic!("{} does not end within {limit:?}\n{}", self.name, self.last_words()) };
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        Ended { code: status.code(), stdout: self.stdout(), stderr: self.stderr(), lasted }
    }

    fn last_words(&self) -> String {
        let last = |lines: Vec<String>| lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        format!("--- its standard error\n{}\n--- its standard output\n{}", last(self.stderr()), last(self.stdout()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- standard error\n{}\n--- its output\n{}", self.talk(), self.output());
        self
    }

    /// Its standard error has each of these texts.
    #[track_caller]
    pub(crate) fn tells(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.talk().contains(text), "no {text:?} in its standard error:\n{}", self.talk());
        }
        self
    }

    /// Its output has each of these texts.
    #[track_caller]
    pub(crate) fn shows(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.output().contains(text), "no {text:?} in its output:\n{}", self.output());
        }
        self
    }

    #[track_caller]
    pub(crate) fn well(self) -> Self {
        self.with_code(0)
    }

    /// What it wrote, as one text.
    pub(crate) fn output(&self) -> String {
        self.stdout.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// What it wrote, as one JSON value a line.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let row = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.iter().map(row).collect()
    }

    /// What it wrote, as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output()).unwrap_or_else(|error| panic!("{error}: {}", self.output()))
    }

    /// What it said, as one text.
    pub(crate) fn talk(&self) -> String {
        self.stderr.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

fn listen(from: impl Read + Send + 'static, to: &Lines) -> JoinHandle<()> {
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            to.lock().unwrap().push(text.trim_end_matches('\n').to_owned());
            line.clear();
        }
    })
}
