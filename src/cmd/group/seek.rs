//! `vitals group seek`: from where a group goes on reading.

use std::collections::HashMap;
use std::str::FromStr;

use color_eyre::eyre::Result;
use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::advice::Code;
use crate::cmd::common::time_argument;
use crate::kafka::cluster::{Cluster, Leaders};
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::offsets::{self, Committed, Committer, Place};
use crate::ledger::Position;
use crate::output::{Cell, Column, FormatArgs, Output, Value};
use crate::settings::Settings;

/// Where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The group and the topic are those of the settings (--group, --topic). It is
refused while the group has members: the exit code is 1. An offset outside of
what the partition holds becomes the nearest one that it holds, and that is
said. A time means the first message that was sent then or later.

Examples:
  vitals group seek --to earliest --dry-run
  vitals group seek --to -15m
  vitals group seek --to 4711 --partition 3")]
pub(super) struct Args {
    /// earliest, latest, an offset, or a time (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    to: Target,
    /// Only this partition; may be given several times
    #[arg(long = "partition", value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,
    /// Show what would be done, and leave everything as it is
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Where to go in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Place(Place),
    Offset(i64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "earliest" => Ok(Self::Place(Place::Earliest)),
            "latest" => Ok(Self::Place(Place::Latest)),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() => {
                number.parse().map(Self::Offset).map_err(|_| "the largest offset is 9223372036854775807".to_owned())
            }
            time => time_argument::parse(time)
                .map(|time| Self::Place(Place::Time(time)))
                .map_err(|forms| format!("it is 'earliest', 'latest', an offset, or a time; {forms}")),
        }
    }
}

/// What becomes of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Move {
    partition: i32,
    committed: Option<i64>,
    /// What was committed in an earlier topic of this name.
    earlier: Option<i64>,
    /// The first offset that the partition holds.
    first: i64,
    /// Behind the last one.
    end: i64,
    wanted: i64,
}

impl Move {
    fn new_offset(&self) -> i64 {
        self.wanted.clamp(self.first, self.end.max(self.first))
    }

    /// How many messages forward (or back, where negative).
    fn difference(&self) -> Option<i64> {
        self.committed.map(|committed| self.new_offset().saturating_sub(committed))
    }

    fn is_clamped(&self) -> bool {
        self.new_offset() != self.wanted
    }
}

const COLUMNS: [Column; 7] = [
    Column::number("partition", "PARTITION"),
    Column::number("committed", "COMMITTED"),
    Column::number("new", "NEW"),
    Column::number("difference", "DIFFERENCE"),
    Column::number("first", "FIRST"),
    Column::number("end", "END"),
    Column::number("outside", "OUTSIDE"),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, settings: &Settings, output: &Output) -> Result<Code> {
    let (group, topic) = (&settings.group, &settings.topic);
    let members = members(cluster, group).await?;
    if let Some(described) = &members {
        described.ensure_commits(group)?;
    }
    if !args.dry_run {
        ensure_unused(members.as_ref(), group)?;
    }
    let topic_id = cluster.topic_id(topic).await?;
    let moves = plan(args, cluster, group, (topic, topic_id)).await?;
    if !args.dry_run {
        commit(cluster, group, (topic, topic_id), &moves).await?;
    }
    print(args, &moves, output)?;
    for moved in moves.iter().filter(|moved| moved.is_clamped()) {
        let Move { partition, wanted, first, end, .. } = moved;
        output.note(format_args!(
            "note: partition {partition} holds the offsets {first} to {end}, so {wanted} became {}",
            moved.new_offset()
        ));
    }
    for Move { partition, earlier, .. } in &moves {
        if let Some(earlier) = earlier {
            output.note(format_args!(
                "note: partition {partition}: {earlier} was committed in an earlier topic of this name"
            ));
        }
    }
    if args.dry_run {
        output.note("dry run: nothing was changed");
        ensure_unused(members.as_ref(), group)?;
    } else if members.is_none() {
        output.note(format_args!("note: the group '{group}' did not exist before"));
    }
    Ok(Code::Done)
}

/// A member would go on from where it is, and commit that over what was set here.
fn ensure_unused(described: Option<&Description>, group: &str) -> Result<(), KafkaError> {
    described.map_or(Ok(()), |described| described.ensure_unused(group))
}

/// Who is in the group; `None` where there is no such group yet.
async fn members(cluster: &mut Cluster, group: &str) -> Result<Option<Description>, KafkaError> {
    let coordinator = admin::coordinator(cluster, group).await?;
    match admin::describe(cluster.node(coordinator).await?, group).await {
        Ok(described) => Ok(Some(described)),
        Err(KafkaError::NoGroup { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn plan(
    args: &Args,
    cluster: &mut Cluster,
    group: &str,
    (topic, topic_id): (&str, Uuid),
) -> Result<Vec<Move>, KafkaError> {
    let leaders = wanted(&args.partitions, cluster.leaders(topic).await?, topic)?;
    let partitions: Vec<i32> = leaders.0.iter().map(|(partition, _)| *partition).collect();
    let coordinator = admin::coordinator(cluster, group).await?;
    let committed = offsets::committed(cluster.node(coordinator).await?, group, topic, &partitions).await?;
    let committed: HashMap<i32, Committed> = committed.into_iter().map(|of| (of.position.partition, of)).collect();
    let firsts = offsets::find(cluster, topic, &leaders, Place::Earliest).await?;
    let ends: HashMap<i32, i64> = offsets::find(cluster, topic, &leaders, Place::Latest).await?.into_iter().collect();
    let found: HashMap<i32, i64> = match args.to {
        Target::Place(place) => offsets::find(cluster, topic, &leaders, place).await?.into_iter().collect(),
        Target::Offset(offset) => partitions.iter().map(|partition| (*partition, offset)).collect(),
    };
    let moved = |(partition, first): (i32, i64)| {
        let end = ends.get(&partition).copied().unwrap_or(first);
        let wanted = found.get(&partition).copied().unwrap_or(end);
        let of = committed.get(&partition);
        let offset_where = |fits| of.filter(|of| of.fits(topic_id, end) == fits).map(|of| of.position.offset);
        Move { partition, committed: offset_where(true), earlier: offset_where(false), first, end, wanted }
    };
    Ok(firsts.into_iter().map(moved).collect())
}

/// The partitions that are meant, each with its leader: all, where none is named. One without a leader cannot tell what
/// it holds.
fn wanted(named: &[i32], leaders: Leaders, topic: &str) -> Result<Leaders, KafkaError> {
    let count = leaders.count();
    if let Some(partition) = named.iter().find(|named| !leaders.0.iter().any(|(known, _)| known == *named)) {
        return Err(KafkaError::NoPartition { topic: topic.to_owned(), partition: *partition, count });
    }
    let meant = |partition: i32| named.is_empty() || named.contains(&partition);
    let leaders = Leaders(leaders.0.into_iter().filter(|(partition, _)| meant(*partition)).collect());
    match leaders.0.iter().find(|(_, leader)| leader.is_none()) {
        None => Ok(leaders),
        Some((partition, _)) => {
            let what = format!("the offsets of partition {partition} of the topic '{topic}'");
            Err(KafkaError::refused(what, ResponseError::LeaderNotAvailable))
        }
    }
}

async fn commit(cluster: &mut Cluster, group: &str, topic: (&str, Uuid), moves: &[Move]) -> Result<(), KafkaError> {
    let coordinator = admin::coordinator(cluster, group).await?;
    let coordinator = cluster.node(coordinator).await?;
    let positions: Vec<_> = moves.iter().map(|moved| Position::at(moved.partition, moved.new_offset())).collect();
    match offsets::commit(coordinator, Committer::outsider(group), topic, &positions).await {
        // Somebody has joined in the meantime.
        Err(KafkaError::Refused {
            code: ResponseError::UnknownMemberId | ResponseError::RebalanceInProgress | ResponseError::IllegalGeneration,
            ..
        }) => {
            let described = admin::describe(coordinator, group).await?;
            let members = described.members.iter().map(|member| member.id().to_owned()).collect();
            Err(KafkaError::GroupInUse { group: group.to_owned(), members })
        }
        outcome => outcome,
    }
}

fn print(args: &Args, moves: &[Move], output: &Output) -> Result<()> {
    let mut rows = output.rows(args.format, &COLUMNS);
    moves.iter().try_for_each(|moved| rows.push(row(moved)))?;
    Ok(rows.finish()?)
}

fn row(moved: &Move) -> Vec<Cell> {
    let values: [Value; 7] = [
        moved.partition.into(),
        moved.committed.into(),
        moved.new_offset().into(),
        moved.difference().into(),
        moved.first.into(),
        moved.end.into(),
        moved.is_clamped().then_some(moved.wanted).into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn to(wanted: i64) -> Move {
        Move { partition: 3, committed: Some(40), earlier: None, first: 10, end: 50, wanted }
    }

    #[test]
    fn a_place_is_a_word_an_offset_or_a_time() {
        assert_eq!("earliest".parse(), Ok(Target::Place(Place::Earliest)));
        assert_eq!("latest".parse(), Ok(Target::Place(Place::Latest)));
        assert_eq!("4711".parse(), Ok(Target::Offset(4711)));
        for time in ["-15m", "2025-10-26T10:30:00Z", "today 08:00"] {
            assert!(matches!(time.parse(), Ok(Target::Place(Place::Time(_)))), "{time}");
        }
    }

    #[test]
    fn anything_else_is_no_place() {
        for text in ["", "first", "12a", "99999999999999999999", "+5", "- 5"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_offset_that_the_partition_holds_is_taken_as_it_is() {
        for wanted in [10, 40, 50] {
            assert_eq!((to(wanted).new_offset(), to(wanted).is_clamped()), (wanted, false));
        }
        assert_eq!(to(10).difference(), Some(-30));
    }

    #[test]
    fn an_offset_that_the_partition_does_not_hold_becomes_the_nearest() {
        assert_eq!((to(9).new_offset(), to(9).is_clamped()), (10, true));
        assert_eq!((to(51).new_offset(), to(51).is_clamped()), (50, true));
    }

    #[test]
    fn before_and_after_of_each_partition_are_shown() {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        rows.push(row(&to(60))).unwrap();
        rows.push(row(&Move { committed: None, ..to(10) })).unwrap();
        rows.finish().unwrap();
        let expected = concat!(
            r#"{"partition":3,"committed":40,"new":50,"difference":10,"first":10,"end":50,"outside":60}"#,
            "\n",
            r#"{"partition":3,"committed":null,"new":10,"difference":null,"first":10,"end":50,"outside":null}"#,
            "\n"
        );
        assert_eq!(memory.stdout(), expected);
    }

    #[test]
    fn a_partition_that_is_not_there_is_refused() {
        let leaders = || Leaders(vec![(0, Some(1)), (1, Some(1)), (2, None)]);
        assert_eq!(wanted(&[1], leaders(), "t").unwrap(), Leaders(vec![(1, Some(1))]));
        assert!(matches!(wanted(&[3], leaders(), "t"), Err(KafkaError::NoPartition { partition: 3, count: 3, .. })));
    }

    #[test]
    fn a_partition_without_a_leader_is_refused() {
        let leaders = Leaders(vec![(0, Some(1)), (1, None)]);
        assert!(matches!(wanted(&[], leaders, "t"), Err(KafkaError::Refused { .. })));
    }

    #[test]
    fn a_group_with_members_is_refused_and_one_without_is_not() {
        let described = |state: &str| Description { state: state.to_owned(), ..Description::default() };
        assert!(ensure_unused(None, "g").is_ok());
        assert!(ensure_unused(Some(&described("Empty")), "g").is_ok());
        for state in ["Stable", "PreparingRebalance", "CompletingRebalance"] {
            assert!(ensure_unused(Some(&described(state)), "g").is_err(), "{state}");
        }
    }
}
