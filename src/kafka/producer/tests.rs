//! The producer over a cluster that fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::advice::{Advice, Code};
use crate::record::Record;
use crate::record::murmur2::partition_of;

const PARTITIONS: i32 = 3;

/// What the cluster does with a request.
#[derive(Debug)]
enum Deed {
    Take,
    Fail(KafkaError),
    /// It has the records, but the answer is lost.
    TakeSilently,
    Hang,
}

#[derive(Debug, Default)]
struct DoubleState {
    deeds: VecDeque<Deed>,
    contacts: VecDeque<KafkaError>,
    connected: usize,
    log: Vec<(i32, Vec<u8>)>,
    in_flight: Vec<i32>,
}

#[derive(Debug, Clone, Default)]
struct Double(Arc<Mutex<DoubleState>>);

impl Double {
    fn doing(deeds: impl IntoIterator<Item = Deed>) -> Self {
        let double = Self::default();
        double.0.lock().expect("lock").deeds.extend(deeds);
        double
    }

    fn finish(&self, partition: i32, records: Vec<Record>, taken: bool) {
        let mut state = self.0.lock().expect("lock");
        state.in_flight.retain(|busy| *busy != partition);
        if taken {
            state.log.extend(records.into_iter().map(|record| (partition, record.value.expect("value").into())));
        }
    }

    fn log_of(&self, partition: i32) -> Vec<String> {
        let state = self.0.lock().expect("lock");
        let own = state.log.iter().filter(|(at, _)| *at == partition);
        own.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

impl Cluster for Double {
    type Link = Self;

    fn name(&self) -> String {
        "double:9092".to_owned()
    }

    async fn connect(&self, _topic: &str) -> Result<Self, KafkaError> {
        let mut state = self.0.lock().expect("lock");
        state.connected += 1;
        state.contacts.pop_front().map_or(Ok(self.clone()), Err)
    }
}

impl Link for Double {
    fn partitions(&self) -> i32 {
        PARTITIONS
    }

    async fn produce(&self, partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
        let deed = {
            let mut state = self.0.lock().expect("lock");
            assert!(!state.in_flight.contains(&partition), "two requests of one partition in flight");
            state.in_flight.push(partition);
            state.deeds.pop_front().unwrap_or(Deed::Take)
        };
        tokio::task::yield_now().await;
        self.finish(partition, records, matches!(deed, Deed::Take | Deed::TakeSilently));
        match deed {
            Deed::Take => Ok(()),
            Deed::Fail(failure) => Err(failure),
            Deed::TakeSilently | Deed::Hang => std::future::pending().await,
        }
    }
}

const SHORT: Patience = Patience {
    connect: Duration::from_millis(50),
    request: Duration::from_millis(50),
    delivery: Duration::from_millis(900),
};

fn broken() -> KafkaError {
    KafkaError::Io { address: "double:9092".to_owned(), source: std::io::ErrorKind::ConnectionReset.into() }
}

fn storage() -> KafkaError {
    KafkaError::refused("messages", ResponseError::KafkaStorageError)
}

/// `count` numbered messages of each of two patients whose partitions differ.
fn messages(count: usize) -> Vec<Outgoing> {
    assert_ne!(partition_of(b"P001", PARTITIONS), partition_of(b"P003", PARTITIONS));
    let of = |key: &str, number| Outgoing { key: key.to_owned().into(), value: format!("{key} {number}").into() };
    (0..count).flat_map(|number| [of("P001", number), of("P003", number)]).collect()
}

async fn connected(double: &Double) -> Producer<Double> {
    Producer::over(double.clone(), "t", SHORT).await.expect("connected")
}

#[tokio::test]
async fn messages_of_a_key_enter_the_partition_of_that_key_in_order() {
    let double = Double::default();
    let mut delivery = Delivery::new(messages(5000));
    connected(&double).await.send(&mut delivery).await.expect("sent");
    for key in ["P001", "P003"] {
        let expected: Vec<_> = (0..5000).map(|number| format!("{key} {number}")).collect();
        assert_eq!(double.log_of(partition_of(key.as_bytes(), PARTITIONS)), expected);
    }
    assert_eq!(delivery.outstanding().count(), 0);
}

#[tokio::test]
async fn after_a_failure_the_client_is_built_anew_and_nothing_overtakes() {
    let double = Double::doing([Deed::Fail(broken()), Deed::Take, Deed::Fail(silent(SHORT.request))]);
    let mut delivery = Delivery::new(messages(2000));
    connected(&double).await.send(&mut delivery).await.expect("sent");
    let expected: Vec<_> = (0..2000).map(|number| format!("P001 {number}")).collect();
    assert_eq!(double.log_of(partition_of(b"P001", PARTITIONS)), expected);
    assert_eq!(double.0.lock().expect("lock").connected, 3);
}

#[tokio::test]
async fn a_request_without_an_answer_is_given_up_and_repeated() {
    let double = Double::doing([Deed::TakeSilently]);
    let mut delivery = Delivery::new(messages(1));
    connected(&double).await.send(&mut delivery).await.expect("sent");
    let state = double.0.lock().expect("lock");
    let distinct: std::collections::BTreeSet<_> = state.log.iter().collect();
    assert_eq!((distinct.len(), state.log.len(), state.connected), (2, 3, 2));
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_what_was_acknowledged_is_known() {
    let double =
        Double::doing([Deed::Take, Deed::Fail(KafkaError::refused("messages", ResponseError::MessageTooLarge))]);
    let mut delivery = Delivery::new(messages(1));
    let error = connected(&double).await.send(&mut delivery).await.expect_err("refused");
    assert_eq!(error, ProducerError::TooLarge { topic: "t".to_owned() });
    assert_eq!((delivery.acknowledged().count(), delivery.outstanding().count()), (1, 1));
}

#[tokio::test]
async fn a_broker_that_stays_away_is_given_up_within_the_delivery_limit() {
    let double = Double::default();
    let mut producer = connected(&double).await;
    double.0.lock().expect("lock").contacts.extend(std::iter::repeat_with(broken).take(100));
    double.0.lock().expect("lock").deeds.extend([Deed::Hang, Deed::Hang]);
    let begun = Instant::now();
    let error = producer.send(&mut Delivery::new(messages(1))).await.expect_err("given up");
    assert!(matches!(error, ProducerError::Unreachable { .. }));
    assert!(begun.elapsed() < SHORT.delivery + SHORT.request + SHORT.connect);
}

#[tokio::test]
async fn a_broker_without_room_is_tried_again_and_told_as_what_it_is() {
    let full = || Deed::Fail(storage());
    let mut producer = connected(&Double::doing([full(), Deed::Take])).await;
    assert_eq!(producer.send(&mut Delivery::new(messages(1))).await, Ok(()));
    let mut producer = connected(&Double::doing(std::iter::repeat_with(full).take(1_000))).await;
    let error = producer.send(&mut Delivery::new(messages(1))).await.expect_err("given up");
    assert!(matches!(error, ProducerError::Storage { .. }), "{error}");
}

#[tokio::test]
async fn a_send_that_is_dropped_leaves_the_delivery_to_tell_what_was_acknowledged() {
    let double = Double::doing([Deed::Take, Deed::Hang]);
    let mut producer = connected(&double).await;
    let mut delivery = Delivery::new(messages(1));
    assert!(timeout(SHORT.request / 5, producer.send(&mut delivery)).await.is_err());
    assert_eq!((delivery.acknowledged().count(), delivery.outstanding().count()), (1, 1));
}

#[tokio::test]
async fn a_missing_topic_is_told_at_the_first_contact() {
    let double = Double::default();
    double.0.lock().expect("lock").contacts.push_back(KafkaError::NoTopic { topic: "t".to_owned() });
    let error = Producer::over(double, "t", SHORT).await.expect_err("no topic");
    assert_eq!(error.to_string(), "the topic t does not exist");
}

/// The time within which a message has to be there.
const SOON: Duration = Duration::from_secs(5);

async fn listener() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("address").to_string();
    (listener, address)
}

async fn first_contact(brokers: &[String]) -> ProducerError {
    timeout(SOON, Producer::connect(brokers, "t")).await.expect("in time").expect_err("no broker")
}

#[tokio::test]
async fn a_refused_connection_is_told_with_its_cause() {
    let (listener, address) = listener().await;
    drop(listener);
    let error = first_contact(std::slice::from_ref(&address)).await;
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot reach Kafka at {address}: ")), "{text}");
    assert!(text.contains("refused") && !text.contains("Retry"), "{text}");
    assert_eq!((error.code(), error.hint().is_some()), (Code::Unreachable, true));
}

#[tokio::test]
async fn a_silent_server_is_told_within_the_limit() {
    let (_listener, address) = listener().await;
    let error = first_contact(&[address]).await;
    assert!(error.to_string().contains("did not answer"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_kafka_is_told() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    let error = first_contact(&[address]).await;
    assert!(matches!(error, ProducerError::Unreachable { .. } | ProducerError::Silent { .. }), "{error}");
    server.abort();
}

#[tokio::test]
async fn no_broker_at_all_is_an_error_and_not_a_panic() {
    assert!(matches!(first_contact(&[]).await, ProducerError::Unreachable { .. }));
}

#[test]
fn records_go_out_together_up_to_the_limit_and_a_larger_one_alone() {
    let of = |records, size| request_length(std::iter::repeat_n(size, records), |_| false) * size;
    assert_eq!(of(100, 230), 100 * 230);
    assert!((LARGEST_BYTES - 230..=LARGEST_BYTES).contains(&of(10_000, 230)));
    assert_eq!(request_length([300_000, 300_000].into_iter(), |_| false), 1);
}
