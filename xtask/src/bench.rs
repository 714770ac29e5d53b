//! `cargo xtask bench`: how fast is it, against what it has to be.
//!
//! Whatever is compared is measured in one run, on one machine, by turns: what else the machine does falls on both.
//!
//! - [`embedded_default`]: the table of the embedded default beside Kafka, measured on [`brokers`]
//! - [`operator`]: the table of what an operator types, beside Kafka's Java tools and cqlsh, measured on a [`hospital`]
//! - [`peers`]: the table beside [`references`], for those who have them: `--peers DIR`
//! - [`secure`]: the table of TLS, logins and several servers
//! - [`ward`]: the table of who looks at the ward
//! - [`devices`]: the table of HL7
//! - [`years`]: the table of retention, minutes and archives
//! - [`alarms`]: the table of what alarms cost, also beside them
//! - [`capacity`]: `cargo xtask capacity`, what a number of patients needs
//! - [`kit`]: what all need: the `dist` build, a Python, a folder, and programs with the time and memory they took
//! - [`figure`]: values and their goal, and how they are printed
//!
//! A slow machine is no failure: the exit code is 0 when every figure was measured, whether it meets its goal or not.

mod alarms;
mod brokers;
pub(crate) mod capacity;
mod devices;
mod embedded_default;
mod figure;
mod hospital;
mod kit;
mod operator;
mod peers;
mod references;
mod secure;
mod ward;
mod years;

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use color_eyre::eyre;
use serde::Serialize;

use self::figure::Table;
use self::kit::{BenchFolder, Kit};
use self::references::{ReferenceFolder, References};
use crate::error::Result;
use crate::foreground::cargo_build;
use crate::say::{self, Shape};
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;
use crate::{signals, venv};

/// Measure the program beside what it replaces, and compare with the goals.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the profile `dist`, starts a Kafka 4.3.1, a Cassandra 5.0.8 and embedded
brokers of its own on free ports of 127.0.0.1, measures by turns, and ends them.
It needs what `cargo xtask test` needs, 4 GB of disk, and a quiet machine:
whatever else runs lowers the figures. Three rounds take about twenty minutes,
and some more for the table of years.

Examples:
  cargo xtask bench
  cargo xtask bench --rounds 5 -o json > figures.json
  cargo xtask bench --only operator
  cargo xtask bench --only peers --peers DIR --cassandra-heap 768m
  cargo xtask bench --only alarms --peers DIR
  cargo xtask bench --quick")]
pub(crate) struct Args {
    /// How often everything is measured; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// One round with a tenth of the messages: does it work, not how fast is it
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this table [default: all; peers and alarms where --peers is given]
    #[arg(long, value_enum, value_name = "TABLE")]
    only: Option<Subject>,
    /// The folder of the reference programs: fill.py, measure.py, go, benthos
    #[arg(long, value_name = "DIR", required_if_eq_any([("only", "peers"), ("only", "alarms")]))]
    peers: Option<PathBuf>,
    /// Java heap of the Cassandra beside the reference programs [default: a quarter of the memory, 8 GiB at most; alarms:
    /// 1g]
    #[arg(long, value_name = "SIZE")]
    cassandra_heap: Option<HeapSize>,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The embedded default beside Kafka
    Embedded,
    /// What an operator types beside Kafka's Java tools and cqlsh
    Operator,
    /// TLS and logins beside the clear, and several consumers on three brokers and nodes
    Secure,
    /// The ward in a browser: who asks, who looks on, a day of readings
    Ward,
    /// HL7 of many monitors
    Devices,
    /// The end of rows, minutes and archives
    Years,
    /// Drains and producing beside reference programs
    Peers,
    /// What alarms cost, beside a reference program without any
    Alarms,
}

impl Subject {
    fn measure(
        self,
        kit: &Kit,
        fresh: &mut FreshStacks,
        load: &Load,
        references: Option<&References>,
        heap: Option<&HeapSize>,
    ) -> Result<Option<Table>> {
        let heap = |usual: fn() -> HeapSize| heap.cloned().unwrap_or_else(usual);
        match (self, references) {
            (Self::Embedded, _) => embedded_default::measure(kit, fresh, load).map(Some),
            (Self::Operator, _) => operator::measure(kit, fresh, load).map(Some),
            (Self::Secure, _) => secure::measure(kit, fresh, load).map(Some),
            (Self::Ward, _) => ward::measure(kit, fresh, load).map(Some),
            (Self::Devices, _) => devices::measure(kit, load).map(Some),
            (Self::Years, _) => years::measure(kit, fresh, load).map(Some),
            (Self::Peers, Some(references)) => {
                peers::measure(references, heap(HeapSize::installed_cassandra), kit, fresh, load).map(Some)
            }
            (Self::Alarms, Some(references)) => {
                alarms::measure(references, heap(HeapSize::one_gibibyte), kit, fresh, load).map(Some)
            }
            (Self::Peers | Self::Alarms, None) => Ok(None),
        }
    }
}

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let load = if args.quick { Load::quick() } else { Load::full(args.rounds) };
    let folder = args.peers.as_deref().map(ReferenceFolder::find).transpose()?;
    let binary = build()?;
    let python = venv::ensure_python()?;
    let kit = Kit { binary, python, place: BenchFolder::make()? };
    let machine = Machine::now();
    let references = folder.as_ref().map(|folder| References::build(&kit, folder)).transpose()?;
    let mut fresh = FreshStacks::new();
    let subjects = args.only.map_or_else(|| Subject::value_variants().to_vec(), |only| vec![only]);
    let measured: Result<Vec<_>, _> = subjects
        .into_iter()
        .filter_map(|subject| {
            subject.measure(&kit, &mut fresh, &load, references.as_ref(), args.cassandra_heap.as_ref()).transpose()
        })
        .collect();
    fresh.end(measured.is_ok() || signals::received().is_some())?;
    let tables = measured?;
    match args.output {
        Shape::Table => {
            say::data(&figure::machine_line(&load, &machine));
            for table in &tables {
                say::data(&format!("{}\n", figure::lines(table).join("\n")));
            }
        }
        Shape::Json => say::data(&figure::json(&load, &machine, &tables)),
    }
    if args.only.is_none() && references.is_none() {
        say::talk("not measured: the tables beside the reference programs\nhint: --peers DIR says where they are");
    }
    Ok(0)
}

/// The binary of the profile that quoted figures are made with.
fn build() -> Result<PathBuf> {
    say::talk("building the profile `dist` (some minutes, when something has changed)");
    let target = cargo_build("the profile `dist`", &["--package", "vitals", "--profile", "dist"])?;
    Ok(target.join("dist").join("vitals"))
}

#[derive(Debug, Clone, Copy)]
struct Load {
    rounds: u32,
    is_quick: bool,
    /// Records that are produced and fetched in one go.
    records: u32,
    single_messages: u32,
    starts: u32,
    /// Readings that are drained.
    readings: u32,
    /// Rows that are exported, imported and consumed beside Cassandra.
    rows: u32,
    /// Rows of a large file, which is archived and whose rows go.
    old_rows: u32,
    /// So many fewer rows that memory which grows with them would show it.
    few_rows: u32,
    /// For how long `vitals bench` sends.
    seconds: u32,
    /// Calls a round of each command that takes a moment only.
    calls: u32,
}

impl Load {
    /// What figures are quoted from.
    fn full(rounds: u32) -> Self {
        Self {
            rounds,
            is_quick: false,
            records: 1_000_000,
            single_messages: 2_000,
            starts: 20,
            readings: 600_000,
            rows: 200_000,
            old_rows: 10_000_000,
            few_rows: 50_000,
            seconds: 10,
            calls: 5,
        }
    }

    /// A tenth, once.
    fn quick() -> Self {
        let Self { records, single_messages, starts, readings, rows, old_rows, few_rows, .. } = Self::full(1);
        Self {
            rounds: 1,
            is_quick: true,
            records: records / 10,
            single_messages: single_messages / 10,
            starts: starts / 10,
            readings: readings / 10,
            rows: rows / 10,
            old_rows: old_rows / 10,
            few_rows: few_rows / 10,
            seconds: 2,
            calls: 1,
        }
    }
}

fn patient_ids(count: u32) -> String {
    let ids: Vec<_> = (1..=count).map(|number| format!("P{number:03}")).collect();
    ids.join(",")
}

/// The machine before the first measurement.
#[derive(Debug, Clone, Copy, Serialize)]
struct Machine {
    cores: usize,
    /// Programs that ran or wanted to, on average over the last minute.
    load_before: f64,
}

impl Machine {
    fn now() -> Self {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_counted_from_one() {
        assert_eq!(patient_ids(3), "P001,P002,P003");
    }
}
