//! The proxy itself.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
    RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, Request as Asked, StrBytes};

use super::*;

/// The frame that comes back.
async fn ask<R: Asked>(address: SocketAddr, version: i16, request: &R) -> Bytes {
    let api = ApiKey::try_from(R::KEY).expect("known");
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = bytes::BytesMut::new();
    header.encode(&mut frame, api.request_header_version(version)).expect("a header");
    request.encode(&mut frame, version).expect("a request");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    frame::write(&mut stream, &frame.freeze()).await.expect("sent");
    frame::read(&mut stream).await.expect("read").expect("an answer")
}

async fn answer<R: Asked>(address: SocketAddr, version: i16, request: &R) -> R::Response {
    let mut frame = ask(address, version, request).await;
    let api = ApiKey::try_from(R::KEY).expect("known");
    ResponseHeader::decode(&mut frame, api.response_header_version(version)).expect("a header");
    R::Response::decode(&mut frame, version).expect("an answer")
}

#[tokio::test]
async fn the_list_of_versions_passes_untouched() {
    let broker = Faulty::start().await;
    for version in 0..5 {
        let request = ApiVersionsRequest::default();
        let passed = ask(broker.address, version, &request).await;
        assert_eq!(passed, ask(broker.broker.address(), version, &request).await, "{version}");
    }
}

#[tokio::test]
async fn every_answer_that_names_brokers_names_the_proxy() {
    let broker = Faulty::start().await;
    let ours = (StrBytes::from_static_str("127.0.0.1"), i32::from(broker.address.port()));
    for version in 1..13 {
        let found: MetadataResponse = answer(broker.address, version, &MetadataRequest::default()).await;
        assert_eq!((found.brokers[0].host.clone(), found.brokers[0].port), ours);
    }
    let key = StrBytes::from_static_str("ward");
    let request = FindCoordinatorRequest::default().with_key(key.clone());
    let one: FindCoordinatorResponse = answer(broker.address, 3, &request).await;
    assert_eq!((one.host, one.port), ours);
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![key]);
    let several: FindCoordinatorResponse = answer(broker.address, 4, &request).await;
    assert_eq!((several.coordinators[0].host.clone(), several.coordinators[0].port), ours);
    let cluster: DescribeClusterResponse = answer(broker.address, 0, &DescribeClusterRequest::default()).await;
    assert_eq!((cluster.brokers[0].host.clone(), cluster.brokers[0].port), ours);
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_ordered_and_is_counted() {
    let broker = Faulty::start().await;
    broker.plan.next(ApiKey::InitProducerId, 2, Fault::Error(ResponseError::NotCoordinator));
    let mut codes = Vec::new();
    for version in [0, 4, 4] {
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        let told: InitProducerIdResponse = answer(broker.address, version, &request).await;
        codes.push(told.error_code);
    }
    let refused = ResponseError::NotCoordinator.code();
    assert_eq!((codes, broker.plan.made()), (vec![refused, refused, 0], 2));
}
