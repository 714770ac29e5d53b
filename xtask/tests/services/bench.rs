//! `vitals bench` on a real Kafka and a real Cassandra: it measures there, and leaves nothing.

use serde_json::Value;

use crate::store_commands::cqlsh;
use crate::ward::Ward;

#[test]
fn a_bench_stores_everything_that_was_due_and_leaves_no_topic_group_or_keyspace() {
    let ward = Ward::new();
    let output = ward.run("bench --rate 500 --for 3s --consumers 2 -o json").well().output();
    let result: Value = serde_json::from_str(&output).unwrap();
    let figures = &result["figures"];
    assert_eq!((&figures["due"], &figures["stored"]), (&1500.into(), &1500.into()), "{figures}");
    assert!(result["store"].as_str().unwrap().starts_with("Cassandra "), "{output}");
    for list in ["topic list", "group list"] {
        let listed = ward.run(&format!("{list} -o ndjson")).well().output();
        assert!(!listed.contains(".bench_"), "{listed}");
    }
    let keyspaces = cqlsh(&ward, "DESCRIBE KEYSPACES");
    assert!(keyspaces.contains("system") && !keyspaces.contains("vitals_bench"), "{keyspaces}");
}
