//! The broker itself: the address that it names, what it does not do, more connections than the system gives it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, ConsumerGroupHeartbeatRequest};
use tokio::time::timeout;
use vitals::address::Endpoint;
use vitals::broker::{Broker, Config};
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::producer::{Delivery, Outgoing, Producer};

use super::home::Home;
use super::wire::{Wire, group, name};
use crate::link::Link;
use crate::own_broker::{config, started_anew};

const LIMIT: Duration = Duration::from_secs(30);

const MESSAGES: usize = 50;
const MESSAGE_BYTES: usize = 1_000;

/// Sends messages by way of a proxy, and gives how many bytes went that way.
async fn sent_through_a_proxy(is_advertised: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    // Nobody else listens there in the moment until the broker does.
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Link::start(0, &listen.to_string()).unwrap();
    let advertise = is_advertised.then(|| Endpoint::from(proxy.address()));
    let broker = Broker::start(Config { listen, advertise, ..config(folder.path()) }).await.unwrap();
    let brokers = [proxy.address().to_string()];
    let mut cluster = Cluster::connect(&brokers).await.unwrap();
    admin::create(&mut cluster, &TopicSpec::readings("t", 2, 1)).await.unwrap();
    let message = |number: usize| Outgoing { key: number.to_string().into(), value: vec![b'.'; MESSAGE_BYTES].into() };
    let mut producer = Producer::connect(&brokers, "t").await.unwrap();
    producer.send(&mut Delivery::new((0..MESSAGES).map(message).collect())).await.unwrap();
    broker.stop().await;
    usize::try_from(proxy.carried_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_through_a_proxy_stay_on_it_when_that_is_its_address() {
    assert!(sent_through_a_proxy(true).await > MESSAGES * MESSAGE_BYTES);
    assert!(sent_through_a_proxy(false).await < MESSAGES * MESSAGE_BYTES, "they go round it");
}

#[tokio::test]
async fn a_member_of_the_newer_group_protocol_is_refused_with_the_setting_that_helps() {
    let (broker, _folder) = started_anew().await;
    let mut wire = Wire::connect(broker.address()).await;
    let offered = wire.ask(&ApiVersionsRequest::default(), 0).await.api_keys;
    let heartbeat = offered.iter().find(|api| api.api_key == 68).expect("offered, so that clients ask");
    for version in heartbeat.min_version..=heartbeat.max_version {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_rebalance_timeout_ms(45_000)
            .with_subscribed_topic_names(Some(vec![name("ward")]))
            .with_topic_partitions(Some(Vec::new()));
        let request = if version == 0 { request } else { request.with_member_id("m".to_owned().into()) };
        let refused = wire.ask(&request, version).await;
        assert_eq!(refused.error_code, ResponseError::UnsupportedVersion.code());
        assert!(refused.error_message.expect("words").contains("group.protocol=classic"));
    }
}

#[tokio::test]
async fn a_request_that_is_not_known_closes_its_connection_alone_and_is_told_once() {
    let (mut broker, _folder) = started_anew().await;
    let mut other = Wire::connect(broker.address()).await;
    // No request at all; Produce in a version to come; ConsumerGroupDescribe.
    for (key, version) in [(999, 0), (0, 99), (69, 0)] {
        for _ in 0..2 {
            let mut wire = Wire::connect(broker.address()).await;
            let closed = timeout(LIMIT, wire.ask_raw(key, version, &[0; 8])).await.expect("not left waiting");
            assert_eq!(closed, None, "request {key} in version {version}");
        }
        let told = timeout(LIMIT, broker.notice()).await.unwrap().to_string();
        assert!(told.contains(&format!("({key}) in version {version}")), "{told}");
    }
    assert!(timeout(Duration::from_millis(100), broker.notice()).await.is_err(), "each of them once");
    assert!(!other.exists("nothing").await);
    let mut wire = Wire::connect(broker.address()).await;
    let mut answer = wire.ask_raw(18, 99, &[]).await.expect("the list, in the oldest version");
    assert_eq!(bytes::Buf::get_i16(&mut answer.split_off(4)), ResponseError::UnsupportedVersion.code());
}

#[test]
fn the_broker_goes_on_when_nobody_reads_what_it_says() {
    let home = Home::new();
    let mut command = home.vitals("up --listen 127.0.0.1:0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(500));
    let running = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    let _ = child.wait();
    assert!(running);
}

#[test]
fn a_second_broker_on_the_same_folder_or_port_is_refused_with_a_hint() {
    let home = Home::up();
    home.bare("up --listen 127.0.0.1:0").with_code(4).tells(&["is in use by the process", "hint:"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let words = format!("up --listen {} --data elsewhere", taken.local_addr().unwrap());
    home.bare(&words).with_code(4).tells(&["cannot listen on", "hint:"]);
}

#[test]
fn a_flush_that_is_none_is_refused_with_what_helps() {
    for wrong in ["0s", "2h", "often"] {
        Home::new().bare(&format!("up --flush {wrong}")).with_code(2).tells(&["--flush", "before-ack"]);
    }
}

#[cfg(target_os = "linux")]
mod crowded {
    use std::net::TcpStream;
    use std::process::Command;
    use std::time::Instant;

    use super::*;
    use crate::home::address_in;
    use crate::running::Running;

    /// What `vitals up` needs for itself, and some connections.
    const DESCRIPTORS: u32 = 48;

    /// The kernel counts processor time in hundredths of a second.
    const TICKS_PER_SECOND: u64 = 100;

    fn processor_ticks(process: u32) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
        let behind_name = stat.rsplit_once(')').unwrap().1;
        behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    #[tokio::test]
    async fn a_broker_without_descriptors_waits_says_so_once_and_serves_when_some_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vitals")]);
        command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
        let mut broker = Running::start("vitals up", &mut command);
        let address = address_in(&broker.wait_for_line("listens on ", LIMIT));
        let count = |broker: &Running, what: &str| broker.stderr().iter().filter(|line| line.contains(what)).count();

        let crowd: Vec<_> = (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(&address).unwrap()).collect();
        broker.wait_for_note("Too many open files", LIMIT);
        let before = processor_ticks(broker.pid());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let spent = processor_ticks(broker.pid()) - before;
        assert!(spent < TICKS_PER_SECOND / 4, "{spent} hundredths of a second in two seconds");
        assert_eq!((count(&broker, "Too many open files"), count(&broker, "taken again")), (1, 0));

        drop(crowd);
        let begin = Instant::now();
        while count(&broker, "taken again") == 0 {
            assert!(begin.elapsed() < LIMIT, "it does not say that it is over");
            assert!(!Wire::connect(&address).await.exists("nothing").await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!((count(&broker, "Too many open files"), count(&broker, "taken again")), (1, 1));
    }
}
