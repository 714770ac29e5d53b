//! `vitals topic delete`: a topic and everything in it.

use color_eyre::eyre::Result;

use super::{counted, find, parse_name};
use crate::address::is_loopback;
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::kafka::admin;
use crate::kafka::topics::{self, TopicState};

/// Which topic.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It asks for the topic's name; without a terminal --yes says the same, and where
the brokers are not on this machine --confirm and its name.

Examples:
  vitals topic delete ward-7
  vitals topic delete ward-7 --confirm ward-7")]
pub(super) struct Args {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
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
