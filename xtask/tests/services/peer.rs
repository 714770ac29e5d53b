//! Programs that are not ours: Python scripts (in `peers/`), Kafka's own Java tools, and cqlsh.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::place;
use crate::running::{RUN_LIMIT, Running};

/// cqlsh starts several processes to copy, which takes its time on a busy machine.
const CQLSH_LIMIT: Duration = Duration::from_secs(90);

/// A Python script of `peers/`, to be started.
pub(crate) fn python_command(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(place::python());
    // Lines come when they are printed, and nothing compiled is left beside the scripts.
    command.args(["-u", "-B"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/tests/peers").join(script));
    command.args(arguments);
    command
}

pub(crate) fn start_python(script: &str, arguments: &[&str]) -> Running {
    Running::start(script, &mut python_command(script, arguments))
}

/// Runs a Python script to its end and gives what it printed.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    start_python(script, arguments).wait_end(RUN_LIMIT).well().output()
}

/// The same as JSON, one value a line.
pub(crate) fn rows(script: &str, arguments: &[&str]) -> Vec<Value> {
    start_python(script, arguments).wait_end(RUN_LIMIT).well().rows()
}

/// Starts a tool of Kafka by its Java class.
pub(crate) fn start_tool(class: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(place::variable("VITALS_TEST_JAVA"));
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    let all_jars = Path::new(&place::variable("VITALS_TEST_KAFKA_LIBS")).join("*");
    command.arg(all_jars).arg(class).args(arguments);
    Running::start(class, &mut command)
}

/// Runs a tool of Kafka at these brokers to its end and gives what it printed.
pub(crate) fn tool(class: &str, brokers: &str, arguments: &[&str]) -> String {
    start_tool(class, &[&["--bootstrap-server", brokers], arguments].concat()).wait_end(RUN_LIMIT).well().output()
}

/// Runs a statement of cqlsh in a folder, and gives what it printed.
pub(crate) fn cqlsh(folder: &Path, statement: &str) -> String {
    let node = place::cassandra();
    let (login, node) = node.rsplit_once('@').unwrap_or(("", &node));
    let (host, port) = node.rsplit_once(':').unwrap();
    let mut command = Command::new(Path::new(&place::python()).with_file_name("cqlsh"));
    command.args([host, port, "-e", statement]).current_dir(folder);
    if let Some((user, password)) = login.split_once(':') {
        command.args(["-u", user, "-p", password]);
    }
    let ended = Running::start("cqlsh", &mut command).wait_end(CQLSH_LIMIT).well();
    let (output, talk) = (ended.output(), ended.talk());
    assert!(!talk.contains("Error") && !output.contains("Failed"), "{output}{talk}");
    output
}

/// A message as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) partition: i64,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

/// A header: any bytes, and a value or null.
pub(crate) type Header = (Vec<u8>, Option<Vec<u8>>);

impl Message {
    /// Reads a line of a script's output, where bytes are in hex.
    pub(crate) fn from_json(json: &Value) -> Self {
        let header = |header: &Value| (bytes(&header[0]).unwrap(), bytes(&header[1]));
        Self {
            partition: json["partition"].as_i64().unwrap(),
            offset: json["offset"].as_i64().unwrap(),
            key: bytes(&json["key"]),
            value: bytes(&json["value"]),
            headers: json["headers"].as_array().unwrap().iter().map(header).collect(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.value.clone().unwrap()).unwrap()
    }
}

fn bytes(hex: &Value) -> Option<Vec<u8>> {
    let hex = hex.as_str()?;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Some((0..hex.len()).step_by(2).map(byte).collect())
}
