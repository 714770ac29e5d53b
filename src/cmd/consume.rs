//! `vitals consume`: a member of the consumer group that raises alerts and stores every reading.

mod log;
mod screen;
mod supervised;

use color_eyre::eyre::{Result, WrapErr};

use self::log::Log;
use self::screen::Screen;
use self::supervised::Supervised;
use super::Context;
use super::common::health::tell_health;
use super::common::retention::tell_retention;
use crate::advice::Code;
use crate::app::{self, Consuming, Member};
use crate::health::consumer::ConsumerHealth;
use crate::kafka::offsets::Place;
use crate::output::LogLevel;
use crate::pipeline::Until;
use crate::service_manager::ServiceManager;

/// How to consume.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A reading's offset is committed only when its row is stored. Storing goes on
where nobody reads what is printed, also behind `| head`.
Several `vitals consume` share the partitions.
--health 127.0.0.1:9100 serves /livez, /readyz and /metrics.
As a service: --quiet, since readings are patient data, and --log-format json.

Examples:
  vitals consume
  vitals consume --exit-at-end --quiet
  vitals consume --alerts changes
  vitals consume --quiet --health 127.0.0.1:9100
  vitals consume --quiet --log-format json --log-level warn
  vitals consume --heart-rate-high 120 --spo2-low 90")]
pub struct Args {
    /// Where to begin when the group has committed nothing yet: earliest, latest, or a time (RFC 3339)
    #[arg(long, value_name = "PLACE", default_value = "earliest")]
    from: Place,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Stop at the end that the partitions have when they are assigned
    #[arg(long = "exit-at-end")]
    exit_at_end: bool,
    /// Print no messages
    #[arg(long, short)]
    quiet: bool,
    /// What is printed of alarms
    #[arg(long, value_enum, default_value_t)]
    alerts: Alerts,
}

/// What is printed of alarms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Alerts {
    /// Every message, and below each what is over its limit in it
    #[default]
    Readings,
    /// Alarms alone: when one is raised, rises, comes back and ends
    Changes,
}

/// Consumes until the end that was asked for, or a signal.
///
/// # Errors
/// At the start: a server cannot be reached, the topic, keyspace or table is missing. Later only what waiting does not
/// mend, such as another member with the same instance id.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let consumer = ConsumerHealth::new(&settings.topic);
    let _health = tell_health(context, consumer.clone()).await?;
    let log = Log::started(settings);
    let kafka = app::kafka_config(settings)?;
    app::check_cluster(settings).await?;
    let store = app::open_store(settings).await?;
    for step in store.prepare().await?.into_iter().filter(|step| step.made) {
        output.tell(LogLevel::Info, "table_made", format_args!("{}: made", step.what));
    }
    tell_retention(&store, settings, output).await?;
    let durability = app::durability(&store, settings.durability_delay, output).await?;
    let member = Member::join(&kafka, app::member_config(settings), args.from).await?;
    let mut screen = Screen::new(output, settings, args.quiet, args.alerts);
    screen.started();
    let manager = ServiceManager::of(&settings.supervision);
    let mut listeners = ((screen, log), (consumer.observer(), Supervised::by(&manager)));
    let until = Until { max_messages: args.max, end: args.exit_at_end };
    let mut how = Consuming::of(settings, durability);
    how.options.until = until;
    // What it holds is much to move about.
    let work = Box::pin(member.consume(how, &store, &mut listeners, shutdown));
    let summary = supervised::to_its_end(work, &manager, shutdown)
        .await
        .wrap_err_with(|| format!("consuming the topic '{}'", settings.topic))?;
    let ((screen, log), _) = listeners;
    log.ended(&summary);
    screen.ended(&summary, shutdown).await?;
    Ok(if summary.is_clean { Code::Done } else { Code::CutShort })
}
