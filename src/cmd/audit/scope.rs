//! Which offsets are audited.

use std::collections::HashMap;

use super::Args;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin;
use crate::kafka::history::{self, Stretch};
use crate::kafka::offsets;
use crate::reading::Timestamp;
use crate::settings::Settings;

/// Which offsets are audited, and which are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// What should be stored, or kept as dead letters: not above what the group says that it has stored.
    pub(super) stretches: Vec<Stretch>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// Offsets that were meant, and that the group has not come to yet.
    pub(super) not_yet: u64,
    /// Offsets that were meant, and that the log holds no more.
    pub(super) gone: u64,
}

/// Finds out what is there, and how far the group has come.
pub(super) async fn find(cluster: &mut Cluster, settings: &Settings, args: &Args) -> Result<Scope, KafkaError> {
    let topic = &settings.topic;
    // Before the ends: what is sent meanwhile is not there yet.
    let everything = history::everything(cluster, topic).await?;
    let partitions: Vec<i32> = everything.iter().map(|stretch| stretch.partition).collect();
    if let Some(partition) = args.only_partition().filter(|asked| !partitions.contains(asked)) {
        return Err(KafkaError::NoPartition { topic: topic.clone(), partition, count: partitions.len() });
    }
    let topic_id = cluster.topic_id(topic).await?;
    let coordinator = admin::coordinator(cluster, &settings.group).await?;
    let committed = offsets::committed(cluster.node(coordinator).await?, &settings.group, topic, &partitions).await?;
    let committed = committed.iter().filter(|of| !of.is_of_another(topic_id));
    let stored = committed.map(|of| (of.position.partition, of.position.stored)).collect();
    Ok(cut(&everything, &stored, args))
}

/// What is meant of `everything`, where the group has come up to `stored` by partition.
fn cut(everything: &[Stretch], stored: &HashMap<i32, i64>, args: &Args) -> Scope {
    let mut scope = Scope { stretches: Vec::new(), since: args.since, until: args.until, not_yet: 0, gone: 0 };
    let asked = args.only_partition();
    for whole in everything.iter().filter(|whole| asked.is_none_or(|asked| asked == whole.partition)) {
        let meant = args.offsets.unwrap_or(*whole);
        let end = meant.end.min(whole.end);
        let start = meant.start.max(whole.start).min(end.max(whole.start));
        let reached = stored.get(&whole.partition).copied().unwrap_or(whole.start).clamp(start, end.max(start));
        scope.gone += length(meant.start, whole.start.min(meant.end));
        scope.not_yet += length(reached, end);
        if start < reached {
            scope.stretches.push(Stretch { start, end: reached, ..*whole });
        }
    }
    scope
}

fn length(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

impl Scope {
    pub(super) fn offsets(&self) -> u64 {
        self.stretches.iter().map(|stretch| length(stretch.start, stretch.end)).sum()
    }

    pub(super) fn holds(&self, partition: i32, offset: i64) -> bool {
        self.stretches.iter().any(|stretch| stretch.contains(partition, offset))
    }

    /// Whether only some of the messages in it are meant.
    pub(super) fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether a message of this time is meant. One whose time is not known is.
    pub(super) fn is_meant(&self, time: Option<Timestamp>) -> bool {
        let Some(time) = time else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::FormatArgs;

    const WHOLE: [Stretch; 2] =
        [Stretch { partition: 0, start: 5, end: 20 }, Stretch { partition: 1, start: 0, end: 10 }];

    fn args(offsets: Option<Stretch>, partition: Option<i32>) -> Args {
        Args { since: None, until: None, offsets, partition, format: FormatArgs::default() }
    }

    fn of(partition: i32, start: i64, end: i64) -> Args {
        args(Some(Stretch { partition, start, end }), None)
    }

    #[test]
    fn what_the_log_holds_and_the_group_has_stored_of_what_is_meant_is_audited() {
        for (meant, stored, audited, not_yet, gone) in [
            (args(None, None), vec![(0, 12), (1, 10)], vec![(0, 5, 12), (1, 0, 10)], 8, 0),
            // Of a partition of which nothing is stored, nothing is there yet.
            (args(None, None), vec![(0, 20)], vec![(0, 5, 20)], 10, 0),
            (args(None, Some(0)), vec![(0, 3)], vec![], 15, 0),
            (args(None, Some(1)), vec![(0, 20), (1, 10)], vec![(1, 0, 10)], 0, 0),
            // What is stored beyond the end of the log reaches to its end.
            (args(None, Some(1)), vec![(1, 99)], vec![(1, 0, 10)], 0, 0),
            (of(0, 6, 9), vec![(0, 12)], vec![(0, 6, 9)], 0, 0),
            (of(0, 0, 15), vec![(0, 12)], vec![(0, 5, 12)], 3, 5),
            (of(0, 15, 99), vec![(0, 12)], vec![], 5, 0),
            (of(0, 0, 4), vec![(0, 12)], vec![], 0, 4),
            (of(0, 50, 60), vec![(0, 12)], vec![], 0, 0),
        ] {
            let scope = cut(&WHOLE, &stored.iter().copied().collect(), &meant);
            let stretches: Vec<_> = scope.stretches.iter().map(|of| (of.partition, of.start, of.end)).collect();
            assert_eq!((stretches, scope.not_yet, scope.gone), (audited, not_yet, gone), "{meant:?} {stored:?}");
        }
    }

    #[test]
    fn the_time_of_until_is_not_included() {
        let time = |text| Timestamp::parse(text).ok();
        let (since, until) = (time("2025-10-26T10:00:00Z"), time("2025-10-26T11:00:00Z"));
        let scope = Scope { since, until, ..cut(&WHOLE, &HashMap::new(), &args(None, None)) };
        assert!(scope.is_meant(since) && !scope.is_meant(until));
        assert!(!scope.is_meant(time("2025-10-26T09:59:59Z")) && scope.is_meant(None));
    }
}
