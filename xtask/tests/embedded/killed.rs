//! `kill -9` of the broker under load, again and again: what it acknowledged is there, whole and once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::consumer::Consumer;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::offsets::Place;
use vitals::kafka::producer::{Delivery, Outgoing, Producer};
use vitals::pipeline::source::{Event, Fetched, MembershipEvent, Source};

use super::home::Home;

const KILLS: u32 = 20;
const MESSAGES_A_BATCH: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_acknowledged_is_there_after_every_kill() {
    let mut home = Home::up();
    let brokers = vec![home.address().to_owned()];
    let mut cluster = Cluster::connect(&brokers).await.expect("connected");
    admin::create(&mut cluster, &TopicSpec::readings("killed", 3, 1)).await.expect("made");

    let enough = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn(send_until_told(brokers.clone(), Arc::clone(&enough)));
    for kill in 0..KILLS {
        sleep(Duration::from_millis(u64::from(60 + kill * 13 % 90))).await;
        home.kill_broker();
        home.up_again();
    }
    enough.store(true, Ordering::Relaxed);
    let acknowledged = sender.await.expect("the sender");
    let read = timeout(LIMIT, read_all(&brokers)).await.expect("read in time");
    assert!(acknowledged.len() > 1_000, "there was load: {}", acknowledged.len());
    let lost: Vec<_> = acknowledged.iter().filter(|value| !read.contains_key(*value)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged messages are lost", lost.len(), acknowledged.len());
}

/// Sends batches for as long as the kills go on, and gives what was acknowledged.
async fn send_until_told(brokers: Vec<String>, enough: Arc<AtomicBool>) -> Vec<Vec<u8>> {
    let mut producer = Producer::connect(&brokers, "killed").await.expect("connected");
    let mut acknowledged = Vec::new();
    let mut number = 0_u64;
    while !enough.load(Ordering::Relaxed) {
        let message =
            |number: u64| Outgoing { key: number.to_be_bytes().to_vec().into(), value: number.to_string().into() };
        let batch = (number..).take(MESSAGES_A_BATCH).map(message).collect();
        number += u64::try_from(MESSAGES_A_BATCH).expect("small");
        let mut delivery = Delivery::new(batch);
        producer.send(&mut delivery).await.expect("sent in the end");
        acknowledged.extend(delivery.acknowledged().map(|message| message.value.to_vec()));
    }
    acknowledged
}

/// Everything in the topic, with how often it is there.
async fn read_all(brokers: &[String]) -> BTreeMap<Vec<u8>, u32> {
    let config = MemberConfig {
        group: "auditor".to_owned(),
        topic: "killed".to_owned(),
        instance_id: None,
        session_timeout: Duration::from_secs(10),
    };
    let mut consumer = Consumer::join(brokers, config, Place::Earliest).await.expect("joined");
    let (mut ends, mut read) = (BTreeMap::new(), BTreeMap::new());
    loop {
        match consumer.next(true).await.expect("an event") {
            Event::Membership(MembershipEvent::Assigned { partitions, .. }) => {
                ends = partitions.iter().map(|of| (of.partition, of.end_offset)).collect();
            }
            Event::Fetched(Fetched::Chunk(chunk)) => {
                for record in chunk.records {
                    assert_eq!(record.fault, None, "a torn read");
                    *read.entry(record.value.expect("a value").to_vec()).or_default() += 1;
                }
                if ends.get(&chunk.partition).is_some_and(|end| chunk.next_offset >= *end) {
                    ends.remove(&chunk.partition);
                }
                if ends.is_empty() {
                    return read;
                }
            }
            _ => {}
        }
    }
}
