//! Committed offsets, as the coordinator keeps and gives them.

use super::*;

fn fetch_all(groups: &Groups) -> OffsetFetchResponseGroup {
    let request = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
    groups.fetch_offsets(OffsetFetchRequest::default().with_groups(vec![request]), 8).groups.remove(0)
}

#[tokio::test(start_paused = true)]
async fn what_a_member_commits_is_given_back_with_its_text() {
    let groups = running();
    let member = Consumer::default().enter(&groups).await;
    assert_eq!(member.commit(&groups, "vitals", "note"), None);
    let fetched = fetch_all(&groups);
    let partition = &fetched.topics[0].partitions[0];
    assert_eq!((partition.partition_index, partition.committed_offset), (1, 42));
    assert_eq!(partition.metadata.as_deref(), Some("note"));
}

#[tokio::test(start_paused = true)]
async fn a_commit_says_what_is_wrong_with_a_partition() {
    let groups = running();
    let member = Consumer::default().enter(&groups).await;
    assert_eq!(member.commit(&groups, "missing", ""), Some(ResponseError::UnknownTopicOrPartition));
    let longest = "x".repeat(OFFSET_METADATA_LIMIT_BYTES);
    assert_eq!(member.commit(&groups, "vitals", &longest), None);
    let too_long = longest + "x";
    assert_eq!(member.commit(&groups, "vitals", &too_long), Some(ResponseError::OffsetMetadataTooLarge));
}

#[test]
fn a_commit_that_cannot_be_kept_is_not_acknowledged() {
    let groups = groups();
    let offsets = groups.folder.path().join("offsets");
    // Open for reading alone, so that nothing can be written.
    groups.topics.offsets().file = Arc::new(std::fs::File::open(offsets).unwrap());
    assert_eq!(simple_commit(&groups), Some(ResponseError::CoordinatorNotAvailable));
    assert!(fetch_all(&groups).topics.is_empty());
}

#[test]
fn a_member_of_an_earlier_run_of_the_broker_cannot_commit() {
    let member = Consumer { member_id: text("old"), generation: 5, ..Consumer::default() };
    assert_eq!(member.commit(&groups(), "vitals", ""), Some(ResponseError::IllegalGeneration));
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_commits_only_while_nobody_is_one() {
    let groups = running();
    assert_eq!(simple_commit(&groups), None);
    Consumer::default().enter(&groups).await;
    assert_eq!(simple_commit(&groups), Some(ResponseError::UnknownMemberId));
}

#[test]
fn a_partition_without_a_commit_has_no_offset_in_any_version() {
    let groups = groups();
    let name = TopicName(text("vitals"));
    let topic = OffsetFetchRequestTopic::default().with_name(name.clone()).with_partition_indexes(vec![0]);
    let one = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    let fetched = groups.fetch_offsets(one, 7);
    let partition = &fetched.topics[0].partitions[0];
    assert_eq!((partition.committed_offset, partition.error_code), (-1, 0));
    fetched.encode(&mut bytes::BytesMut::new(), 1).unwrap();
    let topic = OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(vec![0]);
    let of_group = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic]));
    let fetched = groups.fetch_offsets(OffsetFetchRequest::default().with_groups(vec![of_group]), 8);
    assert_eq!(fetched.groups[0].topics[0].partitions[0].committed_offset, -1);
    fetched.encode(&mut bytes::BytesMut::new(), 9).unwrap();
}

fn delete_offset(groups: &Groups, topic: &str) -> (i16, Option<i16>) {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let topic = OffsetDeleteRequestTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    let answer = groups.delete_offsets(OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic]));
    (answer.error_code, answer.topics.first().map(|topic| topic.partitions[0].error_code))
}

#[tokio::test(start_paused = true)]
async fn offsets_are_deleted_unless_a_member_reads_the_topic() {
    let groups = running();
    assert_eq!(delete_offset(&groups, "vitals"), (ResponseError::GroupIdNotFound.code(), None));
    let member = Consumer::default().enter(&groups).await;
    member.commit(&groups, "vitals", "");
    member.commit(&groups, "other", "");
    assert_eq!(delete_offset(&groups, "vitals"), (0, Some(ResponseError::GroupSubscribedToTopic.code())));
    assert_eq!(delete_offset(&groups, "missing"), (0, Some(ResponseError::UnknownTopicOrPartition.code())));
    assert_eq!(delete_offset(&groups, "other"), (0, Some(0)));
    assert_eq!(fetch_all(&groups).topics.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_assignment_is_older_than_the_topic_joins_anew_and_then_commits() {
    let groups = running();
    let member = Consumer::default().enter(&groups).await;
    assert_eq!(member.commit(&groups, "vitals", ""), None);
    sleep(Duration::from_secs(1)).await;
    groups.topics.delete("vitals").unwrap();
    create(&groups.topics, "vitals");
    assert_eq!(member.commit(&groups, "vitals", ""), Some(ResponseError::RebalanceInProgress));
    assert_eq!(member.beat(&groups), Some(ResponseError::RebalanceInProgress));
    let member = member.enter(&groups).await;
    assert_eq!(member.commit(&groups, "vitals", ""), None);
}
