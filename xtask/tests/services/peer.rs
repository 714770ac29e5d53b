//! Programs that are not ours: Python scripts (in `peers/`) and Kafka's own Java tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::place;
use crate::running::{RUN_LIMIT, Running};

/// A Python script of `peers/`, to be started.
pub(crate) fn python_command(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(place::python());
    // Lines come when they are printed, and nothing compiled is left beside the scripts.
    command.args(["-u", "-B"]).arg(folder().join(script)).args(arguments);
    command
}

pub(crate) fn start_python(script: &str, arguments: &[&str]) -> Running {
    Running::start(script, &mut python_command(script, arguments))
}

/// Runs a Python script to its end and gives what it printed.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    start_python(script, arguments).wait_end(RUN_LIMIT).well().output()
}

/// Starts a tool of Kafka by its Java class.
pub(crate) fn start_tool(class: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(place::java());
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(place::kafka_libs().join("*")).arg(class).args(arguments);
    Running::start(class, &mut command)
}

/// One JSON value a line.
pub(crate) fn lines_of_json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
    pub(crate) fn parse(line: &str) -> Self {
        Self::from_json(&serde_json::from_str(line).unwrap())
    }

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

    /// The value as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.value.clone().unwrap()).unwrap()
    }
}

fn bytes(hex: &Value) -> Option<Vec<u8>> {
    let hex = hex.as_str()?;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Some((0..hex.len()).step_by(2).map(byte).collect())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/tests/peers")
}
