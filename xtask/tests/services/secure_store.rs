//! Cassandra that speaks TLS and wants to know who comes: what goes through, and how each refusal is told.

use std::time::Duration;

use crate::peer;
use crate::place::{secure_file as file, variable};
use crate::program::Program;
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same, cut, link_to, sent, sorted};

/// Whoever is refused is told at once.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// A name of its own on the node that wants a login.
fn at(node: &str) -> Ward {
    Ward { cassandra: node.to_owned(), ..Ward::new() }
}

/// Where that node speaks TLS.
fn inside_tls() -> String {
    format!("127.0.0.1:{}", variable("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT"))
}

/// Where it does not, and wants a login all the same.
fn in_the_clear() -> String {
    format!("127.0.0.1:{}", variable("VITALS_TEST_SECURE_CASSANDRA_PORT"))
}

fn with_ca() -> String {
    format!("--store-ca {}", file("ca.pem"))
}

fn with_login() -> String {
    format!("--store-user cassandra --store-password-file {}", file("store-password"))
}

/// Runs statements as the superuser.
fn cql(statements: &[&str]) {
    peer::python("statements.py", &[&[&*format!("cassandra:cassandra@{}", in_the_clear())], statements].concat());
}

/// Readings are sent, read, stored and committed; what reads the store finds them, and so does another driver.
fn readings_go_through(node: &str, options: &str) {
    let ward = at(node);
    ward.done(&format!("init --partitions 2 {options}"));
    let sent = sent(&ward.done("produce --interval 0 --count 60"));
    ward.run(&format!("consume --exit-at-end --quiet {options}")).well();
    let node = format!("cassandra:cassandra@{}", in_the_clear());
    let stored = sorted(peer::rows("rows.py", &[&node, &ward.name, "patient_vitals"]));
    assert_same(&stored, sent);
    assert_eq!(ward.rows(&format!("query --limit 60 {options}")).len(), 60);
    // Each node is asked for its part of the table.
    assert_eq!(ward.rows(&format!("count {options}"))[0]["rows"], 60);
    let status = ward.run(&format!("status -o json {options}")).well().json();
    assert_eq!(status["store"]["nodes"][0]["up"], true, "{status}");
    cql(&[&format!("DROP KEYSPACE {}", ward.name)]);
}

#[test]
fn readings_go_through_tls_and_a_login_into_the_table() {
    readings_go_through(&inside_tls(), &format!("{} {}", with_ca(), with_login()));
}

#[test]
fn readings_go_through_a_login_without_tls_into_the_table() {
    readings_go_through(&in_the_clear(), &with_login());
}

#[test]
fn every_refusal_of_a_node_names_its_cause_and_its_cure() {
    let (tls, clear) = (inside_tls(), in_the_clear());
    let role = format!("locked_{}", std::process::id());
    cql(&[&format!("CREATE ROLE {role} WITH PASSWORD = 'a pass=word' AND LOGIN = false")]);
    let as_user = |user: &str| format!("--store-user {user} --store-password-file {}", file("password"));
    let by_name = format!("localhost:{}", variable("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT"));
    for (node, options, problem, cure) in [
        (&tls, String::new(), "hung up at the first request", "--store-tls yes"),
        (&tls, with_login(), "hung up at the first request", "--store-ca FILE"),
        (&clear, format!("{} {}", with_ca(), with_login()), "does not speak TLS", "leave out --store-tls"),
        (&clear, String::new(), "asks for a password (PasswordAuthenticator)", "--store-user"),
        (&tls, with_ca(), "asks for a password (PasswordAuthenticator)", "VITALS_STORE_PASSWORD"),
        (&tls, format!("{} {}", with_ca(), as_user("cassandra")), "are incorrect", "--store-user and its password"),
        (&tls, format!("{} {}", with_ca(), as_user("nobody")), "username nobody", "--store-user and its password"),
        (&tls, format!("{} {}", with_ca(), as_user(&role)), "is not permitted to log in", "LOGIN = true"),
        (&tls, format!("--store-ca {}", file("other-ca.pem")), "signed by nobody in", "--store-ca FILE"),
        (&tls, "--store-tls yes".to_owned(), "signed by nobody in the certificates of", "--store-ca FILE"),
        (&by_name, with_ca(), "is not for 'localhost' but for 127.0.0.1, kafka-1.ward", "use a name from"),
    ] {
        let ward = at(node);
        for command in ["query", "init"] {
            let words = format!("{command} {options}");
            let refused = ward.refused(&words, 4).tells(&[problem, cure]);
            assert!(refused.lasted < REFUSAL_LIMIT, "{words} at {node}: {:?}", refused.lasted);
        }
    }
    cql(&[&format!("DROP ROLE {role}")]);
}

#[test]
fn settings_of_the_store_that_cannot_be_are_refused_before_anybody_is_asked() {
    let ward = at(&inside_tls());
    for (options, problem, cure) in [
        ("--store-user ward".to_owned(), "no password for the store's user 'ward'", "VITALS_STORE_PASSWORD"),
        ("--store-user ward --store-password-file none".to_owned(), "none: No such file", "--store-password-file"),
        (format!("--store-password-file {}", file("password")), "without a user", "--store-user"),
        (format!("--store-key {}", file("client-key.pem")), "without a certificate", "--store-cert"),
        ("--store-ca none.pem".to_owned(), "cannot read none.pem", "PEM file"),
        (format!("--store-cert {}", file("ca.pem")), "holds no private key", "--store-key"),
    ] {
        ward.refused(&format!("query {options}"), 2).tells(&[problem, cure]);
    }
}

#[test]
fn the_password_of_the_store_is_told_to_nobody() {
    let ward = at(&inside_tls());
    let secret = "canary-9b1c";
    for words in ["config show", "config show -o json", "query", "doctor", "status", "query --help"] {
        let mut command = ward.command(&format!("{words} {} --store-user ward", with_ca()));
        let ended = crate::running::run(words, command.env("VITALS_STORE_PASSWORD", secret).env("RUST_LOG", "trace"));
        let told = [ended.stdout.join("\n"), ended.stderr.join("\n")].concat();
        assert!(!told.contains(secret), "{words}: {told}");
        assert!(!told.contains("VITALS_STORE_PASSWORD, which is no setting"), "{words}: {told}");
    }
}

/// A role that may no longer log in while readings come in: they wait in Kafka until it may again.
#[test]
fn nothing_is_lost_while_the_store_does_not_let_us_in() {
    let role = format!("ward_{}", std::process::id());
    cql(&[&format!("CREATE ROLE {role} WITH PASSWORD = 'a pass=word' AND LOGIN = true AND SUPERUSER = true")]);
    let link = link_to(&inside_tls());
    let ward = at(&link.address().to_string());
    let options = format!("{} --store-user {role} --store-password-file {}", with_ca(), file("password"));
    ward.done(&format!("init --partitions 1 {options}"));
    let mut reading = ward.start(&format!("consume --quiet {options}"));
    ward.done("produce --interval 0 --count 5");
    ward.wait_for_no_lag();
    cut(&link);
    cql(&[&format!("ALTER ROLE {role} WITH LOGIN = false")]);
    ward.done("produce --interval 0 --count 5");
    link.set(None);
    reading.wait_for_note("is not permitted to log in", CATCH_UP_LIMIT);
    cql(&[&format!("ALTER ROLE {role} WITH LOGIN = true")]);
    ward.wait_for_no_lag();
    reading.signal("INT");
    reading.wait_end(CATCH_UP_LIMIT).well();
    let node = format!("cassandra:cassandra@{}", in_the_clear());
    assert_eq!(peer::rows("rows.py", &[&node, &ward.name, "patient_vitals"]).len(), 10);
    cql(&[&format!("DROP KEYSPACE {}", ward.name), &format!("DROP ROLE {role}")]);
}
