//! `cargo xtask bench`: how fast is it, against what it has to be.
//!
//! Whatever is compared is measured in one run, on one machine, by turns: what else the machine does falls on both.
//!
//! - [`embedded_default`]: the table of the embedded default, beside Kafka; a further table stands beside it
//! - [`throughput`], [`acknowledgement`], [`start`], [`drain`]: one kind of measurement each
//! - [`stand`]: what is measured on: the `dist` build, a Kafka, an embedded broker ([`broker`]), and a [`place`] for files
//! - [`program`]: a program run to its end, with the time it took; [`usage`]: processor time and memory
//! - [`load`]: how much is measured; [`machine`]: what on
//! - [`figure`]: values and their goal; [`table`]: how they are printed; [`error`]: what can go wrong
//!
//! A slow machine is no failure: the exit code is 0 when every figure was measured, whether it meets its goal or not.

mod acknowledgement;
mod broker;
mod drain;
mod embedded_default;
mod error;
mod figure;
mod load;
mod machine;
mod place;
mod program;
mod stand;
mod start;
mod table;
mod throughput;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use color_eyre::eyre;

use self::error::BenchError;
use self::load::Load;
use self::machine::Machine;
use self::place::Place;
use self::stand::Stand;
use crate::environment;
use crate::repository;
use crate::say;
use crate::services::fresh::FreshStacks;
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::test::python;

/// Measure the embedded default beside Kafka, and compare with the goals.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the profile `dist`, starts a Kafka 4.3.1 and embedded brokers of its
own on free ports of 127.0.0.1, measures them by turns, and ends them. It needs
what `cargo xtask test` needs, 2 GB of disk, and a quiet machine: whatever else
runs lowers the figures. Three rounds take about five minutes.

Examples:
  cargo xtask bench
  cargo xtask bench --rounds 5 -o json > figures.json
  cargo xtask bench --quick")]
pub(crate) struct Args {
    /// How often everything is measured; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// One round with a tenth of the messages: does it work, not how fast is it
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// To read
    #[default]
    Table,
    /// For programs, with every single value
    Json,
}

/// Measures, and prints the tables.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let load = if args.quick { Load::quick() } else { Load::full(args.rounds) };
    let binary = build(interrupt)?;
    let python = python::ensure(interrupt)?;
    let place = Place::make(interrupt)?;
    let machine = Machine::now();
    let mut fresh = FreshStacks::new();
    let stand = Stand::start(binary, python, place, &mut fresh, interrupt)?;
    let measured = embedded_default::measure(&stand, &load);
    drop(stand);
    if measured.is_err() && interrupt.received().is_none() {
        fresh.keep_logs()?;
    } else {
        fresh.remove()?;
    }
    let tables = [measured?];
    match args.output {
        Shape::Table => {
            say::data(&table::machine(&load, &machine));
            tables.iter().flat_map(table::lines).for_each(|line| say::data(&line));
        }
        Shape::Json => say::data(&table::json(&load, &machine, &tables)),
    }
    Ok(0)
}

/// The binary of the profile that quoted figures are made with.
fn build(interrupt: &Interrupt) -> Result<PathBuf, BenchError> {
    say::talk("building the profile `dist` (some minutes, when something has changed)");
    // Named, since the user may have another target folder.
    let target = repository::root().join("target");
    let mut command = vec![environment::cargo()];
    command.extend(["build", "--package", "vitals", "--profile", "dist", "--target-dir"].map(OsString::from));
    command.push(target.clone().into());
    let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
    let code = foreground.run(interrupt)?;
    interrupt.check()?;
    if code == 0 { Ok(target.join("dist").join("vitals")) } else { Err(BenchError::Build(code)) }
}
