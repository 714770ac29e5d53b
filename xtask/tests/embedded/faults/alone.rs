//! What one fault comes to, where the rule for all of them does not say it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::future::ready;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, FetchRequest, ProduceRequest};
use tokio::time::sleep;
use vitals::kafka::error::KafkaError;
use vitals::shutdown;

use super::story::{Hooked, Run, Story, TOPIC, header};
use super::{ALL, of_dead_letters};
use crate::faulty::{Fault, Request};

/// Work goes on within this when what was broken is whole again.
const MENDING_LIMIT: Duration = Duration::from_secs(10);

async fn each<T>(of: impl IntoIterator<Item = T>, tell: impl AsyncFn(T)) {
    join_all(of.into_iter().map(|one| tell(one))).await;
}

#[tokio::test]
async fn a_member_whose_instance_id_another_took_ends_and_commits_nothing() {
    let mut story = Story::of_sent().await;
    story.member.instance_id = Some("bed-1".to_owned());
    story.member.session_timeout = Duration::from_secs(1);
    let plan = &story.broker.plan;
    let late = Hooked { store: &story.store, before: || plan.reaches(1), after: || {} };
    let arm = || plan.next(ApiKey::Heartbeat, 1, Fault::Error(ResponseError::FencedInstanceId));
    let run = story.consume_into(&late, arm).await;
    assert!(matches!(run.outcome, Err(KafkaError::Fenced { .. })), "{run:?}");
    assert_eq!(story.committed().await, BTreeMap::new());
    story.finish().await;
}

#[tokio::test]
async fn a_commit_that_is_refused_in_the_middle_is_repeated_even_by_a_new_member() {
    let codes = [ResponseError::RebalanceInProgress, ResponseError::UnknownMemberId, ResponseError::IllegalGeneration];
    each(codes, async |code| {
        let mut story = Story::of_sent().await;
        story.member.session_timeout = Duration::from_secs(1);
        let plan = &story.broker.plan;
        let arm = || plan.next(ApiKey::OffsetCommit, 2, Fault::Error(code));
        let run = story.consume_until(&story.store, arm, story.until_all_is_committed()).await;
        run.summary();
        assert_eq!(plan.made(), 2, "{code:?}");
        story.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_stopped_while_its_commits_are_refused_is_not_clean() {
    let codes = [
        ResponseError::CoordinatorLoadInProgress,
        ResponseError::NotCoordinator,
        ResponseError::RebalanceInProgress,
        ResponseError::UnknownMemberId,
        ResponseError::IllegalGeneration,
    ];
    each(codes, async |code| {
        let mut story = Story::of_sent().await;
        story.member.session_timeout = Duration::from_secs(1);
        let plan = &story.broker.plan;
        let arm = || plan.next(ApiKey::OffsetCommit, ALL, Fault::Error(code));
        let run = story.consume_until(&story.store, arm, plan.reaches(3)).await;
        assert!(!run.summary().is_clean, "{code:?}");
        assert_eq!(story.committed().await, BTreeMap::new(), "{code:?}");
        plan.end();
        story.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_member_without_the_right_to_commit_ends_and_says_why() {
    let story = Story::of_sent().await;
    let plan = &story.broker.plan;
    let code = ResponseError::GroupAuthorizationFailed;
    let run = story.consume(|| plan.next(ApiKey::OffsetCommit, ALL, Fault::Error(code))).await;
    assert!(matches!(&run.outcome, Err(KafkaError::Refused { code: told, .. }) if *told == code), "{run:?}");
    assert_eq!(story.committed().await, BTreeMap::new());
}

/// Whether a fetch goes on behind what was read before.
fn goes_on(request: &Request) -> bool {
    let topics = request.decode::<FetchRequest>().topics;
    topics.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.fetch_offset > 0)
}

/// Two fetches fail behind what was read, and before any of it is stored.
async fn fetched_in_the_middle_with(code: ResponseError) -> Run {
    let story = Story::of_sent().await;
    let plan = &story.broker.plan;
    let late = Hooked { store: &story.store, before: || plan.reaches(2), after: || {} };
    let arm = || plan.next_where(ApiKey::Fetch, 2, Fault::Error(code), goes_on);
    let run = story.consume_until(&late, arm, story.until_all_is_committed()).await;
    assert_eq!(plan.made(), 2, "{code:?}");
    story.check_clean(&run).await;
    run
}

#[tokio::test]
async fn a_leader_or_a_topic_id_that_changes_in_the_middle_loses_nothing_and_is_not_told() {
    each([ResponseError::NotLeaderOrFollower, ResponseError::UnknownTopicId], async |code| {
        let run = fetched_in_the_middle_with(code).await;
        assert_eq!(run.troubles, [""; 0], "{code:?}");
    })
    .await;
}

#[tokio::test]
async fn offsets_that_are_out_of_range_are_told_and_the_log_is_read_from_its_start() {
    let run = fetched_in_the_middle_with(ResponseError::OffsetOutOfRange).await;
    assert!(run.troubles.iter().any(|text| text.contains("reading on at 0")), "{run:?}");
}

#[tokio::test]
async fn letters_that_are_refused_hold_back_their_own_partition_and_no_other() {
    let story = Story::of_sent().await;
    let ends = story.ends().await;
    let of_partition_0 = |request: &Request| {
        let topics = request.decode::<ProduceRequest>().topic_data;
        of_dead_letters(request) && topics.iter().flat_map(|topic| &topic.partition_data).all(|data| data.index == 0)
    };
    let records = story.records(TOPIC).await;
    let refused = records.iter().find(|record| record.value.as_deref() == Some(b"no reading")).expect("it was sent");
    let mut held_back = ends.clone();
    held_back.insert(0, refused.offset);
    assert!(0 < refused.offset && refused.offset + 1 < ends[&0], "it stands in the middle");
    let plan = &story.broker.plan;
    let refuse = Fault::Error(ResponseError::TopicAuthorizationFailed);
    let work = async {
        story.until_committed(&held_back).await;
        plan.reaches(5).await;
        assert_eq!(story.committed().await, held_back);
        let kept = story.letters().await;
        assert!(kept.iter().all(|letter| header(letter, "vitals.partition") == Some("1")) && !kept.is_empty());
        plan.end();
        story.until_committed(&ends).await;
    };
    let arm = || plan.next_where(ApiKey::Produce, ALL, refuse, of_partition_0);
    let run = story.consume_until(&story.store, arm, work).await;
    assert!(run.troubles.iter().any(|text| text.starts_with("refused messages cannot be kept")), "{run:?}");
    story.check_clean(&run).await;
}

#[tokio::test]
async fn a_send_that_is_refused_for_good_ends_and_tells_what_was_taken() {
    let story = Story::begin().await;
    let plan = &story.broker.plan;
    let code = ResponseError::TopicAuthorizationFailed;
    let error = story.send(|| plan.next(ApiKey::Produce, ALL, Fault::Error(code))).await.expect_err("refused");
    assert!(error.to_string().contains("refuses messages for the topic"), "{error}");
    assert_eq!(story.records(TOPIC).await, []);
}

async fn silent_for_a_while() {
    let story = Story::of_sent().await;
    let first = tokio::sync::Notify::new();
    let after = || {
        story.broker.hold();
        first.notify_one();
    };
    let telling = Hooked { store: &story.store, before: || ready(()), after };
    let work = async {
        first.notified().await;
        // Longer than the limit of a call, so that connections are given up too.
        sleep(Duration::from_secs(6)).await;
        story.broker.go_on();
        let mended = Instant::now();
        story.until_all_is_committed().await;
        assert!(mended.elapsed() < MENDING_LIMIT, "{:?}", mended.elapsed());
    };
    story.consume_until(&telling, || {}, work).await.summary();
    story.check().await;
}

async fn silent_and_then_stopped() {
    let mut story = Story::of_sent().await;
    // The farewell is not heard, so the next member waits for the end of the session.
    story.member.session_timeout = Duration::from_secs(2);
    let first = tokio::sync::Notify::new();
    let after = || {
        story.broker.hold();
        first.notify_one();
    };
    let telling = Hooked { store: &story.store, before: || ready(()), after };
    let asked = OnceCell::new();
    let work = async {
        first.notified().await;
        asked.set(Instant::now()).unwrap();
    };
    let run = story.consume_until(&telling, || {}, work).await;
    assert!(asked.get().unwrap().elapsed() < shutdown::END_LIMIT);
    assert!(!run.summary().is_clean);
    story.broker.go_on();
    story.finish().await;
}

#[tokio::test]
async fn a_broker_that_is_silent_is_waited_for_and_a_stop_waits_for_neither_broker_nor_file() {
    tokio::join!(silent_for_a_while(), silent_and_then_stopped(), held_and_then_stopped());
}

#[tokio::test]
async fn a_request_that_is_never_answered_is_given_up_and_asked_again() {
    let apis = [
        ApiKey::Metadata,
        ApiKey::FindCoordinator,
        ApiKey::OffsetFetch,
        ApiKey::ListOffsets,
        ApiKey::Fetch,
        ApiKey::Heartbeat,
        ApiKey::OffsetCommit,
        ApiKey::CreateTopics,
        ApiKey::Produce,
    ];
    each(apis, async |api| {
        let story = Story::of_sent().await;
        let plan = &story.broker.plan;
        let work = async {
            plan.reaches(1).await;
            story.until_all_is_committed().await;
        };
        story.consume_until(&story.store, || plan.next(api, 1, Fault::Silence), work).await.summary();
        story.check().await;
    })
    .await;
}

/// Consumes while `meddle` does something to the file that keeps rows out; nothing may be committed until its result is
/// given to `mend`.
async fn nothing_is_committed_while<M>(meddle: impl FnOnce(&Path) -> M, mend: impl FnOnce(M)) {
    let story = Story::of_sent().await;
    let meddled = meddle(&story.path);
    let work = async {
        // Letters go their own way; behind the first reading nothing can be committed.
        story.until_letters_are_kept().await;
        sleep(Duration::from_millis(700)).await;
        assert!(story.committed().await.values().all(|offset| *offset == 0), "nothing is committed");
        mend(meddled);
        story.until_all_is_committed().await;
    };
    let run = story.consume_until(&story.store, || {}, work).await;
    story.check_clean(&run).await;
}

/// Holds the file as long as what it gives is kept.
fn lock(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

async fn held_and_then_stopped() {
    let story = Story::of_sent().await;
    let locked = lock(&story.path);
    let run = story.consume_until(&story.store, || {}, story.until_letters_are_kept()).await;
    assert!(!run.summary().is_clean);
    assert!(story.committed().await.values().all(|offset| *offset == 0), "nothing is committed");
    drop(locked);
    story.finish().await;
}

#[tokio::test]
async fn nothing_is_committed_while_the_file_is_held_or_gone_or_takes_no_rows() {
    let hide = |path: &Path| {
        let elsewhere = path.with_extension("away");
        std::fs::rename(path, &elsewhere).unwrap();
        (elsewhere, path.to_owned())
    };
    let refuse = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        let full = "CREATE TRIGGER full BEFORE INSERT ON patient_vitals BEGIN SELECT RAISE(ABORT, 'full'); END";
        connection.execute_batch(full).unwrap();
        connection
    };
    let allow = |connection: rusqlite::Connection| connection.execute_batch("DROP TRIGGER full").unwrap();
    tokio::join!(
        nothing_is_committed_while(lock, drop),
        nothing_is_committed_while(hide, |(from, to)| std::fs::rename(from, to).unwrap()),
        nothing_is_committed_while(refuse, allow),
    );
}
