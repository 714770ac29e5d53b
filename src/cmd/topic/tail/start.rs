//! Where to begin, and where what is there ends.

use color_eyre::eyre::Result;
use kafka_protocol::ResponseError;

use crate::cmd::topic::TopicError;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::history::{self, Stretch, Tail};
use crate::kafka::offsets;
use crate::kafka::topics::{self, TopicState};
use crate::record::Record;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// With the last so many messages.
    Last(u64),
    /// At a place of each partition.
    From(offsets::Place),
    /// At an offset of the only partition.
    Offset(i64),
}

/// What to show of what is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Begin {
    /// From where to where.
    pub(super) stretches: Vec<Stretch>,
    /// How many messages of them to leave out, from the beginning on.
    pub(super) skip: u64,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// Finds where to begin in the topic, or in its only partition that matters, and the ends at this moment.
///
/// # Errors
/// [`TopicError`] for a partition or an offset that is not there; no partition has a leader that answers.
pub(super) async fn find(
    cluster: &mut Cluster,
    mut topic: TopicState,
    only: Option<i32>,
    place: Place,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Begin> {
    if let Some(partition) = only {
        let count = topic.partitions.len();
        topic.partitions.retain(|of| of.partition == partition);
        if topic.partitions.is_empty() {
            return Err(TopicError::NoPartition { topic: topic.name, partition, count }.into());
        }
    }
    let troubles = topics::measure(cluster, std::slice::from_mut(&mut topic)).await;
    let stretches = whole(&topic);
    if stretches.is_empty() && !topic.partitions.is_empty() {
        let what = format!("to read the topic '{}'", topic.name);
        let leaderless = KafkaError::refused(what, ResponseError::LeaderNotAvailable);
        return Err(troubles.into_iter().next().unwrap_or(leaderless).into());
    }
    let notes = notes(&topic, &troubles);
    let begin = Begin { stretches, skip: 0, notes };
    match place {
        Place::Last(count) => {
            let Tail { stretches, skip } = history::tail(cluster, &topic.name, &begin.stretches, count, wanted).await?;
            Ok(Begin { stretches, skip, ..begin })
        }
        Place::From(place) => {
            topic.partitions.retain(|partition| partition.range.is_some());
            let starts = offsets::find(cluster, &topic.name, &topic.leaders(), place).await?;
            Ok(Begin { stretches: from(&begin.stretches, &starts.into_iter().collect::<Vec<_>>()), ..begin })
        }
        Place::Offset(offset) => {
            let stretches = begin.stretches.iter().map(|whole| at(*whole, offset)).collect::<Result<_, _>>()?;
            Ok(Begin { stretches, ..begin })
        }
    }
}

/// Everything that is in the partitions whose leaders answer.
fn whole(topic: &TopicState) -> Vec<Stretch> {
    let known = topic.partitions.iter().filter_map(|partition| Some((partition.partition, partition.range?)));
    known.map(|(partition, range)| Stretch { partition, start: range.first, end: range.end }).collect()
}

fn notes(topic: &TopicState, troubles: &[KafkaError]) -> Vec<String> {
    let silent = topic.partitions.iter().filter(|partition| partition.range.is_none());
    let left_out =
        silent.map(|partition| format!("partition {} cannot be read now and is left out", partition.partition));
    troubles.iter().map(ToString::to_string).chain(left_out).collect()
}

/// The stretches from these `starts` on, none of them beyond its end.
fn from(whole: &[Stretch], starts: &[(i32, i64)]) -> Vec<Stretch> {
    let start_of = |stretch: &Stretch| starts.iter().find(|(of, _)| *of == stretch.partition).map(|(_, start)| *start);
    let cut = |stretch: &Stretch| {
        let start = start_of(stretch).unwrap_or(stretch.start).max(stretch.start).min(stretch.end);
        Stretch { start, ..*stretch }
    };
    whole.iter().map(cut).collect()
}

fn at(whole: Stretch, offset: i64) -> Result<Stretch, TopicError> {
    let Stretch { partition, start: first, end } = whole;
    if (first..=end).contains(&offset) {
        return Ok(Stretch { start: offset, ..whole });
    }
    Err(TopicError::NoOffset { partition, offset, first, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Stretch = Stretch { partition: 2, start: 5, end: 9 };

    #[test]
    fn a_start_lies_within_its_partition() {
        let start = |found| from(&[WHOLE], &[(1, 0), (2, found)])[0].start;
        assert_eq!([start(0), start(7), start(9), start(12)], [5, 7, 9, 9]);
        assert_eq!(from(&[WHOLE], &[]), [WHOLE]);
    }

    #[test]
    fn an_offset_outside_of_the_partition_is_refused_with_its_range() {
        assert_eq!(at(WHOLE, 5).unwrap(), WHOLE);
        assert_eq!(at(WHOLE, 9).unwrap().start, 9, "what comes next may be waited for");
        for offset in [4, 10] {
            let told = at(WHOLE, offset).unwrap_err().to_string();
            assert!(told.contains("begins at 5 and ends before 9"), "{told}");
        }
    }
}
