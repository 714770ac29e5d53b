//! Kafka 3.9 with `ZooKeeper`, as the old README has it.

use crate::place;
use crate::ward::{Ward, assert_same};

#[test]
fn readings_go_all_the_way_on_kafka_3_with_zookeeper() {
    let ward = Ward { brokers: place::zookeeper_brokers(), ..Ward::new() };
    ward.run("init --partitions 3").well();
    let sent = ward.send(50);
    ward.run("consume --exit-at-end --quiet").well();
    assert_same(&ward.stored(), sent);
    assert_eq!((ward.lag().len(), ward.total_lag()), (3, 0));
}
