//! `vitals init`: the keyspace or the file, its tables, the topic, its dead letters, and the topic of alarms.

use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr as _};
use tokio::time::{Instant, sleep};

use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app::{self, cluster_check};
use crate::kafka::admin::{self, Creation, TopicSpec};
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letters;
use crate::kafka::error::KafkaError;
use crate::kafka::topic_settings::{self, Taking};
use crate::output::{Output, counted};
use crate::retry::Backoff;
use crate::settings::Settings;
use crate::span::parse_duration;
use crate::store::StoreError;
use crate::store::cassandra::Replication;

/// What to make.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is there is left as it is, so that it is safe to run again.

Examples:
  vitals init
  vitals init --wait 90s
  vitals init --topic-replication 3 --keyspace-replication DC1:3,DC2:3")]
pub struct Args {
    /// Partitions of the topic: as many consumers can share the work
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=MAX_PARTITIONS))]
    partitions: i32,
    /// On how many brokers each message is kept
    #[arg(long = "topic-replication", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i16).range(1..=MAX_REPLICATION))]
    topic_replication: i16,
    /// On how many Cassandra nodes each row is kept: N, or DC:N,… for data centres
    #[arg(long = "keyspace-replication", value_name = "N|DC:N,…", default_value = "1")]
    keyspace_replication: Replication,
    /// Wait this long for servers that are still starting
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    wait: Duration,
}

/// More partitions than a small cluster carries well.
const MAX_PARTITIONS: i64 = 10_000;

/// More brokers than anybody keeps copies on.
const MAX_REPLICATION: i64 = 100;

/// Makes what is missing.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, make(&args, &context.settings, &context.output)).await
}

async fn make(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    let kafka = app::kafka_config(settings)?;
    let until = Instant::now() + args.wait;
    // A file is there or not: the only store that may be starting is Cassandra.
    let store =
        wait_for("Cassandra", args.wait, until, output, StoreError::is_away, || app::open_store(settings)).await?;
    let connect = || Cluster::connect(&kafka);
    let mut cluster = wait_for("Kafka", args.wait, until, output, KafkaError::is_passing, connect).await?;
    cluster_check::judge(settings, cluster.id())?;
    if settings.is_embedded()
        && let Some(folder) = &settings.data_folder
    {
        // The profile's own place; a folder that the user named is the user's to make.
        std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make the folder {}", folder.display()))?;
    }
    for step in store.init(&args.keyspace_replication).await? {
        output.line(format_args!("{}: {}", step.what, outcome(step.made)))?;
    }
    let Args { partitions, topic_replication, .. } = *args;
    make_topic(&TopicSpec::readings(&settings.topic, partitions, topic_replication), &mut cluster, output).await?;
    let Taking { max_bytes, .. } = topic_settings::taking(&mut cluster, &settings.topic).await?;
    let letters = TopicSpec::dead_letters(&settings.topic, partitions, topic_replication);
    make_topic(&letters.with_room_for(max_bytes), &mut cluster, output).await?;
    if let Some(name) = &settings.alarms_topic {
        make_topic(&TopicSpec::alarms(name, partitions, topic_replication), &mut cluster, output).await?;
    }
    if let Some(less) = dead_letters::compare(&mut cluster, &settings.topic).await? {
        output.note(format_args!("{less}; {}", less.fix()));
    }
    Ok(Code::Done)
}

async fn make_topic(spec: &TopicSpec, cluster: &mut Cluster, output: &Output) -> Result<()> {
    let (made, partitions) = match admin::create(cluster, spec).await? {
        Creation::Made => (true, usize::try_from(spec.partitions).unwrap_or_default()),
        Creation::There { partitions } => (false, partitions),
    };
    Ok(output.line(format_args!("topic {}: {} ({})", spec.name, outcome(made), counted(partitions, "partition")))?)
}

fn outcome(made: bool) -> &'static str {
    if made { "made" } else { "was there" }
}

/// Tries until it works, the time is over, or it fails in a way that waiting does not mend.
async fn wait_for<T, E, F: Future<Output = Result<T, E>>>(
    server: &str,
    limit: Duration,
    until: Instant,
    output: &Output,
    is_away: fn(&E) -> bool,
    connect: impl Fn() -> F,
) -> Result<T, E> {
    let began = Instant::now();
    let mut backoff = Backoff::default();
    let mut progress = None;
    loop {
        match connect().await {
            Err(error) if is_away(&error) && Instant::now() < until => {
                let (waited, limit) = (began.elapsed().as_secs(), limit.as_secs());
                progress
                    .get_or_insert_with(|| output.progress(None))
                    .message(format_args!("waiting for {server} … {waited} s of {limit} s"));
                sleep(backoff.next_pause()).await;
            }
            outcome => return outcome,
        }
    }
}
