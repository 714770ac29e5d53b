//! What the table of the embedded default is measured on: a Kafka, an embedded broker, and the programs that work with
//! either.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use super::kit::{Kit, ToolOutput};
use super::usage::Usage;
use crate::embedded_broker::{self, EmbeddedBroker};
use crate::error::Error;
use crate::services::fresh::FreshStacks;
use crate::services::options::{HeapSize, Only, StackOptions};
use crate::services::ports::FreePorts;
use crate::services::server::Role;
use crate::services::stack::Stack;

/// The heap that Kafka's own start script gives it.
fn kafka_heap() -> HeapSize {
    "1g".parse().unwrap_or_else(|_| HeapSize::default_for_kafka())
}

/// As Kafka's own start script of these tools gives it.
const PERFORMANCE_TOOL_HEAP: &str = "-Xmx512m";

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
pub(super) struct Stand<'a> {
    /// What measures.
    pub(super) kit: &'a Kit,
    kafka: Stack,
    embedded: (EmbeddedBroker, String),
    ports: RefCell<FreePorts>,
}

impl<'a> Stand<'a> {
    /// Starts both brokers.
    pub(super) fn start(kit: &'a Kit, fresh: &mut FreshStacks) -> Result<Self, Error> {
        let options = StackOptions { only: Some(Only::Kafka), kafka_heap: kafka_heap(), ..StackOptions::small() };
        let kafka = fresh.start("bench", &options, &kit.interrupt)?;
        let mut ports = FreePorts::new();
        let embedded = embedded_broker(kit, &kit.place.empty_folder("embedded")?, ports.take()?)?;
        Ok(Self { kit, kafka, embedded, ports: ports.into() })
    }

    /// Where clients of a broker connect.
    pub(super) fn address(&self, side: Side) -> Result<String, Error> {
        match side {
            Side::Embedded => Ok(self.embedded.1.clone()),
            Side::Kafka => {
                let port = self.kafka.port(Role::Kafka).ok_or(Error::NoServer("such server"))?;
                Ok(format!("127.0.0.1:{port}"))
            }
        }
    }

    /// What a broker has used since its start.
    pub(super) fn usage(&self, side: Side) -> Result<Usage, Error> {
        match side {
            Side::Embedded => Usage::of_broker(&self.embedded.0),
            Side::Kafka => self.kafka.pid(Role::Kafka).and_then(Usage::of).ok_or(Error::NoServer("such server")),
        }
    }

    /// A further embedded broker, on this folder, with its address.
    pub(super) fn embedded_broker(&self, folder: &Path) -> Result<(EmbeddedBroker, String), Error> {
        embedded_broker(self.kit, folder, self.ports.borrow_mut().take()?)
    }

    /// Runs a tool of Kafka by its Java class, and gives what it said.
    pub(super) fn kafka_tool(&self, class: &'static str, arguments: &[&str]) -> Result<ToolOutput, Error> {
        self.kit.kafka_tool(&self.kafka, PERFORMANCE_TOOL_HEAP, class, arguments)
    }
}

/// Its log is beside its folder, so that the folder is as it would be without the log.
fn embedded_broker(kit: &Kit, folder: &Path, port: u16) -> Result<(EmbeddedBroker, String), Error> {
    let command = embedded_broker::command(&kit.binary, folder, port, None);
    let broker = EmbeddedBroker::start(&command, port, &folder.with_extension("log"), &kit.interrupt)?;
    Ok((broker, format!("127.0.0.1:{port}")))
}
