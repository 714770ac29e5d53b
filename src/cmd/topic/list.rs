//! `vitals topic list`: all topics.

use color_eyre::eyre::Result;

use super::connect;
use crate::advice::Code;
use crate::cmd::Context;
use crate::cmd::common::watch::WatchArgs;
use crate::kafka::cluster::Cluster;
use crate::kafka::topics::{self, TopicState};
use crate::output::{Cell, Column, FormatArgs, Output, Value};

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

const COLUMNS: [Column; 6] = [
    Column::text("topic", "TOPIC"),
    Column::number("partitions", "PARTITIONS"),
    Column::number("replicas", "REPLICAS"),
    Column::number("records", "RECORDS"),
    Column::for_programs("internal"),
    Column::for_programs("topic_id"),
];

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let mut cluster = connect(&context.settings).await?;
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
    let mut rows = output.rows(args.format, &COLUMNS);
    found.iter().try_for_each(|topic| rows.push(row(topic)))?;
    rows.finish()?;
    for trouble in troubles {
        output.note(format_args!("note: {trouble}"));
    }
    if found.is_empty() {
        output.note("there are no topics; `vitals init` makes the one of the readings");
    }
    Ok(())
}

fn row(topic: &TopicState) -> Vec<Cell> {
    let values: [Value; 6] = [
        topic.name.as_str().into(),
        count(topic.partitions.len()),
        count(topic.replication()),
        topic.records().into(),
        serde_json::Value::from(topic.is_internal).into(),
        topic.id_text().into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

fn count(count: usize) -> Value {
    u64::try_from(count).unwrap_or(u64::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::topics::{PartitionState, Range};
    use crate::output::Format;

    #[test]
    fn programs_get_these_fields_and_no_guess_where_a_partition_is_silent() {
        let known = PartitionState {
            replicas: vec![1, 2],
            range: Some(Range { first: 2, end: 7 }),
            ..PartitionState::default()
        };
        let silent = PartitionState { partition: 1, range: None, ..known.clone() };
        let topic =
            |partitions| TopicState { name: "t".into(), id: uuid::Uuid::from_u128(1), is_internal: false, partitions };
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        rows.push(row(&topic(vec![known.clone()]))).unwrap();
        rows.push(row(&topic(vec![known, silent]))).unwrap();
        rows.finish().unwrap();
        let expected = concat!(
            r#"{"topic":"t","partitions":1,"replicas":2,"records":5,"internal":false,"topic_id":"AAAAAAAAAAAAAAAAAAAAAQ"}"#,
            "\n",
            r#"{"topic":"t","partitions":2,"replicas":2,"records":null,"internal":false,"topic_id":"AAAAAAAAAAAAAAAAAAAAAQ"}"#,
            "\n",
        );
        assert_eq!(memory.stdout(), expected);
    }
}
