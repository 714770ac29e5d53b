//! The group: whether somebody reads, and gets on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::check::Sheet;
use crate::diagnose::group::{self, UNREAD};
use crate::diagnose::{Finding, Problem, command, partitions};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::lag::{self, PartitionLag};
use crate::output::counted;
use crate::settings::Settings;

pub(super) const GROUP: &str = "group";

/// A message that has waited for so long should have been read, by a member that commits as rarely as any does.
const MAX_WAIT_SECONDS: f64 = 30.0;

/// How long to look away before it is asked whether something has moved.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// What a group is called that is sharing out its partitions.
const REBALANCING: [&str; 4] = ["PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"];

/// `is_empty` tells whether the topic has no messages.
pub(super) async fn examine(settings: &Settings, cluster: &mut Cluster, is_empty: bool, sheet: &mut Sheet) {
    match finding(settings, cluster, is_empty).await {
        Ok(finding) => sheet.note(GROUP, finding),
        Err(error) => sheet.fail_of(GROUP, &error, "who reads is not known"),
    }
}

async fn finding(settings: &Settings, cluster: &mut Cluster, is_empty: bool) -> Result<Finding, KafkaError> {
    let Some(first) = look(settings, cluster).await? else { return Ok(missing(settings, is_empty)) };
    if !first.worries() {
        return Ok(judge(settings, &first, &first));
    }
    sleep(SECOND_LOOK).await;
    let second = look(settings, cluster).await?;
    Ok(judge(settings, &first, second.as_ref().unwrap_or(&first)))
}

fn missing(settings: &Settings, is_empty: bool) -> Finding {
    let name = &settings.group;
    if is_empty {
        return Finding::Well(format!("{name} is not there yet: the first `vitals consume` makes it"));
    }
    let wrong = Problem::new(format!("{name} is not there yet, and messages wait"), command(settings, "consume"));
    Finding::Fault(wrong, UNREAD)
}

/// The group at one moment.
struct Look {
    described: Description,
    lags: Vec<PartitionLag>,
}

impl Look {
    /// Whether a second look is worth its time.
    fn worries(&self) -> bool {
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

/// `None` where there is no such group.
async fn look(settings: &Settings, cluster: &mut Cluster) -> Result<Option<Look>, KafkaError> {
    let coordinator = admin::coordinator(cluster, &settings.group).await?;
    let described = match admin::describe(cluster.node(coordinator).await?, &settings.group).await {
        Ok(described) => described,
        Err(KafkaError::NoGroup { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let lags = lag::measure(cluster, &settings.group, &settings.topic).await?;
    Ok(Some(Look { described, lags }))
}

fn judge(settings: &Settings, first: &Look, second: &Look) -> Finding {
    let name = &settings.group;
    let members = second.described.members.len();
    if first.is_rebalancing() && second.is_rebalancing() {
        let what = format!("{name} is sharing out its partitions, and does not come to an end");
        let cure = "end members that do not answer; `vitals group describe` names them";
        return Finding::Fault(Problem::new(what, cure), "nobody reads meanwhile");
    }
    if let Some(wrong) = group::earlier(settings, &second.lags) {
        return Finding::Fault(wrong, "who believes these offsets passes over messages");
    }
    if let Some(wrong) = group::unread(settings, second.total(), second.described.is_active()) {
        return Finding::Fault(wrong, UNREAD);
    }
    let stuck = stuck(first, second);
    if !stuck.is_empty() {
        let what = format!("{name} does not get on in {}", partitions(&stuck));
        let cure = "look at what those members say (`vitals lag` names them), and restart them";
        return Finding::Fault(Problem::new(what, cure), "the alarms of these patients are late");
    }
    judge_members(settings, second, members)
}

/// Partitions in which messages waited for too long at both looks, and nothing was committed in between.
fn stuck(first: &Look, second: &Look) -> Vec<i32> {
    let before: BTreeMap<i32, Option<i64>> = first.overdue().map(|lag| (lag.partition, lag.stored)).collect();
    let unmoved = second.overdue().filter(|lag| before.get(&lag.partition) == Some(&lag.stored));
    unmoved.map(|lag| lag.partition).collect()
}

fn judge_members(settings: &Settings, look: &Look, members: usize) -> Finding {
    let unread: Vec<i32> = look.lags.iter().filter(|lag| lag.member.is_none()).map(|lag| lag.partition).collect();
    let name = &settings.group;
    if members > 0 && !look.is_rebalancing() && !unread.is_empty() {
        let what = format!("no member of {name} reads {}", partitions(&unread));
        let cure = "look whether all members read this topic: `vitals group describe`";
        return Finding::Fault(Problem::new(what, cure), "the alarms of these patients are not raised");
    }
    let busy = look.described.members.iter().filter(|member| member.assignment.contains_key(&settings.topic)).count();
    if !look.is_rebalancing() && busy < members && busy == look.lags.len() {
        let what = format!("{} without anything to read", counted(members - busy, "member"));
        let cure = "end them, or use a topic with more partitions";
        return Finding::Doubt(Problem::new(what, cure), "they only stand by for the others");
    }
    Finding::Well(format!("{name} is {}, {}, lag {}", look.described.state, counted(members, "member"), look.total()))
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

    fn partition(partition: i32, committed: i64, waited: Option<f64>, read: bool) -> PartitionLag {
        let member = read.then(|| lag::Member { id: "bed-1".into(), host: "h".into() });
        PartitionLag {
            partition,
            committed: Some(committed),
            stored: Some(committed),
            earlier: None,
            end: 100,
            lag: 100 - committed,
            lag_seconds: waited,
            member,
        }
    }

    fn look(state: &str, shares: &[&[i32]], lags: Vec<PartitionLag>) -> Look {
        let member = |share: &&[i32]| Member {
            member_id: "m".into(),
            instance_id: None,
            client_id: "c".into(),
            host: "h".into(),
            topics: vec!["patient.vitals".into()],
            assignment: [("patient.vitals".to_owned(), share.to_vec())]
                .into_iter()
                .filter(|(_, p)| !p.is_empty())
                .collect(),
        };
        let members = shares.iter().map(member).collect();
        Look {
            described: Description { kind: Kind::Classic, state: state.into(), protocol: "range".into(), members },
            lags,
        }
    }

    fn told(first: &Look, second: &Look) -> String {
        match judge(&settings(), first, second) {
            Finding::Well(found) => format!("ok: {found}"),
            Finding::Doubt(wrong, _) => format!("warn: {}", wrong.what),
            Finding::Fault(wrong, _) => format!("FAIL: {}", wrong.what),
        }
    }

    #[test]
    fn a_group_that_gets_on_is_well() {
        let first = look("Stable", &[&[0]], vec![partition(0, 10, Some(40.0), true)]);
        let second = look("Stable", &[&[0]], vec![partition(0, 20, Some(39.0), true)]);
        assert!(first.worries());
        assert_eq!(told(&first, &second), "ok: vitals-monitor-consumer-v7 is Stable, 1 member, lag 80");
    }

    #[test]
    fn a_member_that_does_not_move_is_stuck() {
        let first = look("Stable", &[&[0]], vec![partition(0, 10, Some(40.0), true)]);
        let second = look("Stable", &[&[0]], vec![partition(0, 10, Some(42.0), true)]);
        assert_eq!(told(&first, &second), "FAIL: vitals-monitor-consumer-v7 does not get on in partition 0");
    }

    #[test]
    fn a_group_that_is_not_there_is_missed_only_where_messages_wait() {
        assert!(matches!(missing(&settings(), true), Finding::Well(_)));
        assert!(matches!(missing(&settings(), false), Finding::Fault(..)));
    }

    #[test]
    fn a_short_wait_worries_nobody() {
        assert!(!look("Stable", &[&[0]], vec![partition(0, 10, Some(1.0), true)]).worries());
    }

    #[test]
    fn a_rebalance_that_does_not_end_is_told() {
        let one = look("PreparingRebalance", &[&[]], vec![partition(0, 100, None, false)]);
        assert!(one.worries());
        assert!(told(&one, &one).starts_with("FAIL: vitals-monitor-consumer-v7 is sharing out"));
    }

    #[test]
    fn messages_that_wait_for_nobody_are_told() {
        let empty = look("Empty", &[], vec![partition(0, 60, Some(99.0), false)]);
        assert!(!empty.worries());
        assert!(told(&empty, &empty).starts_with("FAIL: nobody reads: 40 messages wait"), "{}", told(&empty, &empty));
        let done = look("Empty", &[], vec![partition(0, 100, None, false)]);
        assert!(told(&done, &done).starts_with("ok: "));
    }

    #[test]
    fn offsets_of_an_earlier_topic_are_told() {
        let mut lag = partition(0, 0, None, true);
        (lag.committed, lag.stored, lag.earlier) = (None, None, Some(50));
        let one = look("Stable", &[&[0]], vec![lag]);
        let expected = "FAIL: what vitals-monitor-consumer-v7 has committed in partition 0 belongs to an earlier topic of this name";
        assert_eq!(told(&one, &one), expected);
    }

    #[test]
    fn members_without_a_partition_and_partitions_without_a_member_are_told() {
        let idle = look("Stable", &[&[0], &[]], vec![partition(0, 100, None, true)]);
        assert_eq!(told(&idle, &idle), "warn: 1 member without anything to read");
        let elsewhere = look("Stable", &[&[]], vec![partition(0, 100, None, false)]);
        assert!(told(&elsewhere, &elsewhere).starts_with("FAIL: no member of"));
    }
}
