//! `vitals topic describe`: a topic partition by partition, and its settings.

mod facts;
mod partition;

use color_eyre::eyre::Result;

use self::facts::Facts;
use super::{connect, parse_name, told_better};
use crate::advice::Code;
use crate::cmd::Context;
use crate::cmd::common::watch::WatchArgs;
use crate::kafka::error::KafkaError;
use crate::kafka::topics::{PartitionState, TopicState};
use crate::output::{Format, FormatArgs, Output};

/// Which topic.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Times are those of sending, in UTC. A partition without a leader, and replicas
that are not in sync, are marked with ! and named; `vitals status` judges them.

Examples:
  vitals topic describe
  vitals topic describe patient.vitals.dlq --watch
  vitals topic describe -o json")]
pub(super) struct Args {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: FormatArgs,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let name = args.name.as_ref().unwrap_or(&settings.topic);
    let mut cluster = connect(settings).await?;
    loop {
        match Facts::gather(&mut cluster, name).await {
            Ok(facts) => show(&facts, args, output)?,
            // Whoever watches wants to see how it goes on.
            Err(error) if args.watch.is_on() && error.is_passing() => output.note(format_args!("note: {error}")),
            Err(error) => return Err(told_better(&mut cluster, error).await),
        }
        if !args.watch.again().await {
            return Ok(Code::Done);
        }
    }
}

fn show(facts: &Facts, args: &Args, output: &Output) -> Result<()> {
    if args.watch.is_on() {
        output.clear_screen()?;
    }
    let partitions = &facts.topic.partitions;
    if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        output.line(facts.lines(output.text_width()).join("\n") + "\n")?;
        let mut rows = output.rows(args.format, &partition::COLUMNS);
        let now = chrono::Utc::now();
        partitions.iter().try_for_each(|of| rows.push(partition::for_people(of, &now)))?;
        rows.finish()?;
    } else {
        let mut rows = output.rows(args.format, &partition::FIELDS);
        partitions.iter().try_for_each(|of| rows.push(partition::for_programs(of, facts)))?;
        rows.finish()?;
    }
    facts.troubles.iter().map(KafkaError::to_string).chain(warnings(&facts.topic)).for_each(|text| {
        output.note(format_args!("note: {text}"));
    });
    Ok(())
}

/// What an operator should see at once.
fn warnings(topic: &TopicState) -> impl Iterator<Item = String> {
    let numbers = |is_so: fn(&PartitionState) -> bool| {
        let those = topic.partitions.iter().filter(|partition| is_so(partition));
        those.map(|partition| partition.partition.to_string()).collect::<Vec<_>>().join(", ")
    };
    let leaderless = numbers(|partition| partition.leader.is_none());
    let lagging = numbers(PartitionState::is_under_replicated);
    [
        (leaderless, "no leader, so that nothing can be read or written: partition"),
        (lagging, "not all replicas are in sync: partition"),
    ]
    .into_iter()
    .filter(|(numbers, _)| !numbers.is_empty())
    .map(|(numbers, text)| format!("{text} {numbers}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_without_leader_or_with_lagging_replicas_are_named() {
        let healthy =
            PartitionState { leader: Some(1), replicas: vec![1, 2], in_sync: vec![1, 2], ..PartitionState::default() };
        let lagging = PartitionState { partition: 1, in_sync: vec![1], ..healthy.clone() };
        let dead = PartitionState { partition: 2, leader: None, ..healthy.clone() };
        let topic = TopicState {
            name: "t".into(),
            id: uuid::Uuid::nil(),
            is_internal: false,
            partitions: vec![healthy.clone(), lagging, dead],
        };
        let told: Vec<_> = warnings(&topic).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("no leader") && told[0].ends_with("partition 2"), "{told:?}");
        assert!(told[1].starts_with("not all replicas") && told[1].ends_with("partition 1"), "{told:?}");
        assert_eq!(warnings(&TopicState { partitions: vec![healthy], ..topic }).count(), 0);
    }
}
