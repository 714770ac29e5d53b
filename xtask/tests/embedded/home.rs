//! A home of its own for the program: a data folder, a settings file and, where a test wants one, a broker.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::program::Program;
use crate::running::{self, Ended, RUN_LIMIT, Running, wait_until};

/// The names that the program gives by itself.
pub(crate) const TOPIC: &str = "patient.vitals";
pub(crate) const DEAD_LETTERS: &str = "patient.vitals.dlq";
pub(crate) const GROUP: &str = "vitals-monitor-consumer-v7";

/// A folder with the data of the program, and the settings of the profile `embedded`.
pub(crate) struct Home {
    broker: Option<Running>,
    address: String,
    folder: tempfile::TempDir,
}

impl Home {
    /// Without a broker.
    pub(crate) fn new() -> Self {
        Self { broker: None, address: String::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// Without a broker, and with tables.
    pub(crate) fn with_tables() -> Self {
        let home = Self::new();
        std::fs::create_dir_all(home.database().parent().unwrap()).unwrap();
        let store = vitals::store::sqlite::SqliteStore::at(home.database()).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(store.init()).unwrap();
        home
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
        let mut broker = Running::start("vitals up", &mut self.vitals(&format!("up --listen {listen}")));
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

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("data/vitals/vitals.db")
    }

    /// The program without a profile.
    pub(crate) fn vitals(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env("XDG_DATA_HOME", self.path().join("data"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VITALS_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs it to its end without a profile.
    pub(crate) fn bare(&self, words: &str) -> Ended {
        running::run(&format!("vitals {words}"), &mut self.vitals(words))
    }

    /// What another program does with the file.
    pub(crate) fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.database()).and_then(|file| file.execute_batch(sql)).unwrap();
    }
}

impl Program for Home {
    fn command(&self, words: &str) -> Command {
        let mut command = self.vitals(words);
        command.args(["--profile", "embedded"]);
        command
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn topic(&self) -> &str {
        TOPIC
    }

    fn group(&self) -> &str {
        GROUP
    }

    fn make_tables_newer(&self) {
        self.sql("INSERT INTO schema_migrations VALUES (99, 'of tomorrow', '2027-01-01T00:00:00+00:00')");
    }
}

/// The end of a program whose output went other ways.
pub(crate) fn end_of(output: &Output) -> Ended {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    let (stdout, stderr) = (lines(&output.stdout), lines(&output.stderr));
    Ended { code: output.status.code(), stdout, stderr, lasted: Duration::ZERO }
}

/// A program whose output nobody reads.
pub(crate) fn unread(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads a line of it and no more, and waits for its end.
pub(crate) fn behind_head(mut child: Child) -> Ended {
    let stdout = child.stdout.take().unwrap();
    BufReader::with_capacity(1, stdout).read_line(&mut String::new()).unwrap();
    end_of(&child.wait_with_output().unwrap())
}

/// The address in the broker's first line.
pub(crate) fn address_in(line: &str) -> String {
    let address = line.split_once("listens on ").and_then(|(_, rest)| rest.split_once(','));
    address.unwrap_or_else(|| panic!("no address: {line}")).0.to_owned()
}

/// Where nothing listens.
pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().to_string()
}

pub(crate) fn wait_for(mut ready: impl FnMut() -> bool) {
    wait_until("what is waited for", RUN_LIMIT, || ready().then_some(()));
}
