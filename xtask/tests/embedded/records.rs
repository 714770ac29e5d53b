//! Records that a test puts into a topic as another program might, and reads back.

use bytes::Bytes;
use vitals::kafka::append;
use vitals::kafka::cluster::Cluster;
use vitals::kafka::error::KafkaError;
use vitals::kafka::history::{self, History};
use vitals::record::{Header, Record};

use super::home::Home;
use super::wire::Wire;

pub(crate) fn message(key: Option<Bytes>, value: Option<Bytes>, headers: Vec<Header>) -> Record {
    Record { offset: 0, timestamp_ms: chrono::Utc::now().timestamp_millis(), key, value, headers, fault: None }
}

pub(crate) fn record(key: &str, value: &str) -> Record {
    message(Some(key.to_owned().into()), Some(value.to_owned().into()), Vec::new())
}

pub(crate) fn header(key: &str, value: &str) -> Header {
    Header { key: key.to_owned().into(), value: Some(value.to_owned().into()) }
}

/// Appends records one by one: together they may be more than a topic takes at once.
pub(crate) fn send(home: &Home, topic: &str, partition: i32, records: &[Record]) {
    run(async { send_to(&mut cluster(home.address()).await, topic, partition, records).await });
}

pub(crate) async fn send_to(cluster: &mut Cluster, topic: &str, partition: i32, records: &[Record]) {
    let leaders = cluster.leaders(topic).await.unwrap();
    for record in records {
        let record = std::slice::from_ref(record);
        append::append(cluster, &leaders, topic, partition, record, "a message").await.unwrap();
    }
}

pub(crate) fn append(home: &Home, topic: &str, batch: Bytes) {
    assert_eq!(run(async { Wire::connect(home.address()).await.append(topic, batch).await }), 0);
}

pub(crate) fn all(home: &Home, topic: &str) -> Vec<Record> {
    run(everything(home.address(), topic))
}

/// Everything in a topic; nothing where there is none.
pub(crate) async fn everything(address: &str, topic: &str) -> Vec<Record> {
    let mut cluster = cluster(address).await;
    let stretches = match history::everything(&mut cluster, topic).await {
        Err(KafkaError::NoTopic { .. }) => return Vec::new(),
        found => found.unwrap(),
    };
    let mut history = History::open(&mut cluster, topic, &stretches).await.unwrap();
    let mut records = Vec::new();
    while let Some((_, record)) = history.next().await.unwrap() {
        records.push(record);
    }
    records
}

pub(crate) async fn cluster(address: &str) -> Cluster {
    Cluster::connect(&[address.to_owned()]).await.unwrap()
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}
