//! `vitals topic list`: all topics.

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, count, print};
use crate::cmd::common::watch::WatchArgs;
use crate::kafka::cluster::Cluster;
use crate::kafka::topics::{self, TopicState};
use crate::output::{Column, FormatArgs, Output};

/// Which topics.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The records are those between the first and the last offset of each partition;
`-` means that a partition could not be asked.

Examples:
  vitals topic list
  vitals topic list --internal -o json")]
pub(super) struct Args {
    /// The topics of the brokers themselves too
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const FIELDS: [Field<TopicState>; 6] = [
    (Column::text("topic", "TOPIC"), |topic| topic.name.as_str().into()),
    (Column::number("partitions", "PARTITIONS"), |topic| count(topic.partitions.len())),
    (Column::number("replicas", "REPLICAS"), |topic| count(topic.replication())),
    (Column::number("records", "RECORDS"), |topic| topic.records().into()),
    (Column::for_programs("internal"), |topic| serde_json::Value::from(topic.is_internal).into()),
    (Column::for_programs("topic_id"), |topic| topic.id_text().into()),
];

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let mut cluster = app::open_kafka(&context.settings).await?;
    loop {
        show(&mut cluster, args, &context.output).await?;
        if !args.watch.again().await {
            return Ok(Code::Done);
        }
    }
}

async fn show(cluster: &mut Cluster, args: &Args, output: &Output) -> Result<()> {
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
    print(output, args.format, &FIELDS, &found)?;
    for trouble in troubles {
        output.note(format_args!("note: {trouble}"));
    }
    if found.is_empty() {
        output.note("there are no topics; `vitals init` makes the one of the readings");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::cmd::topic::tests::topic;
    use crate::kafka::topics::{PartitionState, Range};

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
        assert_eq!(ndjson(&FIELDS, [topic(vec![known.clone()]), topic(vec![known, silent])]), expected);
    }
}
