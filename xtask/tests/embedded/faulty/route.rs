//! Answers that name brokers name the proxy instead.

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::frame::Request;

/// The answer to `request`, with the proxy's address in place of the broker's.
pub(super) fn through(proxy: SocketAddr, request: &Request, answer: Bytes) -> Bytes {
    let (host, port) = of(proxy);
    match request.api {
        ApiKey::Metadata => changed(request, answer, |response: &mut MetadataResponse| {
            for broker in &mut response.brokers {
                (broker.host, broker.port) = (host.clone(), port);
            }
        }),
        ApiKey::FindCoordinator => changed(request, answer, |response: &mut FindCoordinatorResponse| {
            // Newer versions answer for several keys, and have no room for one.
            if response.coordinators.is_empty() {
                (response.host, response.port) = (host.clone(), port);
            }
            for coordinator in &mut response.coordinators {
                (coordinator.host, coordinator.port) = (host.clone(), port);
            }
        }),
        ApiKey::DescribeCluster => changed(request, answer, |response: &mut DescribeClusterResponse| {
            for broker in &mut response.brokers {
                (broker.host, broker.port) = (host.clone(), port);
            }
        }),
        _ => answer,
    }
}

/// An address as the protocol has it.
pub(super) fn of(address: SocketAddr) -> (StrBytes, i32) {
    (StrBytes::from_string(address.ip().to_string()), address.port().into())
}

fn changed<R: Decodable + Encodable>(request: &Request, mut answer: Bytes, change: impl FnOnce(&mut R)) -> Bytes {
    ResponseHeader::decode(&mut answer, request.api.response_header_version(request.version)).expect("a header");
    let mut response = R::decode(&mut answer, request.version).expect("an answer");
    change(&mut response);
    request.answer(&response)
}
