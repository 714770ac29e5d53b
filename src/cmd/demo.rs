//! `vitals demo`: everything in one process, without any server.

mod check;
mod view;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use color_eyre::eyre::{Result, WrapErr as _};
use serde::Serialize;

use self::check::Tally;
use self::view::View;
use super::Context;
use super::common::data_folder;
use crate::advice::Code;
use crate::app::Consuming;
use crate::broker::flush::Flush;
use crate::broker::{Broker, Config};
use crate::intake::simulator::Scenario;
use crate::kafka::admin::{self, TopicSpec};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::KafkaConfig;
use crate::loadtest::meter::{Measured, Meter};
use crate::loadtest::{self, Load, LoadTest};
use crate::output::{Output, Shown};
use crate::pipeline::Durability;
use crate::reading::Reading;
use crate::settings::DATABASE;
use crate::span::parse_duration;
use crate::store;
use crate::store::StoreAddress;
use crate::store::cassandra::Replication;

/// What to show, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Starts the embedded broker on a free port, simulates a ward, raises alerts, stores every reading in an SQLite file, and
reads it again at the end: the exit code is 1 where a reading is missing. Nothing has to be installed or started.

Examples:
  vitals demo
  vitals demo --patients 20 --rate 200 --for 1m
  vitals demo --scenario sepsis --for 0
  vitals demo -o json")]
pub struct Args {
    /// Patients of the simulated ward
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=999))]
    patients: u16,
    /// Readings per second, of all patients together
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// What happens to the patients
    #[arg(long, value_enum, default_value_t)]
    scenario: Scenario,
    /// For how long; 0 runs until Ctrl+C
    #[arg(long = "for", value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    length: Duration,
    /// Makes the simulated ward repeatable
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for the records and the readings [default: a new one in the user's folder for data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// `json` prints the summary alone
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// How the summary is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// What happens, and a summary to read
    #[default]
    Text,
    /// The summary alone, for programs
    Json,
}

/// A demonstration has nothing that must outlive a power cut, and shall be quick on any disk.
const FLUSH: Flush = Flush::Every(Duration::from_secs(1));

/// The topic has as many partitions as `vitals init` makes.
const PARTITIONS: u16 = 6;

/// Shows the whole way, and checks that everything sent is stored.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let folder = match &args.data {
        Some(folder) => folder.clone(),
        None => data_folder(settings)?.join(format!("demo-{}", chrono::Local::now().format("%Y%m%d-%H%M%S-%3f"))),
    };
    std::fs::create_dir_all(&folder).wrap_err_with(|| format!("cannot make the folder {}", folder.display()))?;
    let broker = Broker::start(Config {
        folder: folder.join("broker"),
        listen: ([127, 0, 0, 1], 0).into(),
        advertise: None,
        flush: FLUSH,
    })
    .await?;
    let kafka = KafkaConfig::from(&[broker.address().to_string()]);
    let database = StoreAddress::Sqlite { path: folder.join(DATABASE) };
    let stored = store::open(&database, settings.consistency).await?;
    stored.init(&Replication::default()).await?;
    let mut cluster = Cluster::connect(&kafka).await?;
    admin::create(&mut cluster, &TopicSpec::readings(&settings.topic, PARTITIONS.into(), 1)).await?;
    admin::create(&mut cluster, &TopicSpec::dead_letters(&settings.topic, PARTITIONS.into(), 1)).await?;
    let meter = Arc::new(Meter::over(Arc::new(stored))?);
    let load_test = Arc::new(LoadTest {
        kafka,
        topic: settings.topic.clone(),
        partitions: PARTITIONS,
        meter: Arc::clone(&meter),
        session_timeout: settings.session_timeout,
        // SQLite forgets nothing.
        how: Consuming::of(settings, Durability::default()),
        load: Load::Every(Duration::from_secs(1) / args.rate),
        length: (!args.length.is_zero()).then_some(args.length),
        patients: loadtest::patients(args.patients.into())?,
        scenario: args.scenario,
        seed: args.seed,
        warm_up: false,
    });
    let tally = Arc::new(Mutex::new(Tally::default()));
    let view = View::new(output.clone(), Arc::clone(&meter), args.output == Shape::Json, &args, broker.address());
    let views = load_test.run(vec![view], counting(&tally), shutdown).await?;
    broker.stop().await;
    let mut failed = None;
    for view in views {
        let Shown { left_out, failed: why } = view.end(shutdown).await;
        if left_out > 0 {
            output.note(format_args!("{left_out} not shown: standard output was not read"));
        }
        failed = failed.or(why);
    }
    // A reader of its own, so that nothing is found that is only remembered.
    let sent = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    let missing = sent.compare(&store::open(&database, settings.consistency).await?).await?;
    let shown = show_summary(&args, &meter, &folder, output);
    if !missing.is_empty() {
        output.note(format_args!("error: what was sent and what is stored differ for {}", missing.join(", ")));
        return Ok(Code::Finding);
    }
    failed.map_or(Ok(()), Err)?;
    shown.map(|()| Code::Done)
}

/// Notes what was sent, for the check at the end.
fn counting(tally: &Arc<Mutex<Tally>>) -> impl Fn(&[Reading]) + Clone + Send + use<> {
    let tally = Arc::clone(tally);
    move |readings: &[Reading]| {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        for reading in readings {
            tally.add(reading);
        }
    }
}

/// The summary for programs.
#[derive(Serialize)]
struct Summary<'a> {
    sent: u64,
    stored: u64,
    alerts: u64,
    latency_ms: Latency,
    data: Cow<'a, str>,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

fn show_summary(args: &Args, meter: &Meter, folder: &Path, output: &Output) -> Result<()> {
    let measured = meter.measured();
    let Measured { sent, stored, alerts, .. } = *measured;
    let (p50, p99) = measured.latencies_ms();
    let database = folder.join(DATABASE);
    if args.output == Shape::Json {
        let summary =
            Summary { sent, stored, alerts, latency_ms: Latency { p50, p99 }, data: folder.to_string_lossy() };
        output.json(&serde_json::to_string(&summary)?)?;
        return Ok(());
    }
    output.line(format_args!(
        "\nsent {sent}, stored {stored}, alerts {alerts}; from device to row p50 {p50:.1} ms, p99 {p99:.1} ms\n\
         the data is in {}\n\n\
         look at it:        vitals query --store sqlite:{} --patient P001 --limit 5\n\
         run it for real:   vitals up\n\
         see all commands:  vitals --help",
        folder.display(),
        database.display()
    ))?;
    Ok(())
}
