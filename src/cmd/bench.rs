//! `vitals bench`: how fast is the way from the producer to the table, here and now.

mod distribution;
mod error;
mod figures;
mod outcome;
mod plan;
mod report;
mod series;
mod sheet;
mod stand;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat::Millis;
use color_eyre::eyre::Result;

pub use self::error::BenchError;
use self::figures::Figures;
use self::outcome::{KIND, Outcome};
use self::plan::{Parameters, Rate};
use self::report::ReportFile;
use self::series::Series;
use self::stand::{Spectator, Stand};
use super::Context;
use crate::advice::Code;
use crate::app::{self, Consuming};
use crate::intake::patients::Patients;
use crate::intake::simulator::Scenario;
use crate::loadtest::LoadTest;
use crate::loadtest::meter::Meter;
use crate::output::{ObjectFormat, ObjectFormatArgs, Output, counted};
use crate::pipeline::Durability;
use crate::reading::PatientId;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::span::parse_duration;

/// How to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Readings of a simulated ward go through a topic and a store of the bench's
own, which are removed at the end, also after Ctrl+C. Before anything is
measured, a reading of each patient goes all the way.

A latency runs from the moment a reading was due until the store has
acknowledged its row, or until its alert is shown. A sender that is late
counts: it sends what was due with the time at which it was due.

With --rate max nothing is due: a latency runs from the moment of sending.
At most 50000 readings are on their way to the store then; the sender waits
for it to take some. They are what most of such a latency is spent behind.

The settle time is the one in force; auto is what the bench's own keyspace
needs, which has one copy of each row.

The exit code is 1 where readings were not stored.

Examples:
  vitals bench --interval 0.1 --for 20s
  vitals bench --rate 1000 --for 20s --report bench.html
  vitals bench --rate max --for 20s --partitions 4 --consumers 2
  vitals bench --rate 1000 -o json > old.json
  vitals bench --rate 1000 --compare old.json")]
pub struct Args {
    /// Seconds between two readings of all patients together [default: 0.1]
    #[arg(long, value_name = "SECONDS", value_parser = parse_duration, allow_hyphen_values = true)]
    interval: Option<Duration>,
    /// Readings per second; max is as many as the store takes
    #[arg(long, value_name = "N|max", conflicts_with = "interval", allow_hyphen_values = true)]
    rate: Option<Rate>,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = plan::parse_length)]
    length: Duration,
    /// Patients of the simulated ward
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    patients: u32,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    partitions: u16,
    /// Consumers in one group, all in this process
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    consumers: u16,
    /// Write the result with plots into this file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Compare with an earlier result of -o json
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
    /// How to show the result
    #[command(flatten)]
    format: ObjectFormatArgs,
}

/// Simulated patients are the same in every run, so that runs can be compared.
const SEED: u64 = 1;

/// Measures, and removes what it made. The code is 1 where rows are missing.
///
/// # Errors
/// [`BenchError`] for the files; a server cannot be reached or refuses.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let old = args.compare.as_deref().map(|path| Outcome::read(path).map(|old| (path, old))).transpose()?;
    let report = args.report.as_deref().map(ReportFile::at).transpose()?;
    app::check_cluster(settings).await?;
    if args.consumers > args.partitions {
        output.note(format_args!("note: consumers that get a partition: {} of {}", args.partitions, args.consumers));
    }
    let stand = Stand::build(settings, args.partitions).await?;
    let measured = measure(&args, settings, &stand, output, shutdown).await;
    stand.remove(output).await;
    let mut outcome = measured?;
    if let Some((path, old)) = old {
        outcome.compare(path, old);
    }
    show(&outcome, args.format, output)?;
    if let Some(report) = report {
        report.write(&outcome)?;
        output.note(format_args!("the report is in {}", report.path().display()));
    }
    Ok(judge(&outcome.figures, output, shutdown))
}

async fn measure(
    args: &Args,
    settings: &Settings,
    stand: &Stand,
    output: &Output,
    shutdown: &Shutdown,
) -> Result<Outcome> {
    let meter = Arc::new(Meter::over(Arc::clone(&stand.store))?);
    let durability = app::durability(&stand.store, settings.durability_delay, output).await?;
    let settle_time = durability.delay;
    let load_test = load_test(args, settings, stand, Arc::clone(&meter), durability)?;
    let spectators = (0..args.consumers).map(|_| Spectator(output.clone())).collect();
    let mut series = Series::new(args.length);
    let progress = output.progress(Some(args.length.as_secs()));
    tokio::select! {
        ended = load_test.run(spectators, |_| {}, shutdown) => { ended?; }
        never = series.watch(&meter, args.length, progress) => match never {},
    }
    series.finish(&meter);
    // Cut short, it is not known what would have been sent.
    let due = load_test.due().filter(|_| !shutdown.requested());
    let figures = Figures::of(&meter, due, series.processor_time(), usage::largest_resident_bytes());
    let (rows, alerts) = meter.histograms();
    Ok(Outcome {
        kind: KIND.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_debug_build: cfg!(debug_assertions),
        is_cut_short: shutdown.requested(),
        began: meter.clock().map(|clock| clock.began_utc().to_rfc3339_opts(Millis, true)).unwrap_or_default(),
        cores: usage::cores(),
        operating_system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        broker: stand.broker.clone(),
        store: stand.store_name().await,
        parameters: Parameters::of(args, settle_time),
        figures,
        compared: None,
        series: series.into_samples(),
        row_latency_distribution: distribution::of(&rows),
        alert_latency_distribution: distribution::of(&alerts),
    })
}

fn load_test(
    args: &Args,
    settings: &Settings,
    stand: &Stand,
    meter: Arc<Meter>,
    durability: Durability,
) -> Result<LoadTest> {
    let patients = (1..=args.patients).map(|number| PatientId::parse(&format!("P{number:03}")));
    Ok(LoadTest {
        kafka: app::kafka_config(settings),
        topic: stand.topic.clone(),
        partitions: args.partitions,
        meter,
        session_timeout: settings.session_timeout,
        how: Consuming::of(settings, durability),
        load: plan::load(args),
        length: Some(args.length),
        patients: Patients::new(patients.collect::<Result<_, _>>()?)?,
        scenario: Scenario::Mixed,
        seed: SEED,
        warm_up: true,
    })
}

fn show(outcome: &Outcome, format: ObjectFormatArgs, output: &Output) -> Result<()> {
    match format.choose(output.stdout_is_terminal()) {
        ObjectFormat::Table => output.line(sheet::lines(outcome, output.text_width()).join("\n"))?,
        ObjectFormat::Json => output.json(&serde_json::to_string_pretty(outcome)?)?,
        ObjectFormat::Ndjson => output.json(&serde_json::to_string(outcome)?)?,
    }
    Ok(())
}

fn judge(figures: &Figures, output: &Output, shutdown: &Shutdown) -> Code {
    if figures.stored > figures.sent {
        output.note(format_args!("note: stored twice: {}", counted(figures.stored - figures.sent, "row")));
    }
    let missing = figures.missing();
    if missing == 0 {
        return Code::Done;
    }
    output.note(format_args!("not stored in time: {}", counted(missing, "reading")));
    // Who stops it has not waited for them.
    if shutdown.requested() { Code::CutShort } else { Code::Finding }
}
