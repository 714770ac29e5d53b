//! `kill -9` of the broker under load, again and again: what it acknowledged is there, whole and once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

use super::home::Home;
use super::records;

const KILLS: u32 = 20;
const MESSAGES_A_BATCH: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_acknowledged_is_there_after_every_kill() {
    let mut home = Home::up();
    let brokers = vec![home.address().to_owned()];
    let mut cluster = records::cluster(home.address()).await;
    admin::create(&mut cluster, &TopicSpec::readings("killed", 3, 1)).await.unwrap();

    let enough = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn(send_until_told(brokers.clone(), Arc::clone(&enough)));
    for kill in 0..KILLS {
        sleep(Duration::from_millis(u64::from(60 + kill * 13 % 90))).await;
        home.kill_broker();
        home.up_again();
    }
    enough.store(true, Ordering::Relaxed);
    let acknowledged = sender.await.expect("the sender");
    let read = timeout(LIMIT, records::everything(home.address(), "killed")).await.expect("read in time");
    assert!(read.iter().all(|record| record.fault.is_none()), "a torn read");
    let read: BTreeSet<_> = read.into_iter().map(|record| record.value.unwrap()).collect();
    assert!(acknowledged.len() > 1_000, "there was load: {}", acknowledged.len());
    let lost: Vec<_> = acknowledged.iter().filter(|value| !read.contains(*value)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged messages are lost", lost.len(), acknowledged.len());
}

async fn send_until_told(brokers: Vec<String>, enough: Arc<AtomicBool>) -> Vec<Bytes> {
    let mut producer = Producer::connect(&brokers, "killed").await.unwrap();
    let mut acknowledged = Vec::new();
    let mut number = 0_u64;
    while !enough.load(Ordering::Relaxed) {
        let message =
            |number: u64| Outgoing { key: number.to_be_bytes().to_vec().into(), value: number.to_string().into() };
        let batch = (number..).take(MESSAGES_A_BATCH).map(message).collect();
        number += u64::try_from(MESSAGES_A_BATCH).unwrap();
        let mut delivery = Delivery::new(batch);
        producer.send(&mut delivery).await.expect("sent in the end");
        acknowledged.extend(delivery.acknowledged().map(|message| message.value.clone()));
    }
    acknowledged
}
