//! `cargo xtask bench`: how fast is it, against what it has to be.
//!
//! Whatever is compared is measured in one run, on one machine, by turns: what else the machine does falls on both.
//!
//! - [`embedded_default`]: the table of the embedded default, beside Kafka
//! - [`operator`]: the table of what an operator types, beside Kafka's Java tools and cqlsh
//! - [`peers`]: the table beside reference programs, for those who have them: `--peers DIR`
//! - [`throughput`], [`acknowledgement`], [`start`], [`drain`], [`pair`]: one kind of measurement each
//! - [`stand`], [`hospital`]: what each table is measured on
//! - [`kit`]: what both need: the `dist` build, a Python, and a [`place`] for files
//! - [`program`]: a program run to its end, with the time it took; [`usage`]: processor time and memory
//! - [`load`]: how much is measured; [`machine`]: what on
//! - [`figure`]: values and their goal; [`table`]: how they are printed
//!
//! A slow machine is no failure: the exit code is 0 when every figure was measured, whether it meets its goal or not.

mod acknowledgement;
mod drain;
mod embedded_default;
mod figure;
mod hospital;
mod kit;
mod load;
mod machine;
mod operator;
mod pair;
mod peers;
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

use self::kit::Kit;
use self::load::Load;
use self::machine::Machine;
use self::peers::Peers;
use self::place::Place;
use self::table::Table;
use crate::environment;
use crate::error::Error;
use crate::repository;
use crate::say::{self, Shape};
use crate::services::fresh::FreshStacks;
use crate::services::options::HeapSize;
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::test::python;

/// Measure the program beside what it replaces, and compare with the goals.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the profile `dist`, starts a Kafka 4.3.1, a Cassandra 5.0.8 and embedded
brokers of its own on free ports of 127.0.0.1, measures by turns, and ends them.
It needs what `cargo xtask test` needs, 2 GB of disk, and a quiet machine:
whatever else runs lowers the figures. Three rounds take about twenty minutes.

Examples:
  cargo xtask bench
  cargo xtask bench --rounds 5 -o json > figures.json
  cargo xtask bench --only operator
  cargo xtask bench --only peers --peers DIR --cassandra-heap 768m
  cargo xtask bench --quick")]
pub(crate) struct Args {
    /// How often everything is measured; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// One round with a tenth of the messages: does it work, not how fast is it
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this table [default: all; peers where --peers is given]
    #[arg(long, value_enum, value_name = "TABLE")]
    only: Option<Subject>,
    /// The folder of the reference programs: fill.py, measure.py, go, benthos
    #[arg(long, value_name = "DIR", required_if_eq("only", "peers"))]
    peers: Option<PathBuf>,
    /// Java heap of the Cassandra beside the reference programs [default: a quarter of the memory, 8 GiB at most]
    #[arg(long, value_name = "SIZE")]
    cassandra_heap: Option<HeapSize>,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// What a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The embedded default beside Kafka
    Embedded,
    /// What an operator types beside Kafka's Java tools and cqlsh
    Operator,
    /// Drains and producing beside reference programs
    Peers,
}

impl Subject {
    /// Starts what it needs, measures, and ends that.
    fn measure(
        self,
        kit: &Kit,
        fresh: &mut FreshStacks,
        load: &Load,
        peers: Option<&Peers>,
    ) -> Result<Option<Table>, Error> {
        match self {
            Self::Embedded => embedded_default::measure(kit, fresh, load).map(Some),
            Self::Operator => operator::measure(kit, fresh, load).map(Some),
            Self::Peers => peers.map(|peers| peers.measure(kit, fresh, load)).transpose(),
        }
    }
}

/// Measures, and prints the tables.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let load = if args.quick { Load::quick() } else { Load::full(args.rounds) };
    let heap = args.cassandra_heap.clone().unwrap_or_else(HeapSize::installed_cassandra);
    let peers = args.peers.as_deref().map(|folder| Peers::find(folder, heap)).transpose()?;
    let binary = build(interrupt)?;
    let python = python::ensure(interrupt)?;
    let kit = Kit { binary, python, place: Place::make(interrupt)?, interrupt: interrupt.clone() };
    let machine = Machine::now();
    let mut fresh = FreshStacks::new();
    let subjects = args.only.map_or_else(|| Subject::value_variants().to_vec(), |only| vec![only]);
    let measured: Result<Vec<_>, _> = subjects
        .into_iter()
        .filter_map(|subject| subject.measure(&kit, &mut fresh, &load, peers.as_ref()).transpose())
        .collect();
    fresh.end(measured.is_ok() || interrupt.received().is_some())?;
    let tables = measured?;
    match args.output {
        Shape::Table => {
            say::data(&table::machine(&load, &machine));
            for table in &tables {
                say::data(&format!("{}\n", table::lines(table).join("\n")));
            }
        }
        Shape::Json => say::data(&table::json(&load, &machine, &tables)),
    }
    if args.only.is_none() && peers.is_none() {
        say::talk("not measured: the table beside the reference programs\nhint: --peers DIR says where they are");
    }
    Ok(0)
}

/// The binary of the profile that quoted figures are made with.
fn build(interrupt: &Interrupt) -> Result<PathBuf, Error> {
    say::talk("building the profile `dist` (some minutes, when something has changed)");
    // Named, since the user may have another target folder.
    let target = repository::root().join("target");
    let mut command = vec![environment::cargo()];
    command.extend(["build", "--package", "vitals", "--profile", "dist", "--target-dir"].map(OsString::from));
    command.push(target.clone().into());
    let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
    let code = foreground.run(interrupt)?;
    interrupt.check()?;
    Error::build("the profile `dist`", code)?;
    Ok(target.join("dist").join("vitals"))
}
