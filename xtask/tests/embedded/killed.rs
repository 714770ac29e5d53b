//! `kill -9` of the broker under load, again and again: what it acknowledged is there, whole and once.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::consumer::Consumer;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::offsets::Place;
use vitals::kafka::producer::{Delivery, Outgoing, Producer};
use vitals::pipeline::source::{Event, Source};

const KILLS: u32 = 20;
const MESSAGES_A_BATCH: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);

/// A broker of its own process, killed when this is dropped.
pub(crate) struct Served {
    child: Child,
}

impl Served {
    pub(crate) fn start(folder: &Path, address: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_vitals"))
            .args(["up", "--listen", address, "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        Self { child }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

async fn connected(brokers: &[String]) -> Cluster {
    let began = Instant::now();
    loop {
        match Cluster::connect(brokers).await {
            Ok(cluster) => return cluster,
            Err(error) => assert!(began.elapsed() < LIMIT, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_acknowledged_is_there_after_every_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let brokers = vec![address.clone()];
    let mut broker = Served::start(folder.path(), &address);
    let mut cluster = connected(&brokers).await;
    admin::create(&mut cluster, &TopicSpec::readings("killed", 3, 1)).await.expect("made");

    let enough = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn(send_until_told(brokers.clone(), Arc::clone(&enough)));
    for kill in 0..KILLS {
        sleep(Duration::from_millis(u64::from(60 + kill * 13 % 90))).await;
        broker.kill();
        broker = Served::start(folder.path(), &address);
        connected(&brokers).await;
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
            Event::Assigned { partitions, .. } => {
                ends = partitions.iter().map(|of| (of.partition, of.end_offset)).collect();
            }
            Event::Chunk(chunk) => {
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
