//! `vitals audit` and `vitals dlq` on Kafka and Cassandra: readings and refused messages that others sent, and holes.

use crate::peer;
use crate::ward::Ward;

#[test]
fn readings_and_refused_messages_of_other_clients_are_all_accounted_for() {
    let ward = Ward::with_partitions(3);
    peer::python("poison.py", &[&ward.brokers, &ward.name, "3", "1000", "100"]);
    ward.run("consume --exit-at-end --quiet").well();

    let audit = ward.run("audit -o ndjson").well();
    assert_eq!(audit.stdout, Vec::<String>::new());
    let whole = "messages audited: 1100 (rows 1000, repeats 0, dead letters 100); nothing is missing";
    assert!(audit.talk().contains(whole), "{}", audit.talk());

    let reasons = ward.objects("dlq list --by reason");
    assert_eq!(reasons.iter().map(|row| row["letters"].as_i64().unwrap()).sum::<i64>(), 100);
    let replay = ward.objects("dlq replay --dry-run");
    assert!(replay.len() == 100 && replay.iter().all(|row| row["action"] == "held_back"));
}

#[test]
fn batches_that_cannot_be_opened_and_transactions_are_accounted_for() {
    let ward = Ward::with_partitions(2);
    peer::python("batches.py", &[&ward.brokers, &ward.name, "1"]);
    ward.run("consume --exit-at-end --quiet").well();
    let audit = ward.run("audit").well();
    assert!(audit.talk().contains("nothing is missing"), "{}", audit.talk());
}

#[test]
fn a_changed_row_and_a_commit_that_was_moved_ahead_are_found() {
    let ward = Ward::with_partitions(1);
    ward.send(50);
    ward.run("consume --exit-at-end --quiet").well();
    let row = ward.stored().remove(0);
    let (patient, time) = (row["patient_id"].as_str().unwrap(), row["timestamp"].as_str().unwrap());
    // 10.5 degrees is what no simulated patient has.
    ward.file("change.csv", format!("{patient},{time},,,,,,10.5\n"));
    ward.run("import change.csv").well();
    ward.send(5);
    ward.run("group seek --to latest").well();

    let found = ward.run("audit -o ndjson").with_code(1).rows();
    let reasons: Vec<_> = found.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["sign_differs", "no_row", "no_row", "no_row", "no_row", "no_row"]);
    assert_eq!((&found[0]["patient_id"], &found[0]["timestamp"]), (&row["patient_id"], &row["timestamp"]));
    assert_eq!(found[1]["offset"], 50);
}
