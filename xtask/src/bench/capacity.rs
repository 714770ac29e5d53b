//! `cargo xtask capacity`: how many partitions, consumers, brokers, nodes and bytes a number of patients needs.
//!
//! What a reading costs is measured here, on three brokers and three nodes with TLS and logins, three copies of
//! everything; the rest is arithmetic, and [`Plan`] has all of it.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::time::Duration;

use color_eyre::eyre;
use serde::Serialize;

use super::figure::{Grouped, Short};
use super::hospital::TOPIC;
use super::kit::{BenchFolder, Kit};
use super::secure::{self, MEMBERS};
use crate::error::{Error, Result};
use crate::process;
use crate::say::{self, Shape};
use crate::services::folder::FreshStacks;
use crate::services::server::{Member, Role};
use crate::{signals, venv};

/// Say what a number of patients needs, from what a reading costs here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the profile `dist`, starts three Kafka 4.3.1 and three Cassandra 5.0.8 of
its own on free ports, with TLS and logins, and measures what a reading costs
them and `vitals consume`: processor time and bytes, three copies of everything.
Then it says what a number of patients needs with one reading a second each:
half as many again for growth, half of every processor free to catch up, half of
the nodes' disks free to compact, and one server more of each kind than that.
It takes about four minutes, 8 GB of memory and a quiet machine.

Examples:
  cargo xtask capacity
  cargo xtask capacity --patients 250 --days 365
  cargo xtask capacity --cores 16 --disk 4000 -o json")]
pub(crate) struct Args {
    /// So many patients, one reading a second each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,10000,1000000",
          value_parser = clap::value_parser!(u32).range(1..))]
    patients: Vec<u32>,
    /// Processors of a broker and of a node
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    cores: u32,
    /// Disk of a broker and of a node, in GB
    #[arg(long, value_name = "GB", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    disk: u32,
    /// How many days rows are kept
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// How many days messages are kept in the topic
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    topic_days: u32,
    /// How it is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// Readings that are sent, and measured.
const READINGS: u32 = 200_000;
/// So many that a batch of the consumer has one row of each: what many patients cost.
const PATIENTS: u32 = 10_000;
const MILLION: u32 = 1_000_000;

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let binary = super::build()?;
    let kit = Kit { binary, python: venv::ensure_python()?, place: BenchFolder::make()? };
    let mut fresh = FreshStacks::new();
    let measured = Costs::measure(&kit, &mut fresh);
    fresh.end(measured.is_ok() || signals::received().is_some())?;
    let costs = measured?;
    let plans: Vec<_> = args.patients.iter().map(|patients| Plan::of(*patients, &costs, args)).collect();
    match args.output {
        Shape::Table => say::data(&lines(&costs, &plans, args).join("\n")),
        // Numbers always have a form in JSON.
        Shape::Json => {
            let report = serde_json::json!({ "costs": costs, "plans": plans });
            say::data(&serde_json::to_string_pretty(&report).unwrap_or_default());
        }
    }
    Ok(0)
}

/// What a million readings cost, all copies of them together.
#[derive(Debug, Clone, Copy, Serialize)]
struct Costs {
    consumer: Duration,
    /// To take them in and to give them out again.
    brokers: Duration,
    nodes: Duration,
    topic_bytes: u64,
    table_bytes: u64,
}

impl Costs {
    fn measure(kit: &Kit, fresh: &mut FreshStacks) -> Result<Self> {
        let mut cluster = secure::start_cluster(kit, fresh)?;
        // Java compiles what it has run often.
        cluster.fill(READINGS, PATIENTS)?;
        cluster.drain(1, READINGS)?;
        let before = cluster.spent()?;
        cluster.fill(READINGS, PATIENTS)?;
        let sent = cluster.spent()?.brokers.saturating_sub(before.brokers);
        let both = 2 * READINGS;
        cluster.drain(1, both)?;
        let drain = cluster.drain_into(&cluster.new_ward()?, 1, both)?;
        let folder = cluster.stack.folder().to_owned();
        let topic = bytes_below(&folder, &|path| {
            path.extension().is_some_and(|kind| kind == "log") && has_folder(path, &format!("{TOPIC}-"))
        })?;
        // A node that ends writes what it has in memory into its tables.
        for number in 1..=MEMBERS {
            cluster.stack.end(Member { role: Role::SecureCassandra, number }, process::stop)?;
        }
        let table = bytes_below(&folder, &|path| has_folder(path, "patient_vitals-"))?;
        Ok(Self {
            consumer: drain.consumers * MILLION / both,
            brokers: sent * MILLION / READINGS + drain.brokers * MILLION / both,
            nodes: drain.nodes * MILLION / both,
            topic_bytes: topic * u64::from(MILLION) / u64::from(both),
            table_bytes: table * u64::from(MILLION) / u64::from(both),
        })
    }
}

/// Whether a folder on the way to this file has a name that begins so.
fn has_folder(path: &Path, begin: &str) -> bool {
    path.ancestors().skip(1).filter_map(Path::file_name).any(|name| name.to_string_lossy().starts_with(begin))
}

/// The size of all files that count, in this folder and those in it.
fn bytes_below(folder: &Path, counts: &dyn Fn(&Path) -> bool) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        // A server may take a file away at any time.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_dir() {
            bytes += bytes_below(&path, counts)?;
        } else if counts(&path) {
            bytes += found.len();
        }
    }
    Ok(bytes)
}

/// The load that is planned for, in percent of today's.
const GROWTH: u128 = 150;
/// The part of a processor that ordinary work may take, in percent: the rest catches up after an hour away within an
/// hour.
const BUSY: u128 = 50;
/// The part of a broker's disk that may be full, in percent.
const BROKER_FULL: u128 = 70;
/// The part of a node's disk that may be full, in percent: compaction writes the largest table anew before it removes the
/// old one.
const NODE_FULL: u128 = 50;
/// A partition never splits: so many for each consumer leave room for more of those.
const PARTITIONS_A_CONSUMER: u128 = 2;
const FEWEST_PARTITIONS: u128 = 6;
const DAY_SECONDS: u128 = 86_400;
const GB: u128 = 1_000_000_000;

/// What so many patients need, with the reserves above; of consumers and servers one more, which may be away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Plan {
    patients: u32,
    /// Of all copies, today.
    topic_bytes_a_day: u128,
    table_bytes_a_day: u128,
    partitions: u128,
    /// Each one processor.
    consumers: u128,
    brokers: u128,
    broker_disk_bytes: u128,
    nodes: u128,
    node_disk_bytes: u128,
    /// What fewer nodes would not do for.
    nodes_because_of: &'static str,
}

impl Plan {
    fn of(patients: u32, costs: &Costs, args: &Args) -> Self {
        let rate = u128::from(patients);
        // Of so many processors.
        let needed = |million: Duration, processors: u32| {
            (rate * GROWTH * million.as_nanos())
                .div_ceil(u128::from(MILLION) * Duration::from_secs(1).as_nanos() * BUSY * u128::from(processors))
        };
        let a_day = |million: u64| rate * DAY_SECONDS * u128::from(million) / u128::from(MILLION);
        let kept = |a_day: u128, days: u32, full: u128| a_day * u128::from(days) * GROWTH / full;
        let (topic, table) = (a_day(costs.topic_bytes), a_day(costs.table_bytes));
        let broker_disks = kept(topic, args.topic_days, BROKER_FULL);
        let node_disks = kept(table, args.days, NODE_FULL);
        let by_disk = |bytes: u128| bytes.div_ceil(u128::from(args.disk) * GB);
        let copies = u128::from(MEMBERS);
        let servers = |by_processors: u128, by_disk: u128| (by_processors.max(by_disk) + 1).max(copies);
        let consumers = needed(costs.consumer, 1) + 1;
        let brokers = servers(needed(costs.brokers, args.cores), by_disk(broker_disks));
        let (by_processors, by_node_disk) = (needed(costs.nodes, args.cores), by_disk(node_disks));
        let nodes = servers(by_processors, by_node_disk);
        // With three copies on three servers each has one, whoever is away; of more the others take its part over.
        let each = |bytes: u128, servers: u128| bytes / if servers > copies { servers - 1 } else { servers };
        Self {
            patients,
            topic_bytes_a_day: topic,
            table_bytes_a_day: table,
            partitions: (consumers * PARTITIONS_A_CONSUMER).max(FEWEST_PARTITIONS),
            consumers,
            brokers,
            broker_disk_bytes: each(broker_disks, brokers),
            nodes,
            node_disk_bytes: each(node_disks, nodes),
            nodes_because_of: match by_processors.cmp(&by_node_disk) {
                _ if nodes == copies => "copies",
                Ordering::Less => "disks",
                Ordering::Equal | Ordering::Greater => "processors",
            },
        }
    }
}

/// What is planned, then a number for each count of patients: 80 columns with three of them.
const WHAT_COLUMNS: usize = 41;
const COLUMNS: usize = 13;

fn lines(costs: &Costs, plans: &[Plan], args: &Args) -> Vec<String> {
    let micros = |million: Duration| Short(million.as_secs_f64());
    let bytes = |million: u64| million.div_ceil(u64::from(MILLION));
    let mut lines = vec![
        format!(
            "What a reading costs here, {MEMBERS} copies of it, in TLS and with logins:\n\
             vitals consume {} µs, the brokers {} µs, the nodes {} µs of a processor;\n\
             {} bytes in the topic, {} bytes in the table\n",
            micros(costs.consumer),
            micros(costs.brokers),
            micros(costs.nodes),
            bytes(costs.topic_bytes),
            bytes(costs.table_bytes)
        ),
        line("patients, a reading a second each", plans, |plan| Grouped(plan.patients).to_string()),
        line("partitions of the topic", plans, |plan| plan.partitions.to_string()),
        line("consumers, of one processor", plans, |plan| plan.consumers.to_string()),
    ];
    let (cores, disk) = (args.cores, size(u128::from(args.disk) * GB));
    lines.push(line(&format!("brokers, of {cores} processors, {disk}"), plans, |plan| plan.brokers.to_string()));
    lines.push(line("the topic's messages a day", plans, |plan| size(plan.topic_bytes_a_day)));
    let what = format!("disk of a broker, {} days kept", args.topic_days);
    lines.push(line(&what, plans, |plan| size(plan.broker_disk_bytes)));
    lines.push(line(&format!("nodes, of {cores} processors, {disk}"), plans, |plan| plan.nodes.to_string()));
    lines.push(line("  so many because of their", plans, |plan| plan.nodes_because_of.to_owned()));
    lines.push(line("the table's rows a day", plans, |plan| size(plan.table_bytes_a_day)));
    let what = format!("disk of a node, {} days kept", args.days);
    lines.push(line(&what, plans, |plan| size(plan.node_disk_bytes)));
    lines.push(format!(
        "\nPlanned for: {GROWTH}% of this load, with {BUSY}% of a processor, {BROKER_FULL}% of a broker's disk\n\
         and {NODE_FULL}% of a node's; one consumer, broker and node may be away."
    ));
    lines
}

fn line(what: &str, plans: &[Plan], value: impl Fn(&Plan) -> String) -> String {
    let values: Vec<_> = plans.iter().map(|plan| format!("{:>COLUMNS$}", value(plan))).collect();
    format!("{what:<WHAT_COLUMNS$}{}", values.concat())
}

/// Bytes as people buy them: 9.4 GB, 12 TB.
fn size(bytes: u128) -> String {
    let megabytes = f64::from(u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX));
    match megabytes {
        megabytes if megabytes >= 999_500.0 => format!("{} TB", Short(megabytes / 1e6)),
        megabytes => format!("{} GB", Short(megabytes / 1e3)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Line::parse_from([&["capacity"], words].concat()).args
    }

    const COSTS: Costs = Costs {
        consumer: Duration::from_secs(3),
        brokers: Duration::from_secs(20),
        nodes: Duration::from_secs(100),
        topic_bytes: 600_000_000,
        table_bytes: 150_000_000,
    };

    #[test]
    fn a_small_ward_needs_three_of_each_for_its_copies() {
        let plan = Plan::of(1_000, &COSTS, &args(&[]));
        assert_eq!((plan.partitions, plan.consumers, plan.brokers, plan.nodes), (6, 2, 3, 3));
        assert_eq!((plan.topic_bytes_a_day, plan.table_bytes_a_day), (51_840_000_000, 12_960_000_000));
        // 13 GB a day for 30 days, half as much again for growth, twice for compaction, on three nodes.
        assert_eq!((plan.node_disk_bytes, plan.nodes_because_of), (388_800_000_000, "copies"));
    }

    #[test]
    fn processors_growth_and_one_that_is_away_are_planned_for() {
        // 1.5 million readings/s take 4.5, 30 and 150 processors, of which half may be busy: 9, 60 and 300.
        let plan = Plan::of(1_000_000, &COSTS, &args(&["--days", "1", "--topic-days", "1", "--disk", "100000"]));
        assert_eq!((plan.consumers, plan.partitions, plan.brokers, plan.nodes), (10, 20, 9, 39));
        assert_eq!(plan.nodes_because_of, "processors");
    }

    #[test]
    fn disks_may_ask_for_more_nodes_than_processors_do() {
        let plan = Plan::of(1_000_000, &COSTS, &args(&[]));
        // 12.96 TB a day, 30 days, growth, half full: 1,166.4 TB.
        assert_eq!((plan.nodes, plan.nodes_because_of), (585, "disks"));
        assert!(plan.node_disk_bytes <= 2_000 * GB);
    }

    #[test]
    fn three_columns_fit_a_terminal() {
        let args = args(&[]);
        let plans: Vec<_> = args.patients.iter().map(|patients| Plan::of(*patients, &COSTS, &args)).collect();
        for line in lines(&COSTS, &plans, &args).iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        assert_eq!(
            [400_000_000, 12_960_000_000, 999_600_000_000, 1_166_400_000_000].map(size),
            ["0.4 GB", "13 GB", "1 TB", "1.17 TB"]
        );
    }

    #[test]
    fn only_files_in_folders_of_that_name_count() {
        assert!(has_folder(Path::new("data/readings-3/0.log"), "readings-"));
        assert!(!has_folder(Path::new("data/readings-3.log"), "readings-"));
    }
}
