//! `vitals consume`: a member of the consumer group that raises alerts and stores every reading.

mod screen;

use std::panic::{AssertUnwindSafe, resume_unwind};

use color_eyre::eyre::{Result, WrapErr};
use futures::FutureExt as _;

use self::screen::Screen;
use super::settling::settling;
use super::{Context, mixup};
use crate::exit::Code;
use crate::kafka::consumer::Consumer;
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::pipeline::{Pipeline, Until};
use crate::settings::Settings;
use crate::store;

/// How to consume.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A reading's offset is committed only when its row is stored. Storing goes on
where nobody reads what is printed, also behind `| head`.
Several `vitals consume` share the partitions.

Examples:
  vitals consume
  vitals consume --exit-at-end --quiet
  vitals consume --heart-rate-high 120 --spo2-low 90")]
pub struct Args {
    /// Where to begin when the group has committed nothing yet: earliest, latest, or a time (RFC 3339)
    #[arg(long, value_name = "PLACE", default_value = "earliest")]
    from: Place,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Stop at the end that the partitions have when they are assigned
    #[arg(long)]
    exit_at_end: bool,
    /// Print no messages
    #[arg(long, short)]
    quiet: bool,
}

/// Consumes until the end that was asked for, or a signal.
///
/// # Errors
/// At the start: a server cannot be reached, the topic, keyspace or table is missing. Later only what waiting does not
/// mend, such as another member with the same instance id.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    mixup::check(settings).await?;
    let store = store::open(&settings.store, settings.consistency).await?;
    for step in store.prepare().await?.into_iter().filter(|step| step.made) {
        output.note(format_args!("{}: made", step.what));
    }
    let settling = settling(&store, settings.settle_time, output).await?;
    let brokers = settings.brokers.as_slice();
    let mut consumer = Consumer::join(brokers, member(settings), args.from).await?;
    let dead_letters = DeadLetterTopic::of(&settings.topic, brokers);
    let mut screen = Screen::new(output, settings, args.quiet);
    screen.started();
    let until = Until { max_messages: args.max, end: args.exit_at_end };
    let pipeline = Pipeline::new(&mut consumer, &store, &dead_letters, &mut screen, settings.limits, until);
    let pipeline = pipeline.settling(settling).max_in_flight_bytes(settings.max_in_flight_bytes);
    let pipeline = pipeline.max_batch_rows(settings.max_batch_rows);
    // A panic in the loop itself leaves nothing to drain with; the other members take over at once all the same.
    let outcome = AssertUnwindSafe(pipeline.run(shutdown)).catch_unwind().await;
    consumer.leave().await;
    let summary = outcome
        .unwrap_or_else(|panic| resume_unwind(panic))
        .wrap_err_with(|| format!("consuming the topic '{}'", settings.topic))?;
    screen.ended(&summary, shutdown).await?;
    Ok(if summary.is_clean { Code::Done } else { Code::CutShort })
}

fn member(settings: &Settings) -> MemberConfig {
    MemberConfig {
        group: settings.group.clone(),
        topic: settings.topic.clone(),
        instance_id: settings.instance_id.clone(),
        session_timeout: settings.session_timeout,
    }
}
