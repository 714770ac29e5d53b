//! Rights: each role does its work with exactly what `vitals grants` prints for it, and with any of these missing it is told
//! which one.

use std::time::{Duration, Instant};

use crate::grants::{acls, cql, granted};
use crate::peer;
use crate::place::{self, secure_file as file, variable};
use crate::program::Program;
use crate::running::{Ended, RUN_LIMIT};
use crate::ward::{CATCH_UP_LIMIT, Ward};

/// What is given or taken counts in Cassandra after a second, in Kafka at once.
const COUNTS_SOON: Duration = Duration::from_secs(10);

/// A ward on the servers that want to know who comes.
fn ward() -> Ward {
    let node = format!("127.0.0.1:{}", variable("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT"));
    Ward { cassandra: node, brokers: format!("127.0.0.1:{}", variable("VITALS_TEST_BOTH_PORT")), ..Ward::new() }
}

/// The options with which a user of Kafka and a role of Cassandra come.
fn come_as(user: &str, role: &str) -> String {
    let (ca, password) = (file("ca.pem"), file("password"));
    let store = if role == "cassandra" { file("store-password") } else { password.clone() };
    format!(
        "--broker-ca {ca} --broker-user {user} --broker-password-file {password} \
         --store-ca {ca} --store-user {role} --store-password-file {store}"
    )
}

/// Those who may do everything.
fn as_master() -> String {
    come_as("ward", "cassandra")
}

/// A role of Cassandra with a name of its own and no rights.
struct Role(String);

impl Role {
    fn new(name: &str) -> Self {
        let name = format!("{name}_{}", std::process::id());
        cql(&[format!("CREATE ROLE {name} WITH PASSWORD = 'a pass=word' AND LOGIN = true")]);
        Self(name)
    }

    fn end(self, ward: &Ward) {
        cql(&[format!("DROP ROLE {}", self.0), format!("DROP KEYSPACE IF EXISTS {}", ward.name)]);
    }
}

/// The servers of the tests ask again for rights that they have known for a second.
const COUNTED: Duration = Duration::from_secs(2);

/// Runs it until it ends with this code: a right counts a moment later.
fn until_code(ward: &Ward, words: &str, code: i32) -> Ended {
    let start = Instant::now();
    loop {
        let ended = ward.run(words);
        if ended.code == Some(code) || start.elapsed() > COUNTS_SOON {
            return ended.with_code(code);
        }
    }
}

#[test]
fn a_consumer_reads_with_its_rights_and_is_told_each_that_is_missing() {
    let (ward, role) = (ward(), Role::new("consumer"));
    ward.done(&format!("init --partitions 1 {}", as_master()));
    ward.done(&format!("produce --interval 0 --count 20 {}", as_master()));
    let consume = format!("consume --exit-at-end --quiet {}", come_as("consumer", &role.0));
    let (kafka, cassandra) =
        (granted(&ward, "consumer", "consumer", "kafka"), granted(&ward, "consumer", &role.0, "cassandra"));
    cql(&cassandra);
    acls("add", &kafka);
    until_code(&ward, &consume, 0);
    let lags = ward.rows(&format!("lag {}", as_master()));
    assert_eq!((lags[0]["committed"].as_i64(), lags[0]["lag"].as_i64()), (Some(20), Some(0)));
    for line in &kafka {
        // Alarms that cannot be announced are in the store all the same.
        if line.contains(&ward.alarms_topic()) {
            continue;
        }
        acls("remove", std::slice::from_ref(line));
        let (_, right) = line.split_once("--operation ").unwrap();
        until_code(&ward, &consume, 4).tells(&["hint: whoever runs the cluster gives this right by: ", right]);
        acls("add", std::slice::from_ref(line));
    }
    // The second one ends the minute of the first.
    let columns = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature";
    let row = |minute| format!("P001,2025-10-26T10:0{minute}:00Z,70,,,,,\n");
    ward.file("minutes.csv", format!("{columns}\n{}{}", row(0), row(5)));
    for grant in &cassandra {
        let (right, table) = grant.strip_prefix("GRANT ").unwrap().split_once(" ON ").unwrap();
        let revoked = grant.replacen("GRANT", "REVOKE", 1).replacen(" TO ", " FROM ", 1);
        cql(std::slice::from_ref(&revoked));
        // What it cannot write waits in Kafka; what it cannot know at its start ends it.
        let told = if right == "SELECT" {
            until_code(&ward, &format!("{consume} --durability-delay auto"), 4).talk()
        } else {
            std::thread::sleep(COUNTED);
            ward.done(&format!("produce --scenario tachycardia --interval 0 --count 300 {}", as_master()));
            ward.done(&format!("produce --mode csv --csv minutes.csv --once --interval 0 {}", as_master()));
            let mut reading = ward.start(&format!("consume --quiet {}", come_as("consumer", &role.0)));
            let note = reading.wait_for_note("has no MODIFY permission", CATCH_UP_LIMIT);
            reading.signal("INT");
            reading.wait_end(RUN_LIMIT);
            note
        };
        let table = table.split(" TO ").next().unwrap().trim_start_matches("KEYSPACE ").replace('"', "");
        assert!(told.contains(&table) && told.contains(right), "without {grant}: {told}");
        cql(std::slice::from_ref(grant));
    }
    until_code(&ward, &consume, 0);
    acls("remove", &kafka);
    role.end(&ward);
}

#[test]
fn a_producer_sends_with_its_right_and_is_told_it_where_it_is_missing() {
    let ward = ward();
    ward.done(&format!("init --partitions 1 {}", as_master()));
    let produce = format!("produce --interval 0 --count 5 {}", come_as("producer", "cassandra"));
    let kafka = granted(&ward, "producer", "producer", "kafka");
    assert!(granted(&ward, "producer", "producer", "cassandra").is_empty());
    ward.refused(&produce, 4).tells(&["--operation Write --topic", &ward.name]);
    acls("add", &kafka);
    ward.done(&produce);
    // It may not read.
    let lag = format!("lag {}", come_as("producer", "cassandra"));
    ward.refused(&lag, 4).tells(&["--operation Describe --group", &ward.name]);
    let doctor = ward.run(&format!("doctor -o ndjson {}", come_as("producer", "cassandra"))).output();
    assert!(doctor.contains("as producer, and not as consumer, operator, by the rights in Kafka"), "{doctor}");
    acls("remove", &kafka);
    cql(&[format!("DROP KEYSPACE {}", ward.name)]);
}

#[test]
fn a_gateway_takes_messages_with_its_rights_and_is_told_each_that_is_missing() {
    let ward = ward();
    ward.done(&format!("init --partitions 1 {}", as_master()));
    let listen = format!("listen hl7 --mllp 127.0.0.1:0 {}", come_as("producer", "cassandra"));
    let kafka = granted(&ward, "gateway", "producer", "kafka");
    assert!(granted(&ward, "gateway", "producer", "cassandra").is_empty());
    acls("add", &kafka);
    let listens = || {
        let mut listener = ward.start(&listen);
        listener.wait_for_line("is listened for on ", RUN_LIMIT);
        listener.signal("INT");
        listener.wait_end(RUN_LIMIT).well();
    };
    listens();
    for line in &kafka {
        acls("remove", std::slice::from_ref(line));
        let (_, right) = line.split_once("--operation ").unwrap();
        ward.refused(&listen, 4).tells(&["hint: whoever runs the cluster gives this right by: ", right]);
        acls("add", std::slice::from_ref(line));
    }
    listens();
    acls("remove", &kafka);
    cql(&[format!("DROP KEYSPACE {}", ward.name)]);
}

#[test]
fn an_operator_looks_with_its_rights_and_changes_no_reading() {
    let (ward, role) = (ward(), Role::new("operator"));
    ward.done(&format!("init --partitions 1 {}", as_master()));
    ward.done(&format!("produce --interval 0 --count 20 {}", as_master()));
    ward.run(&format!("consume --exit-at-end --quiet {}", as_master())).well();
    let comes = come_as("operator", &role.0);
    ward.refused(&format!("topic describe {} {comes}", ward.name), 4).tells(&["--operation Describe --topic"]);
    let list = ward.run(&format!("topic list {comes}")).well();
    assert!(list.stdout.is_empty() && list.talk().contains("that this user may see"), "{}", list.talk());
    let lines = granted(&ward, "operator", "operator", "kafka");
    acls("add", &lines);
    cql(&granted(&ward, "operator", &role.0, "cassandra"));
    until_code(&ward, &format!("query --limit 1 {comes}"), 0);
    for words in ["lag", "status", "doctor", "topic describe TOPIC", "topic tail --last 3", "topic list", "dlq list"] {
        ward.run(&format!("{} {comes}", words.replace("TOPIC", &ward.name))).well();
    }
    for words in ["alarms list", "scores", "report --since -1h", "patient list", "rules list", "schema show", "audit"] {
        ward.run(&format!("{words} {comes}")).well();
    }
    ward.done(&format!("patient admit P001 --name Ada --bed 7 --by nurse {comes}"));
    ward.refused(&format!("produce --count 1 --interval 0 {comes}"), 4).tells(&["--operation Write --topic"]);
    acls("remove", &lines);
    role.end(&ward);
}

#[test]
fn an_admin_makes_and_removes_everything_with_its_rights() {
    let (ward, role) = (ward(), Role::new("admin"));
    let comes = come_as("admin", &role.0);
    ward.refused(&format!("init --partitions 1 {comes}"), 4)
        .tells(&["CREATE permission on <all keyspaces>", "GRANT CREATE"]);
    cql(&granted(&ward, "admin", &role.0, "cassandra"));
    // Both refusals have the same code.
    std::thread::sleep(COUNTED);
    until_code(&ward, &format!("init --partitions 1 {comes}"), 4).tells(&["--operation Describe --topic", &ward.name]);
    let lines = granted(&ward, "admin", "admin", "kafka");
    acls("add", &lines);
    until_code(&ward, &format!("init --partitions 1 {comes}"), 0);
    ward.done(&format!("init --partitions 1 {comes}"));
    ward.done(&format!("produce --interval 0 --count 5 {comes}"));
    ward.run(&format!("consume --exit-at-end --quiet {comes}")).well();
    ward.done(&format!("group seek --to earliest {comes}"));
    ward.done(&format!("reset --confirm {} {comes}", ward.name));
    acls("remove", &lines);
    role.end(&ward);
}

/// The lines are those that Kafka's own tool takes.
#[test]
fn the_tool_of_kafka_takes_the_lines() {
    let ward = ward();
    for line in granted(&ward, "operator", "nobody", "kafka") {
        let words: Vec<&str> = line.split(' ').collect();
        let at = words.iter().position(|word| *word == "--add").unwrap();
        let said = peer::tool("org.apache.kafka.tools.AclCommand", &place::brokers(), &words[at..]);
        assert!(said.contains("Current ACLs for resource") || said.contains("Adding ACLs"), "{said}");
        let took: Vec<&str> = words[at..].iter().map(|word| if *word == "--add" { "--remove" } else { word }).collect();
        peer::tool("org.apache.kafka.tools.AclCommand", &place::brokers(), &[&took[..], &["--force"]].concat());
    }
}
