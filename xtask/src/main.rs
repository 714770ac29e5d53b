//! Project tasks, called as `cargo xtask TASK`.
//!
//! - [`services`]: real Kafka and Cassandra as child processes, without Docker
//! - [`test`]: all tests, the ones that need real servers too
//! - [`tidy`]: do the rules of this repository hold
//! - [`ci`]: everything that must pass before a change lands
//!
//! Below them: [`process`] (children that end when they should), [`supervise`] (one command, its signals and its exit
//! code), [`signals`] (Ctrl+C), [`lock`] (one at a time), [`say`] (all printing), [`repository`] (where things are).

mod ci;
mod lock;
mod process;
mod repository;
mod say;
mod services;
mod signals;
mod supervise;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use color_eyre::eyre;

use crate::signals::Interrupted;

/// Project tasks: real services without Docker, tests, CI, tidy.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Real Kafka and Cassandra as child processes, without Docker.
    Services(services::Args),
    /// All tests, against a Kafka and a Cassandra of their own.
    Test(test::Args),
    /// Check the rules of this repository that can be seen in its text.
    Tidy,
    /// Everything that must pass before a change lands: fmt, clippy, tidy, test.
    Ci,
    /// What `xtask` puts between itself and a child it starts.
    #[command(hide = true)]
    Become(process::Become),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(report) => {
            say::talk(&format!("error: {report:#}"));
            exit_code(&report)
        }
    }
}

fn run(task: Task) -> eyre::Result<ExitCode> {
    match task {
        Task::Services(args) => services::run(args),
        Task::Test(args) => test::run(&args),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
        Task::Become(args) => Err(process::become_command(&args).into()),
    }
}

/// 128 + signal when cut short (130 for Ctrl+C), otherwise 1.
fn exit_code(report: &eyre::Report) -> ExitCode {
    report
        .chain()
        .find_map(|cause| cause.downcast_ref::<Interrupted>())
        .map_or(ExitCode::FAILURE, |interrupted| ExitCode::from(interrupted.exit_code()))
}
