//! Kafka and Cassandra, each alone, with the settings that `cargo xtask services` gives them: the commit log is synced
//! periodically.

use super::error::ChaosError;
use super::stack::{Addresses, End, Kind, Part, Stack};
use super::stand::Stand;
use crate::process::Life;
use crate::services::fresh::FreshStacks;
use crate::services::options::StackOptions;
use crate::services::server::Role;
use crate::services::stack::Stack as RunningServers;

/// Both servers.
#[derive(Debug)]
pub(super) struct Servers {
    stack: RunningServers,
}

impl Servers {
    /// Starts both on free ports.
    pub(super) fn start(stand: &Stand, fresh: &mut FreshStacks) -> Result<Self, ChaosError> {
        let servers = fresh.servers(&StackOptions::small())?;
        let stack = RunningServers::start(stand.folder().clone(), servers, Life::EndsWithParent, stand.interrupt())?;
        Ok(Self { stack })
    }

    fn port(&self, role: Role) -> Result<u16, ChaosError> {
        self.stack.port(role).ok_or(ChaosError::NoServer("such server"))
    }
}

impl Stack for Servers {
    fn kind(&self) -> Kind {
        Kind::Servers
    }

    fn addresses(&self, name: &str) -> Result<Addresses, ChaosError> {
        let (kafka, cassandra) = (self.port(Role::Kafka)?, self.port(Role::Cassandra)?);
        Ok(Addresses {
            brokers: format!("127.0.0.1:{kafka}"),
            store: format!("cassandra://127.0.0.1:{cassandra}/chaos_{name}"),
            reader: format!("cassandra:127.0.0.1:{cassandra}/chaos_{name}"),
            topic: format!("chaos.{name}"),
            group: format!("chaos-{name}"),
        })
    }

    fn end(&mut self, part: Part, end: End, _: &Stand) -> Result<(), ChaosError> {
        match end {
            End::Kill => self.stack.kill(role(part))?,
            End::Stop => self.stack.stop(role(part))?,
        }
        Ok(())
    }

    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), ChaosError> {
        Ok(self.stack.start_again(role(part), stand.interrupt())?)
    }
}

fn role(part: Part) -> Role {
    match part {
        Part::Broker => Role::Kafka,
        Part::Store => Role::Cassandra,
    }
}
