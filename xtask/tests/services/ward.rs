//! One test's own topic, group and keyspace, and the program in them.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::link::{Link, Trouble};
use crate::program::Program;
use crate::running::{RUN_LIMIT, Running, wait_until};
use crate::{grants, peer, place};

/// How long reading a backlog of a test's size may take on a busy machine.
pub(crate) const CATCH_UP_LIMIT: Duration = Duration::from_secs(20);

/// A topic, a group and a keyspace of one name that no other test has.
pub(crate) struct Ward {
    pub(crate) name: String,
    pub(crate) brokers: String,
    pub(crate) cassandra: String,
    pub(crate) folder: TempDir,
    pub(crate) _keyspace: Keyspace,
}

impl Ward {
    /// A name only: nothing is made. Where servers want a login, what it takes to make and use it is allowed.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let name = format!("ward_{micros}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let keyspace = Keyspace(name.clone());
        let ward = Self { name, brokers: place::brokers(), cassandra: place::cassandra(), folder, _keyspace: keyspace };
        if place::is_secured() {
            grants::give_to_make(&ward);
        }
        ward
    }

    /// With keyspace, tables and topics.
    pub(crate) fn with_partitions(count: u32) -> Self {
        let ward = Self::new();
        ward.done(&format!("init --partitions {count}"));
        ward
    }

    /// With so many readings that were sent, read and stored.
    pub(crate) fn read_to_the_end(partitions: u32, readings: u32) -> Self {
        let ward = Self::with_partitions(partitions);
        ward.send(readings);
        ward.consume();
        ward
    }

    pub(crate) fn dead_letter_topic(&self) -> String {
        format!("{}.dlq", self.name)
    }

    pub(crate) fn alarms_topic(&self) -> String {
        format!("{}.alarms", self.name)
    }

    /// Sends readings of a simulated ward of twenty, and gives what is said to be sent.
    pub(crate) fn send(&self, count: u32) -> Vec<Value> {
        let patients: Vec<_> = (1..=20).map(|number| format!("P{number:03}")).collect();
        sent(&self.done(&format!("produce --interval 0 --count {count} --patients {}", patients.join(","))))
    }

    /// Sends messages as they are by another client; they claim to have been sent so many seconds ago.
    pub(crate) fn send_as_is(&self, messages: &[&str], age: &str) {
        let mut sender = peer::start_python("send.py", &[&self.brokers, &self.name, age]);
        for message in messages {
            sender.say(message);
        }
        sender.close_stdin();
        sender.wait_end(RUN_LIMIT).well();
    }

    /// Makes the keyspace as the old README says, or in another `way`.
    pub(crate) fn make_by_hand(&self, way: &[&str]) {
        peer::python("by_hand.py", &[&[&*self.cassandra, &self.name], way].concat());
        if place::is_secured() && self.cassandra == place::cassandra() {
            grants::give_to_use(self);
        }
    }

    /// The rows of a table, as another driver reads them.
    pub(crate) fn table(&self, table: &str) -> Vec<Value> {
        peer::rows("rows.py", &[&self.cassandra, &self.name, table])
    }

    /// The readings of the table by patient and time.
    pub(crate) fn stored(&self) -> Vec<Value> {
        sorted(self.table("patient_vitals"))
    }

    /// The messages of a topic, as another client reads them.
    pub(crate) fn messages(&self, topic: &str) -> Vec<peer::Message> {
        peer::rows("read_topic.py", &[&self.brokers, topic]).iter().map(peer::Message::from_json).collect()
    }

    /// What the group has committed in all partitions together.
    pub(crate) fn committed(&self) -> i64 {
        self.rows("lag").iter().filter_map(|lag| lag["committed"].as_i64()).sum()
    }

    /// Waits until the group has committed everything.
    pub(crate) fn wait_for_no_lag(&self) {
        wait_until(&format!("no lag of {}", self.name), CATCH_UP_LIMIT, || {
            let lag = self.run("lag -o ndjson --fail-above 0");
            (lag.code == Some(0) && !lag.stdout.is_empty()).then_some(())
        });
    }
}

/// Where the program comes to what others come to at `usual`; another place is the same for all.
fn own(place: &str, usual: &str, own: String) -> String {
    if place == usual { own } else { place.to_owned() }
}

impl Ward {
    /// Servers of other versions let everybody in.
    fn access(&self) -> Vec<(&'static str, String)> {
        let is_old = place::is_secured() && self.brokers == place::variable("VITALS_TEST_OLD_BROKERS");
        if is_old { Vec::new() } else { place::access() }
    }
}

impl Program for Ward {
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("VITALS_BROKERS", own(&self.brokers, &place::brokers(), place::own_brokers()))
            .env(
                "VITALS_STORE",
                format!(
                    "cassandra://{}/{}",
                    own(&self.cassandra, &place::cassandra(), place::own_cassandra()),
                    self.name
                ),
            )
            .envs(self.access())
            .env("VITALS_TOPIC", &self.name)
            .env("VITALS_GROUP", &self.name)
            .env("VITALS_ALARMS_TOPIC", self.alarms_topic())
            // Nobody kills this Cassandra: what is stored may be committed at once.
            .env("VITALS_DURABILITY_DELAY", "0")
            .current_dir(self.folder.path());
        command
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn topic(&self) -> &str {
        &self.name
    }

    fn group(&self) -> &str {
        &self.name
    }

    fn make_tables_newer(&self) {
        let row = format!("INSERT INTO {}.schema_migrations (version, name) VALUES (99, 'of tomorrow')", self.name);
        peer::cqlsh(self.path(), &row);
    }
}

/// A keyspace that is dropped when its test has passed: a hundred of them would fill a small server's memory.
pub(crate) struct Keyspace(String);

impl Drop for Keyspace {
    fn drop(&mut self) {
        /// One for all tests; it ends with this process, which ends its standard input.
        static DROPPER: OnceLock<Mutex<Running>> = OnceLock::new();
        if std::thread::panicking() {
            return;
        }
        let dropper = DROPPER.get_or_init(|| peer::start_python("drop_keyspaces.py", &[&place::cassandra()]).into());
        dropper.lock().unwrap().say(&self.0);
    }
}

pub(crate) fn messages_said(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_prefix("SENT ")).map(str::to_owned).collect()
}

/// The readings in `SENT {…}` lines, as the table's columns.
pub(crate) fn sent(output: &str) -> Vec<Value> {
    messages_said(output).iter().map(|message| columns(message)).collect()
}

/// A message's JSON as the table's columns; the temperature as the column's width holds it.
pub(crate) fn columns(message: &str) -> Value {
    let message: Value = serde_json::from_str(message).unwrap();
    let pressure = &message["blood_pressure"];
    serde_json::json!({
        "patient_id": message["patient_id"],
        "timestamp": message["timestamp"],
        "heart_rate": message["heart_rate"],
        "spo2": message["spo2"],
        "systolic": pressure["systolic"],
        "diastolic": pressure["diastolic"],
        "respiratory_rate": message["respiratory_rate"],
        "temperature": narrow(&message["temperature"]),
        "supplemental_oxygen": message["supplemental_oxygen"],
        "consciousness": message["consciousness"],
    })
}

/// A number in the width of the FLOAT column.
fn narrow(number: &Value) -> Value {
    let Some(number) = number.as_f64() else { return Value::Null };
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "as the column does")]
    let narrow = number as f32;
    f64::from(narrow).into()
}

/// By patient and time, the table's key.
pub(crate) fn sorted(mut readings: Vec<Value>) -> Vec<Value> {
    readings.sort_by_key(|reading| (reading["patient_id"].to_string(), reading["timestamp"].to_string()));
    readings
}

/// Compares readings one by one, so that a failure shows the first that differs and not all of them.
pub(crate) fn assert_same(stored: &[Value], sent: Vec<Value>) {
    let sent = sorted(sent);
    if let Some((stored, sent)) = stored.iter().zip(&sent).find(|(stored, sent)| stored != sent) {
        panic!("the first difference:\nstored {stored}\nsent   {sent}");
    }
    assert_eq!(stored.len(), sent.len(), "readings stored and sent");
}

pub(crate) fn link_to(server: &str) -> Link {
    Link::start(0, server).unwrap()
}

/// Ends every connection, and each new one at once, until `link.set(None)`.
pub(crate) fn cut(link: &Link) {
    link.set(Some(Trouble::Down));
}
