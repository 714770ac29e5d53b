//! `vitals reset`: the topic, its dead letters and the stored readings go, so that `vitals init` begins anew.
//!
//! First the group forgets its offsets, then the topics go, then the tables. In that order whatever is cut short can
//! only be read twice: offsets that outlive their topic would have a new one's first records passed over.

mod store;
mod topic;

use color_eyre::eyre::Result;

use self::store::StoreLoss;
use self::topic::TopicLoss;
use super::common::confirm::{ConfirmArgs, Loss, confirm};
use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::output::Output;
use crate::settings::Settings;
use crate::store::StoreAddress;

/// What is to go.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It shows what goes, and asks for the name of the keyspace (of the file, of
the topic with --only topic). Without a terminal --yes says the same, and
--confirm NAME where the servers are not on this machine. The keyspace
itself stays, with the number of its copies; Cassandra may keep a snapshot
of the tables. Consumers of the group have to be stopped first.

Examples:
  vitals reset
  vitals reset --only topic --yes
  vitals reset --confirm hospital")]
pub struct Args {
    /// Only this; the other stays as it is
    #[arg(long, value_name = "WHAT", value_enum)]
    only: Option<Only>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The topic, its dead letters and the group's offsets
    Topic,
    /// The stored readings and alerts
    Store,
}

/// Why nothing was reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Somebody reads the topic.
    #[error("the group '{group}' has members that read the topic '{topic}'; nothing was deleted")]
    InUse {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
}

impl Advice for ResetError {
    fn code(&self) -> Code {
        Code::Finding
    }

    fn hint(&self) -> Option<String> {
        Some("stop its consumers first; a killed one counts until its session has timed out".to_owned())
    }
}

/// Deletes what the user agrees to.
///
/// # Errors
/// The user does not agree, or somebody still reads the topic: nothing is deleted then. A server cannot be reached, or
/// refuses.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, reset(&args, &context.settings, &context.output)).await
}

async fn reset(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    // Both are looked at before anything goes, so that one that cannot be reached leaves the other alone.
    let topic = if args.only == Some(Only::Store) { None } else { Some(TopicLoss::look(settings).await?) };
    let store = if args.only == Some(Only::Topic) { None } else { Some(StoreLoss::look(settings, output).await?) };
    let lines: Vec<_> =
        topic.iter().flat_map(TopicLoss::lines).chain(store.iter().filter_map(StoreLoss::line)).collect();
    if lines.is_empty() {
        output.note("there is nothing to delete");
        return Ok(Code::Done);
    }
    output.note("to be deleted:");
    for line in lines {
        output.note(format_args!("  {line}"));
    }
    let loss = Loss {
        what: "all of that",
        name: &name(args, settings),
        is_loopback: topic.as_ref().is_none_or(TopicLoss::is_loopback)
            && (store.is_none() || settings.store.is_loopback()),
    };
    confirm(&args.confirm, loss, output).await?;
    if let Some(topic) = topic {
        topic.delete(output).await?;
    }
    if let Some(store) = store {
        store.delete(output).await?;
    }
    output.note("`vitals init` makes all of it anew");
    Ok(Code::Done)
}

/// What is to be typed: the keyspace, or the file without its folder; the topic where it alone goes.
fn name(args: &Args, settings: &Settings) -> String {
    if args.only == Some(Only::Topic) {
        return settings.topic.clone();
    }
    match &settings.store {
        StoreAddress::Cassandra { keyspace, .. } => keyspace.clone(),
        StoreAddress::Sqlite { path } => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
    }
}
