//! `vitals group seek`: from where a group goes on reading.

use std::collections::HashMap;
use std::str::FromStr;

use color_eyre::eyre::Result;
use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::advice::Code;
use crate::cmd::common::table::{Field, print};
use crate::cmd::common::time_argument;
use crate::kafka::cluster::{Cluster, Leaders};
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::offsets::{self, Committed, Committer, Place};
use crate::ledger::Position;
use crate::output::{Column, FormatArgs, Output};
use crate::settings::Settings;

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
    #[arg(long = "dry-run")]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Place(Place),
    Offset(i64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Offset).map_err(|_| format!("the largest offset is {}", i64::MAX));
        }
        time_argument::parse_place(text)
            .map(Self::Place)
            .map_err(|forms| format!("it is 'earliest', 'latest', an offset, or a time; {forms}"))
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

const FIELDS: [Field<Move>; 7] = [
    (Column::number("partition", "PARTITION"), |moved| moved.partition.into()),
    (Column::number("committed", "COMMITTED"), |moved| moved.committed.into()),
    (Column::number("new", "NEW"), |moved| moved.new_offset().into()),
    (Column::number("difference", "DIFFERENCE"), |moved| moved.difference().into()),
    (Column::number("first", "FIRST"), |moved| moved.first.into()),
    (Column::number("end", "END"), |moved| moved.end.into()),
    (Column::number("outside", "OUTSIDE"), |moved| moved.is_clamped().then_some(moved.wanted).into()),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, settings: &Settings, output: &Output) -> Result<Code> {
    let (group, topic) = (&settings.group, &settings.topic);
    let coordinator = admin::coordinator(cluster, group).await?;
    let described = admin::find(cluster.node(coordinator).await?, group).await?;
    if let Some(described) = &described {
        described.ensure_commits(group)?;
    }
    if !args.dry_run {
        ensure_unused(described.as_ref(), group)?;
    }
    let topic_id = cluster.topic_id(topic).await?;
    let leaders = wanted(&args.partitions, cluster.leaders(topic).await?, topic)?;
    let partitions: Vec<i32> = leaders.0.iter().map(|(partition, _)| *partition).collect();
    let committed = offsets::committed(cluster.node(coordinator).await?, group, topic, &partitions).await?;
    let moves = plan(args.to, cluster, (topic, topic_id), &leaders, &committed).await?;
    if !args.dry_run {
        commit(cluster.node(coordinator).await?, group, (topic, topic_id), &moves).await?;
    }
    print(output, args.format, &FIELDS, &moves)?;
    note_changes(&moves, output);
    if args.dry_run {
        output.note("dry run: nothing was changed");
        ensure_unused(described.as_ref(), group)?;
    } else if described.is_none() {
        output.note(format_args!("note: the group '{group}' did not exist before"));
    }
    Ok(Code::Done)
}

fn note_changes(moves: &[Move], output: &Output) {
    for moved in moves.iter().filter(|moved| moved.is_clamped()) {
        let Move { partition, wanted, first, end, .. } = moved;
        output.note(format_args!(
            "note: partition {partition} holds the offsets {first} to {end}, so {wanted} became {}",
            moved.new_offset()
        ));
    }
    for Move { partition, earlier, .. } in moves {
        if let Some(earlier) = earlier {
            output.note(format_args!(
                "note: partition {partition}: {earlier} was committed in an earlier topic of this name"
            ));
        }
    }
}

/// A member would go on from where it is, and commit that over what was set here.
fn ensure_unused(described: Option<&Description>, group: &str) -> Result<(), KafkaError> {
    described.map_or(Ok(()), |described| described.ensure_unused(group))
}

async fn plan(
    to: Target,
    cluster: &mut Cluster,
    (topic, topic_id): (&str, Uuid),
    leaders: &Leaders,
    committed: &[Committed],
) -> Result<Vec<Move>, KafkaError> {
    let firsts = offsets::find(cluster, topic, leaders, Place::Earliest).await?;
    let ends: HashMap<i32, i64> = offsets::find(cluster, topic, leaders, Place::Latest).await?.into_iter().collect();
    let found: HashMap<i32, i64> = match to {
        Target::Place(place) => offsets::find(cluster, topic, leaders, place).await?.into_iter().collect(),
        Target::Offset(offset) => firsts.keys().map(|partition| (*partition, offset)).collect(),
    };
    let moved = |(partition, first): (i32, i64)| {
        let end = ends.get(&partition).copied().unwrap_or(first);
        let wanted = found.get(&partition).copied().unwrap_or(end);
        let committed = committed.iter().find(|of| of.position.partition == partition);
        let offset_where = |fits| committed.filter(|of| of.fits(topic_id, end) == fits).map(|of| of.position.offset);
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

async fn commit(
    coordinator: &mut Connection,
    group: &str,
    topic: (&str, Uuid),
    moves: &[Move],
) -> Result<(), KafkaError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;

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
        for text in ["", "first", "12a", "99999999999999999999", "+5", "- 5"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_offset_that_the_partition_does_not_hold_becomes_the_nearest_and_any_other_stays() {
        for (wanted, new, is_clamped) in
            [(10, 10, false), (40, 40, false), (50, 50, false), (9, 10, true), (51, 50, true)]
        {
            assert_eq!((to(wanted).new_offset(), to(wanted).is_clamped()), (new, is_clamped), "{wanted}");
        }
        assert_eq!(to(10).difference(), Some(-30));
    }

    #[test]
    fn before_and_after_of_each_partition_are_shown() {
        let expected = concat!(
            r#"{"partition":3,"committed":40,"new":50,"difference":10,"first":10,"end":50,"outside":60}"#,
            "\n",
            r#"{"partition":3,"committed":null,"new":10,"difference":null,"first":10,"end":50,"outside":null}"#,
            "\n"
        );
        assert_eq!(ndjson(&FIELDS, [to(60), Move { committed: None, ..to(10) }]), expected);
    }

    #[test]
    fn a_partition_that_is_not_there_or_without_a_leader_is_refused() {
        let leaders = || Leaders(vec![(0, Some(1)), (1, Some(1)), (2, None)]);
        assert_eq!(wanted(&[1], leaders(), "t").unwrap(), Leaders(vec![(1, Some(1))]));
        assert!(matches!(wanted(&[3], leaders(), "t"), Err(KafkaError::NoPartition { partition: 3, count: 3, .. })));
        assert!(matches!(wanted(&[], leaders(), "t"), Err(KafkaError::Refused { .. })));
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
