//! The other clients of the broker: one that only wants to work, and visitors that speak no protocol at all.

use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::history::{self, History};
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

const TOPIC: &str = "of-the-good-client";

const ROUND_LIMIT: Duration = Duration::from_secs(30);

/// Sends, and reads back what it has sent, over and over while others work, and once more; tells how often it was served.
pub(crate) async fn served_beside(broker: SocketAddr, work: impl Future<Output = ()>) -> usize {
    let seeds = vec![broker.to_string()];
    let mut cluster = Cluster::connect(&seeds).await.unwrap();
    admin::create(&mut cluster, &TopicSpec::readings(TOPIC, 1, 1)).await.unwrap();
    let is_over = Cell::new(false);
    let work = async {
        work.await;
        is_over.set(true);
    };
    let rounds = async {
        for rounds in 0.. {
            let is_last = is_over.get();
            timeout(ROUND_LIMIT, round(&seeds, rounds)).await.expect("served in time");
            if is_last {
                return rounds + 1;
            }
            sleep(Duration::from_millis(50)).await;
        }
        0
    };
    tokio::join!(rounds, work).0
}

async fn round(seeds: &[String], before: usize) {
    let mut producer = Producer::connect(seeds, TOPIC).await.unwrap();
    let value = format!("round {before}").into_bytes();
    let mut delivery = Delivery::new(vec![Outgoing { key: "P001".into(), value: value.clone().into() }]);
    producer.send(&mut delivery).await.unwrap();
    let mut cluster = Cluster::connect(seeds).await.unwrap();
    let whole = history::everything(&mut cluster, TOPIC).await.unwrap();
    let end = whole[0].end;
    assert_eq!(usize::try_from(end).unwrap(), before + 1, "what was sent is there once");
    let last = history::Stretch { start: end - 1, ..whole[0] };
    let mut history = History::open(&mut cluster, TOPIC, &[last]).await.unwrap();
    let (_, record) = history.next().await.unwrap().unwrap();
    assert_eq!(record.value.as_deref(), Some(&value[..]));
}

const AT_A_TIME: usize = 32;

/// How long a visitor waits to be shown out.
const STAY: Duration = Duration::from_millis(200);

pub(crate) async fn visit(broker: SocketAddr, seeds: Range<u64>) {
    stream::iter(seeds).for_each_concurrent(AT_A_TIME, |seed| visitor(broker, seed)).await;
}

async fn visitor(broker: SocketAddr, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut noise = vec![0; rng.random_range(0..400)];
    rng.fill_bytes(&mut noise);
    let prefix: Vec<u8> = match rng.random_range(0..6) {
        // What follows is taken for a frame's length.
        0 => Vec::new(),
        1 => i32::MAX.to_be_bytes().to_vec(),
        2 => (-1_i32).to_be_bytes().to_vec(),
        // A frame of noise; one that begins as a known request; one that never becomes whole.
        3 => u32::try_from(noise.len()).unwrap().to_be_bytes().to_vec(),
        4 => {
            let (api, version) = (rng.random_range(0_i16..70), rng.random_range(0_i16..14));
            let length = i32::try_from(noise.len() + 4).unwrap();
            [&length.to_be_bytes()[..], &api.to_be_bytes(), &version.to_be_bytes()].concat()
        }
        _ => 32_000_000_i32.to_be_bytes().to_vec(),
    };
    let Ok(mut stream) = TcpStream::connect(broker).await else { return };
    // It may have been shown out already.
    let _ = stream.write_all(&[prefix, noise].concat()).await;
    let _ = timeout(STAY, stream.read(&mut [0; 64])).await;
}
