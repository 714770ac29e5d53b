//! What is measured on: a Kafka, an embedded broker, and the programs that work with either.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::broker::EmbeddedBroker;
use super::error::BenchError;
use super::place::Place;
use super::program::Program;
use super::usage::Usage;
use crate::process::Life;
use crate::services::fresh::FreshStacks;
use crate::services::options::{HeapSize, Only, StackOptions};
use crate::services::ports::FreePorts;
use crate::services::server::{Role, class_path};
use crate::services::stack::Stack;
use crate::signals::Interrupt;

/// The heap that Kafka's own start script gives it.
fn kafka_heap() -> HeapSize {
    "1g".parse().unwrap_or_else(|_| HeapSize::default_for_kafka())
}

/// Which of the two brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `vitals up`.
    Embedded,
    /// Kafka.
    Kafka,
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Embedded => "the embedded broker",
            Self::Kafka => "Kafka 4.3.1",
        })
    }
}

/// Everything that runs while measuring; dropping it ends all of it.
#[derive(Debug)]
pub(super) struct Stand {
    binary: PathBuf,
    python: PathBuf,
    kafka: Stack,
    embedded: EmbeddedBroker,
    ports: RefCell<FreePorts>,
    place: Place,
    interrupt: Interrupt,
}

impl Stand {
    /// Starts both brokers.
    pub(super) fn start(
        binary: PathBuf,
        python: PathBuf,
        place: Place,
        fresh: &mut FreshStacks,
        interrupt: &Interrupt,
    ) -> Result<Self, BenchError> {
        let options = StackOptions { only: Some(Only::Kafka), kafka_heap: kafka_heap(), ..StackOptions::small() };
        let (folder, servers) = (fresh.folder("bench")?, fresh.servers(&options)?);
        let kafka = Stack::start(folder, servers, Life::EndsWithParent, interrupt)?;
        let mut ports = FreePorts::new();
        let folder = place.empty_folder("embedded")?;
        let embedded = EmbeddedBroker::start(&binary, &folder, ports.take()?, interrupt)?;
        Ok(Self { binary, python, kafka, embedded, ports: ports.into(), place, interrupt: interrupt.clone() })
    }

    /// Where clients of a broker connect.
    pub(super) fn address(&self, side: Side) -> Result<String, BenchError> {
        match side {
            Side::Embedded => Ok(self.embedded.address().to_owned()),
            Side::Kafka => {
                let port = self.kafka.port(Role::Kafka).ok_or(BenchError::NoServer)?;
                Ok(format!("127.0.0.1:{port}"))
            }
        }
    }

    /// What a broker has used since its start.
    pub(super) fn usage(&self, side: Side) -> Result<Usage, BenchError> {
        match side {
            Side::Embedded => self.embedded.usage(),
            Side::Kafka => self.kafka.pid(Role::Kafka).and_then(Usage::of).ok_or(BenchError::NoServer),
        }
    }

    /// A further embedded broker, on this folder.
    pub(super) fn embedded_broker(&self, folder: &Path) -> Result<EmbeddedBroker, BenchError> {
        let port = self.ports.borrow_mut().take()?;
        EmbeddedBroker::start(&self.binary, folder, port, &self.interrupt)
    }

    /// Runs a tool of Kafka by its Java class, and gives what it said.
    pub(super) fn kafka_tool(&self, class: &'static str, arguments: &[&str]) -> Result<ToolOutput, BenchError> {
        let jars = self.kafka.jars(Role::Kafka).ok_or(BenchError::NoServer)?;
        let mut command = vec![self.kafka.java().clone(), "-Xmx512m".into()];
        command.extend(class_path(&[], &jars));
        command.push(class.into());
        command.extend(arguments.iter().map(OsString::from));
        self.run_tool(class, &command)
    }

    /// Runs a Python script of `xtask/tests/peers`, and gives what it said.
    pub(super) fn python(&self, script: &'static str, arguments: &[&str]) -> Result<ToolOutput, BenchError> {
        let peers = crate::repository::root().join("xtask").join("tests").join("peers");
        // Nothing compiled is left beside the scripts.
        let mut command = vec![self.python.clone().into(), "-B".into(), peers.join(script).into()];
        command.extend(arguments.iter().map(OsString::from));
        self.run_tool(script, &command)
    }

    fn run_tool(&self, what: &'static str, command: &[OsString]) -> Result<ToolOutput, BenchError> {
        let log = self.place.path("tool.log");
        let program = Program { what, command, environment: &[], is_chatty: false, log: &log };
        program.run(&self.interrupt)?;
        Ok(ToolOutput { what, text: program.output()?, log })
    }

    /// The binary that is measured.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Where files go.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the user wants the end.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

/// What a tool said.
#[derive(Debug)]
pub(super) struct ToolOutput {
    /// The tool.
    what: &'static str,
    /// All of it.
    text: String,
    log: PathBuf,
}

impl ToolOutput {
    /// What `find` makes of it; an error that shows it where that is nothing.
    pub(super) fn find<T>(&self, missing: &'static str, find: impl FnOnce(&str) -> Option<T>) -> Result<T, BenchError> {
        find(&self.text).ok_or_else(|| BenchError::unclear(self.what, missing, &self.log))
    }
}
