//! A client that only wants to work, beside all the others.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::history::{self, History};
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

/// A topic that nobody else knows.
const TOPIC: &str = "of-the-good-client";

/// How long a round may take on a busy machine.
const ROUND_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct GoodClient {
    over: watch::Sender<bool>,
    working: JoinHandle<usize>,
}

impl GoodClient {
    /// Sends, and reads back what it has sent, over and over.
    pub(crate) async fn start(broker: SocketAddr) -> Self {
        let seeds = vec![broker.to_string()];
        let mut cluster = Cluster::connect(&seeds).await.expect("connected");
        admin::create(&mut cluster, &TopicSpec::readings(TOPIC, 1, 1)).await.expect("made");
        let (over, told) = watch::channel(false);
        let working = tokio::spawn(async move {
            let mut rounds = 0;
            // One round at least after the last of the others.
            loop {
                let is_last = *told.borrow();
                timeout(ROUND_LIMIT, round(&seeds, rounds)).await.expect("served in time");
                rounds += 1;
                if is_last {
                    return rounds;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        Self { over, working }
    }

    /// How often it was served.
    pub(crate) async fn stop(self) -> usize {
        self.over.send_replace(true);
        self.working.await.expect("it was served each time")
    }
}

async fn round(seeds: &[String], before: usize) {
    let mut producer = Producer::connect(seeds, TOPIC).await.expect("connected");
    let value = format!("round {before}").into_bytes();
    let mut delivery = Delivery::new(vec![Outgoing { key: "P001".into(), value: value.clone().into() }]);
    producer.send(&mut delivery).await.expect("sent");
    let mut cluster = Cluster::connect(seeds).await.expect("connected");
    let whole = history::everything(&mut cluster, TOPIC).await.expect("found");
    let end = whole[0].end;
    assert_eq!(usize::try_from(end).expect("an offset"), before + 1, "what was sent is there once");
    let last = history::Stretch { start: end - 1, ..whole[0] };
    let mut history = History::open(&mut cluster, TOPIC, &[last]).await.expect("opened");
    let (_, record) = history.next().await.expect("read").expect("there");
    assert_eq!(record.value.as_deref(), Some(&value[..]));
}
