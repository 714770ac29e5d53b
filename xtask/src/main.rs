//! Project tasks, called as `cargo xtask TASK`.
//!
//! - [`services`]: real Kafka and Cassandra as child processes, without Docker
//! - [`test`]: all tests, the ones that need real servers too
//! - [`bench`]: how fast is it, against what it has to be; what a number of patients needs
//! - [`chaos`]: faults that try to break what is promised
//! - [`fuzz`]: every decoder against inputs that libFuzzer invents
//! - [`format`]: rustfmt over every file
//! - [`package`]: a `.tar.gz` and a `.deb` of the program
//! - [`tidy`]: do the rules of this repository hold
//! - [`ci`]: everything that must pass before a change lands
//!
//! Below them: [`process`] (children that end when they should), [`foreground`] (one command, its signals and its exit
//! code), [`worker`] (programs that print into a log), [`embedded_broker`], [`link`] (a TCP proxy that spoils
//! connections), [`signals`] (Ctrl+C), [`lock`] (one at a time), [`venv`] (Python packages), [`say`] (all printing),
//! [`error`], [`environment`], [`repository`] (where things are).

mod bench;
mod chaos;
mod ci;
mod embedded_broker;
mod environment;
mod error;
mod foreground;
mod format;
mod fuzz;
mod link;
mod lock;
mod package;
mod process;
mod repository;
mod say;
mod services;
mod signals;
mod test;
mod tidy;
mod venv;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use color_eyre::eyre;

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
    /// Measure the program beside what it replaces, and compare with the goals.
    Bench(bench::Args),
    /// Say what a number of patients needs, from what a reading costs here.
    Capacity(bench::capacity::Args),
    /// Make faults, and see whether every promise holds.
    Chaos(chaos::Args),
    /// Try every decoder with inputs that libFuzzer invents.
    Fuzz(fuzz::Args),
    /// Bring every Rust file into the one form, those too that `cargo fmt` does not find.
    Format(format::Args),
    /// Make a .tar.gz and a .deb of the program, its units and its pages.
    Package(package::Args),
    /// Check the rules of this repository that can be seen in its text.
    Tidy,
    /// Everything that must pass before a change lands: format, lint, tidy, test, chaos.
    Ci(ci::Args),
    #[command(flatten)]
    Inner(Inner),
}

/// What `xtask` asks of another process of itself.
#[derive(Subcommand)]
enum Inner {
    /// Turn into another program.
    #[command(hide = true)]
    Become(process::Become),
    /// End a process group when this process's input closes.
    #[command(hide = true)]
    Guard(foreground::Guarded),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        // Signals keep their usual meaning for these two.
        Task::Inner(Inner::Become(wanted)) => Err(process::become_command(&wanted).into()),
        Task::Inner(Inner::Guard(group)) => group.guard(),
        task => run(task),
    };
    outcome.map_or_else(
        |report| {
            // Every error's message is whole by itself, with its cause and its hint; the chain would say it twice.
            say::talk(&format!("error: {report}"));
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

/// The exit code is the task's own; 128 + signal when the task was cut short (130 for Ctrl+C).
fn run(task: Task) -> eyre::Result<u8> {
    signals::listen()?;
    let outcome = match task {
        Task::Services(args) => services::run(args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Capacity(args) => bench::capacity::run(&args),
        Task::Chaos(args) => chaos::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Format(args) => format::run(&args),
        Task::Package(args) => package::run(&args),
        Task::Tidy => tidy::run(),
        Task::Ci(args) => ci::run(&args),
        Task::Inner(_) => Ok(0),
    };
    match (outcome, signals::exit_code()) {
        (Err(report), Some(code)) => {
            say::talk(&report.to_string());
            Ok(code)
        }
        (outcome, _) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_beside_reference_programs_alone_needs_their_folder() {
        let parses = |words: &str| Cli::try_parse_from(words.split(' ')).is_ok();
        assert!(!parses("xtask bench --only peers"));
        assert!(parses("xtask bench --only peers --peers DIR"));
        assert!(parses("xtask bench"));
    }

    #[test]
    fn recorded_readings_are_tested_alone() {
        let parses = |words: &str| Cli::try_parse_from(words.split(' ')).is_ok();
        assert!(
            parses("xtask test --recorded DIR") && parses("xtask ci --recorded DIR") && parses("xtask test -- name")
        );
        assert!(!parses("xtask test --recorded DIR -- name"));
    }
}
