//! The address that the broker tells its clients, where they do not reach the one it listens on.

use vitals::address::Endpoint;
use vitals::broker::{Broker, Config};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

use crate::link::Link;
use crate::own_broker::config;

const MESSAGES: usize = 50;
const MESSAGE_BYTES: usize = 1_000;

/// Sends messages by way of a proxy, and gives how many bytes went that way.
async fn sent_through_a_proxy(is_advertised: bool) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody else listens there in the moment until the broker does.
    let listen = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let proxy = Link::start(0, &listen.to_string()).expect("started");
    let there = proxy.address();
    let advertise = is_advertised.then(|| Endpoint::from(there));
    let config = Config { listen, advertise, ..config(folder.path()) };
    let broker = Broker::start(config).await.expect("started");
    let brokers = [there.to_string()];
    let mut cluster = Cluster::connect(&brokers).await.expect("connected");
    admin::create(&mut cluster, &TopicSpec::readings("t", 2, 1)).await.expect("made");
    let messages = (0..MESSAGES)
        .map(|number| Outgoing { key: number.to_string().into(), value: vec![b'.'; MESSAGE_BYTES].into() });
    let mut delivery = Delivery::new(messages.collect());
    let mut producer = Producer::connect(&brokers, "t").await.expect("connected");
    producer.send(&mut delivery).await.expect("sent");
    broker.stop().await;
    usize::try_from(proxy.carried_bytes()).expect("few")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_through_a_proxy_stay_on_it_when_that_is_its_address() {
    assert!(sent_through_a_proxy(true).await > MESSAGES * MESSAGE_BYTES);
    assert!(sent_through_a_proxy(false).await < MESSAGES * MESSAGE_BYTES, "they go round it");
}
