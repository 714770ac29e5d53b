//! `cargo xtask services up`.

use color_eyre::eyre;

use super::StackName;
use crate::error::Error;
use crate::lock::Lock;
use crate::process::Life;
use crate::say;
use crate::services::folder::StackFolder;
use crate::services::options::StackOptions;
use crate::services::ports::FreePorts;
use crate::services::server::{Role, Server};
use crate::services::stack::Stack;
use crate::services::state::{Record, State};
use crate::signals::Interrupt;

/// Start servers in the background.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    stack: StackName,
    #[command(flatten)]
    options: StackOptions,
}

/// Starts what is asked for and does not run yet: a server that was killed comes back on its data.
pub(super) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let _held = Lock::wait(&folder.lock(), &format!("stack {}", folder.name()), interrupt)?;
    let before = State::read(&folder)?;
    let alive = before.alive(&folder);
    let wanted = with_known_ports(&args.options, &before).servers(&mut FreePorts::new())?;
    let missing = missing(wanted, &alive, &folder)?;
    if missing.is_empty() {
        say::talk(&format!("stack {} runs already", folder.name()));
    } else {
        Stack::start(folder.clone(), missing, Life::Outlives, interrupt)?.leave_running();
    }
    tell_addresses(&folder)?;
    Ok(0)
}

/// A stack that runs in part, or whose servers were killed, keeps its ports.
fn with_known_ports(options: &StackOptions, known: &State) -> StackOptions {
    let port = |role| known.servers.iter().find(|record| record.role == role).map(|record| record.port);
    let mut options = options.clone();
    options.kafka_port = options.kafka_port.or(port(Role::Kafka));
    options.cassandra_port = options.cassandra_port.or(port(Role::Cassandra));
    options.zookeeper_port = options.zookeeper_port.or(port(Role::Zookeeper));
    options
}

fn missing(
    wanted: Vec<Box<dyn Server>>,
    alive: &[Record],
    folder: &StackFolder,
) -> Result<Vec<Box<dyn Server>>, Error> {
    let mut missing = Vec::new();
    for server in wanted {
        match alive.iter().find(|record| record.role == server.role()) {
            None => missing.push(server),
            Some(record) if record.version == server.version() => {}
            Some(record) => {
                let (stack, runs) = (folder.name().to_owned(), record.version.clone());
                return Err(Error::OtherVersion { stack, role: record.role, runs, wanted: server.version() });
            }
        }
    }
    Ok(missing)
}

fn tell_addresses(folder: &StackFolder) -> Result<(), Error> {
    for Record { role, version, port, process } in State::read(folder)?.alive(folder) {
        say::data(&format!("{role:<9} {version:<6} 127.0.0.1:{port:<5} pid {}", process.pid));
    }
    let name = if folder.name() == "default" { String::new() } else { format!(" --name {}", folder.name()) };
    say::talk(&format!(
        "next: vitals init\nlook: cargo xtask services status{name} | logs{name}\nend:  cargo xtask services down{name}"
    ));
    Ok(())
}
