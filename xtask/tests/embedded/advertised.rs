//! The address that the broker tells its clients, where they do not reach the one it listens on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use vitals::address::Endpoint;
use vitals::broker::flush::Flush;
use vitals::broker::{Broker, Config};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

const MESSAGES: usize = 50;
const MESSAGE_BYTES: usize = 1_000;

/// Carries everything on to `server`, and counts the bytes that clients send.
fn carry(listener: TcpListener, server: SocketAddr) -> Arc<AtomicUsize> {
    let carried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&carried);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(server).expect("connected");
            let back = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
            let count = Arc::clone(&count);
            thread::spawn(move || copy(client, server, &count));
            thread::spawn(move || copy(back.0, back.1, &AtomicUsize::new(0)));
        }
    });
    carried
}

fn copy(mut from: TcpStream, mut to: TcpStream, count: &AtomicUsize) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count.fetch_add(length, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Sends messages by way of a proxy, and gives how many bytes went that way.
async fn sent_through_a_proxy(is_advertised: bool) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = proxy.local_addr().expect("an address");
    let advertise = is_advertised.then(|| Endpoint::from(there));
    let config = Config {
        folder: folder.path().join("broker"),
        listen: ([127, 0, 0, 1], 0).into(),
        advertise,
        flush: Flush::default(),
    };
    let broker = Broker::start(config).await.expect("started");
    let carried = carry(proxy, broker.address());
    let brokers = [there.to_string()];
    let mut cluster = Cluster::connect(&brokers).await.expect("connected");
    admin::create(&mut cluster, &TopicSpec::readings("t", 2, 1)).await.expect("made");
    let messages = (0..MESSAGES)
        .map(|number| Outgoing { key: number.to_string().into(), value: vec![b'.'; MESSAGE_BYTES].into() });
    let mut delivery = Delivery::new(messages.collect());
    let mut producer = Producer::connect(&brokers, "t").await.expect("connected");
    producer.send(&mut delivery).await.expect("sent");
    broker.stop().await;
    carried.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_through_a_proxy_stay_on_it_when_that_is_its_address() {
    assert!(sent_through_a_proxy(true).await > MESSAGES * MESSAGE_BYTES);
    assert!(sent_through_a_proxy(false).await < MESSAGES * MESSAGE_BYTES, "they go round it");
}
