//! What an operator's commands and the reference programs are measured on: a Kafka with a topic of readings, and a
//! Cassandra with a table of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::kit::{Kit, Program, RunningProgram, Taken, ToolOutput};
use super::patient_ids;
use crate::error::{Error, Result};
use crate::process;
use crate::services::folder::FreshStacks;
use crate::services::options::{HeapSize, StackOptions};
use crate::services::secure::Access;
use crate::services::server::Role;
use crate::services::stack::Stack;

/// The one topic: whoever consumes does it in a group of its own.
pub(super) const TOPIC: &str = "readings";
/// As many as on a large ward.
pub(super) const PATIENTS: u32 = 100;
/// As Kafka's own start script of these tools gives it.
const TOOL_HEAP: &str = "-Xmx256m";

/// Both servers, or several of each; dropping it ends them.
#[derive(Debug)]
pub(super) struct Hospital<'a> {
    pub(super) kit: &'a Kit,
    pub(super) stack: Stack,
    /// How `vitals` comes to them.
    access: Access,
}

impl<'a> Hospital<'a> {
    /// Starts them, Kafka with the heap that `cargo xtask services up` gives it.
    pub(super) fn start(kit: &'a Kit, fresh: &mut FreshStacks, cassandra_heap: HeapSize) -> Result<Self> {
        let options = StackOptions {
            kafka_heap: HeapSize::default_for_kafka(),
            cassandra_heap: Some(cassandra_heap),
            ..StackOptions::small()
        };
        let stack = fresh.start("bench-hospital", &options)?;
        let (brokers, nodes) = (stack.address(Role::Kafka)?, stack.address(Role::Cassandra)?);
        Ok(Self { kit, stack, access: Access { brokers, nodes, settings: Vec::new() } })
    }

    /// Starts those with TLS and logins, several of each where `options` say so, and comes to them inside TLS.
    pub(super) fn start_secure(kit: &'a Kit, fresh: &mut FreshStacks, options: &StackOptions) -> Result<Self> {
        let stack = fresh.start("bench-secure", options)?;
        let access = stack.access(true)?;
        Ok(Self { kit, stack, access })
    }

    /// From now on `vitals` comes inside TLS and logs in to Kafka, or comes in the clear.
    pub(super) fn come(&mut self, is_inside_tls: bool) -> Result<()> {
        self.access = self.stack.access(is_inside_tls)?;
        Ok(())
    }

    /// A new keyspace with its tables, and a group of the same name.
    pub(super) fn ward(&self, name: &str) -> Result<Ward<'_>> {
        self.ward_of(name, TOPIC)
    }

    /// The same, whose group reads a topic of its own.
    pub(super) fn ward_of(&self, name: &str, topic: &'static str) -> Result<Ward<'_>> {
        self.ward_with(name, topic, &[])
    }

    /// The same, with options of `init`.
    pub(super) fn ward_with(&self, name: &str, topic: &'static str, options: &[&str]) -> Result<Ward<'_>> {
        let ward = Ward { hospital: self, name: name.to_owned(), topic };
        ward.vitals("vitals init", &[&["init"], options].concat())?;
        Ok(ward)
    }

    pub(super) fn kafka_tool(&self, class: &'static str, arguments: &[&str]) -> Result<ToolOutput> {
        let brokers = self.brokers()?;
        let whole = [&["--bootstrap-server", brokers.as_str()], arguments].concat();
        self.kit.kafka_tool(&self.stack, TOOL_HEAP, class, &whole)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.kit.place.path(name)
    }

    pub(super) fn brokers(&self) -> Result<String> {
        self.stack.address(Role::Kafka)
    }

    pub(super) fn cassandra_port(&self) -> Result<String> {
        Ok(self.stack.port(Role::Cassandra)?.to_string())
    }
}

/// How many readings consumers say that they stored.
fn stored(said: &str) -> u64 {
    let count = |line: &str| line.split_once(" readings stored,")?.0.rsplit(' ').next()?.parse::<u64>().ok();
    said.lines().filter_map(count).sum()
}

/// A keyspace and a consumer group.
#[derive(Debug)]
pub(super) struct Ward<'a> {
    hospital: &'a Hospital<'a>,
    name: String,
    topic: &'static str,
}

impl<'a> Ward<'a> {
    pub(super) fn hospital(&self) -> &'a Hospital<'a> {
        self.hospital
    }
}

impl Ward<'_> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn vitals(&self, what: &'static str, arguments: &[&str]) -> Result<ToolOutput> {
        self.hospital.kit.vitals(what, arguments, &self.environment())
    }

    pub(super) fn send(&self, readings: u32, patients: u32) -> Result<Taken> {
        let (count, ids) = (readings.to_string(), patient_ids(patients));
        let arguments = ["produce", "--interval", "0", "--count", &count, "--patients", &ids];
        self.vitals("vitals produce", &arguments).map(|output| output.taken)
    }

    pub(super) fn consume(&self, readings: u32) -> Result<Taken> {
        self.vitals("vitals consume", &["consume", "--exit-at-end", "--quiet"])?
            .having("that it stored every reading", &format!(": {readings} readings stored, 0 refused"))
    }

    /// Several of one group; the processor time of all.
    pub(super) fn consume_together(&self, consumers: u8, readings: u32) -> Result<Duration> {
        let command = process::command_of(&self.hospital.kit.binary, &["consume", "--exit-at-end", "--quiet"]);
        let environment = self.environment();
        let logs: Vec<_> =
            (1..=consumers).map(|number| self.hospital.file(&format!("consumer-{number}.log"))).collect();
        let program = |log| Program {
            what: "vitals consume",
            command: &command,
            environment: &environment,
            is_chatty: false,
            log,
        };
        let programs: Vec<_> = logs.iter().map(|log| program(log)).collect();
        let running: Vec<_> = programs.iter().map(Program::start).collect::<Result<_>>()?;
        let ended: Vec<_> = running.into_iter().map(RunningProgram::finish).collect::<Result<_>>()?;
        let said: String = programs.iter().map(Program::output).collect::<Result<_>>()?;
        if stored(&said) < u64::from(readings) {
            let missing = "that together they stored every reading";
            return Err(Error::Unclear { what: "vitals consume", missing, said });
        }
        Ok(ended.iter().map(|taken| taken.usage.cpu).sum())
    }

    pub(super) fn export(&self, file: &Path, readings: u32) -> Result<Taken> {
        self.vitals("vitals export", &["export", "--force", &file.to_string_lossy()])?
            .having("that it wrote every row", &format!(": {readings} rows in"))
    }

    pub(super) fn import(&self, file: &Path, readings: u32) -> Result<Taken> {
        self.vitals("vitals import", &["import", &file.to_string_lossy()])?
            .having("that it stored every row", &format!(": {readings} rows in"))
    }

    pub(super) fn cqlsh(&self, statement: &str) -> Result<ToolOutput> {
        let port = self.hospital.cassandra_port()?;
        self.hospital.kit.python_program("cqlsh", &["127.0.0.1", &port, "-e", statement])
    }

    /// Removes the keyspace, so that Cassandra has no more of them in a late round than in an early one.
    pub(super) fn close(self) -> Result<()> {
        self.vitals("vitals reset", &["reset", "--only", "store", "--yes"]).map(drop)
    }

    pub(super) fn environment(&self) -> Vec<(String, OsString)> {
        let Self { hospital, name, topic } = self;
        let Access { brokers, nodes, settings } = &hospital.access;
        let store = format!("cassandra://{nodes}/{name}");
        let own = [
            ("brokers", brokers.as_str()),
            ("store", &store),
            ("topic", topic),
            ("group", name),
            // The others announce nothing either.
            ("alarms_topic", "none"),
            // How long a consumer waits before it commits is no part of how fast it writes.
            ("durability_delay", "0"),
        ];
        let access = settings.iter().map(|(setting, value)| (*setting, value.as_str()));
        let variable = |setting: &str| format!("VITALS_{}", setting.to_ascii_uppercase());
        own.into_iter().chain(access).map(|(setting, value)| (variable(setting), value.into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_consumers_stored_is_added() {
        let said = "a note\nend of topic readings: 70 readings stored, 0 refused\nx: 30 readings stored, 2 refused\n";
        assert_eq!(stored(said), 100);
    }
}
