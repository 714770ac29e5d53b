//! The proxy itself.

use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest,
};
use kafka_protocol::protocol::{Encodable as _, StrBytes};

use super::*;
use crate::wire::Wire;

#[tokio::test]
async fn the_list_of_versions_passes_untouched() {
    let broker = Faulty::start().await;
    let (mut through, mut behind) = (Wire::connect(broker.address).await, Wire::connect(broker.broker.address()).await);
    for version in 0..5 {
        let mut request = BytesMut::new();
        ApiVersionsRequest::default().encode(&mut request, version).expect("encoded");
        let passed = through.ask_raw(18, version, &request).await;
        assert!(passed.is_some() && passed == behind.ask_raw(18, version, &request).await, "{version}");
    }
}

#[tokio::test]
async fn every_answer_that_names_brokers_names_the_proxy() {
    let broker = Faulty::start().await;
    let ours = (StrBytes::from_static_str("127.0.0.1"), i32::from(broker.address.port()));
    let mut wire = Wire::connect(broker.address).await;
    for version in 1..13 {
        let found = wire.ask(&MetadataRequest::default(), version).await;
        assert_eq!((found.brokers[0].host.clone(), found.brokers[0].port), ours);
    }
    let key = StrBytes::from_static_str("ward");
    let request = FindCoordinatorRequest::default().with_key(key.clone());
    let one = wire.ask(&request, 3).await;
    assert_eq!((one.host, one.port), ours);
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![key]);
    let several = wire.ask(&request, 4).await;
    assert_eq!((several.coordinators[0].host.clone(), several.coordinators[0].port), ours);
    let cluster = wire.ask(&DescribeClusterRequest::default(), 0).await;
    assert_eq!((cluster.brokers[0].host.clone(), cluster.brokers[0].port), ours);
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_ordered_and_is_counted() {
    let broker = Faulty::start().await;
    broker.plan.next(ApiKey::InitProducerId, 2, Fault::Error(ResponseError::NotCoordinator));
    let (mut wire, mut codes) = (Wire::connect(broker.address).await, Vec::new());
    for version in [0, 4, 4] {
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        codes.push(wire.ask(&request, version).await.error_code);
    }
    let refused = ResponseError::NotCoordinator.code();
    assert_eq!((codes, broker.plan.made()), (vec![refused, refused, 0], 2));
}
