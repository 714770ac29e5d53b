//! Gives rights as `vitals grants` prints them.

use std::sync::Once;

use crate::program::Program as _;
use crate::ward::Ward;
use crate::{peer, place};

/// The user of Kafka, and the role of Cassandra, with which the tests of whole programs come where these want a login.
/// They may do what the wards were given, and nothing else.
pub(crate) const USER: &str = "admin";

pub(crate) fn cql(statements: &[String]) {
    let node = format!("cassandra:cassandra@127.0.0.1:{}", place::variable("VITALS_TEST_SECURE_CASSANDRA_PORT"));
    let statements = statements.iter().map(String::as_str);
    peer::python("statements.py", &std::iter::once(&*node).chain(statements).collect::<Vec<_>>());
}

/// The lines that `vitals grants` prints for a role of Kafka, or of Cassandra.
pub(crate) fn granted(ward: &Ward, role: &str, user: &str, server: &str) -> Vec<String> {
    let printed = ward.done(&format!("grants --for {role} --user {user} --only {server}"));
    let is_comment = |line: &&str| line.is_empty() || line.starts_with(['#', '-']);
    printed.lines().filter(|line| !is_comment(line)).map(|line| line.trim_end_matches(';').to_owned()).collect()
}

pub(crate) fn acls(what: &str, lines: &[String]) {
    let brokers = place::brokers();
    let mut words = vec![brokers.as_str(), what];
    words.extend(lines.iter().map(String::as_str));
    peer::python("acls.py", &words);
}

/// Before anything is there: what is printed for who makes it, and may do everything in it then.
pub(crate) fn give_to_make(ward: &Ward) {
    static ROLE: Once = Once::new();
    ROLE.call_once(|| {
        cql(&[format!("CREATE ROLE IF NOT EXISTS {USER} WITH PASSWORD = 'a pass=word' AND LOGIN = true")]);
    });
    acls("add", &granted(ward, "admin", USER, "kafka"));
    cql(&granted(ward, "admin", USER, "cassandra"));
}

/// In a keyspace that somebody else has made: the line for that, which stands among the comments.
pub(crate) fn give_to_use(ward: &Ward) {
    let printed = ward.done(&format!("grants --for admin --user {USER} --only cassandra"));
    let line = printed.lines().find_map(|line| line.strip_prefix("--   GRANT ALL ")).unwrap();
    cql(&[format!("GRANT ALL {}", line.trim_end_matches(';'))]);
}

/// For who measures: the lines for that, which stand among the comments too.
pub(crate) fn give_to_bench(ward: &Ward) {
    let printed = ward.done(&format!("grants --for admin --user {USER} --only kafka"));
    let is_wanted = |line: &&str| line.ends_with("prefixed");
    let lines = printed.lines().filter(is_wanted).filter_map(|line| line.strip_prefix("#   "));
    acls("add", &lines.map(str::to_owned).collect::<Vec<_>>());
}
