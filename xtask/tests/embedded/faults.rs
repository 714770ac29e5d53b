//! Faults of every kind, on every request that the way of a reading needs: nothing is lost, nothing is invented, and
//! everything is committed in the end.

mod alone;
mod story;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ProduceRequest};
use vitals::alarm::{Alarm, AlarmRecord, Priority, Step, Steps};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::alarm_topic::AlarmTopic;
use vitals::kafka::cluster::Cluster;
use vitals::kafka::records;
use vitals::kafka::topic_settings::MAX_MESSAGE_BYTES;
use vitals::pipeline::announcing::{Alarms as _, Announcing};
use vitals::pipeline::store::Store as _;
use vitals::reading::PatientId;
use vitals::record::Record;

use self::story::{Hooked, Story, TOPIC};
use crate::faulty::{Fault, Request};

/// Longer than a request takes, and short against every limit.
const DELAY: Duration = Duration::from_millis(100);

/// Every fault but silence, which takes as long as the limit of a call.
const FAULTS: [Fault; 4] = [Fault::Delay(DELAY), Fault::Drop, Fault::Lose, Fault::Cut];

impl Fault {
    /// How many requests fail in a row. One that is only late is not repeated.
    fn count(self, most: usize) -> usize {
        if matches!(self, Self::Delay(_)) { 1 } else { most }
    }
}

/// Runs as many stories as there are faults, with these errors, at once.
async fn each<F: Future<Output = ()> + Send + 'static>(errors: &[ResponseError], story: impl Fn(Fault) -> F) {
    let faults = FAULTS.into_iter().chain(errors.iter().copied().map(Fault::Error));
    let running: Vec<_> = faults.map(|fault| (fault, tokio::spawn(story(fault)))).collect();
    for (fault, story) in running {
        story.await.unwrap_or_else(|ended| panic!("{fault:?}: {ended}"));
    }
}

/// Up to `most` requests of this kind fail, one after the other, while the consumer is at work.
async fn consumed_with(api: ApiKey, most: usize, fault: Fault) {
    consumed_where(api, |_| true, most, fault).await;
}

async fn consumed_where(api: ApiKey, concerns: impl Fn(&Request) -> bool + Send + 'static, most: usize, fault: Fault) {
    let (mut story, count) = (Story::of_sent().await, fault.count(most));
    if fault == Fault::Error(ResponseError::UnknownMemberId) {
        // The broker knows that member all the same, and waits for it as long as its session takes.
        story.member.session_timeout = Duration::from_secs(1);
    }
    let plan = &story.broker.plan;
    let run = story.consume(|| plan.next_where(api, count, fault, concerns)).await;
    assert_eq!(plan.made(), count, "{api:?} {fault:?} was made");
    story.check_clean(&run).await;
}

/// Up to `most` requests of this kind fail, one after the other, while the producer is at work.
async fn sent_with(api: ApiKey, most: usize, fault: Fault) {
    let (story, count) = (Story::begin().await, fault.count(most));
    let plan = &story.broker.plan;
    let arm = || {
        if api == ApiKey::Metadata {
            // The producer looks its topic up again after any trouble.
            plan.next(ApiKey::Produce, 1, Fault::Error(ResponseError::NotLeaderOrFollower));
        }
        plan.next(api, count, fault);
    };
    story.send(arm).await.expect("sent in the end");
    assert_eq!(plan.made(), count + usize::from(api == ApiKey::Metadata), "{api:?} {fault:?} was made");
    story.finish().await;
}

/// Heartbeats fail while rows are on their way to the store.
async fn consumed_with_heartbeats(most: usize, fault: Fault) {
    let (mut story, count) = (Story::of_sent().await, fault.count(most));
    story.member.session_timeout = Duration::from_secs(3);
    let plan = &story.broker.plan;
    let late = Hooked { store: &story.store, before: || plan.reaches(count), after: || {} };
    let run = story.consume_into(&late, || plan.next(ApiKey::Heartbeat, count, fault)).await;
    assert_eq!(plan.made(), count, "{fault:?} was made");
    run.summary();
    story.check().await;
}

/// Commits fail in the middle. The last one may be repeated for a moment only, which a busy machine could miss.
async fn committed_with(most: usize, fault: Fault) {
    let (story, count) = (Story::of_sent().await, fault.count(most));
    let plan = &story.broker.plan;
    let work = async {
        plan.reaches(count).await;
        story.until_all_is_committed().await;
    };
    let run = story.consume_until(&story.store, || plan.next(ApiKey::OffsetCommit, count, fault), work).await;
    story.check_clean(&run).await;
}

const ALARMS: &str = "patient.alarms";

fn of_alarms(request: &Request) -> bool {
    request.decode::<ProduceRequest>().topic_data.iter().any(|topic| topic.name.as_str() == ALARMS)
}

/// Alarms are not taken while the consumer is at work, into a topic that it has to make.
async fn announced_with(most: usize, fault: Fault) {
    let (story, count) = (Story::of_sent().await, fault.count(most));
    let patient = story.send_alarming().await;
    let plan = &story.broker.plan;
    let topic = AlarmTopic::of(ALARMS, TOPIC, &story.broker.brokers());
    let announcing = Announcing::new(&story.store, Some(topic));
    let run = story.consume_into(&announcing, || plan.next_where(ApiKey::Produce, count, fault, of_alarms)).await;
    assert!(run.summary().is_clean, "{run:?}");
    assert_eq!(story.committed().await, story.ends().await);
    // Nothing has waited for it: what is late is announced with what is written later, or at the end.
    for _ in 0..=count {
        if announcing.finish().await.is_none() {
            break;
        }
    }
    assert_eq!(plan.made(), count, "{fault:?} was made");
    assert_eq!(story.store.alarms(&[patient]).await.unwrap().len(), 1, "it is stored");
    let announced = story.records(ALARMS).await;
    assert!(
        !announced.is_empty() && announced.iter().all(|record| record.value == announced[0].value),
        "{announced:?}"
    );
}

fn alarm(number: i64) -> AlarmRecord {
    AlarmRecord {
        patient: PatientId::parse(&format!("P{}", number % 7)).expect("an id"),
        rule: "spo2_low".into(),
        text: "Low SpO2: 85".to_owned(),
        limit: None,
        rules: None,
        steps: Steps::of(Step::Ended),
        alarm: Alarm {
            onset: number * 1_000_000,
            start: number * 1_000_000,
            value: 85.0,
            peak: 85.0,
            is_partial: false,
            priority: Priority::High,
            returned: None,
            acknowledged: None,
            ended: None,
        },
    }
}

/// A request costs a broker about as much with one alarm as with all that wait meanwhile.
#[tokio::test]
async fn alarms_that_wait_for_a_slow_broker_go_out_together_in_their_order() {
    const COUNT: i64 = 50;
    let story = Story::begin().await;
    let plan = &story.broker.plan;
    plan.next_where(ApiKey::Produce, ALL, Fault::Delay(DELAY), of_alarms);
    let topic = AlarmTopic::of(ALARMS, TOPIC, &story.broker.brokers());
    let announce = async |number| topic.announce(&[alarm(number)]).await;
    for announced in join_all((0..COUNT).map(announce)).await {
        announced.expect("announced");
    }
    assert!(plan.made() <= 3, "{} requests", plan.made());
    let records = story.records(ALARMS).await;
    assert_eq!(i64::try_from(records.len()), Ok(COUNT));
    for number in 0..7 {
        let key = format!("P{number}");
        let own = records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes()));
        let ids: Vec<String> = own
            .map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned())
            .collect();
        assert!(ids.len() >= 7 && ids.is_sorted(), "{ids:?}");
    }
}

/// Others may have made the topic, and let it take less than what waits.
#[tokio::test]
async fn alarms_that_are_too_many_for_one_batch_of_their_topic_go_out_in_several() {
    let story = Story::begin().await;
    let settings = vec![(MAX_MESSAGE_BYTES.to_owned(), "2000".to_owned())];
    let spec = TopicSpec { settings, ..TopicSpec::alarms(ALARMS, 1, 1) };
    admin::create(&mut Cluster::connect(&story.broker.brokers()).await.unwrap(), &spec).await.unwrap();
    let topic = AlarmTopic::of(ALARMS, TOPIC, &story.broker.brokers());
    let alarms: Vec<_> = (0..50).map(alarm).collect();
    topic.announce(&alarms).await.expect("announced");
    let announced: BTreeSet<_> = story.records(ALARMS).await.into_iter().map(|record| record.value).collect();
    assert_eq!(announced.len(), alarms.len());
}

fn of_dead_letters(request: &Request) -> bool {
    let topics = request.decode::<ProduceRequest>().topic_data;
    topics.iter().any(|topic| topic.name.ends_with(".dlq"))
}

/// Whether a request brings letters that are no parts.
fn of_whole_letters(request: &Request) -> bool {
    let topics = request.decode::<ProduceRequest>().topic_data;
    let batches = topics.into_iter().flat_map(|topic| topic.partition_data).filter_map(|data| data.records);
    let records = batches.flat_map(|batch| records::decode(batch, 0).records);
    let is_whole = |record: Record| !record.headers.iter().any(|header| &header.key[..] == b"vitals.part");
    of_dead_letters(request) && records.into_iter().any(is_whole)
}

/// More requests than any story makes.
const ALL: usize = 1_000_000;

/// One test a line: what is done while which requests fail, how many of them, and which errors there are beside the
/// faults of connections.
macro_rules! each_fault {
    ($($name:ident: $story:ident($($what:expr),+) with [$($error:ident),*];)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                each(&[$(ResponseError::$error),*], |fault| $story($($what,)+ fault)).await;
            }
        )+
    };
}

each_fault! {
    sends_that_fail_are_repeated_until_everything_is_in_the_topic:
        sent_with(ApiKey::Produce, 2) with [NotLeaderOrFollower, NotEnoughReplicas, UnknownTopicOrPartition];
    a_producer_that_cannot_learn_of_its_topic_asks_again:
        sent_with(ApiKey::Metadata, 2) with [LeaderNotAvailable];
    new_connections_that_fail_are_made_again:
        consumed_with(ApiKey::ApiVersions, 2) with [];
    metadata_that_fails_is_asked_for_again:
        consumed_with(ApiKey::Metadata, 2) with [LeaderNotAvailable, UnknownServerError, UnknownTopicOrPartition];
    a_coordinator_that_is_not_found_is_looked_for_again:
        consumed_with(ApiKey::FindCoordinator, 2) with [CoordinatorNotAvailable, CoordinatorLoadInProgress];
    joins_that_fail_are_tried_again:
        consumed_with(ApiKey::JoinGroup, 2)
        with [CoordinatorLoadInProgress, NotCoordinator, UnknownMemberId, UnknownServerError];
    syncs_that_fail_lead_to_another_join:
        consumed_with(ApiKey::SyncGroup, 2)
        with [RebalanceInProgress, IllegalGeneration, UnknownMemberId, NotCoordinator];
    committed_offsets_that_are_not_to_be_had_are_asked_for_again:
        consumed_with(ApiKey::OffsetFetch, 2) with [NotCoordinator, CoordinatorLoadInProgress];
    the_ends_of_partitions_that_are_not_to_be_had_are_asked_for_again:
        consumed_with(ApiKey::ListOffsets, 2) with [NotLeaderOrFollower, LeaderNotAvailable];
    fetches_that_fail_are_repeated_from_where_they_were:
        consumed_with(ApiKey::Fetch, 2)
        with [NotLeaderOrFollower, UnknownTopicId, UnknownTopicOrPartition, OffsetOutOfRange];
    letters_that_are_not_taken_are_sent_again:
        consumed_where(ApiKey::Produce, of_dead_letters, 3)
        with [NotLeaderOrFollower, RequestTimedOut, TopicAuthorizationFailed, NotEnoughReplicas];
    alarms_that_are_not_taken_are_announced_again:
        announced_with(3)
        with [NotLeaderOrFollower, RequestTimedOut, TopicAuthorizationFailed, NotEnoughReplicas];
    a_topic_for_letters_that_cannot_be_made_is_made_later:
        consumed_with(ApiKey::CreateTopics, 1) with [];
    commits_that_fail_are_repeated_while_the_partitions_are_ours:
        committed_with(2)
        with [NotCoordinator, CoordinatorLoadInProgress, RebalanceInProgress, UnknownServerError];
    heartbeats_that_fail_in_the_middle_lose_nothing:
        consumed_with_heartbeats(1)
        with [NotCoordinator, RebalanceInProgress, UnknownMemberId, IllegalGeneration];
    a_farewell_that_fails_changes_nothing:
        consumed_with(ApiKey::LeaveGroup, 1) with [];
}

#[tokio::test]
async fn letters_that_are_refused_for_what_they_are_are_sent_in_another_shape() {
    let errors = [
        ResponseError::MessageTooLarge,
        ResponseError::RecordListTooLarge,
        ResponseError::InvalidRecord,
        ResponseError::InvalidTimestamp,
    ];
    for error in errors {
        let story = Story::of_sent().await;
        let plan = &story.broker.plan;
        // As for ever: what has no part in it is refused each time.
        let run = story.consume(|| plan.next_where(ApiKey::Produce, ALL, Fault::Error(error), of_whole_letters)).await;
        assert!(plan.made() > 0, "{error:?} was made");
        story.check_clean(&run).await;
    }
}
