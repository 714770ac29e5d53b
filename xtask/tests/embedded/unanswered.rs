//! What the broker does not do is refused in words where the protocol has any, and told where it has none.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, ConsumerGroupHeartbeatRequest};
use tokio::time::timeout;

use super::wire::{Wire, group, name};
use crate::own_broker::started;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_member_of_the_newer_group_protocol_is_refused_with_the_setting_that_helps() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = started(folder.path()).await;
    let mut wire = Wire::connect(broker.address()).await;
    let offered = wire.ask(&ApiVersionsRequest::default(), 0).await.api_keys;
    let heartbeat = offered.iter().find(|api| api.api_key == 68).expect("offered, so that clients ask");
    for version in heartbeat.min_version..=heartbeat.max_version {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_rebalance_timeout_ms(45_000)
            .with_subscribed_topic_names(Some(vec![name("ward")]))
            .with_topic_partitions(Some(Vec::new()));
        let request = if version == 0 { request } else { request.with_member_id("m".to_owned().into()) };
        let refused = wire.ask(&request, version).await;
        assert_eq!(refused.error_code, ResponseError::UnsupportedVersion.code());
        assert!(refused.error_message.expect("words").contains("group.protocol=classic"));
    }
}

#[tokio::test]
async fn a_request_that_is_not_known_closes_its_connection_alone_and_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = started(folder.path()).await;
    let mut other = Wire::connect(broker.address()).await;
    // No request at all; Produce in a version to come; ConsumerGroupDescribe.
    for (key, version) in [(999, 0), (0, 99), (69, 0)] {
        for _ in 0..2 {
            let mut wire = Wire::connect(broker.address()).await;
            let closed = timeout(LIMIT, wire.ask_raw(key, version, &[0; 8])).await.expect("not left waiting");
            assert_eq!(closed, None, "request {key} in version {version}");
        }
        let told = timeout(LIMIT, broker.notice()).await.expect("told").to_string();
        assert!(told.contains(&format!("({key}) in version {version}")), "{told}");
    }
    assert!(timeout(Duration::from_millis(100), broker.notice()).await.is_err(), "each of them once");
    assert!(!other.exists("nothing").await);
    let mut wire = Wire::connect(broker.address()).await;
    let mut answer = wire.ask_raw(18, 99, &[]).await.expect("the list, in the oldest version");
    assert_eq!(bytes::Buf::get_i16(&mut answer.split_off(4)), ResponseError::UnsupportedVersion.code());
}
