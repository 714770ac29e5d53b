//! What `vitals` does as a client, one thing a session.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::consumer::Consumer;
use vitals::kafka::dead_letters::{DeadLetterTopic, NotKept};
use vitals::kafka::error::KafkaError;
use vitals::kafka::group::{self, MemberConfig};
use vitals::kafka::history::{self, History};
use vitals::kafka::live::Live;
use vitals::kafka::offsets::{self, Committer, Place};
use vitals::kafka::producer::{self, Delivery, Direct, Outgoing, Patience, Producer, ProducerError, Rskafka};
use vitals::kafka::{brokers, lag, topic_settings, topics};
use vitals::ledger::Position;
use vitals::pipeline;
use vitals::pipeline::dead_letters::{DeadLetter, DeadLetters as _};
use vitals::pipeline::source::{Event, Fetched, MembershipEvent, Source as _};
use vitals::reading::reject::Reject;
use vitals::record::Record;

pub(crate) enum Outcome {
    Done,
    Failed,
    /// It would have gone on for ever, as it should.
    Cut,
}

/// How long those are watched that go on for ever.
const WATCHED: Duration = Duration::from_secs(1);

const RECORDS: usize = 200;

const MESSAGE: &[u8] = br#"{"patient_id":"P001","timestamp":"2025-10-26T10:30:15+00:00","spo2":98}"#;

pub(crate) async fn prepare(broker: SocketAddr, topic: &str) {
    let seeds = vec![broker.to_string()];
    let mut cluster = Cluster::connect(&seeds).await.unwrap();
    admin::create(&mut cluster, &TopicSpec::readings(topic, 3, 1)).await.unwrap();
    admin::create(&mut cluster, &TopicSpec::dead_letters(topic, 3, 1)).await.unwrap();
    produce(Direct::new(&seeds), topic).await.unwrap();
    let coordinator = cluster.coordinator(topic).await.unwrap();
    let coordinator = cluster.node(coordinator).await.unwrap();
    let position = Position { stored: 1, ..Position::at(0, 0) };
    offsets::commit(coordinator, Committer::outsider(topic), (topic, uuid::Uuid::nil()), &[position]).await.unwrap();
}

/// Does one thing; the seed says which.
pub(crate) async fn act(seeds: &[String], topic: &str, seed: u64) -> Outcome {
    match seed % 9 {
        0 => outcome(&describe(seeds, topic).await),
        1 => outcome(&look_at_groups(seeds, topic).await),
        2 => outcome(&read(seeds, topic).await),
        3 => watched(consume(seeds, topic, seed)).await,
        4 => watched(follow(seeds, topic)).await,
        5 => outcome(&produce(Direct::new(seeds), topic).await),
        6 => outcome(&keep_letters(seeds, topic).await),
        7 => outcome(&produce(Rskafka::new(seeds), topic).await),
        _ => outcome(&make_and_delete(seeds, seed).await),
    }
}

fn outcome<E>(told: &Result<(), E>) -> Outcome {
    if told.is_ok() { Outcome::Done } else { Outcome::Failed }
}

async fn watched(work: impl Future<Output = Result<(), KafkaError>>) -> Outcome {
    timeout(WATCHED, work).await.map_or(Outcome::Cut, |told| outcome(&told))
}

async fn describe(seeds: &[String], topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(seeds).await?;
    let mut all = topics::list(&mut cluster).await?;
    topics::measure(&mut cluster, &mut all).await;
    let mut described = vec![topics::describe(&mut cluster, topic).await?];
    topics::measure(&mut cluster, &mut described).await;
    for state in &mut described {
        topics::date(&mut cluster, state).await?;
        topics::sample(&mut cluster, state).await?;
    }
    topic_settings::describe(&mut cluster, topic).await?;
    brokers::survey(&mut cluster).await?;
    brokers::controller(&mut cluster).await.map(drop)
}

async fn look_at_groups(seeds: &[String], topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(seeds).await?;
    group::admin::list(&mut cluster).await?;
    lag::measure(&mut cluster, topic, topic).await?;
    let node = group::admin::coordinator(&mut cluster, topic).await?;
    let coordinator = cluster.node(node).await?;
    let description = group::admin::describe(coordinator, topic).await?;
    let _ = (description.topics(), description.is_active());
    offsets::committed_topics(coordinator, topic).await?;
    group::admin::delete(coordinator, "nobody").await
}

async fn read(seeds: &[String], topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(seeds).await?;
    let stretches = history::everything(&mut cluster, topic).await?;
    let mut history = History::open(&mut cluster, topic, &stretches).await?;
    for _ in 0..RECORDS {
        let Some((_, record)) = history.next().await? else { break };
        let _ = pipeline::decode(&record);
    }
    Ok(())
}

/// A member of its own group, so that the members of other sessions hold nothing up.
async fn consume(seeds: &[String], topic: &str, seed: u64) -> Result<(), KafkaError> {
    let config = MemberConfig {
        group: format!("group-{seed}"),
        topic: topic.to_owned(),
        instance_id: None,
        session_timeout: Duration::from_secs(6),
    };
    let mut consumer = Consumer::join(seeds, config, Place::Earliest).await?;
    loop {
        match consumer.next(true).await? {
            Event::Fetched(Fetched::Chunk(chunk)) => {
                let offset = chunk.next_offset;
                let position = Position::at(chunk.partition, offset);
                consumer.commit(chunk.assignment, vec![position]).await;
            }
            Event::Membership(MembershipEvent::Committed(_)) => break,
            _ => {}
        }
    }
    consumer.leave().await;
    Ok(())
}

async fn follow(seeds: &[String], topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(seeds).await?;
    let mut live = Live::begin(&mut cluster, seeds, topic, [(0, 0), (1, 0), (2, 0)].into()).await?;
    while let Some(event) = live.next().await {
        if let Fetched::Chunk(chunk) = event {
            for record in &chunk.records {
                let _ = pipeline::decode(record);
            }
        }
    }
    Ok(())
}

async fn produce(cluster: impl producer::Cluster, topic: &str) -> Result<(), ProducerError> {
    let second = Duration::from_secs(1);
    let patience = Patience { connect: 2 * second, request: 2 * second, delivery: 3 * second };
    let mut producer = Producer::over(cluster, topic, patience).await?;
    let keys = ["P001", "P002", "P003", "P004", "P005"];
    let outgoing = keys.map(|key| Outgoing { key: key.into(), value: MESSAGE.into() });
    producer.send(&mut Delivery::new(outgoing.to_vec())).await
}

async fn keep_letters(seeds: &[String], topic: &str) -> Result<(), KafkaError> {
    let value = Some(Bytes::from_static(b"{"));
    let record = Record { offset: 7, timestamp_ms: 0, key: None, value, headers: Vec::new(), fault: None };
    let letter = |partition| DeadLetter { partition, record: record.clone(), reject: Reject::NotUtf8 };
    let letters = DeadLetterTopic::of(topic, seeds);
    let kept = letters.keep(&[letter(0), letter(1), letter(2)]).await;
    kept.map(|_| ()).map_err(|NotKept(error)| error)
}

async fn make_and_delete(seeds: &[String], seed: u64) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(seeds).await?;
    let name = format!("made-{seed}");
    admin::create(&mut cluster, &TopicSpec::readings(&name, 2, 1)).await?;
    admin::delete(&mut cluster, &name).await
}
