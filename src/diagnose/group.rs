//! The group: whether somebody reads, from where, and gets on.

use std::collections::BTreeMap;

use super::{Finding, Problem, command, partitions, waiting};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::lag::PartitionLag;
use crate::output::counted;
use crate::settings::Settings;

/// Why it matters that messages wait for nobody.
const UNREAD: &str = "their alarms are not raised";

/// A message that has waited for so long should have been read, by a member that commits as rarely as any does.
const MAX_WAIT_SECONDS: f64 = 30.0;

/// What a group is called that is sharing out its partitions.
const REBALANCING: [&str; 4] = ["PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"];

/// What the coordinator says of the group; `None` where there is no such group.
pub(crate) async fn describe(cluster: &mut Cluster, settings: &Settings) -> Result<Option<Description>, KafkaError> {
    match admin::described(cluster, &settings.group).await {
        Ok(described) => Ok(Some(described)),
        Err(KafkaError::NoGroup { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Messages that wait while nobody reads.
pub(crate) fn unread(settings: &Settings, lag: i64, is_read: bool) -> Option<Problem> {
    let what = || format!("nobody reads: {} for the group {}", waiting(lag), settings.group);
    (lag > 0 && !is_read).then(|| Problem::new(what(), command(settings, "consume")))
}

/// Offsets that were committed in an earlier topic of the same name.
pub(crate) fn earlier(settings: &Settings, lags: &[PartitionLag]) -> Option<Problem> {
    let of: Vec<i32> = lags.iter().filter(|lag| lag.earlier.is_some()).map(|lag| lag.partition).collect();
    if of.is_empty() {
        return None;
    }
    let Settings { group, .. } = settings;
    let what = format!("what {group} has committed in {} belongs to an earlier topic of this name", partitions(&of));
    let (consume, seek) = (command(settings, "consume"), command(settings, "group seek --to earliest"));
    Some(Problem::new(
        what,
        format!("{consume} begins at the start of this one; before other programs read it: {seek}"),
    ))
}

/// A group that is not there; `is_empty` tells whether the topic has no messages.
pub(crate) fn missing(settings: &Settings, is_empty: bool) -> Finding {
    let name = &settings.group;
    if is_empty {
        return Finding::ok(format!("{name} is not there yet: the first `vitals consume` makes it"));
    }
    Finding::fail(format!("{name} is not there yet, and messages wait"), command(settings, "consume"), UNREAD)
}

/// The group at one moment.
pub(crate) struct GroupState {
    pub(crate) described: Description,
    pub(crate) lags: Vec<PartitionLag>,
}

impl GroupState {
    /// Whether a second look is worth its time.
    pub(crate) fn worries(&self) -> bool {
        self.is_rebalancing() || self.overdue().next().is_some()
    }

    fn is_rebalancing(&self) -> bool {
        REBALANCING.contains(&self.described.state.as_str())
    }

    /// Partitions with a member, in which a message has waited for too long.
    fn overdue(&self) -> impl Iterator<Item = &PartitionLag> {
        let is_overdue = |lag: &&PartitionLag| lag.lag_seconds.is_some_and(|seconds| seconds > MAX_WAIT_SECONDS);
        self.lags.iter().filter(|lag| lag.member.is_some()).filter(is_overdue)
    }

    fn total(&self) -> i64 {
        self.lags.iter().map(|lag| lag.lag).sum()
    }
}

/// Whether somebody reads, and gets on between two looks.
pub(crate) fn judge(settings: &Settings, first: &GroupState, second: &GroupState) -> Finding {
    let name = &settings.group;
    if first.is_rebalancing() && second.is_rebalancing() {
        let what = format!("{name} is sharing out its partitions, and does not come to an end");
        let fix = "end members that do not answer; `vitals group describe` names them";
        return Finding::fail(what, fix, "nobody reads meanwhile");
    }
    if let Some(problem) = earlier(settings, &second.lags) {
        return Finding::Fail(problem, "who believes these offsets passes over messages");
    }
    if let Some(problem) = unread(settings, second.total(), second.described.is_active()) {
        return Finding::Fail(problem, UNREAD);
    }
    let stuck = stuck(first, second);
    if !stuck.is_empty() {
        let what = format!("{name} does not get on in {}", partitions(&stuck));
        let fix = "look at what those members say (`vitals lag` names them), and restart them";
        return Finding::fail(what, fix, "the alarms of these patients are late");
    }
    judge_members(settings, second)
}

/// Partitions in which messages waited for too long at both looks, and nothing was committed in between.
fn stuck(first: &GroupState, second: &GroupState) -> Vec<i32> {
    let before: BTreeMap<i32, Option<i64>> = first.overdue().map(|lag| (lag.partition, lag.stored)).collect();
    let unmoved = second.overdue().filter(|lag| before.get(&lag.partition) == Some(&lag.stored));
    unmoved.map(|lag| lag.partition).collect()
}

fn judge_members(settings: &Settings, state: &GroupState) -> Finding {
    let (name, members) = (&settings.group, state.described.members.len());
    let unread: Vec<i32> = state.lags.iter().filter(|lag| lag.member.is_none()).map(|lag| lag.partition).collect();
    if members > 0 && !state.is_rebalancing() && !unread.is_empty() {
        let what = format!("no member of {name} reads {}", partitions(&unread));
        let fix = "look whether all members read this topic: `vitals group describe`";
        return Finding::fail(what, fix, "the alarms of these patients are not raised");
    }
    let busy = state.described.members.iter().filter(|member| member.assignment.contains_key(&settings.topic)).count();
    if !state.is_rebalancing() && busy < members && busy == state.lags.len() {
        let what = format!("{} without anything to read", counted(members - busy, "member"));
        let fix = "end them, or use a topic with more partitions";
        return Finding::warn(what, fix, "they only stand by for the others");
    }
    Finding::ok(format!("{name} is {}, {}, lag {}", state.described.state, counted(members, "member"), state.total()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::group::admin::{Kind, Member};
    use crate::kafka::lag;
    use crate::settings::{Environment, Flags, resolve};

    fn settings() -> Settings {
        resolve(&Flags::default(), &Environment::default()).unwrap()
    }

    /// Partition 0 of 100 messages.
    fn partition(committed: i64, lag_seconds: Option<f64>, is_read: bool) -> PartitionLag {
        let member = is_read.then(|| lag::Member { id: "bed-1".into(), host: "h".into() });
        PartitionLag {
            partition: 0,
            committed: Some(committed),
            stored: Some(committed),
            earlier: None,
            end: 100,
            lag: 100 - committed,
            lag_seconds,
            member,
        }
    }

    /// A group whose members have these shares of the topic's one partition.
    fn group(state: &str, shares: &[&[i32]], lag: PartitionLag) -> GroupState {
        let member = |share: &&[i32]| Member {
            member_id: "m".into(),
            instance_id: None,
            client_id: "c".into(),
            host: "h".into(),
            topics: vec!["patient.vitals".into()],
            assignment: [("patient.vitals".to_owned(), share.to_vec())]
                .into_iter()
                .filter(|(_, partitions)| !partitions.is_empty())
                .collect(),
        };
        let members = shares.iter().map(member).collect();
        let described = Description { kind: Kind::Classic, state: state.into(), protocol: "range".into(), members };
        GroupState { described, lags: vec![lag] }
    }

    fn stable(committed: i64, waited: f64) -> GroupState {
        group("Stable", &[&[0]], partition(committed, Some(waited), true))
    }

    fn told(finding: Finding) -> String {
        match finding {
            Finding::Ok(found) => format!("ok: {found}"),
            Finding::Warn(problem, _) => format!("warn: {}", problem.what),
            Finding::Fail(problem, _) => format!("FAIL: {}", problem.what),
            Finding::Skipped(reason) => reason,
        }
    }

    #[test]
    fn a_group_that_moves_between_two_looks_is_well_and_one_that_does_not_is_stuck() {
        assert!(stable(10, 40.0).worries() && !stable(10, 1.0).worries());
        let moved = judge(&settings(), &stable(10, 40.0), &stable(20, 39.0));
        assert_eq!(told(moved), "ok: vitals-monitor-consumer-v7 is Stable, 1 member, lag 80");
        let stuck = judge(&settings(), &stable(10, 40.0), &stable(10, 42.0));
        assert_eq!(told(stuck), "FAIL: vitals-monitor-consumer-v7 does not get on in partition 0");
    }

    #[test]
    fn a_group_that_is_not_there_is_missed_only_where_messages_wait() {
        assert!(matches!(missing(&settings(), true), Finding::Ok(_)));
        assert!(matches!(missing(&settings(), false), Finding::Fail(..)));
    }

    #[test]
    fn what_keeps_alarms_from_being_raised_is_told() {
        let earlier = PartitionLag { committed: None, stored: None, earlier: Some(50), ..partition(0, None, true) };
        for (state, worries, expected) in [
            (
                group("PreparingRebalance", &[&[]], partition(100, None, false)),
                true,
                "FAIL: vitals-monitor-consumer-v7 is sharing out",
            ),
            (group("Empty", &[], partition(60, Some(99.0), false)), false, "FAIL: nobody reads: 40 messages wait"),
            (group("Empty", &[], partition(100, None, false)), false, "ok: "),
            (
                group("Stable", &[&[0]], earlier),
                false,
                "FAIL: what vitals-monitor-consumer-v7 has committed in partition 0 belongs to an earlier topic of this \
                 name",
            ),
            (
                group("Stable", &[&[0], &[]], partition(100, None, true)),
                false,
                "warn: 1 member without anything to read",
            ),
            (group("Stable", &[&[]], partition(100, None, false)), false, "FAIL: no member of"),
        ] {
            assert_eq!(state.worries(), worries, "{expected}");
            let told = told(judge(&settings(), &state, &state));
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
