//! A topic that is deleted and made anew, and the offsets that a group has committed of the one before.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use tokio::time::timeout;
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::consumer::Consumer;
use vitals::kafka::offsets;
use vitals::ledger::Position;
use vitals::pipeline::source::{Assigned, Event, MembershipEvent, Source as _};

use super::{Bench, LIMIT, batch, name, next_assignment};

impl Bench {
    /// Commits for nobody's member, with this text beside the offset, as a commit that comes late does. Kafka takes it;
    /// the embedded broker takes none that lies beyond the end.
    async fn commit_late(&mut self, partition: i32, offset: i64, text: &str) -> bool {
        let group = self.member().group;
        let place = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(StrBytes::from_string(text.to_owned())));
        let topic = OffsetCommitRequestTopic::default().with_name(name(&self.topic)).with_partitions(vec![place]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.clone())))
            .with_topics(vec![topic]);
        let coordinator = vitals::kafka::group::admin::coordinator(&mut self.cluster, &group).await.expect("found");
        let answer = self.cluster.node(coordinator).await.expect("connected").call(&request).await.expect("an answer");
        let code = answer.topics[0].partitions[0].error_code;
        assert!(code == 0 || code == ResponseError::OffsetOutOfRange.code(), "{code}");
        code == 0
    }

    async fn committed(&mut self) -> Vec<offsets::Committed> {
        let group = self.member().group;
        let coordinator = self.cluster.coordinator(&group).await.expect("found");
        let coordinator = self.cluster.node(coordinator).await.expect("connected");
        offsets::committed(coordinator, &group, &self.topic, &[0, 1, 2]).await.expect("offsets")
    }

    async fn make_anew(&mut self, partitions: i32) {
        admin::delete(&mut self.cluster, &self.topic).await.expect("deleted");
        let spec = TopicSpec::readings(&self.topic, partitions, 1);
        timeout(LIMIT, admin::create(&mut self.cluster, &spec)).await.expect("in time").expect("made");
        timeout(LIMIT, self.led()).await.expect("the topic is served in time");
    }
}

/// Waits for the answer to a commit, and says whether it was taken.
async fn is_committed(consumer: &mut Consumer) -> bool {
    let answer = async {
        loop {
            match consumer.next(false).await.expect("an event") {
                Event::Membership(MembershipEvent::Committed(_)) => return true,
                Event::Membership(MembershipEvent::CommitRefused) => return false,
                _ => {}
            }
        }
    };
    timeout(LIMIT, answer).await.expect("an answer in time")
}

/// What says that it is of another topic, and what lies beyond the end, is not believed; what does not say is.
pub(crate) async fn offsets_of_an_earlier_topic_are_not_believed(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "earlier", 3).await;
    for partition in 0..3 {
        bench.produce(partition, batch(&["a", "b", "c"])).await;
    }
    assert!(bench.commit_late(0, 2, "topic=f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff").await);
    assert!(bench.commit_late(1, 2, "stored=3").await);
    let beyond = bench.commit_late(2, 50, "").await.then_some(50);
    let lags = bench.lag().await;
    let told: Vec<_> = lags.iter().map(|lag| (lag.committed, lag.stored, lag.earlier, lag.lag)).collect();
    assert_eq!(told, [(None, None, Some(2), 3), (Some(2), Some(3), None, 0), (None, None, beyond, 3)]);

    let mut consumer = bench.join().await;
    let (_, partitions) = next_assignment(&mut consumer).await;
    let at = |partition, start_offset| Assigned { partition, start_offset, end_offset: 3 };
    assert_eq!(partitions, [at(0, 0), at(1, 2), at(2, 0)]);
    let told = async {
        loop {
            if let Event::Membership(MembershipEvent::Trouble(text)) = consumer.next(false).await.expect("an event") {
                return text;
            }
        }
    };
    let told = timeout(LIMIT, told).await.expect("told in time");
    let partitions = if beyond.is_some() { "0, 2" } else { "0" };
    assert!(told.contains(&format!("partition {partitions} are not of this one; reading from the start")), "{told}");
    consumer.leave().await;
    // That is so from now on, whoever asks.
    assert!(bench.lag().await.iter().all(|lag| lag.earlier.is_none()));
}

/// No offset of the one topic is committed as a place in the other.
pub(crate) async fn a_topic_made_anew_under_its_member_begins_as_another_assignment(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "anew", 1).await;
    bench.produce(0, batch(&["a", "b", "c"])).await;
    let mut consumer = bench.join().await;
    let (before, _) = next_assignment(&mut consumer).await;
    consumer.commit(before, vec![Position::at(0, 3)]).await;
    assert!(is_committed(&mut consumer).await);
    let old = bench.cluster.topic_id(&bench.topic).await.expect("a topic");
    assert_eq!(bench.committed().await[0].topic_id, Some(old));

    bench.make_anew(1).await;
    let (mut after, mut partitions) = next_assignment(&mut consumer).await;
    // Its leader gives the partition out anew as well.
    while partitions[0].end_offset == 0 {
        bench.produce(0, batch(&["d", "e", "f", "g"])).await;
        consumer.rewind(after).await;
        (after, partitions) = next_assignment(&mut consumer).await;
    }
    assert_eq!(partitions[0].start_offset, 0);
    consumer.commit(before, vec![Position::at(0, 3)]).await;
    assert!(!is_committed(&mut consumer).await, "an offset of the earlier topic");
    consumer.commit(after, vec![Position::at(0, 4)]).await;
    assert!(is_committed(&mut consumer).await);
    let new = bench.cluster.topic_id(&bench.topic).await.expect("a topic");
    let committed = bench.committed().await[0];
    assert_eq!((committed.position, committed.topic_id), (Position::at(0, 4), Some(new)));
    assert_ne!(new, old);
    consumer.leave().await;
}
