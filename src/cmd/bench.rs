//! `vitals bench`: how fast is the way from the producer to the table, here and now.

mod figures;
mod fixture;
mod outcome;
mod plot;
mod report;
mod series;
mod text;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat::Millis;
use color_eyre::eyre::Result;

use self::figures::{Figures, distribution};
use self::fixture::{Fixture, TroubleNotes};
pub use self::outcome::BenchError;
use self::outcome::{KIND, Outcome, Parameters};
use self::report::ReportFile;
use self::series::Series;
use super::Context;
use crate::advice::Code;
use crate::app::{self, Consuming};
use crate::intake::simulator::{STEP, Scenario};
use crate::loadtest::meter::Meter;
use crate::loadtest::{self, Load, LoadTest};
use crate::output::{ObjectFormat, ObjectFormatArgs, Output, counted};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::span::parse_duration;

/// Between two readings where nothing else is said.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

/// More readings per second than any machine takes: the interval is whole nanoseconds.
const MAX_RATE: u32 = 10_000_000;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Simulated patients are the same in every run, so that runs can be compared.
const SEED: u64 = 1;

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

The durability delay is the one in force; auto is what the bench's own keyspace
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
    #[arg(long, value_name = "N|max", conflicts_with = "interval", value_parser = parse_rate, allow_hyphen_values = true)]
    rate: Option<Load>,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = parse_length)]
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

/// Takes readings per second, of all patients together, or `max`.
fn parse_rate(text: &str) -> Result<Load, String> {
    if text == "max" {
        return Ok(Load::Full);
    }
    match text.parse::<u32>() {
        // Rounded up, so that a second never has one reading more than was asked for.
        Ok(rate @ 1..=MAX_RATE) => Ok(Load::Every(Duration::from_nanos(NANOS_PER_SECOND.div_ceil(rate.into())))),
        _ => Err(format!("write a whole number from 1 to {MAX_RATE}, or max")),
    }
}

/// A time to measure for, which is longer than none.
fn parse_length(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("nothing can be measured in no time".to_owned()),
        length => Ok(length),
    }
}

/// How fast readings are sent.
fn load(args: &Args) -> Load {
    match (args.rate, args.interval) {
        (Some(load), _) => load,
        (None, Some(Duration::ZERO)) => Load::Full,
        (None, interval) => Load::Every(interval.unwrap_or(DEFAULT_INTERVAL)),
    }
}

/// Measures, and removes what it made. The code is 1 where rows are missing.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let old = args.compare.as_deref().map(|path| Outcome::read(path).map(|old| (path, old))).transpose()?;
    let report = args.report.as_deref().map(ReportFile::at).transpose()?;
    app::check_cluster(settings).await?;
    if args.consumers > args.partitions {
        output.note(format_args!("note: consumers that get a partition: {} of {}", args.partitions, args.consumers));
    }
    let fixture = Fixture::build(settings, args.partitions).await?;
    let measured = measure(&args, settings, &fixture, output, shutdown).await;
    fixture.remove(output).await;
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
    fixture: &Fixture,
    output: &Output,
    shutdown: &Shutdown,
) -> Result<Outcome> {
    let meter = Arc::new(Meter::over(Arc::clone(&fixture.store))?);
    let durability = app::durability(&fixture.store, settings.durability_delay, output).await?;
    let parameters = Parameters::of(args, durability.delay);
    let load_test = Arc::new(LoadTest {
        kafka: app::kafka_config(settings)?,
        topic: fixture.topic.clone(),
        partitions: args.partitions,
        meter: Arc::clone(&meter),
        session_timeout: settings.session_timeout,
        // What is measured is the way to the row; and who reads of alarms elsewhere shall hear of no simulated ones.
        how: Consuming { alarms_topic: None, ..Consuming::of(settings, durability) },
        load: load(args),
        length: Some(args.length),
        patients: loadtest::patients(args.patients)?,
        scenario: Scenario::Mixed,
        seed: SEED,
        step: STEP,
        is_observed: false,
        warm_up: true,
    });
    let listeners = (0..args.consumers).map(|_| TroubleNotes(output.clone())).collect();
    let mut series = Series::new(args.length);
    let progress = output.progress(Some(args.length.as_secs()));
    tokio::select! {
        ended = load_test.run(listeners, |_| {}, shutdown) => { ended?; }
        never = series.watch(&meter, args.length, progress) => match never {},
    }
    series.finish(&meter);
    let is_cut_short = shutdown.requested();
    // Cut short, it is not known what would have been sent.
    let due = load_test.due().filter(|_| !is_cut_short);
    let figures = Figures::of(&meter, due, series.processor_time(), usage::largest_resident_bytes());
    let store = fixture.store_name().await;
    let measured = meter.measured();
    Ok(Outcome {
        kind: KIND.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_debug_build: cfg!(debug_assertions),
        is_cut_short,
        began: meter.clock().map(|clock| clock.began_utc.to_rfc3339_opts(Millis, true)).unwrap_or_default(),
        cores: std::thread::available_parallelism().ok().map(usize::from),
        operating_system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        broker: fixture.broker.clone(),
        store,
        parameters,
        figures,
        compared: None,
        series: series.samples(),
        row_latency_distribution: distribution(&measured.rows),
        alert_latency_distribution: distribution(&measured.alert_latencies),
    })
}

fn show(outcome: &Outcome, format: ObjectFormatArgs, output: &Output) -> Result<()> {
    match format.choose(output.stdout_is_terminal()) {
        ObjectFormat::Table => output.line(text::lines(outcome, output.text_width()).join("\n"))?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    fn load_of(line: &str) -> Load {
        load(&parsed(line).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn an_interval_and_a_rate_say_the_same_in_two_ways() {
        assert_eq!(load_of(""), Load::Every(Duration::from_millis(100)));
        assert_eq!(load_of("--interval 0.1"), load_of("--rate 10"));
        assert_eq!(load_of("--interval 0"), Load::Full);
        assert_eq!(load_of("--rate max"), Load::Full);
    }

    #[test]
    fn a_rate_that_divides_no_second_gives_as_many_readings_as_it_says() {
        let Load::Every(interval) = load_of("--rate 300") else { panic!("a schedule") };
        assert!(interval * 900 >= Duration::from_secs(3) && interval * 899 < Duration::from_secs(3), "{interval:?}");
    }

    #[test]
    fn wrong_values_are_refused_with_their_option() {
        for (line, option) in [
            ("--rate 0", "--rate"),
            ("--rate fast", "--rate"),
            ("--rate 1 --interval 1", "--interval"),
            ("--for 0", "--for"),
            ("--patients 0", "--patients"),
            ("--partitions 0", "--partitions"),
            ("--consumers 0", "--consumers"),
        ] {
            let text = parsed::<Args>(line).expect_err(line).to_string();
            assert!(text.contains(option), "{text}");
        }
    }
}
