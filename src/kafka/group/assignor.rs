//! The `range` assignor: for each topic the members, in order, get consecutive partitions.
//!
//! The result has to be the one that the Java client's `RangeAssignor` gives, since any member may lead.

use std::collections::BTreeMap;

/// A member, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    /// The topics that it wants.
    pub(super) topics: Vec<String>,
}

/// A member's partitions by topic.
pub type Assignment = BTreeMap<String, Vec<i32>>;

/// How many partitions topics have; none those that are not there.
pub(super) type Counts = BTreeMap<String, usize>;

/// Whether there is something to share out that was not there at the last time: a topic that has other partitions than
/// `before`, or came into being. One that is gone may be about to be made anew: its members wait.
pub(super) fn is_to_be_shared_anew(before: &Counts, now: &Counts) -> bool {
    now.iter().any(|(topic, count)| *count > 0 && before.get(topic) != Some(count))
}

/// Shares out the partitions `0..counts[topic]` of each topic among its subscribers.
///
/// Members are ordered by instance id where they have one, static ones first, then by member id. Every subscriber is in
/// the result, with or without partitions.
pub(super) fn range(subscribers: &[Subscriber], counts: &Counts) -> BTreeMap<String, Assignment> {
    let mut ordered: Vec<&Subscriber> = subscribers.iter().collect();
    ordered.sort_by(|one, other| place(one).cmp(&place(other)));
    let mut assignments: BTreeMap<String, Assignment> =
        ordered.iter().map(|member| (member.member_id.clone(), Assignment::new())).collect();
    for (topic, count) in counts {
        let takers: Vec<_> = ordered.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut next = 0..*count;
        for (index, member) in takers.iter().enumerate() {
            let more = usize::from(index < count % takers.len());
            let share = next.by_ref().take(count / takers.len() + more);
            let share: Vec<i32> = share.filter_map(|partition| i32::try_from(partition).ok()).collect();
            if let Some(assignment) = assignments.get_mut(&member.member_id).filter(|_| !share.is_empty()) {
                assignment.insert(topic.clone(), share);
            }
        }
    }
    assignments
}

fn place(member: &Subscriber) -> (bool, &str) {
    match &member.instance_id {
        Some(instance_id) => (false, instance_id),
        None => (true, &member.member_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(member_id: &str, instance_id: Option<&str>, topics: &[&str]) -> Subscriber {
        Subscriber {
            member_id: member_id.into(),
            instance_id: instance_id.map(Into::into),
            topics: topics.iter().map(ToString::to_string).collect(),
        }
    }

    fn counts(topics: &[(&str, usize)]) -> Counts {
        topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    /// Each member's id, with what it gets.
    fn shares(members: &[Subscriber], topics: &[(&str, usize)]) -> String {
        let assignments = range(members, &counts(topics));
        let shares: Vec<_> = assignments.iter().map(|(member, share)| format!("{member} {share:?}")).collect();
        shares.join(", ")
    }

    #[test]
    fn members_share_partitions_evenly_and_the_first_get_the_remainder() {
        let members = ["c", "a", "b"].map(|id| subscriber(id, None, &["t", "u"]));
        assert_eq!(shares(&members, &[("t", 6)]), r#"a {"t": [0, 1]}, b {"t": [2, 3]}, c {"t": [4, 5]}"#);
        assert_eq!(
            shares(&members, &[("t", 4), ("u", 2)]),
            r#"a {"t": [0, 1], "u": [0]}, b {"t": [2], "u": [1]}, c {"t": [3]}"#
        );
    }

    #[test]
    fn static_members_come_first_in_the_order_of_their_instance_ids() {
        let members =
            [subscriber("a", None, &["t"]), subscriber("z", Some("1"), &["t"]), subscriber("b", Some("2"), &["t"])];
        assert_eq!(shares(&members, &[("t", 3)]), r#"a {"t": [2]}, b {"t": [1]}, z {"t": [0]}"#);
    }

    #[test]
    fn a_topic_goes_only_to_those_who_want_it() {
        let members = [subscriber("a", None, &["t"]), subscriber("b", None, &["u"])];
        let topics = [("t", 2), ("u", 1), ("unwanted", 9)];
        assert_eq!(shares(&members, &topics), r#"a {"t": [0, 1]}, b {"u": [0]}"#);
    }

    #[test]
    fn a_topic_that_grows_shrinks_or_appears_is_shared_out_anew_and_one_that_is_gone_is_waited_for() {
        let before = counts(&[("ours", 2), ("theirs", 3), ("awaited", 0)]);
        let is_anew = |ours, theirs, awaited| {
            is_to_be_shared_anew(&before, &counts(&[("ours", ours), ("theirs", theirs), ("awaited", awaited)]))
        };
        assert!(!is_anew(2, 3, 0) && !is_anew(0, 3, 0) && !is_anew(2, 0, 0));
        assert!(is_anew(4, 3, 0) && is_anew(2, 4, 0) && is_anew(2, 1, 0) && is_anew(2, 3, 1));
    }
}
