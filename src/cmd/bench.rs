//! `vitals bench`: how fast is the way from the producer to the table, here and now.

mod stand;

use std::convert::Infallible;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::sleep;

use self::stand::{Spectator, Stand};
use super::trial::Trial;
use super::trial::meter::{Figures, Meter};
use super::{Context, mixup};
use crate::exit::Code;
use crate::intake::patients::Patients;
use crate::intake::simulator::{Scenario, Ward};
use crate::output::{Cell, Column, FormatArgs, Output, Value};
use crate::settings::{Settings, parse_duration};
use crate::shutdown::Shutdown;

/// How to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Readings of a simulated ward go through a topic and a store of the bench's
own, which are removed at the end. The latency of a reading runs from the
moment it was to be sent until its row is stored.

Examples:
  vitals bench --interval 0.1 --for 20s
  vitals bench --interval 0 --for 10s -o json")]
pub struct Args {
    /// Seconds between two readings; 0 sends as fast as they are taken
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = parse_duration)]
    interval: Duration,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    length: Duration,
    /// How to show the result
    #[command(flatten)]
    format: FormatArgs,
}

const COLUMNS: [Column; 9] = [
    Column::number("seconds", "SECONDS"),
    Column::number("sent", "SENT"),
    Column::number("stored", "STORED"),
    Column::number("alerts", "ALERTS"),
    Column::number("rate_per_second", "RATE/S"),
    Column::number("latency_p50_ms", "P50 MS"),
    Column::number("latency_p99_ms", "P99 MS"),
    Column::number("latency_max_ms", "MAX MS"),
    Column::number("largest_lag", "LARGEST LAG"),
];

/// How often the live line changes.
const SHOW_INTERVAL: Duration = Duration::from_millis(200);

/// Simulated patients are the same in every run, so that runs can be compared.
const SEED: u64 = 1;

/// Measures, and removes what it made. The code is 1 where rows are missing.
///
/// # Errors
/// A server cannot be reached or refuses.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    mixup::check(settings).await?;
    let stand = Stand::build(settings).await?;
    let outcome = measure(&args, settings, &stand, output, shutdown).await;
    stand.remove(output).await;
    let figures = outcome?;
    let mut rows = output.rows(args.format, &COLUMNS);
    rows.push(row(&figures))?;
    rows.finish()?;
    if figures.stored < figures.sent {
        output.note(format_args!("{} readings were not stored in time", figures.sent - figures.stored));
        return Ok(Code::Finding);
    }
    Ok(Code::Done)
}

async fn measure(
    args: &Args,
    settings: &Settings,
    stand: &Stand,
    output: &Output,
    shutdown: &Shutdown,
) -> Result<Figures> {
    let meter = Meter::over(&stand.store)?;
    let trial = Trial {
        brokers: settings.brokers.as_slice(),
        topic: &stand.topic,
        meter: &meter,
        limits: settings.limits,
        session_timeout: settings.session_timeout,
        interval: args.interval,
        length: Some(args.length),
    };
    let ward = Ward::new(&Patients::default(), Scenario::Mixed, SEED);
    let mut spectator = Spectator(output);
    tokio::select! {
        figures = trial.run(ward, &mut spectator, |_| {}, shutdown) => figures,
        never = show(&meter, output) => match never {},
    }
}

/// Shows how it goes, for as long as it goes.
async fn show(meter: &Meter<'_>, output: &Output) -> Infallible {
    let mut progress = output.progress(None);
    loop {
        sleep(SHOW_INTERVAL).await;
        let (sent, stored) = meter.so_far();
        progress.message(format_args!("{sent} sent, {stored} stored, {} on their way", sent.saturating_sub(stored)));
    }
}

fn row(figures: &Figures) -> Vec<Cell> {
    let tenths = |value: f64| Value::from((value * 10.0).round() / 10.0);
    let values = [
        tenths(figures.seconds),
        figures.sent.into(),
        figures.stored.into(),
        figures.alerts.into(),
        tenths(figures.rate_per_second),
        tenths(figures.latency_p50_ms),
        tenths(figures.latency_p99_ms),
        tenths(figures.latency_max_ms),
        figures.largest_lag.into(),
    ];
    values.into_iter().map(Cell::from).collect()
}
