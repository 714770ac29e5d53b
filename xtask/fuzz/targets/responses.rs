//! Responses of brokers: the first byte says which, the second in which version.
#![no_main]

use bytes::Bytes;
use kafka_protocol::messages::*;
use libfuzzer_sys::fuzz_target;
use vitals::kafka::wire;

macro_rules! decode {
    ($kind:expr, $version:expr, $body:expr; $($number:literal $request:ident),*) => {{
        let (version, mut body): (i16, Bytes) = ($version, $body);
        match $kind {
            $($number => drop(wire::response::<$request>(&mut body, version)),)*
            _ => {}
        }
    }};
}

fuzz_target!(|content: &[u8]| {
    let [kind, version, body @ ..] = content else { return };
    let (version, body) = (i16::from(*version), Bytes::copy_from_slice(body));
    let _ = wire::response_header(&mut body.clone(), version % 2);
    decode!(
        *kind, version, body;
        0 ProduceRequest, 1 FetchRequest, 2 ListOffsetsRequest, 3 MetadataRequest, 8 OffsetCommitRequest,
        9 OffsetFetchRequest, 10 FindCoordinatorRequest, 11 JoinGroupRequest, 12 HeartbeatRequest,
        13 LeaveGroupRequest, 14 SyncGroupRequest, 15 DescribeGroupsRequest, 16 ListGroupsRequest,
        18 ApiVersionsRequest, 19 CreateTopicsRequest, 20 DeleteTopicsRequest, 22 InitProducerIdRequest,
        32 DescribeConfigsRequest, 42 DeleteGroupsRequest, 47 OffsetDeleteRequest, 55 DescribeQuorumRequest,
        60 DescribeClusterRequest
    );
});
