//! `cargo xtask services run -- COMMAND`.

use std::ffi::OsString;

use color_eyre::eyre;

use crate::process::Life;
use crate::services::fresh::FreshStacks;
use crate::services::options::StackOptions;
use crate::services::stack::Stack;
use crate::signals::Interrupt;
use crate::supervise::Foreground;

/// Start fresh servers, run a command with their addresses, end them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: StackOptions,
    /// The command; it finds `VITALS_BROKERS`, `VITALS_STORE` and `VITALS_TEST_…` in its environment
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let mut fresh = FreshStacks::new();
    let folder = fresh.folder("run")?;
    let servers = fresh.servers(&args.options)?;
    let stack = Stack::start(folder, servers, Life::EndsWithParent, interrupt)?;
    let foreground = Foreground { command: &args.command, environment: &stack.environment(), folder: None };
    let code = foreground.run(interrupt)?;
    drop(stack);
    if code == 0 {
        fresh.remove()?;
    } else {
        fresh.keep_logs()?;
    }
    Ok(code)
}
