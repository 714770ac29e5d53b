//! Groups: who shares, takes over and goes on where; and a topic that is deleted and made anew under them.

use vitals::kafka::consumer::Consumer;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::lag;
use vitals::kafka::offsets::Committer;
use vitals::ledger::Position;
use vitals::pipeline::source::{Assigned, Event, MembershipEvent, Source as _};

use super::*;

struct Member {
    consumer: Consumer,
    held: u64,
}

impl Member {
    async fn join(bench: &Bench, config: MemberConfig) -> Self {
        let consumer = Consumer::join(&bench.server.brokers, config, Place::Earliest).await.unwrap();
        Self { consumer, held: u64::MAX }
    }

    /// Takes part in the group until partitions are assigned.
    async fn assigned(&mut self) -> Vec<Assigned> {
        loop {
            match self.consumer.next(true).await.unwrap() {
                Event::Membership(MembershipEvent::Assigned { assignment, partitions, .. }) => {
                    self.held = assignment;
                    return partitions;
                }
                Event::Membership(MembershipEvent::Release) => self.consumer.released(self.held).await,
                _ => {}
            }
        }
    }

    async fn assigned_in_time(&mut self) -> Vec<Assigned> {
        timeout(LIMIT, self.assigned()).await.expect("assigned in time")
    }

    async fn has(&mut self, count: usize) {
        while self.assigned().await.len() != count {}
    }

    /// Commits an offset of partition 0, and says whether that was taken.
    async fn commits(&mut self, assignment: u64, offset: i64) -> bool {
        self.consumer.commit(assignment, vec![Position::at(0, offset)]).await;
        let answer = async {
            loop {
                match self.consumer.next(false).await.unwrap() {
                    Event::Membership(MembershipEvent::Committed(_)) => return true,
                    Event::Membership(MembershipEvent::CommitRefused { .. }) => return false,
                    _ => {}
                }
            }
        };
        timeout(LIMIT, answer).await.expect("an answer in time")
    }
}

impl Bench {
    fn member(&self) -> MemberConfig {
        MemberConfig {
            group: format!("{}-group", self.topic),
            topic: self.topic.clone(),
            instance_id: None,
            session_timeout: Duration::from_secs(10),
        }
    }

    async fn join(&self) -> Member {
        Member::join(self, self.member()).await
    }

    async fn lag(&mut self) -> Vec<lag::PartitionLag> {
        let group = self.member().group;
        lag::measure(&mut self.cluster, &group, &self.topic).await.unwrap()
    }

    /// Commits for nobody's member, as a commit that comes late does. Kafka takes it; the embedded broker takes none that
    /// lies beyond the end.
    async fn commit_late(&mut self, topic_id: uuid::Uuid, position: Position) -> bool {
        let group = self.member().group;
        let coordinator = vitals::kafka::group::admin::coordinator(&mut self.cluster, &group).await.unwrap();
        let coordinator = self.cluster.node(coordinator).await.unwrap();
        match offsets::commit(coordinator, Committer::outsider(&group), (&self.topic, topic_id), &[position]).await {
            Ok(()) => true,
            Err(KafkaError::Refused { code: ResponseError::OffsetOutOfRange, .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn committed(&mut self) -> Vec<offsets::Committed> {
        let group = self.member().group;
        let coordinator = self.cluster.coordinator(&group).await.unwrap();
        let coordinator = self.cluster.node(coordinator).await.unwrap();
        offsets::committed(coordinator, &group, &self.topic, &[0, 1, 2]).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_where_it_committed() {
    let mut bench = Bench::with_topic("group", 1).await;
    bench.produce(0, batch(&["a", "b", "c"])).await;
    let mut first = bench.join().await;
    let partitions = first.assigned_in_time().await;
    assert_eq!(partitions, [Assigned { partition: 0, history_offset: 0, start_offset: 0, end_offset: 3 }]);
    assert!(first.commits(first.held, 2).await);
    let lags = bench.lag().await;
    assert_eq!((lags[0].committed, lags[0].end, lags[0].lag), (Some(2), 3, 1));
    assert!(lags[0].member.is_some());
    first.consumer.leave().await;
    let mut second = bench.join().await;
    assert_eq!(second.assigned_in_time().await[0].start_offset, 2);
    second.consumer.leave().await;
    let lags = bench.lag().await;
    assert_eq!((lags[0].lag, &lags[0].member), (1, &None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_and_take_over_at_once() {
    let bench = Bench::with_topic("sharing", 4).await;
    let mut first = bench.join().await;
    assert_eq!(first.assigned_in_time().await.len(), 4);
    let mut second = bench.join().await;
    let (ours, theirs) = tokio::join!(first.assigned_in_time(), second.assigned_in_time());
    assert_eq!((ours.len(), theirs.len()), (2, 2));
    second.consumer.leave().await;
    let began = Instant::now();
    assert_eq!(first.assigned_in_time().await.len(), 4);
    assert!(began.elapsed() < Duration::from_secs(9), "before the session's end: {:?}", began.elapsed());
    first.consumer.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_group_is_told() {
    let mut bench = Bench::with_topic("unknown", 1).await;
    let lag = lag::measure(&mut bench.cluster, &format!("{}-nobody", bench.topic), &bench.topic).await;
    assert!(matches!(lag, Err(KafkaError::NoGroup { .. })));
}

/// The leader does not read that topic itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_topic_of_another_member_gains_is_given_out() {
    let mut bench = Bench::with_topic("leading", 1).await;
    let other = format!("{}-other", bench.topic);
    let of = |partitions| TopicSpec::readings(&other, partitions, 1);
    admin::create(&mut bench.cluster, &of(1)).await.unwrap();
    let mut leader = bench.join().await;
    timeout(LIMIT, leader.has(1)).await.expect("alone in the group");
    let mut member = Member::join(&bench, MemberConfig { topic: other.clone(), ..bench.member() }).await;
    let growing = async {
        member.has(1).await;
        admin::delete(&mut bench.cluster, &other).await.unwrap();
        admin::create(&mut bench.cluster, &of(3)).await.unwrap();
        member.has(3).await;
    };
    tokio::select! {
        outcome = timeout(LIMIT, growing) => outcome.expect("given out in time"),
        () = leader.has(usize::MAX) => {}
    }
    member.consumer.leave().await;
    leader.consumer.leave().await;
}

/// What says that it is of another topic, and what lies beyond the end, is not believed; what does not say is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_an_earlier_topic_are_not_believed() {
    let mut bench = Bench::with_topic("earlier", 3).await;
    for partition in 0..3 {
        bench.produce(partition, batch(&["a", "b", "c"])).await;
    }
    let (another, unsaid) = (uuid::Uuid::from_u128(0xf0), uuid::Uuid::nil());
    assert!(bench.commit_late(another, Position::at(0, 2)).await);
    assert!(bench.commit_late(unsaid, Position { stored: 3, ..Position::at(1, 2) }).await);
    let beyond = bench.commit_late(unsaid, Position::at(2, 50)).await.then_some(50);
    let lags = bench.lag().await;
    let told: Vec<_> = lags.iter().map(|lag| (lag.committed, lag.stored, lag.earlier, lag.lag)).collect();
    assert_eq!(told, [(None, None, Some(2), 3), (Some(2), Some(3), None, 0), (None, None, beyond, 3)]);

    let mut member = bench.join().await;
    let partitions = member.assigned_in_time().await;
    let at =
        |partition, start_offset| Assigned { partition, history_offset: start_offset, start_offset, end_offset: 3 };
    assert_eq!(partitions, [at(0, 0), at(1, 2), at(2, 0)]);
    let told = async {
        loop {
            if let Event::Membership(MembershipEvent::Trouble(_, text)) = member.consumer.next(false).await.unwrap() {
                return text;
            }
        }
    };
    let told = timeout(LIMIT, told).await.expect("told in time");
    let partitions = if beyond.is_some() { "0, 2" } else { "0" };
    assert!(told.contains(&format!("partition {partitions} are not of this one; reading from the start")), "{told}");
    member.consumer.leave().await;
    // That is so from now on, whoever asks.
    assert!(bench.lag().await.iter().all(|lag| lag.earlier.is_none()));
}

/// No offset of the one topic is committed as a place in the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_under_its_member_begins_as_another_assignment() {
    let mut bench = Bench::with_topic("anew", 1).await;
    bench.produce(0, batch(&["a", "b", "c"])).await;
    let mut member = bench.join().await;
    member.assigned_in_time().await;
    let before = member.held;
    assert!(member.commits(before, 3).await);
    let old = bench.topic_id().await;
    assert_eq!(bench.committed().await[0].topic_id, Some(old));

    admin::delete(&mut bench.cluster, &bench.topic).await.unwrap();
    let spec = TopicSpec::readings(&bench.topic, 1, 1);
    timeout(LIMIT, admin::create(&mut bench.cluster, &spec)).await.expect("in time").unwrap();
    timeout(LIMIT, bench.led()).await.expect("the topic is served in time");
    let mut partitions = member.assigned_in_time().await;
    // Its leader gives the partition out anew as well.
    while partitions[0].end_offset == 0 {
        bench.produce(0, batch(&["d", "e", "f", "g"])).await;
        member.consumer.rewind(member.held).await;
        partitions = member.assigned_in_time().await;
    }
    assert_eq!(partitions[0].start_offset, 0);
    assert!(!member.commits(before, 3).await, "an offset of the earlier topic");
    assert!(member.commits(member.held, 4).await);
    let new = bench.topic_id().await;
    let committed = bench.committed().await[0];
    assert_eq!((committed.position, committed.topic_id), (Position::at(0, 4), Some(new)));
    assert_ne!(new, old);
    member.consumer.leave().await;
}
