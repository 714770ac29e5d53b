//! `cargo xtask services down`.

use color_eyre::eyre;

use super::StackName;
use crate::error::Error;
use crate::lock::Lock;
use crate::process::{self, Identity};
use crate::say;
use crate::services::folder::StackFolder;
use crate::services::state::{Record, State};
use crate::signals::Interrupt;

/// End the servers of a stack.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    stack: StackName,
    /// Remove their data, configuration and logs too
    #[arg(long)]
    purge: bool,
}

/// Ends only processes that are still the ones that were started for this stack.
pub(super) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let _held = Lock::wait(&folder.lock(), &format!("stack {}", folder.name()), interrupt)?;
    let alive = State::read(&folder)?.alive(&folder);
    end(&alive)?;
    if args.purge {
        folder.remove()?;
        say::talk(&format!("the files of stack {} are removed", folder.name()));
    } else if folder.path().exists() {
        State::default().write(&folder)?;
    }
    Ok(0)
}

fn end(alive: &[Record]) -> Result<(), Error> {
    if alive.is_empty() {
        say::talk("no server of this stack runs");
        return Ok(());
    }
    let processes: Vec<Identity> = alive.iter().map(|record| record.process).collect();
    if let Some(left) = process::stop(&processes).first() {
        return Err(Error::Immortal(left.pid));
    }
    for Record { role, port, process, .. } in alive {
        say::talk(&format!("{role} on port {port} (pid {}) has ended", process.pid));
    }
    Ok(())
}
