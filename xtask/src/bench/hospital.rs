//! What an operator's commands and the reference programs are measured on: a Kafka with a topic of readings, and a
//! Cassandra with a table of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::kit::{Kit, Taken, ToolOutput};
use super::patient_ids;
use crate::error::Result;
use crate::services::folder::FreshStacks;
use crate::services::options::{HeapSize, StackOptions};
use crate::services::server::Role;
use crate::services::stack::Stack;

/// The one topic: whoever consumes does it in a group of its own.
pub(super) const TOPIC: &str = "readings";
/// As many as on a large ward.
const PATIENTS: u32 = 100;
/// As Kafka's own start script of these tools gives it.
const TOOL_HEAP: &str = "-Xmx256m";

/// Both servers; dropping it ends them.
#[derive(Debug)]
pub(super) struct Hospital<'a> {
    pub(super) kit: &'a Kit,
    stack: Stack,
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
        Ok(Self { kit, stack })
    }

    /// A new keyspace with its tables, and a group of the same name.
    pub(super) fn ward(&self, name: &str) -> Result<Ward<'_>> {
        self.ward_of(name, TOPIC)
    }

    /// The same, whose group reads a topic of its own.
    pub(super) fn ward_of(&self, name: &str, topic: &'static str) -> Result<Ward<'_>> {
        let ward = Ward { hospital: self, name: name.to_owned(), topic };
        ward.vitals("vitals init", &["init"])?;
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
        self.hospital.kit.vitals(what, arguments, &self.environment()?)
    }

    pub(super) fn send(&self, readings: u32) -> Result<Taken> {
        let (count, ids) = (readings.to_string(), patient_ids(PATIENTS));
        let arguments = ["produce", "--interval", "0", "--count", &count, "--patients", &ids];
        self.vitals("vitals produce", &arguments).map(|output| output.taken)
    }

    pub(super) fn consume(&self, readings: u32) -> Result<Taken> {
        self.vitals("vitals consume", &["consume", "--exit-at-end", "--quiet"])?
            .having("that it stored every reading", &format!(": {readings} readings stored, 0 refused"))
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

    fn environment(&self) -> Result<[(&'static str, OsString); 6]> {
        let Self { hospital, name, topic } = self;
        Ok([
            ("VITALS_BROKERS", hospital.brokers()?.into()),
            ("VITALS_STORE", format!("cassandra://127.0.0.1:{}/{name}", hospital.cassandra_port()?).into()),
            ("VITALS_TOPIC", topic.into()),
            ("VITALS_GROUP", name.into()),
            // The others announce nothing either.
            ("VITALS_ALARMS_TOPIC", "none".into()),
            // How long a consumer waits before it commits is no part of how fast it writes.
            ("VITALS_DURABILITY_DELAY", "0".into()),
        ])
    }
}
