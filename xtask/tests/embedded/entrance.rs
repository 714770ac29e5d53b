//! The broker of `vitals up` for others: inside TLS, and for those who know a password.

use std::time::Duration;

use vitals::kafka::cluster::Cluster;
use vitals::kafka::config::{Access, KafkaConfig};
use vitals::kafka::login::{Login, Mechanism};
use vitals::record::Record;
use vitals::secret::Secret;
use vitals::tls::{Tls, TlsFiles};

use crate::home::{Home, address_in};
use crate::program::Program;
use crate::records::{run, send_to};
use crate::running::{RUN_LIMIT, Running};

/// Whoever is refused is told at once.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// A broker with certificates and users of its own, and the settings of somebody who is let in.
pub(crate) struct Guarded {
    pub(crate) home: Home,
    _broker: Running,
    pub(crate) address: String,
}

impl Guarded {
    pub(crate) fn up() -> Self {
        let home = Home::with_tables();
        home.run("up --make-certs certs --advertise ward-7.local:9093").well().shows(&["ward-7.local", "--broker-ca"]);
        home.file("users.toml", "ward = \"a pass=word\"\nnurse = \"pencil\"\n");
        home.file("password", "a pass=word\n");
        let words =
            "up --listen 127.0.0.1:0 --tls-cert certs/server.pem --tls-key certs/server-key.pem --users users.toml";
        let mut broker = Running::start("vitals up", &mut home.vitals(words));
        let address = address_in(&broker.wait_for_line("listens on ", RUN_LIMIT));
        Self { home, _broker: broker, address }
    }

    /// Sends records into the first partition of a topic.
    pub(crate) fn send(&self, topic: &str, records: &[Record]) {
        let authorities = Some(self.home.path().join("certs/ca.pem"));
        let tls = Tls::open(&TlsFiles { authorities, certificate: None, key: None }).unwrap();
        let (user, password) = ("ward".to_owned(), Secret::new("a pass=word"));
        let login = Login { user, password, mechanism: Mechanism::ScramSha512 };
        let access = Access { tls: Some(tls), login: Some(login) };
        let kafka = KafkaConfig { brokers: vec![self.address.clone()], access };
        run(async { send_to(&mut Cluster::connect(kafka).await.unwrap(), topic, 0, records).await });
    }

    pub(crate) fn options(&self) -> String {
        format!(
            "--brokers {} --broker-ca certs/ca.pem --broker-user ward --broker-password-file password",
            self.address
        )
    }
}

#[test]
fn readings_go_through_tls_and_a_login_at_the_embedded_broker() {
    let guarded = Guarded::up();
    let Guarded { home, .. } = &guarded;
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
        let options =
            format!("{} --broker-mechanism {mechanism} --topic t{mechanism} --group g{mechanism}", guarded.options());
        home.done(&format!("init --partitions 3 {options}"));
        home.done(&format!("produce --interval 0 --count 300 {options}"));
        home.run(&format!("consume --exit-at-end --quiet {options}")).well().tells(&["300 readings stored"]);
        let lags = home.rows(&format!("lag {options}"));
        assert_eq!(lags.iter().map(|row| row["lag"].as_i64().unwrap()).sum::<i64>(), 0, "{mechanism}");
    }
    let doctor = home.run(&format!("doctor -o ndjson {}", guarded.options())).output();
    assert!(doctor.contains("is for ward-7.local, localhost, 127.0.0.1, ::1 until "), "{doctor}");
}

#[test]
fn nobody_else_is_let_in_and_each_is_told_why() {
    let guarded = Guarded::up();
    let Guarded { home, address, .. } = &guarded;
    let tls = "--broker-ca certs/ca.pem";
    home.file("wrong", "pencil");
    for (options, problem) in [
        (String::new(), "hung up"),
        (tls.to_owned(), "hung up at the first request"),
        (format!("{tls} --broker-user ward --broker-password-file wrong"), "does not know 'ward'"),
        (format!("{tls} --broker-user nobody --broker-password-file password"), "does not know 'nobody'"),
        (format!("{tls} --broker-user ward --broker-password-file password --broker-mechanism PLAIN"), "SCRAM-SHA-256"),
        ("--broker-tls yes --broker-user ward --broker-password-file password".to_owned(), "signed by nobody in"),
    ] {
        let refused = home.refused(&format!("lag --brokers {address} {options}"), 4);
        assert!(refused.lasted < REFUSAL_LIMIT, "{options}: {:?}", refused.lasted);
        if !options.is_empty() {
            refused.tells(&[problem]);
        }
    }
}

#[test]
fn a_member_that_is_killed_inside_tls_leaves_its_partitions_to_the_next() {
    let guarded = Guarded::up();
    let Guarded { home, .. } = &guarded;
    let options = guarded.options();
    home.done(&format!("init --partitions 2 {options}"));
    let first = home.start(&format!("consume --session-timeout 1s --quiet {options}"));
    home.done(&format!("produce --interval 0 --count 10 {options}"));
    crate::running::wait_until("the first member's readings", RUN_LIMIT, || {
        let lag = home.run(&format!("lag -o ndjson --fail-above 0 {options}"));
        (lag.code == Some(0) && !lag.stdout.is_empty()).then_some(())
    });
    first.kill();
    home.done(&format!("produce --interval 0 --count 10 {options}"));
    home.run(&format!("consume --max 10 --quiet {options}")).well();
}

#[test]
fn a_broker_that_others_reach_wants_tls_and_users() {
    let home = Home::new();
    home.run("up --make-certs certs").well();
    home.file("users.toml", "ward = \"pencil\"\n");
    home.file("nobody.toml", "\n");
    home.file("broken.toml", "ward = \"pencil\nnurse = 7\n");
    let tls = "--tls-cert certs/server.pem --tls-key certs/server-key.pem";
    for (words, problem, cure) in [
        ("--listen 0.0.0.0:0".to_owned(), "could be read", "--make-certs"),
        (format!("--listen 0.0.0.0:0 {tls}"), "would let everybody in", "--users"),
        ("--listen 0.0.0.0:0 --users users.toml".to_owned(), "could be read", "--tls-cert"),
        ("--users none.toml".to_owned(), "cannot read none.toml", "name = \"password\""),
        ("--users nobody.toml".to_owned(), "there are no users", "name = \"password\""),
        ("--users broken.toml".to_owned(), "broken.toml, line 1", "name = \"password\""),
        (
            "--tls-cert certs/ca.pem --tls-key certs/server-key.pem".to_owned(),
            "cannot be used with the key",
            "made for",
        ),
        ("--make-certs certs".to_owned(), "no certificates were made: certs/ca.pem is there", "another folder"),
    ] {
        let refused = home.refused(&format!("up {words}"), 2).tells(&[problem, cure]);
        assert!(!refused.talk().contains("pencil"), "{}", refused.talk());
    }
}
