//! `vitals topic tail`: the messages of a topic, for a look that changes nothing: no group, no offsets.

mod message;
mod start;
mod view;

use std::collections::BTreeMap;

use color_eyre::eyre::Result;

use self::start::{Begin, Place};
use self::view::View;
use super::{connect, find, parse_name};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::{offset_argument, time_argument};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::KafkaConfig;
use crate::kafka::history::{History, Stretch};
use crate::kafka::live::Live;
use crate::kafka::offsets;
use crate::output::FormatArgs;
use crate::pipeline::source::{Fetched, Gap};
use crate::reading::PatientId;

/// Which messages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line is: time of sending, partition:offset, patient -> signs. Only where they
differ from what one expects come: the key, the time of the reading, headers.
A message that the pipeline would refuse is marked with the reason; ! stands
behind a sign that is not believed. No group is joined, nothing is committed.
Programs get text; bytes that are not UTF-8 come as \\xHH.

Examples:
  vitals topic tail
  vitals topic tail --from earliest --max 5
  vitals topic tail --from -10m --patient P001 --follow
  vitals topic tail --offset 2:41 --max 1 --raw
  vitals topic tail patient.vitals.dlq -o ndjson")]
pub(super) struct Args {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    /// Begin with the first or behind the last message, or at a time of sending: earliest, latest, -10m, 'today 08:00'
    #[arg(long, value_name = "PLACE", value_parser = parse_place, allow_hyphen_values = true)]
    from: Option<offsets::Place>,
    /// Only the last so many messages [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "from", value_parser = clap::value_parser!(u64).range(1..))]
    last: Option<u64>,
    /// Begin at this offset of this partition, and show no other
    #[arg(long, value_name = "PARTITION:OFFSET", conflicts_with_all = ["from", "last", "partition"], value_parser = offset_argument::parse_offset)]
    offset: Option<(i32, i64)>,
    /// Only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Only this patient's messages; of those that are refused, the ones with this key
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Stop after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Go on with what comes, until Ctrl+C
    #[arg(short, long)]
    follow: bool,
    /// Only the values, each as it came and a line break
    #[arg(long, conflicts_with = "format")]
    raw: bool,
    #[command(flatten)]
    format: FormatArgs,
}

fn parse_place(text: &str) -> Result<offsets::Place, String> {
    match text {
        "earliest" => Ok(offsets::Place::Earliest),
        "latest" => Ok(offsets::Place::Latest),
        time => time_argument::parse(time)
            .map(offsets::Place::Time)
            .map_err(|forms| format!("earliest, latest, or: {forms}")),
    }
}

/// Where nobody says how many.
const DEFAULT_LAST: u64 = 10;

impl Args {
    fn place(&self) -> Place {
        match (self.offset, self.from) {
            (Some((_, offset)), _) => Place::Offset(offset),
            (None, Some(place)) => Place::From(place),
            (None, None) => Place::Last(self.last.unwrap_or(DEFAULT_LAST)),
        }
    }

    fn only_partition(&self) -> Option<i32> {
        self.offset.map(|(partition, _)| partition).or(self.partition)
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let mut view = View::new(&args, &context.output);
    let ended = tokio::select! {
        ended = read(&args, context, &mut view) => Some(ended),
        () = context.shutdown.wait() => None,
    };
    match ended {
        Some(Ok(())) => view.finish().map(|()| Code::Done),
        Some(Err(error)) => {
            // What was read before the trouble is worth seeing.
            view.flush()?;
            Err(error)
        }
        // Ctrl+C is how following ends.
        None => view.finish().map(|()| if args.follow { Code::Done } else { Code::CutShort }),
    }
}

async fn read(args: &Args, context: &Context, view: &mut View<'_>) -> Result<()> {
    let Context { settings, output, .. } = context;
    let mut cluster = connect(settings).await?;
    let topic = find(&mut cluster, args.name.as_ref().unwrap_or(&settings.topic)).await?;
    let wanted = |record: &_| message::is_of(record, args.patient.as_ref());
    let Begin { stretches, skip, notes } =
        start::find(&mut cluster, topic, args.only_partition(), args.place(), wanted).await?;
    for note in notes {
        view.note(&note);
    }
    let name = args.name.as_ref().unwrap_or(&settings.topic);
    show_history(&mut cluster, name, &stretches, skip, view).await?;
    if args.follow && !view.is_full() {
        view.flush()?;
        let positions = stretches.iter().map(|stretch| (stretch.partition, stretch.end)).collect();
        return follow(&mut cluster, &app::kafka_config(settings), name, positions, view).await;
    }
    if view.is_empty() {
        output.note(nothing_found(args, name));
    }
    Ok(())
}

async fn show_history(
    cluster: &mut Cluster,
    topic: &str,
    stretches: &[Stretch],
    mut skip: u64,
    view: &mut View<'_>,
) -> Result<()> {
    let mut history = History::open(cluster, topic, stretches).await?;
    while !view.is_full()
        && let Some((partition, record)) = history.next().await?
    {
        if !view.wants(&record) {
            continue;
        }
        match skip.checked_sub(1) {
            Some(left) => skip = left,
            None => view.show(partition, &record)?,
        }
    }
    Ok(())
}

async fn follow(
    cluster: &mut Cluster,
    kafka: &KafkaConfig,
    topic: &str,
    positions: BTreeMap<i32, i64>,
    view: &mut View<'_>,
) -> Result<()> {
    let mut live = Live::begin(cluster, kafka, topic, positions).await?;
    while let Some(event) = live.next().await {
        match event {
            Fetched::Chunk(chunk) => {
                for record in chunk.records.iter().filter(|record| view.wants(record)).collect::<Vec<_>>() {
                    if !view.is_full() {
                        view.show(chunk.partition, record)?;
                    }
                }
                view.flush()?;
            }
            Fetched::Gap(Gap { partition, wanted, found, .. }) => {
                view.note(&format!("partition {partition}: offset {wanted} is not there; reading on at {found}"));
            }
            Fetched::Trouble(text) => view.note(&text),
        }
        if view.is_full() {
            break;
        }
    }
    Ok(())
}

fn nothing_found(args: &Args, topic: &str) -> String {
    let whose = args.patient.as_ref().map(|patient| format!(" of {patient}")).unwrap_or_default();
    let there = match args.place() {
        Place::Last(_) => "",
        Place::From(offsets::Place::Latest) => " from there on; --follow shows what comes",
        Place::From(_) | Place::Offset(_) => " from there on",
    };
    format!("the topic '{topic}' has no messages{whose}{there}")
}

#[cfg(test)]
mod tests;
