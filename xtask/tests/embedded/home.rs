//! A home of its own for the program: a data folder, a settings file and, where a test wants one, a broker.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::running::{Ended, RUN_LIMIT, Running, wait_until};

/// The names that the program gives by itself.
pub(crate) const TOPIC: &str = "patient.vitals";
pub(crate) const LETTERS: &str = "patient.vitals.dlq";
pub(crate) const GROUP: &str = "vitals-monitor-consumer-v7";

/// What is typed behind `vitals`: a text that is split at its blanks, or words as they are.
pub(crate) trait Words {
    fn words(&self) -> Vec<OsString>;
}

impl Words for str {
    fn words(&self) -> Vec<OsString> {
        self.split_whitespace().map(OsString::from).collect()
    }
}

impl Words for String {
    fn words(&self) -> Vec<OsString> {
        self.as_str().words()
    }
}

impl<S: AsRef<OsStr>> Words for [S] {
    fn words(&self) -> Vec<OsString> {
        self.iter().map(|word| word.as_ref().to_owned()).collect()
    }
}

impl<S: AsRef<OsStr>, const N: usize> Words for [S; N] {
    fn words(&self) -> Vec<OsString> {
        self.as_slice().words()
    }
}

impl<S: AsRef<OsStr>> Words for Vec<S> {
    fn words(&self) -> Vec<OsString> {
        self.as_slice().words()
    }
}

/// A folder with the data of the program, and the settings of the profile `embedded`.
pub(crate) struct Home {
    broker: Option<Running>,
    address: String,
    folder: tempfile::TempDir,
}

impl Home {
    /// Without a broker.
    pub(crate) fn new() -> Self {
        Self { broker: None, address: String::new(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// With a broker on a free port, and nothing on it.
    pub(crate) fn up() -> Self {
        let mut home = Self::new();
        home.start_broker("127.0.0.1:0");
        home
    }

    /// With topics and tables, too.
    pub(crate) fn ready(partitions: u32) -> Self {
        let home = Self::up();
        home.done(&format!("init --partitions {partitions}"));
        home
    }

    /// With so many readings in the topic, and nobody who has consumed them.
    pub(crate) fn filled(partitions: u32, readings: u32) -> Self {
        let home = Self::ready(partitions);
        home.produce(readings);
        home
    }

    fn start_broker(&mut self, listen: &str) {
        let mut broker = Running::start("vitals up", &mut self.vitals(&["up", "--listen", listen]));
        let told = broker.wait_for_line("listens on ", RUN_LIMIT);
        self.broker = Some(broker);
        self.address = address_in(&told);
        self.file("vitals.toml", format!("[profile.embedded.kafka]\nbrokers = \"{}\"\n", self.address));
    }

    /// Ends the broker by SIGKILL.
    pub(crate) fn kill_broker(&mut self) {
        self.broker = None;
    }

    /// Starts the broker again on its address and its folder.
    pub(crate) fn up_again(&mut self) {
        self.start_broker(&self.address.clone());
    }

    /// Where the broker listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).expect("written");
    }

    /// The program without a profile.
    pub(crate) fn vitals(&self, words: &(impl Words + ?Sized)) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.args(words.words()).current_dir(self.path()).env("XDG_DATA_HOME", self.path().join("data"));
        command.stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VITALS_")) {
            command.env_remove(name);
        }
        command
    }

    /// The program on this home's broker and file.
    pub(crate) fn embedded(&self, words: &(impl Words + ?Sized)) -> Command {
        let mut command = self.vitals(words);
        command.args(["--profile", "embedded"]);
        command
    }

    pub(crate) fn start(&self, words: &(impl Words + ?Sized)) -> Running {
        Running::start(&named(words), &mut self.embedded(words))
    }

    pub(crate) fn run(&self, words: &(impl Words + ?Sized)) -> Ended {
        ended(&named(words), &mut self.embedded(words))
    }

    /// Without a profile.
    pub(crate) fn bare(&self, words: &(impl Words + ?Sized)) -> Ended {
        ended(&named(words), &mut self.vitals(words))
    }

    /// Runs it to a good end, and gives what it shows.
    pub(crate) fn done(&self, words: &(impl Words + ?Sized)) -> String {
        self.run(words).well().output()
    }

    /// The same as objects.
    pub(crate) fn rows(&self, words: &(impl Words + ?Sized)) -> Vec<Value> {
        let whole: Vec<_> = words.words().into_iter().chain(["-o".into(), "ndjson".into()]).collect();
        self.run(&whole).well().rows()
    }

    /// Sends so many readings of a simulated ward.
    pub(crate) fn produce(&self, count: u32) {
        self.done(&format!("produce --interval 0 --count {count}"));
    }

    /// Consumes everything, and gives what it tells.
    pub(crate) fn consume(&self) -> String {
        self.run("consume --exit-at-end --quiet").well().talk()
    }

    /// How many rows the table has.
    pub(crate) fn count(&self) -> u64 {
        self.rows("count")[0]["rows"].as_u64().expect("a number")
    }

    /// What another program does with the file.
    pub(crate) fn sql(&self, sql: &str) {
        let file = rusqlite::Connection::open(self.path().join("data/vitals/vitals.db")).expect("opened");
        file.execute_batch(sql).expect("changed");
    }
}

/// Runs a command to its end, with no input.
pub(crate) fn ended(name: &str, command: &mut Command) -> Ended {
    let mut running = Running::start(name, command);
    running.close_stdin();
    running.wait_end(RUN_LIMIT)
}

/// The end of a program whose output went other ways.
pub(crate) fn end_of(output: &Output) -> Ended {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    let (stdout, stderr) = (lines(&output.stdout), lines(&output.stderr));
    Ended { code: output.status.code(), stdout, stderr, lasted: Duration::ZERO }
}

/// A program whose output nobody reads.
pub(crate) fn unread(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

/// Reads a line of it and no more, and waits for its end.
pub(crate) fn behind_head(mut child: Child) -> Ended {
    let stdout = child.stdout.take().expect("a pipe");
    BufReader::with_capacity(1, stdout).read_line(&mut String::new()).expect("a line");
    end_of(&child.wait_with_output().expect("ended"))
}

fn named(words: &(impl Words + ?Sized)) -> String {
    format!("vitals {}", words.words().join(OsStr::new(" ")).display())
}

/// The address in the broker's first line.
pub(crate) fn address_in(line: &str) -> String {
    let address = line.split_once("listens on ").and_then(|(_, rest)| rest.split_once(','));
    address.unwrap_or_else(|| panic!("no address: {line}")).0.to_owned()
}

/// Where nothing listens.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

pub(crate) fn wait_for(mut ready: impl FnMut() -> bool) {
    wait_until("what is waited for", RUN_LIMIT, || ready().then_some(()));
}
