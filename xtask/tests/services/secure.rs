//! Kafka that speaks TLS and wants to know who comes: what goes through, and how each refusal is told.

use std::time::Duration;

use serde_json::Value;

use crate::place::{secure_file as file, variable};
use crate::program::Program;
use crate::running::wait_until;
use crate::terminal::Terminal;
use crate::ward::{Ward, assert_same};

/// Whoever is refused is told at once: nothing is tried again and again.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// A name of its own on one of the secure listeners; nothing is made.
fn at(listener: &str) -> Ward {
    Ward { brokers: format!("127.0.0.1:{}", port(listener)), ..Ward::new() }
}

fn port(listener: &str) -> String {
    variable(&format!("VITALS_TEST_{listener}_PORT"))
}

fn with_ca() -> String {
    format!("--broker-ca {}", file("ca.pem"))
}

fn with_login(mechanism: &str) -> String {
    format!("--broker-user ward --broker-password-file {} --broker-mechanism {mechanism}", file("password"))
}

fn with_certificate() -> String {
    format!("{} --broker-cert {} --broker-key {}", with_ca(), file("client.pem"), file("client-key.pem"))
}

/// Readings are sent, read, stored and committed; and what looks at the broker sees it.
fn readings_go_through(listener: &str, options: &str) {
    let ward = at(listener);
    ward.done(&format!("init --partitions 2 {options}"));
    let sent = ward.done(&format!("produce --interval 0 --count 30 {options}"));
    let sent: Vec<Value> = crate::ward::sent(&sent);
    assert_eq!(sent.len(), 30, "{listener}");
    ward.run(&format!("consume --exit-at-end --quiet {options}")).well();
    assert_same(&ward.stored(), sent);
    let lags = ward.rows(&format!("lag {options}"));
    assert_eq!(lags.iter().map(|row| row["lag"].as_i64().unwrap()).sum::<i64>(), 0, "{listener}");
    assert_eq!(ward.rows(&format!("topic tail --last 30 {options}")).len(), 30, "{listener}");
}

#[test]
fn readings_go_through_tls() {
    readings_go_through("TLS", &with_ca());
}

#[test]
fn readings_go_through_tls_with_a_certificate_of_ours() {
    readings_go_through("MUTUAL", &with_certificate());
}

#[test]
fn readings_go_through_a_login_by_each_mechanism() {
    readings_go_through("LOGIN", &with_login("SCRAM-SHA-256"));
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        readings_go_through("BOTH", &format!("{} {}", with_ca(), with_login(mechanism)));
    }
}

/// It sends by another client than the rest of the program.
#[test]
fn bench_goes_through_tls_and_a_login() {
    let ward = at("BOTH");
    let options = format!("{} {}", with_ca(), with_login("SCRAM-SHA-512"));
    ward.done(&format!("bench --rate 500 --for 2s {options}"));
}

/// The broker hangs up on a login that is two seconds old.
#[test]
fn nothing_is_lost_while_logins_end() {
    let ward = at("LOGIN");
    let options = with_login("SCRAM-SHA-256");
    ward.done(&format!("init --partitions 1 {options}"));
    let reading = ward.start(&format!("consume --max 8 {options}"));
    let sent = ward.run(&format!("produce --interval 800ms --count 8 {options}")).well();
    let read = reading.wait_end(Duration::from_secs(30)).well();
    for ended in [&sent, &read] {
        let told = ended.stderr.join("\n");
        assert!(!told.contains("broke") && !told.contains("trying"), "{told}");
    }
    assert_eq!(ward.stored().len(), 8);
}

#[test]
fn every_refusal_names_its_cause_and_its_cure() {
    let login = with_login("SCRAM-SHA-512");
    let plain = variable("VITALS_BROKERS");
    let at = |listener: &str| format!("127.0.0.1:{}", port(listener));
    let wrong = "--broker-user ward --broker-password-file";
    let user = format!("--broker-user nobody --broker-password-file {}", file("password"));
    for (brokers, options, problem, cure) in [
        (at("TLS"), String::new(), "speaks TLS, and was spoken to without", "--broker-tls yes"),
        (at("BOTH"), login.clone(), "speaks TLS, and was spoken to without", "--broker-ca FILE"),
        (plain.clone(), with_ca(), "closed the connection in the TLS handshake", "leave out --broker-tls"),
        (at("LOGIN"), String::new(), "hung up at the first request", "--broker-user"),
        (at("BOTH"), with_ca(), "hung up at the first request", "--broker-user"),
        (plain, login.clone(), "it wants no login", "leave --broker-user out"),
        (at("LOGIN"), login.clone(), "does not offer SCRAM-SHA-512, but SCRAM-SHA-256", "--broker-mechanism"),
        (at("BOTH"), format!("{} {wrong} {}", with_ca(), file("ca.pem")), "does not know 'ward'", "the password"),
        (at("BOTH"), format!("{} {user}", with_ca()), "does not know 'nobody'", "--broker-user"),
        (at("TLS"), format!("--broker-ca {}", file("other-ca.pem")), "signed by nobody in", "--broker-ca FILE"),
        (at("TLS"), "--broker-tls yes".to_owned(), "signed by nobody in the certificates of", "--broker-ca FILE"),
        (
            format!("localhost:{}", port("TLS")),
            with_ca(),
            "is not for 'localhost' but for 127.0.0.1, kafka-1.ward",
            "use a name from its certificate",
        ),
        (at("MUTUAL"), with_ca(), "it wants a certificate of ours", "--broker-cert FILE"),
    ] {
        let ward = Ward { brokers: brokers.clone(), ..Ward::new() };
        for command in ["lag", "produce --count 1 --interval 0"] {
            let words = format!("{command} {options}");
            let refused = ward.refused(&words, 4).tells(&[problem, cure]);
            assert!(refused.lasted < REFUSAL_LIMIT, "{words} at {brokers}: {:?}", refused.lasted);
        }
    }
}

#[test]
fn settings_that_cannot_be_are_refused_before_anybody_is_asked() {
    let ward = at("BOTH");
    for (options, problem, cure) in [
        ("--broker-user ward --broker-mechanism PLAIN".to_owned(), "sends the password as it is", "--broker-tls yes"),
        ("--broker-user ward".to_owned(), "no password for the broker's user 'ward'", "VITALS_BROKER_PASSWORD"),
        ("--broker-user ward --broker-password-file none".to_owned(), "none: No such file", "--broker-password-file"),
        (format!("--broker-password-file {}", file("password")), "without a user", "--broker-user"),
        (format!("--broker-key {}", file("client-key.pem")), "without a certificate", "--broker-cert"),
        ("--broker-ca none.pem".to_owned(), "cannot read none.pem", "PEM file"),
        (format!("--broker-ca {}", file("client-key.pem")), "holds no certificate", "BEGIN CERTIFICATE"),
        (format!("--broker-cert {}", file("ca.pem")), "holds no private key", "--broker-key"),
        ("--broker-mechanism GSSAPI".to_owned(), "'GSSAPI' is no way to prove a password", "SCRAM-SHA-512"),
        ("--broker-tls perhaps".to_owned(), "'perhaps' is neither yes nor no", "use yes or no"),
    ] {
        ward.refused(&format!("lag {options}"), 2).tells(&[problem, cure]);
    }
}

#[test]
fn doctor_tells_for_whom_the_certificates_are_and_until_when() {
    let ward = at("MUTUAL");
    let told = ward.run(&format!("doctor -o ndjson {}", with_certificate())).output();
    let line = told.lines().find(|line| line.contains("broker_certificates")).expect("no such check");
    let shown: Value = serde_json::from_str(line).unwrap();
    let found = shown["found"].as_str().unwrap();
    assert!(found.contains("is for 127.0.0.1, kafka-1.ward until 4096-01-01"), "{found}");
    assert!(found.contains("client.pem until 4096-01-01"), "ours: {found}");
    assert_eq!(shown["verdict"], "ok");
}

#[test]
fn a_password_that_nobody_has_named_is_asked_for_at_the_terminal_and_not_shown() {
    let ward = at("BOTH");
    let command = || ward.command(&format!("topic list {} --broker-user ward", with_ca()));
    ward.done(&format!("init --partitions 1 {} {}", with_ca(), with_login("SCRAM-SHA-512")));
    let mut session = Terminal::open().session(&command());
    let asked = || session.shown().contains("Password of the broker's user 'ward': ").then_some(());
    wait_until("the question", REFUSAL_LIMIT, asked);
    session.press("a pass=worf\x7fd\r");
    session.ends_well();
    let shown = session.shown();
    assert!(shown.contains(&ward.name) && !shown.contains("pass=w"), "{shown}");
    // Without a terminal nobody is asked.
    ward.refused(&format!("lag {} --broker-user ward", with_ca()), 2).tells(&["VITALS_BROKER_PASSWORD"]);
}

#[test]
fn a_password_is_told_to_nobody() {
    let ward = at("BOTH");
    let secret = "canary-7f3a";
    let run = |words: &str| {
        let mut command = ward.command(&format!("{words} {} --broker-user ward", with_ca()));
        crate::running::run(words, command.env("VITALS_BROKER_PASSWORD", secret).env("RUST_LOG", "trace"))
    };
    for words in ["config show", "config show -o json", "lag", "doctor", "bench --rate 10 --for 1s", "lag --help"] {
        let ended = run(words);
        let told = [ended.stdout.join("\n"), ended.stderr.join("\n")].concat();
        assert!(!told.contains(secret), "{words}: {told}");
        assert!(!told.contains("VITALS_BROKER_PASSWORD, which is no setting"), "{words}: {told}");
    }
}
