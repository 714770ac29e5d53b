//! What topics tell of themselves, and their messages without a group.

use vitals::kafka::history::{self, History, Stretch, Tail};
use vitals::kafka::live::Live;
use vitals::kafka::topic_settings::{self, Origin, TopicSetting};
use vitals::kafka::topics::{self, Range, TopicState};
use vitals::pipeline::source::Fetched;

use super::*;

async fn measured(bench: &mut Bench) -> TopicState {
    let mut topic = topics::describe(&mut bench.cluster, &bench.topic).await.unwrap();
    let troubles = topics::measure(&mut bench.cluster, std::slice::from_mut(&mut topic)).await;
    assert!(troubles.is_empty(), "{troubles:?}");
    topics::date(&mut bench.cluster, &mut topic).await.unwrap();
    topic
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_tells_its_partitions_ranges_and_times() {
    let mut bench = Bench::with_topic("described", 2).await;
    let start = now_ms() - 60_000;
    let at = |ms: i64, value: &str| Record { timestamp_ms: start + ms, ..record(value) };
    bench.produce(0, records::encode(&[at(1_000, "a"), at(2_000, "b")], usize::MAX)).await;
    bench.produce(0, records::encode(&[at(5_000, "c"), at(4_000, "d")], usize::MAX)).await;
    let topic = measured(&mut bench).await;
    assert_eq!((topic.records(), topic.replication(), topic.is_internal), (Some(4), 1, false));
    let [full, empty] = &topic.partitions[..] else { panic!("{topic:?}") };
    assert_eq!(full.range, Some(Range { first: 0, end: 4 }));
    assert_eq!((full.oldest_ms, full.newest_ms), (Some(start + 1_000), Some(start + 4_000)));
    assert_eq!((full.replicas.as_slice(), full.in_sync.as_slice()), (&[full.leader.unwrap()][..], &full.replicas[..]));
    assert_eq!((empty.range, empty.oldest_ms, empty.newest_ms), (Some(Range { first: 0, end: 0 }), None, None));
    let listed = topics::list(&mut bench.cluster).await.unwrap();
    let listed = listed.into_iter().find(|listed| listed.name == bench.topic).unwrap();
    assert_eq!((listed.id, listed.leaders()), (topic.id, topic.leaders()));
    let nobody = topics::describe(&mut bench.cluster, "nobody").await;
    assert!(matches!(nobody, Err(KafkaError::NoTopic { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_of_a_topic_tell_who_gave_them() {
    let mut bench = Bench::with_topic("plain", 1).await;
    let name = format!("{}-set", bench.topic);
    let own = vec![("retention.ms".to_owned(), "3600000".to_owned())];
    let spec = TopicSpec { settings: own, ..TopicSpec::readings(&name, 1, 1) };
    admin::create(&mut bench.cluster, &spec).await.unwrap();
    let settings = topic_settings::describe(&mut bench.cluster, &name).await.unwrap();
    let setting = |name: &str| settings.iter().find(|setting| setting.name == name).unwrap();
    let expected = TopicSetting { name: "retention.ms".into(), value: Some("3600000".into()), origin: Origin::Topic };
    assert_eq!(*setting("retention.ms"), expected);
    assert_eq!(setting("cleanup.policy").value.as_deref(), Some("delete"));
    assert_eq!(setting("max.message.bytes").value.as_deref(), Some("1048588"));
    assert_eq!(settings.iter().filter(|setting| setting.origin == Origin::Topic).count(), 1);
    assert!(topic_settings::describe(&mut bench.cluster, "nobody").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_of_a_topic_is_changed_and_the_others_stay() {
    let mut bench = Bench::with_topic("changed", 1).await;
    let name = bench.topic.clone();
    topic_settings::alter(&mut bench.cluster, &name, "max.message.bytes", "2000000", false).await.unwrap();
    topic_settings::alter(&mut bench.cluster, &name, "retention.ms", "3600000", true).await.unwrap();
    let own = async |bench: &mut Bench| {
        let deadline = Instant::now() + LIMIT;
        loop {
            // Kafka's brokers hear of it a moment later.
            let settings = topic_settings::describe(&mut bench.cluster, &name).await.unwrap();
            let own = settings.into_iter().filter(|setting| setting.origin == Origin::Topic);
            let own: Vec<_> = own.map(|setting| (setting.name, setting.value.unwrap())).collect();
            if !own.is_empty() || Instant::now() > deadline {
                return own;
            }
        }
    };
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(own(&mut bench).await, [set("max.message.bytes", "2000000")], "a trial changes nothing");
    for wrong in ["-5", "a while"] {
        let refused = topic_settings::alter(&mut bench.cluster, &name, "retention.ms", wrong, false).await;
        assert!(matches!(refused, Err(KafkaError::Refused { code: ResponseError::InvalidConfig, .. })), "{refused:?}");
    }
    let nobody = topic_settings::alter(&mut bench.cluster, "nobody", "retention.ms", "-1", false).await;
    assert!(matches!(nobody, Err(KafkaError::NoTopic { .. })), "{nobody:?}");
}

/// Three records of each of two partitions, one a second in turns.
async fn interleaved(name: &str) -> Bench {
    let mut bench = Bench::with_topic(name, 2).await;
    let start = now_ms() - 60_000;
    for second in 0..6 {
        let record = Record { timestamp_ms: start + i64::from(second) * 1_000, ..record(&second.to_string()) };
        bench.produce(second % 2, records::encode(&[record], usize::MAX)).await;
    }
    bench
}

async fn read_all(bench: &mut Bench, stretches: &[Stretch]) -> String {
    let mut history = History::open(&mut bench.cluster, &bench.topic, stretches).await.unwrap();
    let mut read = Vec::new();
    while let Some((partition, record)) = history.next().await.unwrap() {
        read.push(format!("{}@{partition}:{}", values(std::slice::from_ref(&record))[0], record.offset));
    }
    read.join(" ")
}

const WHOLE: [Stretch; 2] = [Stretch { partition: 0, start: 0, end: 3 }, Stretch { partition: 1, start: 0, end: 3 }];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_comes_in_the_order_of_time() {
    let mut bench = interleaved("history").await;
    assert_eq!(read_all(&mut bench, &WHOLE).await, "0@0:0 1@1:0 2@0:1 3@1:1 4@0:2 5@1:2");
    let part = [Stretch { partition: 1, start: 1, end: 2 }];
    assert_eq!(read_all(&mut bench, &part).await, "3@1:1");
    assert_eq!(read_all(&mut bench, &[]).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_of_a_topic_is_found() {
    let mut bench = interleaved("tail").await;
    let topic = bench.topic.clone();
    let Tail { stretches, skip } = history::tail(&mut bench.cluster, &topic, &WHOLE, 2, |_| true).await.unwrap();
    assert_eq!(read_all(&mut bench, &stretches).await, "2@0:1 3@1:1 4@0:2 5@1:2");
    assert_eq!(skip, 2);
    let zero = |record: &Record| record.value.as_deref() == Some(b"0");
    let Tail { stretches, skip } = history::tail(&mut bench.cluster, &topic, &WHOLE, 1, zero).await.unwrap();
    assert!(read_all(&mut bench, &stretches).await.starts_with("0@0:0"), "however far back it is");
    assert_eq!(skip, 0);
    let all = history::tail(&mut bench.cluster, &topic, &WHOLE, 1_000_000, |_| true).await.unwrap();
    assert_eq!(all, Tail { stretches: WHOLE.to_vec(), skip: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_read_live() {
    let mut bench = Bench::with_topic("live", 1).await;
    bench.produce(0, batch(&["before"])).await;
    let topic = bench.topic.clone();
    let mut live = Live::begin(&mut bench.cluster, &bench.server.brokers, &topic, [(0, 1)].into()).await.unwrap();
    bench.produce(0, batch(&["after"])).await;
    let chunk = async {
        loop {
            if let Some(Fetched::Chunk(chunk)) = live.next().await {
                return chunk;
            }
        }
    };
    let chunk = timeout(LIMIT, chunk).await.expect("in time");
    assert_eq!((chunk.partition, values(&chunk.records)), (0, vec!["after".to_owned()]));
}
