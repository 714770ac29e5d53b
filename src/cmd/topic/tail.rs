//! `vitals topic tail`: the messages of a topic, for a look that changes nothing: no group, no offsets.

mod view;

use color_eyre::eyre::Result;
use kafka_protocol::ResponseError;

use self::view::View;
use super::{TopicError, find, parse_name};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::{offset_argument, time_argument};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::history::{self, History, Stretch, Tail};
use crate::kafka::live::Live;
use crate::kafka::offsets::{self, Offsets, Place};
use crate::kafka::topics::{self, TopicState};
use crate::output::FormatArgs;
use crate::pipeline::source::{Fetched, Gap};
use crate::reading::PatientId;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line is: time of sending, partition:offset, patient -> signs. Only where they
differ from what one expects come: the key, the time of the reading, headers.
A message that the pipeline would refuse is marked with the reason; ! stands
behind a sign that is not believed. Of the topic of alarms each is shown by its
id, with its state. No group is joined, nothing is committed.
Programs get text; bytes that are not UTF-8 come as \\xHH.

Examples:
  vitals topic tail
  vitals topic tail --from earliest --max 5
  vitals topic tail --from -10m --patient P001 --follow
  vitals topic tail --offset 2:41 --max 1 --raw
  vitals topic tail patient.alarms --follow
  vitals topic tail patient.vitals.dlq -o ndjson")]
pub(super) struct Args {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    /// Begin with the first or behind the last message, or at a time of sending: earliest, latest, -10m, 'today 08:00'
    #[arg(long, value_name = "PLACE", value_parser = parse_place, allow_hyphen_values = true)]
    from: Option<Place>,
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

fn parse_place(text: &str) -> Result<Place, String> {
    time_argument::parse_place(text).map_err(|forms| format!("earliest, latest, or: {forms}"))
}

/// Where nobody says how many.
const DEFAULT_LAST: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the last so many messages.
    Last(u64),
    /// At a place of each partition.
    At(Place),
    /// At an offset of the only partition.
    Offset(i64),
}

impl Args {
    fn start(&self) -> Start {
        match (self.offset, self.from) {
            (Some((_, offset)), _) => Start::Offset(offset),
            (None, Some(place)) => Start::At(place),
            (None, None) => Start::Last(self.last.unwrap_or(DEFAULT_LAST)),
        }
    }

    fn only_partition(&self) -> Option<i32> {
        self.offset.map(|(partition, _)| partition).or(self.partition)
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let of_alarms = args.name.is_some() && args.name == context.settings.alarms_topic;
    let mut view = View::new(&args, &context.output, of_alarms);
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
    let name = args.name.as_ref().unwrap_or(&settings.topic);
    let mut cluster = app::open_led_kafka(settings, &[name], None, output).await?;
    let topic = find(&mut cluster, name).await?;
    let Tail { stretches, skip } = what_to_read(args, &mut cluster, topic, view).await?;
    show_history(&mut cluster, name, &stretches, skip, view).await?;
    if args.follow && !view.is_full() {
        view.flush()?;
        let positions = stretches.iter().map(|stretch| (stretch.partition, stretch.end)).collect();
        let live = Live::begin(&mut cluster, &app::kafka_config(settings)?, name, positions).await?;
        return follow(live, view).await;
    }
    if view.is_empty() {
        output.note(nothing_found(args, name));
    }
    Ok(())
}

/// Finds where to begin in the topic, or in the only partition that is meant, and the ends as they are now.
async fn what_to_read(args: &Args, cluster: &mut Cluster, mut topic: TopicState, view: &View<'_>) -> Result<Tail> {
    if let Some(partition) = args.only_partition() {
        let count = topic.partitions.len();
        topic.partitions.retain(|of| of.partition == partition);
        if topic.partitions.is_empty() {
            return Err(TopicError::NoPartition { topic: topic.name, partition, count }.into());
        }
    }
    let troubles = topics::measure(cluster, std::slice::from_mut(&mut topic)).await;
    let (known, silent): (Vec<_>, Vec<_>) = topic.partitions.into_iter().partition(|of| of.range.is_some());
    let topic = TopicState { partitions: known, ..topic };
    let ranges = topic.partitions.iter().filter_map(|of| Some((of.partition, of.range?)));
    let whole = ranges.map(|(partition, range)| Stretch { partition, start: range.first, end: range.end });
    let whole: Vec<_> = whole.collect();
    if whole.is_empty() && !silent.is_empty() {
        let what = format!("to read the topic '{}'", topic.name);
        let leaderless = KafkaError::refused(what, ResponseError::LeaderNotAvailable);
        return Err(troubles.into_iter().next().unwrap_or(leaderless).into());
    }
    let tail = match args.start() {
        Start::Last(count) => history::tail(cluster, &topic.name, &whole, count, |record| view.wants(record)).await?,
        Start::At(place) => {
            let starts = offsets::find(cluster, &topic.name, &topic.leaders(), place).await?;
            Tail { stretches: whole.into_iter().map(|whole| from(whole, &starts)).collect(), skip: 0 }
        }
        Start::Offset(offset) => {
            Tail { stretches: whole.into_iter().map(|whole| at(whole, offset)).collect::<Result<_, _>>()?, skip: 0 }
        }
    };
    for trouble in troubles {
        view.note(&trouble.to_string());
    }
    for of in silent {
        view.note(&format!("partition {} cannot be read now and is left out", of.partition));
    }
    Ok(tail)
}

/// The partition from its place in `starts` on, which is not beyond its end.
fn from(whole: Stretch, starts: &Offsets) -> Stretch {
    let start = starts.get(&whole.partition).copied().unwrap_or(whole.start);
    Stretch { start: start.max(whole.start).min(whole.end), ..whole }
}

fn at(whole: Stretch, offset: i64) -> Result<Stretch, TopicError> {
    let Stretch { partition, start: first, end } = whole;
    if (first..=end).contains(&offset) {
        return Ok(Stretch { start: offset, ..whole });
    }
    Err(TopicError::NoOffset { partition, offset, first, end })
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
            None => view.show(partition, record)?,
        }
    }
    Ok(())
}

async fn follow(mut live: Live, view: &mut View<'_>) -> Result<()> {
    while let Some(event) = live.next().await {
        match event {
            Fetched::Chunk(chunk) => {
                for record in chunk.records {
                    if view.wants(&record) && !view.is_full() {
                        view.show(chunk.partition, record)?;
                    }
                }
                view.flush()?;
            }
            Fetched::Gap(Gap { partition, wanted, found, .. }) => {
                view.note(&format!("partition {partition}: offset {wanted} is not there; reading on at {found}"));
            }
            Fetched::Trouble(text) => view.note(&text),
            Fetched::End(_) => {}
        }
        if view.is_full() {
            break;
        }
    }
    Ok(())
}

fn nothing_found(args: &Args, topic: &str) -> String {
    let whose = args.patient.as_ref().map(|patient| format!(" of {patient}")).unwrap_or_default();
    let there = match args.start() {
        Start::Last(_) => "",
        Start::At(Place::Latest) => " from there on; --follow shows what comes",
        Start::At(_) | Start::Offset(_) => " from there on",
    };
    format!("the topic '{topic}' has no messages{whose}{there}")
}

#[cfg(test)]
mod tests;
