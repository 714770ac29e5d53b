//! `cargo xtask services …`: one file for each subcommand, with its arguments and its `run`.

mod down;
mod logs;
mod run;
mod status;
mod up;

use clap::Subcommand;
use color_eyre::eyre;

use super::options::stack_name;
use crate::signals::Interrupt;

/// Real Kafka and Cassandra on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start servers in the background and come back when they answer.
    Up(up::Args),
    /// End the servers of a stack.
    Down(down::Args),
    /// What runs: process, port, does it answer, memory.
    Status(status::Args),
    /// The servers' logs.
    Logs(logs::Args),
    /// Start fresh servers, run a command with their addresses, end them; the exit code is the command's.
    Run(run::Args),
}

#[derive(Clone, Debug, clap::Args)]
struct StackName {
    /// The stack's name: several can run side by side on different ports
    #[arg(long, default_value = "default", value_parser = stack_name)]
    name: String,
}

pub(crate) fn run(args: Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    match args.action {
        Action::Up(args) => up::run(&args, interrupt),
        Action::Down(args) => down::run(&args, interrupt),
        Action::Status(args) => status::run(&args),
        Action::Logs(args) => logs::run(&args, interrupt),
        Action::Run(args) => run::run(&args, interrupt),
    }
}
