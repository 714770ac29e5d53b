//! `vitals topic`: what topics there are, and what is in them; makes and deletes them.

mod describe;
mod tail;

use clap::Subcommand;
use color_eyre::eyre::{Report, Result};

use super::common::confirm::{ConfirmArgs, Loss, confirm};
use super::common::table::{Field, print};
use super::common::watch::WatchArgs;
use super::{Context, unless_stopped};
use crate::address::is_loopback;
use crate::advice::{Advice, Code};
use crate::app;
use crate::kafka::admin::{self, Creation, TopicSpec};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{self, TopicState};
use crate::output::{Column, FormatArgs, counted};
use crate::settings;
use crate::suggestion::nearest;

/// What to do with topics.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Where no topic is named, the one of the settings is meant.

Examples:
  vitals topic list
  vitals topic describe
  vitals topic tail --from earliest --max 5"
)]
pub struct Args {
    #[command(subcommand)]
    command: TopicCommand,
}

#[derive(Debug, Subcommand)]
enum TopicCommand {
    /// Show all topics
    List(ListArgs),
    /// Show a topic partition by partition, and its settings
    Describe(describe::Args),
    /// Make a topic
    Create(CreateArgs),
    /// Delete a topic and everything in it
    Delete(DeleteArgs),
    /// Show the messages of a topic, the last ones or from where you like
    Tail(tail::Args),
}

/// Why nothing could be done with a topic.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("the topic '{topic}' does not exist")]
    Unknown {
        topic: String,
        /// The one that was probably meant.
        near: Option<String>,
    },
    #[error("the topic '{topic}' is there already, with {}", counted(*.partitions, "partition"))]
    Exists { topic: String, partitions: usize },
    #[error("the topic '{topic}' has no partition {partition}: it has {count}, numbered from 0")]
    NoPartition { topic: String, partition: i32, count: usize },
    #[error("partition {partition} holds no offset {offset}: it begins at {first} and ends before {end}")]
    NoOffset { partition: i32, offset: i64, first: i64, end: i64 },
}

impl Advice for TopicError {
    fn code(&self) -> Code {
        match self {
            Self::Exists { .. } => Code::Finding,
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { near: Some(near), .. } => {
                format!("did you mean '{near}'? `vitals topic list` shows what there is")
            }
            Self::Unknown { near: None, .. } => {
                "see `vitals topic list`; `vitals init` makes the topic of the readings".to_owned()
            }
            Self::Exists { .. } => "add --if-not-exists to leave it as it is, or choose another name".to_owned(),
            Self::NoPartition { .. } | Self::NoOffset { .. } => {
                "`vitals topic describe` shows the partitions with their offsets".to_owned()
            }
        })
    }
}

/// Does what was asked for.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    match args.command {
        TopicCommand::List(args) => list(args, context).await,
        TopicCommand::Describe(args) => describe::run(args, context).await,
        TopicCommand::Create(args) => unless_stopped(&context.shutdown, create(args, context)).await,
        TopicCommand::Delete(args) => unless_stopped(&context.shutdown, delete(&args, context)).await,
        TopicCommand::Tail(args) => tail::run(args, context).await,
    }
}

/// A topic's name on the command line.
fn parse_name(text: &str) -> Result<String, String> {
    settings::topic_name(text).map_err(|fault| format!("{fault}: {}", fault.fix))
}

/// The topic `name` as it is now.
async fn find(cluster: &mut Cluster, name: &str) -> Result<TopicState> {
    match topics::describe(cluster, name).await {
        Ok(topic) => Ok(topic),
        Err(error) => Err(with_near_name(cluster, error).await),
    }
}

/// For an unknown topic, adds the name that was probably meant.
async fn with_near_name(cluster: &mut Cluster, error: KafkaError) -> Report {
    let KafkaError::NoTopic { topic } = error else { return error.into() };
    let known = topics::list(cluster).await.unwrap_or_default();
    let near = nearest(&topic, known.iter().map(|topic| topic.name.as_str())).map(str::to_owned);
    TopicError::Unknown { topic, near }.into()
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The records are those between the first and the last offset of each partition;
`-` means that a partition could not be asked.

Examples:
  vitals topic list
  vitals topic list --internal -o json")]
struct ListArgs {
    /// The topics of the brokers themselves too
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const LIST: [Field<TopicState>; 6] = [
    (Column::text("topic", "TOPIC"), |topic| topic.name.as_str().into()),
    (Column::number("partitions", "PARTITIONS"), |topic| topic.partitions.len().into()),
    (Column::number("replicas", "REPLICAS"), |topic| topic.replication().into()),
    (Column::number("records", "RECORDS"), |topic| topic.records().into()),
    (Column::for_programs("internal"), |topic| serde_json::Value::from(topic.is_internal).into()),
    (Column::for_programs("topic_id"), |topic| topic.id_text().into()),
];

async fn list(args: ListArgs, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch_list(&args, context)).await
}

async fn watch_list(args: &ListArgs, context: &Context) -> Result<Code> {
    let mut cluster = app::open_kafka(&context.settings).await?;
    loop {
        show_list(&mut cluster, args, context).await?;
        if !args.watch.again().await {
            return Ok(Code::Done);
        }
    }
}

async fn show_list(cluster: &mut Cluster, args: &ListArgs, context: &Context) -> Result<()> {
    let Context { settings, output, .. } = context;
    let is_somebody = settings.broker_access.is_somebody();
    let mut found = match topics::list(cluster).await {
        Ok(found) => found,
        // Whoever watches wants to see how it goes on.
        Err(error) if args.watch.is_on() && error.is_passing() => {
            output.note(format_args!("note: {error}"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    found.retain(|topic| args.internal || !topic.is_internal);
    let troubles = topics::measure(cluster, &mut found).await;
    if args.watch.is_on() {
        output.clear_screen()?;
    }
    print(output, args.format, &LIST, &found)?;
    for trouble in troubles {
        output.note(format_args!("note: {trouble}"));
    }
    if found.is_empty() {
        output.note(if is_somebody {
            "there are no topics that this user may see; `vitals grants` prints what has to be allowed"
        } else {
            "there are no topics; `vitals init` makes the one of the readings"
        });
    }
    Ok(())
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
`vitals init` makes the topics of the readings, of their dead letters and of
the alarms.

Examples:
  vitals topic create ward-7 --partitions 12 --replication 3
  vitals topic create ward-7 -c retention.ms=604800000 --if-not-exists")]
struct CreateArgs {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    /// Its partitions: as many consumers can share the work
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// On how many brokers each message is kept
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i16).range(1..=100))]
    replication: i16,
    /// A setting of the topic; may be given several times
    #[arg(short = 'c', long = "topic-config", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
    /// Leave a topic of this name as it is, and count that as done
    #[arg(long = "if-not-exists")]
    if_not_exists: bool,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("a setting is written as KEY=VALUE, as in retention.ms=604800000".to_owned()),
    }
}

async fn create(args: CreateArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let CreateArgs { name, partitions, replication, settings: topic_settings, if_not_exists } = args;
    let name = name.unwrap_or_else(|| settings.topic.clone());
    let spec = TopicSpec { name, partitions, replication, settings: topic_settings };
    let mut cluster = app::open_kafka(settings).await?;
    let outcome = admin::create(&mut cluster, &spec).await?;
    let name = spec.name;
    match outcome {
        Creation::Made => {
            let mut facts = vec![counted(partitions, "partition"), format!("replication {replication}")];
            facts.extend(spec.settings.iter().map(|(name, value)| format!("{name}={value}")));
            output.line(format_args!("topic {name}: made ({})", facts.join(", ")))?;
        }
        Creation::There { partitions } if if_not_exists => {
            output.line(format_args!("topic {name}: was there ({})", counted(partitions, "partition")))?;
        }
        Creation::There { partitions } => return Err(TopicError::Exists { topic: name, partitions }.into()),
    }
    Ok(Code::Done)
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
It asks for the topic's name; without a terminal --yes says the same, and where
the brokers are not on this machine --confirm and its name.

Examples:
  vitals topic delete ward-7
  vitals topic delete ward-7 --confirm ward-7")]
struct DeleteArgs {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

async fn delete(args: &DeleteArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut cluster = app::open_kafka(settings).await?;
    let mut topic = find(&mut cluster, &args.name).await?;
    let troubles = topics::measure(&mut cluster, std::slice::from_mut(&mut topic)).await;
    for trouble in troubles {
        output.note(format_args!("note: {trouble}"));
    }
    let loss = Loss {
        what: &format!("the topic '{}' with {}", topic.name, content(&topic)),
        name: &topic.name,
        // A tunnel to a cluster elsewhere begins on this machine too: what the brokers call themselves counts as well.
        is_loopback: settings.brokers.are_loopback() && cluster.addresses().all(is_loopback),
    };
    confirm(&args.confirm, loss, output).await?;
    admin::delete(&mut cluster, &topic.name).await?;
    output.line(format_args!("topic {}: deleted ({})", topic.name, content(&topic)))?;
    Ok(Code::Done)
}

fn content(topic: &TopicState) -> String {
    let partitions = counted(topic.partitions.len(), "partition");
    let records = topic.records().map_or_else(|| "an unknown number of records".to_owned(), |n| counted(n, "record"));
    format!("{records} in {partitions}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::kafka::topics::{PartitionState, Range};

    pub(super) fn topic(partitions: Vec<PartitionState>) -> TopicState {
        TopicState { name: "t".into(), id: uuid::Uuid::from_u128(1), is_internal: false, partitions }
    }

    #[test]
    fn programs_get_these_fields_and_no_guess_where_a_partition_is_silent() {
        let range = Some(Range { first: 2, end: 7 });
        let known = PartitionState { replicas: vec![1, 2], range, ..PartitionState::default() };
        let silent = PartitionState { partition: 1, range: None, ..known.clone() };
        let expected = concat!(
            r#"{"topic":"t","partitions":1,"replicas":2,"records":5,"internal":false,"topic_id":"AAAAAAAAAAAAAAAAAAAAAQ"}"#,
            "\n",
            r#"{"topic":"t","partitions":2,"replicas":2,"records":null,"internal":false,"topic_id":"AAAAAAAAAAAAAAAAAAAAAQ"}"#,
            "\n",
        );
        assert_eq!(ndjson(&LIST, [topic(vec![known.clone()]), topic(vec![known, silent])]), expected);
    }

    #[test]
    fn a_setting_is_a_name_and_a_value_which_may_hold_anything() {
        assert_eq!(parse_setting("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert_eq!(parse_setting("a="), Ok(("a".to_owned(), String::new())));
        for text in ["", "a", "=b", " = b"] {
            assert!(parse_setting(text).is_err(), "{text}");
        }
    }
}
