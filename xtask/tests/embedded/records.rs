//! Records that a test puts into a topic as another program might, and reads back.

use bytes::Bytes;
use vitals::kafka::append;
use vitals::kafka::cluster::Cluster;
use vitals::kafka::error::KafkaError;
use vitals::kafka::history::{self, History};
use vitals::record::{Header, Record};

use super::home::Home;
use super::wire::Wire;

/// A record of now.
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
    run(async {
        let mut cluster = Cluster::connect(&[home.address().to_owned()]).await?;
        let leaders = cluster.leaders(topic).await?;
        for record in records {
            let record = std::slice::from_ref(record);
            append::append(&mut cluster, &leaders, topic, partition, record, "a message").await?;
        }
        Ok::<_, KafkaError>(())
    });
}

/// Appends a batch to partition 0 as it is.
pub(crate) fn append(home: &Home, topic: &str, batch: Bytes) {
    let code = async { Ok::<_, KafkaError>(Wire::connect(home.address()).await.append(topic, batch).await) };
    assert_eq!(run(code), 0);
}

/// Everything in a topic.
pub(crate) fn all(home: &Home, topic: &str) -> Vec<Record> {
    run(async {
        let mut cluster = Cluster::connect(&[home.address().to_owned()]).await?;
        let everything = history::everything(&mut cluster, topic).await?;
        let mut history = History::open(&mut cluster, topic, &everything).await?;
        let mut records = Vec::new();
        while let Some((_, record)) = history.next().await? {
            records.push(record);
        }
        Ok::<_, KafkaError>(records)
    })
}

pub(crate) fn run<T, E: std::fmt::Debug>(work: impl Future<Output = Result<T, E>>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work).expect("done")
}
