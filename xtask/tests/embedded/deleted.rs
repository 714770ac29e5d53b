//! What belongs to a topic goes with it: a topic that is made again under its name is read from its first record.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FetchRequest, HeartbeatRequest, JoinGroupRequest, ListGroupsRequest, ListOffsetsRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;
use vitals::broker::Broker;
use vitals::broker::notice::Notice;
use vitals::kafka::offsets::{self, Committer};
use vitals::ledger::Position;

use super::home::{GROUP, Home, TOPIC};
use super::records;
#[cfg(target_os = "linux")]
use super::traced::Traced;
use super::wire::{Wire, group, name, text};
use crate::own_broker::{started, started_anew};
use crate::program::Program as _;

/// How long what does not wait may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A broker on a folder of its own, with so many records in its only topic, and a connection.
async fn ward(partitions: i32, records: usize) -> (TempDir, Broker, Wire) {
    let (broker, folder) = started_anew().await;
    let mut wire = Wire::connect(broker.address()).await;
    wire.create("ward", partitions).await;
    assert_eq!(wire.produce("ward", records).await, 0);
    (folder, broker, wire)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_broker_that_is_killed_at_any_moment_of_a_deletion_leaves_the_topic_or_nothing_of_it() {
    for moment in 1.. {
        let (folder, broker, mut wire) = ward(1, 30).await;
        assert_eq!(wire.commit("ward", 30).await, 0);
        broker.stop().await;
        let calls = "unlink,unlinkat,rmdir";
        let kill = format!("inject={calls}:signal=KILL:when={moment}");
        let traced = Traced::start(folder.path(), &["-e", &format!("trace={calls}"), "-e", &kill], &[]);
        let address = traced.address().to_owned();
        let deleting = async move { Wire::connect(address).await.delete("ward").await };
        let survived = timeout(LIMIT, tokio::spawn(deleting)).await.expect("in time").is_ok();
        drop(traced);
        let broker = started(folder.path()).await;
        let mut wire = Wire::connect(broker.address()).await;
        let is_there = wire.exists("ward").await;
        if is_there {
            assert_eq!(wire.committed("ward").await, 30, "killed at {moment}");
            wire.delete("ward").await;
        }
        let left = std::fs::read_dir(folder.path().join("topics")).unwrap().count();
        assert_eq!(left, 0, "killed at {moment}");
        wire.create("ward", 1).await;
        assert_eq!((wire.committed("ward").await, end_of(&mut wire, "ward").await), (-1, 0), "killed at {moment}");
        broker.stop().await;
        if survived {
            assert!(moment > 3 && !is_there, "its description, its records, its folders: {moment}");
            break;
        }
    }
}

async fn end_of(wire: &mut Wire, topic: &str) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let told = wire.ask(&ListOffsetsRequest::default().with_topics(vec![topic]), 7).await;
    let found = &told.topics[0].partitions[0];
    assert_eq!(found.error_code, 0);
    found.offset
}

#[tokio::test]
async fn offsets_that_an_older_version_has_left_pass_nothing_over_and_are_told() {
    let (folder, broker, _) = ward(1, 80).await;
    broker.stop().await;
    let entry = |topic: &str| {
        let json = format!(
            r#"{{"group":"wards","topic":"{topic}","partition":0,"offset":30,"metadata":"stored=40","leader_epoch":-1}}"#
        );
        format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes()))
    };
    std::fs::write(folder.path().join("offsets"), entry("ward") + &entry("gone")).unwrap();
    let mut broker = started(folder.path()).await;
    assert_eq!(timeout(LIMIT, broker.notice()).await.unwrap(), Notice::SetBack(1));
    let mut wire = Wire::connect(broker.address()).await;
    assert_eq!(wire.committed("ward").await, 0);
    wire.create("gone", 1).await;
    assert_eq!(wire.committed("gone").await, -1);
    assert_eq!(wire.commit("ward", 50).await, 0);
    broker.stop().await;
    let broker = started(folder.path()).await;
    assert_eq!(Wire::connect(broker.address()).await.committed("ward").await, 50, "told apart from now on");
}

#[tokio::test]
async fn a_fetch_that_waits_for_a_topic_is_answered_when_it_is_deleted() {
    for (version, expected) in [(12, ResponseError::UnknownTopicOrPartition), (13, ResponseError::UnknownTopicId)] {
        let (_folder, broker, mut wire) = ward(1, 10).await;
        let id = wire.find("ward").await.unwrap();
        let mut waiting = Wire::connect(broker.address()).await;
        let fetch = tokio::spawn(async move {
            let topic = FetchTopic::default();
            let topic = if version < 13 { topic.with_topic(name("ward")) } else { topic.with_topic_id(id) };
            let partition = FetchPartition::default().with_fetch_offset(10).with_partition_max_bytes(1_000_000);
            let request = FetchRequest::default().with_max_wait_ms(30_000).with_min_bytes(1).with_max_bytes(1_000_000);
            waiting.ask(&request.with_topics(vec![topic.with_partitions(vec![partition])]), version).await
        });
        // It may come before or behind the deletion; that it waits first is likely, and either way it has to be told.
        tokio::time::sleep(Duration::from_millis(200)).await;
        wire.delete("ward").await;
        wire.create("ward", 1).await;
        wire.produce("ward", 20).await;
        let answer = timeout(LIMIT, fetch).await.expect("not left waiting").unwrap();
        assert_eq!(answer.responses[0].partitions[0].error_code, expected.code(), "version {version}");
    }
}

/// Joins as the only member, and gives its id and generation.
async fn joined(wire: &mut Wire, member: &StrBytes) -> (StrBytes, i32) {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(b"\0\0\0\0\0\x01\0\x04ward\xff\xff\xff\xff".to_vec().into());
    let request = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(member.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let joined = wire.ask(&request, 3).await;
    assert_eq!(joined.error_code, 0);
    let share = SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone());
    let request = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![share]);
    assert_eq!(wire.ask(&request, 3).await.error_code, 0);
    (joined.member_id, joined.generation_id)
}

#[tokio::test]
async fn a_member_that_still_reads_the_old_topic_commits_nothing_for_the_new_one() {
    let (_folder, _broker, mut wire) = ward(2, 50).await;
    let (member, generation) = joined(&mut wire, &StrBytes::new()).await;
    assert_eq!(wire.commit_as("ward", 30, &member, generation).await, 0);
    wire.delete("ward").await;
    let code = wire.commit_as("ward", 30, &member, generation).await;
    assert_eq!(code, ResponseError::UnknownTopicOrPartition.code());
    wire.create("ward", 1).await;
    wire.produce("ward", 80).await;
    let code = wire.commit_as("ward", 40, &member, generation).await;
    assert_eq!((code, wire.committed("ward").await), (ResponseError::RebalanceInProgress.code(), -1));
    let beat = HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation);
    let beat = wire.ask(&beat.with_member_id(member.clone()), 3).await;
    assert_eq!(beat.error_code, ResponseError::RebalanceInProgress.code(), "the group shares anew");
    let (member, generation) = joined(&mut wire, &member).await;
    assert_eq!(wire.commit_as("ward", 81, &member, generation).await, ResponseError::RebalanceInProgress.code());
    let (member, generation) = joined(&mut wire, &member).await;
    assert_eq!((wire.commit_as("ward", 80, &member, generation).await, wire.committed("ward").await), (0, 80));
}

#[tokio::test]
async fn nobody_commits_beyond_the_end_and_a_group_of_a_deleted_topic_alone_is_gone() {
    let (folder, broker, mut wire) = ward(1, 10).await;
    assert_eq!(wire.commit("ward", 11).await, ResponseError::OffsetOutOfRange.code());
    assert_eq!(wire.commit("ward", 10).await, 0);
    wire.delete("ward").await;
    assert_eq!(wire.committed("ward").await, -1);
    broker.stop().await;
    let broker = started(folder.path()).await;
    let mut wire = Wire::connect(broker.address()).await;
    assert_eq!(wire.ask(&ListGroupsRequest::default(), 4).await.groups.len(), 0);
}

/// A commit of offset 50 that was on its way when its topic was deleted.
fn commit_late(home: &Home) {
    records::run(async {
        let mut cluster = records::cluster(home.address()).await;
        let coordinator = cluster.coordinator(GROUP).await.unwrap();
        let coordinator = cluster.node(coordinator).await.unwrap();
        let of_another = (TOPIC, uuid::Uuid::from_u128(0xf0));
        offsets::commit(coordinator, Committer::outsider(GROUP), of_another, &[Position::at(0, 50)]).await.unwrap();
    });
}

#[test]
fn offsets_of_an_earlier_topic_are_told_and_the_next_consumer_begins_at_the_start() {
    let home = Home::ready(1);
    home.produce(80);
    commit_late(&home);

    let told = format!("what {GROUP} has committed in partition 0 belongs to an earlier topic of this name");
    let hint = "hint: vitals consume --profile embedded begins at the start";
    let lag = home.run("lag -o ndjson").well().tells(&[&told, hint]).json();
    assert_eq!((&lag["committed"], &lag["lag"], &lag["earlier_committed"]), (&Value::Null, &80.into(), &50.into()));
    for command in ["status -o ndjson", "doctor -o ndjson"] {
        home.run(command).with_code(1).shows(&[&told]);
    }
    let moved = &home.rows("group seek --to earliest --dry-run")[0];
    assert_eq!((&moved["committed"], &moved["new"]), (&Value::Null, &0.into()));
    let audit = home.run("audit -o json").output();
    assert!(!audit.contains("no_row"), "{audit}");

    home.consume().tells(&["partition 0 are not of this one; reading from the start"]);
    assert_eq!(home.count(), 80);
    home.done("status");
}
