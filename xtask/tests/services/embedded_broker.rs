//! Kafka's own tools, and kafka-python, on the embedded broker: they take it for what it speaks.

use vitals::broker::users::Users;
use vitals::broker::{Broker, Config, Entrance};
use vitals::tls::ServerTls;

use crate::own_broker::{config, started_anew};
use crate::peer::{self, python, start_tool};
use crate::running::RUN_LIMIT;
use crate::ward::link_to;

const TOPIC: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// Runs a tool to its end, away from the broker's threads, and gives what it printed.
async fn tool(class: &'static str, address: &str, words: &'static str) -> String {
    let address = address.to_owned();
    let run = move || peer::tool(class, &address, &words.split(' ').collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafkas_own_tools_make_fill_read_and_rewind_a_topic() {
    let (broker, _folder) = started_anew().await;
    let address = broker.address().to_string();
    tool(TOPIC, &address, "--create --topic t --partitions 3").await;
    assert_eq!(tool(TOPIC, &address, "--list").await.trim(), "t");
    assert!(tool(TOPIC, &address, "--describe --topic t").await.contains("PartitionCount: 3"));
    fill(&address).await;
    let read = tool(CONSUMER, &address, "--topic t --group g --from-beginning --max-messages 20").await;
    assert_eq!(read.lines().filter(|line| line.starts_with("value-")).count(), 20, "{read}");
    let ends = tool(OFFSETS, &address, "--topic t").await;
    let ends = ends.lines().filter_map(|line| line.rsplit_once(':')?.1.parse::<i64>().ok());
    assert_eq!(ends.sum::<i64>(), 20);
    assert_eq!(lag(&tool(GROUPS, &address, "--describe --group g").await), 0);
    tool(GROUPS, &address, "--group g --topic t --reset-offsets --to-earliest --execute").await;
    assert_eq!(lag(&tool(GROUPS, &address, "--describe --group g").await), 20);
    broker.stop().await;
}

/// Sends twenty messages with keys through the console producer.
async fn fill(address: &str) {
    let address = address.to_owned();
    let send = move || {
        let keyed = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
        let arguments = ["--bootstrap-server", &address, "--topic", "t"];
        let mut producer = start_tool(PRODUCER, &[&arguments[..], &keyed[..]].concat());
        (0..20).for_each(|number| producer.say(&format!("key-{number}:value-{number}")));
        producer.close_stdin();
        producer.wait_end(RUN_LIMIT).well();
    };
    tokio::task::spawn_blocking(send).await.unwrap();
}

/// The sum of the column LAG.
fn lag(described: &str) -> i64 {
    let rows = described.lines().filter(|line| line.starts_with("g "));
    rows.map(|row| row.split_whitespace().nth(5).unwrap().parse::<i64>().unwrap()).sum()
}

/// The old producer sends so many messages, and the old consumer reads them; gives what it printed.
async fn sent_and_read(address: String, count: &'static str) -> String {
    let run = move || {
        python("old_producer.py", &[&address, "t", count]);
        python("old_consumer.py", &[&address, "t", "old", count])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_producer_and_consumer_work_on_it() {
    let (broker, _folder) = started_anew().await;
    let address = broker.address().to_string();
    tool(TOPIC, &address, "--create --topic t --partitions 2").await;
    let read = sent_and_read(address, "30").await;
    assert_eq!(read.lines().filter(|line| line.starts_with('{')).count(), 30, "{read}");
    broker.stop().await;
}

/// Kafka's own tool, kafka-python and librdkafka take it for what it speaks inside TLS and in SCRAM as well; and what the
/// tool is given says to `vitals` how to come there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_clients_come_through_its_tls_and_its_login() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = vitals::tls::make(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("users.toml"), "ward = \"a pass=word\"\n").unwrap();
    let entrance = Entrance {
        tls: Some(ServerTls::open(&made.certificate, &made.key).unwrap()),
        users: Some(Users::read(&path("users.toml")).unwrap()),
    };
    let broker = Broker::start(Config { entrance, ..config(&path("broker")) }).await.unwrap();
    let (address, authority) = (broker.address().to_string(), made.authority.display().to_string());
    let properties = format!(
        "bootstrap.servers={address}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
         ssl.truststore.type=PEM\nssl.truststore.location={authority}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  \
         username=\"ward\" password=\"a pass=word\";\n"
    );
    let file = path("client.properties").display().to_string();
    std::fs::write(&file, properties).unwrap();
    let run = move || {
        peer::tool(TOPIC, &address, &["--command-config", &file, "--create", "--topic", "t", "--partitions", "2"]);
        let read = python("secure_clients.py", &[&address, "t", &authority, "ward", "a pass=word"]);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.env_clear().args(["topic", "list", "-o", "ndjson", "--broker-properties", &file]);
        (read, crate::running::run("vitals topic list", &mut command).well().rows())
    };
    let (read, topics) = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(read, "kafka-python 20\nlibrdkafka 20\n");
    assert_eq!((&topics[0]["topic"], &topics[0]["records"]), (&"t".into(), &20.into()), "{topics:?}");
    broker.stop().await;
}

/// A message of the old producer is longer.
const SHORTEST_MESSAGE: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_producer_and_consumer_stay_on_the_proxy_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody else listens there in the moment until the broker does.
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = link_to(&listen.to_string());
    let advertise = Some(proxy.address().into());
    let broker = Broker::start(Config { listen, advertise, ..config(folder.path()) }).await.unwrap();
    let address = proxy.address().to_string();
    tool(TOPIC, &address, "--create --topic t --partitions 2").await;
    let before = proxy.carried_bytes();
    sent_and_read(address, "100").await;
    let carried = proxy.carried_bytes() - before;
    assert!(carried > 2 * 100 * SHORTEST_MESSAGE, "{carried} bytes");
    broker.stop().await;
}
