mod offsets;
mod operators;

use futures::FutureExt as _;
use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::time::{advance, sleep, timeout};

use super::*;
use crate::broker::flush::Flush;
use crate::broker::folder::Folder;
use crate::kafka::records;
use crate::record::Record;

const SESSION: Duration = Duration::from_secs(10);
const VERSION: i16 = 9;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text("wards"))
}

/// Groups with a folder of their own, and the topics `vitals` and `other`.
struct Fixture {
    groups: Arc<Groups>,
    folder: tempfile::TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = Groups;

    fn deref(&self) -> &Groups {
        &self.groups
    }
}

fn groups() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let flush = Flush::Every(Duration::from_secs(1));
    let topics = Topics::open(Folder::open(folder.path()).unwrap(), flush).unwrap();
    create(&topics, "vitals");
    create(&topics, "other");
    Fixture { groups: Arc::new(Groups::new(Arc::new(topics))), folder }
}

/// Two partitions, the second of a hundred records.
fn create(topics: &Topics, name: &str) {
    let topic = topics.create(name, 2, BTreeMap::new()).unwrap();
    let record = Record { offset: 0, timestamp_ms: 0, key: None, value: None, headers: Vec::new(), fault: None };
    topic.log(1).unwrap().append(&records::encode(&vec![record; 100], usize::MAX)).unwrap();
}

/// Groups whose timers run.
fn running() -> Fixture {
    let fixture = groups();
    let timers = Arc::clone(&fixture.groups);
    tokio::spawn(async move { timers.run().await });
    fixture
}

/// One consumer, as a client library has it.
#[derive(Debug, Clone, Default)]
struct Consumer {
    member_id: StrBytes,
    instance_id: Option<StrBytes>,
    generation: i32,
    share: Bytes,
}

impl Consumer {
    fn fixed(instance_id: &str) -> Self {
        Self { instance_id: Some(text(instance_id)), ..Self::default() }
    }

    fn request(&self) -> JoinGroupRequest {
        // Version 0 of a subscription to `vitals`.
        let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x06vitals\xff\xff\xff\xff");
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata);
        JoinGroupRequest::default()
            .with_group_id(group())
            .with_session_timeout_ms(i32::try_from(SESSION.as_millis()).unwrap())
            .with_rebalance_timeout_ms(60_000)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone())
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    }

    /// Joins and syncs until it has a share; the leader gives everybody its own number in the group.
    async fn enter(mut self, groups: &Groups) -> Self {
        loop {
            let joined = groups.join(self.request(), Client::default(), VERSION).await;
            self.member_id = joined.member_id.clone();
            self.generation = joined.generation_id;
            if joined.error_code != 0 {
                assert_eq!(joined.error_code.err(), Some(ResponseError::MemberIdRequired));
                continue;
            }
            let share = |(number, member): (usize, &JoinGroupResponseMember)| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(member.member_id.clone())
                    .with_assignment(Bytes::from(number.to_string()))
            };
            let shares = if joined.skip_assignment {
                Vec::new()
            } else {
                joined.members.iter().enumerate().map(share).collect()
            };
            let synced = groups.sync(self.sync_request().with_assignments(shares)).await;
            if synced.error_code == 0 {
                self.share = synced.assignment;
                return self;
            }
            assert_eq!(synced.error_code.err(), Some(ResponseError::RebalanceInProgress));
        }
    }

    fn sync_request(&self) -> SyncGroupRequest {
        SyncGroupRequest::default()
            .with_group_id(group())
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone())
    }

    fn beat(&self, groups: &Groups) -> Option<ResponseError> {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(self.generation)
            .with_member_id(self.member_id.clone())
            .with_group_instance_id(self.instance_id.clone());
        groups.heartbeat(request).error_code.err()
    }

    fn commit(&self, groups: &Groups, topic: &str, metadata: &str) -> Option<ResponseError> {
        let request = commit_request(topic, metadata)
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.member_id.clone());
        committed(groups, request)
    }
}

fn committed(groups: &Groups, request: OffsetCommitRequest) -> Option<ResponseError> {
    let response = groups.commit(request).now_or_never().expect("nothing to wait for");
    response.topics[0].partitions[0].error_code.err()
}

fn commit_request(topic: &str, metadata: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(1)
        .with_committed_offset(42)
        .with_committed_metadata(Some(text(metadata)));
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic])
}

/// A commit of somebody who is no member, such as a console tool.
fn simple_commit(groups: &Groups) -> Option<ResponseError> {
    committed(groups, commit_request("vitals", "").with_generation_id_or_member_epoch(-1))
}

async fn all_in(groups: &Groups, consumers: &[Consumer]) -> Vec<Consumer> {
    futures::future::join_all(consumers.iter().map(|consumer| consumer.clone().enter(groups))).await
}

fn shares(consumers: &[Consumer]) -> Vec<Bytes> {
    let mut shares: Vec<_> = consumers.iter().map(|consumer| consumer.share.clone()).collect();
    shares.sort();
    shares
}

#[tokio::test(start_paused = true)]
async fn three_members_share_and_when_one_leaves_the_others_do() {
    let groups = running();
    let members = all_in(&groups, &vec![Consumer::default(); 3]).await;
    assert_eq!(shares(&members), ["0", "1", "2"]);
    assert!(members.iter().all(|member| member.generation == members[0].generation));
    let identity = MemberIdentity::default().with_member_id(members[0].member_id.clone());
    let left = groups.leave(LeaveGroupRequest::default().with_group_id(group()).with_members(vec![identity]), 5);
    assert_eq!(left.members[0].error_code, 0);
    assert_eq!(members[1].beat(&groups), Some(ResponseError::RebalanceInProgress));
    assert_eq!(shares(&all_in(&groups, &members[1..]).await), ["0", "1"]);
    assert_eq!(members[0].beat(&groups), Some(ResponseError::UnknownMemberId));
}

#[tokio::test(start_paused = true)]
async fn when_one_falls_silent_the_others_share_after_its_session() {
    let groups = running();
    let members = all_in(&groups, &vec![Consumer::default(); 3]).await;
    sleep(SESSION / 2).await;
    assert_eq!((members[1].beat(&groups), members[2].beat(&groups)), (None, None));
    sleep(SESSION / 2).await;
    // The timers' own turn, at the same moment.
    sleep(Duration::from_millis(1)).await;
    assert_eq!(members[1].beat(&groups), Some(ResponseError::RebalanceInProgress));
    assert_eq!(shares(&all_in(&groups, &members[1..]).await), ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_static_member_that_restarts_gets_its_share_back_at_once() {
    let groups = running();
    let members = all_in(&groups, &[Consumer::fixed("east"), Consumer::fixed("west")]).await;
    let before = Instant::now();
    let restarted = Consumer::fixed("east").enter(&groups).await;
    assert_eq!((restarted.share.clone(), restarted.generation), (members[0].share.clone(), members[0].generation));
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(members[0].beat(&groups), Some(ResponseError::FencedInstanceId));
    assert_eq!(members[1].beat(&groups), None);
}

#[tokio::test(start_paused = true)]
async fn two_that_join_a_running_group_at_once_are_both_taken_in() {
    let groups = running();
    let first = Consumer::default().enter(&groups).await;
    let rejoin = async {
        while first.beat(&groups).is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        first.clone().enter(&groups).await
    };
    let racing = (Consumer::default().enter(&groups), Consumer::default().enter(&groups));
    let members: [Consumer; 3] = tokio::join!(racing.0, racing.1, rejoin).into();
    let newest = members.iter().map(|member| member.generation).max();
    let settled: Vec<_> = members.into_iter().filter(|member| Some(member.generation) == newest).collect();
    assert_eq!(shares(&settled), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_before_it_shares_out_is_replaced() {
    let groups = running();
    let request = Consumer::default().request();
    let leader = groups.join(request.clone(), Client::default(), 3);
    let (leader, follower) = tokio::join!(leader, groups.join(request, Client::default(), 3));
    assert_eq!(follower.leader, leader.member_id);
    let follower =
        Consumer { member_id: follower.member_id, generation: follower.generation_id, ..Consumer::default() };
    let synced = timeout(SESSION * 2, groups.sync(follower.sync_request())).await.unwrap();
    assert_eq!(synced.error_code.err(), Some(ResponseError::RebalanceInProgress));
    assert_eq!(follower.enter(&groups).await.share, "0");
}

#[tokio::test(start_paused = true)]
async fn a_join_whose_connection_is_gone_blocks_nobody_beyond_its_session() {
    let groups = running();
    let first = Consumer::default().enter(&groups).await;
    let gone = groups.join(Consumer::default().request(), Client::default(), 3);
    assert!(timeout(Duration::from_secs(1), gone).await.is_err());
    let first = timeout(SESSION + Duration::from_secs(1), first.enter(&groups)).await.unwrap();
    assert_eq!((first.share, first.generation), (Bytes::from("0"), 2));
}

#[tokio::test(start_paused = true)]
async fn a_session_outside_the_limits_is_refused() {
    let groups = groups();
    for millis in [-1, 0, 999, 1_800_001] {
        let request = Consumer::default().request().with_session_timeout_ms(millis);
        let refused = groups.join(request, Client::default(), 6).await;
        assert_eq!(refused.error_code.err(), Some(ResponseError::InvalidSessionTimeout), "{millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_version_of_a_refused_join_can_be_written() {
    let groups = groups();
    for version in 0..=VERSION {
        let refused = groups.join(JoinGroupRequest::default(), Client::default(), version).await;
        assert_eq!(refused.error_code.err(), Some(ResponseError::InvalidGroupId));
        let mut bytes = bytes::BytesMut::new();
        refused.encode(&mut bytes, version).unwrap();
        JoinGroupResponse::decode(&mut bytes, version).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_groups_is_limited_to_those_in_use() {
    let groups = groups();
    let join = |number: usize| Consumer::default().request().with_group_id(GroupId(text(&number.to_string())));
    for number in 0..GROUPS_LIMIT {
        let _ = groups.join(join(number), Client::default(), VERSION).await;
    }
    let refused = groups.join(join(GROUPS_LIMIT), Client::default(), VERSION).await;
    assert_eq!(refused.error_code.err(), Some(ResponseError::GroupMaxSizeReached));
    // Nobody used the ids that were given out.
    advance(SESSION).await;
    groups.expire();
    let admitted = groups.join(join(GROUPS_LIMIT), Client::default(), VERSION).await;
    assert_eq!(admitted.error_code.err(), Some(ResponseError::MemberIdRequired));
}
