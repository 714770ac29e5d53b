//! `cargo xtask services run -- COMMAND`.

use std::ffi::OsString;

use color_eyre::eyre;

use crate::services::fresh::FreshStacks;
use crate::services::options::StackOptions;
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
    let stack = fresh.start("run", &args.options, interrupt)?;
    let foreground = Foreground { command: &args.command, environment: &stack.environment(), folder: None };
    let code = foreground.run(interrupt)?;
    drop(stack);
    fresh.end(code == 0)?;
    Ok(code)
}
