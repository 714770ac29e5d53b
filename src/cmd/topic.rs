//! `vitals topic`: what topics there are, and what is in them; makes and deletes them.

mod create;
mod delete;
mod describe;
mod list;
mod tail;

use clap::Subcommand;
use color_eyre::eyre::{Report, Result};

use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{self, TopicState};
use crate::output::counted;
use crate::settings::{self, nearest};

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
    List(list::Args),
    /// Show a topic partition by partition, and its settings
    Describe(describe::Args),
    /// Make a topic
    Create(create::Args),
    /// Delete a topic and everything in it
    Delete(delete::Args),
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
        TopicCommand::List(args) => list::run(args, context).await,
        TopicCommand::Describe(args) => describe::run(args, context).await,
        TopicCommand::Create(args) => unless_stopped(&context.shutdown, create::run(args, context)).await,
        TopicCommand::Delete(args) => unless_stopped(&context.shutdown, delete::run(&args, context)).await,
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

#[cfg(test)]
mod tests {
    use crate::kafka::topics::{PartitionState, TopicState};

    pub(super) fn topic(partitions: Vec<PartitionState>) -> TopicState {
        TopicState { name: "t".into(), id: uuid::Uuid::from_u128(1), is_internal: false, partitions }
    }
}
