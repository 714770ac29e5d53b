//! `vitals bench`: how fast is the way from the producer to the table, here and now.

mod meter;
mod stand;

use std::convert::Infallible;
use std::time::Duration;

use color_eyre::eyre::{Report, Result};
use tokio::time::{Instant, sleep, sleep_until};

use self::meter::{Figures, Meter};
use self::stand::{Spectator, Stand};
use super::Context;
use crate::exit::Code;
use crate::intake::patients::Patients;
use crate::intake::schedule::{MAX_BATCH, Schedule};
use crate::intake::simulator::{Scenario, Ward};
use crate::intake::stamp::Stamp;
use crate::kafka::consumer::Consumer;
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::kafka::producer::{Delivery, Outgoing, Producer};
use crate::output::{Cell, Column, FormatArgs, Output, Value};
use crate::pipeline::{Pipeline, Until};
use crate::reading::{Timestamp, encode};
use crate::settings::{Settings, parse_duration};
use crate::shutdown::{self, Shutdown};

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

/// How long rows may come in after the last reading was sent.
const TAIL_LIMIT: Duration = Duration::from_secs(60);

/// How often the lag is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

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
    let brokers = settings.brokers.as_slice();
    let meter = Meter::over(&stand.store)?;
    let config = MemberConfig {
        group: stand.topic.clone(),
        topic: stand.topic.clone(),
        instance_id: None,
        session_timeout: settings.session_timeout,
    };
    let mut consumer = Consumer::join(brokers, config, Place::Earliest).await?;
    let dead_letters = DeadLetterTopic::of(&stand.topic, brokers);
    let (mut spectator, mut ready) = Spectator::new(output);
    // The pipeline stops when all is stored, which is not when the user says stop.
    let (stop, until_stored) = shutdown::channel();
    let pipeline =
        Pipeline::new(&mut consumer, &meter, &dead_letters, &mut spectator, settings.limits, Until::default());
    let storing = async { Ok(pipeline.run(&until_stored).await?) };
    let sending = async {
        tokio::select! {
            _ = ready.wait_for(|assigned| *assigned) => {}
            () = shutdown.wait() => {}
        }
        send(args, brokers, &stand.topic, &meter, shutdown).await?;
        wait_for_rows(&meter, shutdown).await;
        stop.pull();
        Ok::<_, Report>(())
    };
    let outcome = tokio::select! {
        outcome = async { tokio::try_join!(storing, sending) } => outcome,
        never = show(&meter, output) => match never {},
    };
    consumer.leave().await;
    let (summary, ()) = outcome?;
    Ok(meter.figures(summary.progress.alerts))
}

/// Sends on schedule until the time is over or the user says stop.
async fn send(args: &Args, brokers: &[String], topic: &str, meter: &Meter<'_>, shutdown: &Shutdown) -> Result<()> {
    let mut producer = Producer::connect(brokers, topic).await?;
    let mut ward = Ward::new(&Patients::default(), Scenario::Mixed, SEED);
    let (mut schedule, mut stamp) = (Schedule::new(args.interval), Stamp::default());
    let (began, began_utc) = (Instant::now(), chrono::Utc::now());
    meter.begin();
    while began.elapsed() < args.length && !shutdown.requested() {
        let mut batch = Vec::new();
        let elapsed = began.elapsed();
        for _ in 0..MAX_BATCH {
            let due = schedule.next_due();
            if due >= args.length.max(Duration::from_nanos(1)) || schedule.take(elapsed, 1) == 0 {
                break;
            }
            let time = if args.interval.is_zero() { stamp.now()? } else { Timestamp::from_utc(began_utc + due)? };
            let reading = ward.next(time);
            batch.push(Outgoing { key: reading.patient().as_str().into(), value: encode(&reading) });
        }
        let count = batch.len();
        if count > 0 {
            producer.send(&mut Delivery::new(batch)).await?;
            meter.sent(count);
        } else {
            let next = (began + schedule.next_due()).min(began + args.length);
            tokio::select! {
                () = sleep_until(next) => {}
                () = shutdown.wait() => {}
            }
        }
        meter.look();
    }
    Ok(())
}

/// Waits until every reading that was sent is stored, for a while.
async fn wait_for_rows(meter: &Meter<'_>, shutdown: &Shutdown) {
    let deadline = Instant::now() + TAIL_LIMIT;
    while meter.outstanding() > 0 && Instant::now() < deadline && !shutdown.requested() {
        sleep(SAMPLE_INTERVAL).await;
        meter.look();
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
