//! What operators ask: listing, describing and deleting groups.

use super::*;

fn state_of(groups: &Groups, version: i16) -> (String, Option<ResponseError>) {
    let described = groups.describe(DescribeGroupsRequest::default().with_groups(vec![group()]), version);
    described.encode(&mut bytes::BytesMut::new(), version).unwrap();
    (described.groups[0].group_state.to_string(), described.groups[0].error_code.err())
}

#[test]
fn a_group_that_does_not_exist_is_dead_and_later_not_found() {
    assert_eq!(state_of(&groups(), 5), ("Dead".to_owned(), None));
    assert_eq!(state_of(&groups(), 6), ("Dead".to_owned(), Some(ResponseError::GroupIdNotFound)));
}

#[tokio::test(start_paused = true)]
async fn a_group_is_described_with_its_members_and_their_shares() {
    let groups = running();
    let member = Consumer::fixed("east").enter(&groups).await;
    let described = groups.describe(DescribeGroupsRequest::default().with_groups(vec![group()]), 5);
    let described = &described.groups[0];
    assert_eq!((described.group_state.as_str(), described.protocol_data.as_str()), ("Stable", "range"));
    assert_eq!(described.members[0].member_id, member.member_id);
    assert_eq!(described.members[0].group_instance_id.as_deref(), Some("east"));
    assert_eq!(described.members[0].member_assignment, "0");
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed_by_state_and_type() {
    let groups = running();
    Consumer::default().enter(&groups).await;
    let count = |states: &[&'static str], types: &[&'static str]| {
        let texts =
            |texts: &[&'static str]| texts.iter().map(|text| StrBytes::from_static_str(text)).collect::<Vec<_>>();
        let request = ListGroupsRequest::default().with_states_filter(texts(states)).with_types_filter(texts(types));
        groups.list(&request).groups.len()
    };
    assert_eq!((count(&[], &[]), count(&["stable"], &["Classic"])), (1, 1));
    assert_eq!((count(&["Empty"], &[]), count(&[], &["consumer"])), (0, 0));
}

fn delete(groups: &Groups) -> Option<ResponseError> {
    groups.delete(DeleteGroupsRequest::default().with_groups_names(vec![group()])).results[0].error_code.err()
}

#[tokio::test(start_paused = true)]
async fn only_a_group_without_members_is_deleted_and_its_offsets_with_it() {
    let groups = running();
    assert_eq!(delete(&groups), Some(ResponseError::GroupIdNotFound));
    let member = Consumer::default().enter(&groups).await;
    member.commit(&groups, "vitals", "");
    assert_eq!(delete(&groups), Some(ResponseError::NonEmptyGroup));
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(member.member_id);
    assert_eq!(groups.leave(leave, 2).error_code, 0);
    assert_eq!(delete(&groups), None);
    assert_eq!(state_of(&groups, 5).0, "Dead");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_only_has_offsets_is_empty() {
    let groups = groups();
    assert_eq!(simple_commit(&groups), None);
    let restarted = Groups::new(Arc::clone(&groups.topics));
    assert_eq!(state_of(&restarted, 6), ("Empty".to_owned(), None));
    assert_eq!(restarted.list(&ListGroupsRequest::default()).groups[0].group_state.as_str(), "Empty");
    assert_eq!(delete(&restarted), None);
}
