//! From a frame to its answer.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable, Request};

use super::buffers::Buffers;
use super::groups::{Client, refuse};
use super::notice::Notice;
use super::state::State;
use super::{offers, records, topics};
use crate::kafka::wire;

/// What a frame's length takes, in front of it.
const LENGTH_BYTES: usize = 4;

/// What becomes of a request.
pub(super) enum Answer {
    /// A response: its length and its header, then its body. Two pieces, since a body can be megabytes of records.
    Frame { head: Bytes, body: Bytes },
    /// The client wants none.
    Silence,
    /// It was no request that is answered here.
    HangUp,
}

/// Answers one request.
pub(super) async fn answer(state: &State, peer: SocketAddr, mut frame: Bytes) -> Answer {
    let Some((key, version)) = peek(&frame) else { return Answer::HangUp };
    if key == offers::API_VERSIONS {
        return api_versions(version, frame);
    }
    let Some(api) = offers::find(key, version) else {
        let name = ApiKey::try_from(key).map_or_else(|()| "an unknown request".to_owned(), |api| format!("{api:?}"));
        state.notices.tell_once(Notice::Unanswered { request: format!("{name} ({key}) in version {version}") });
        return Answer::HangUp;
    };
    let Ok(header) = wire::request_header(&mut frame, api.request_header_version(version)) else {
        return Answer::HangUp;
    };
    let client = Client {
        id: header.client_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        host: format!("/{}", peer.ip()),
    };
    match body(state, api, version, frame, client).await {
        Some(Some(body)) => frame_of(api, version, header.correlation_id, body),
        Some(None) => Answer::Silence,
        None => Answer::HangUp,
    }
}

/// `None` where there is no answer that would be true, or the request is malformed; `Some(None)` where none is wanted.
async fn body(state: &State, api: ApiKey, version: i16, mut body: Bytes, client: Client) -> Option<Option<Bytes>> {
    let body = &mut body;
    let groups = &state.groups;
    let answer = match api {
        ApiKey::Produce => match records::produce(state, take(body, version)?).await {
            Some(response) => put(&response, version),
            None => return Some(None),
        },
        ApiKey::Fetch => {
            let response = records::fetch(state, take(body, version)?, version).await;
            put_into(&state.buffers, &response, version)
        }
        ApiKey::ListOffsets => put(&records::list_offsets(state, take(body, version)?), version),
        ApiKey::InitProducerId => put(&records::init_producer_id(state, &take(body, version)?), version),
        ApiKey::Metadata => put(&topics::metadata(state, take(body, version)?, version), version),
        ApiKey::CreateTopics => put(&topics::create(state, take(body, version)?), version),
        ApiKey::DeleteTopics => put(&topics::delete(state, take(body, version)?), version),
        ApiKey::DescribeConfigs => put(&topics::describe_configs(state, take(body, version)?), version),
        ApiKey::DescribeCluster => put(&topics::describe_cluster(state, &take(body, version)?), version),
        ApiKey::FindCoordinator => put(&topics::find_coordinator(state, take(body, version)?, version), version),
        ApiKey::JoinGroup => put(&groups.join(take(body, version)?, client, version).await, version),
        ApiKey::SyncGroup => put(&groups.sync(take(body, version)?).await, version),
        ApiKey::Heartbeat => put(&groups.heartbeat(take(body, version)?), version),
        ApiKey::LeaveGroup => put(&groups.leave(take(body, version)?, version), version),
        ApiKey::OffsetCommit => {
            let mut response = groups.commit(take(body, version)?);
            if state.topics.offsets_kept().await.is_err() {
                refuse(&mut response);
            }
            put(&response, version)
        }
        ApiKey::ConsumerGroupHeartbeat => put(&groups.refuse_newer(&take(body, version)?), version),
        ApiKey::OffsetFetch => put(&groups.fetch_offsets(take(body, version)?, version), version),
        ApiKey::OffsetDelete => kept(state, put(&groups.delete_offsets(&take(body, version)?), version)).await,
        ApiKey::ListGroups => put(&groups.list(&take(body, version)?), version),
        ApiKey::DescribeGroups => put(&groups.describe(take(body, version)?, version), version),
        ApiKey::DeleteGroups => kept(state, put(&groups.delete(take(body, version)?), version)).await,
        _ => None,
    };
    answer.map(Some)
}

/// The answer, when what it says of committed offsets will stay true. Where the disk fails nobody can say.
async fn kept(state: &State, answer: Option<Bytes>) -> Option<Bytes> {
    state.topics.offsets_kept().await.ok().and(answer)
}

/// The request's number and version, which stand in front of every header.
fn peek(frame: &Bytes) -> Option<(i16, i16)> {
    let (key, rest) = frame.split_first_chunk::<2>()?;
    let (version, _) = rest.split_first_chunk::<2>()?;
    Some((i16::from_be_bytes(*key), i16::from_be_bytes(*version)))
}

fn take<R: Request>(body: &mut Bytes, version: i16) -> Option<R> {
    wire::request(body, version).ok()
}

fn put(response: &impl Encodable, version: i16) -> Option<Bytes> {
    let mut body = BytesMut::new();
    response.encode(&mut body, version).ok()?;
    Some(body.freeze())
}

/// For answers that can be megabytes: a buffer that grows to that is copied again and again on the way.
fn put_into(buffers: &Buffers, response: &impl Encodable, version: i16) -> Option<Bytes> {
    let size_bytes = response.compute_size(version).ok()?;
    buffers.filled(size_bytes, |body| response.encode(body, version)).ok()
}

fn frame_of(api: ApiKey, version: i16, correlation_id: i32, body: Bytes) -> Answer {
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let mut head = BytesMut::new();
    // The length comes first and is known last.
    head.put_i32(0);
    if header.encode(&mut head, api.response_header_version(version)).is_err() {
        return Answer::HangUp;
    }
    let length = (head.len() + body.len()).checked_sub(LENGTH_BYTES).and_then(|length| i32::try_from(length).ok());
    match (length, head.first_chunk_mut()) {
        (Some(length), Some(place)) => *place = length.to_be_bytes(),
        _ => return Answer::HangUp,
    }
    Answer::Frame { head: head.freeze(), body }
}

/// The list of offers. A client that asks in a version that is not offered gets it in the oldest, so that it can ask
/// again.
fn api_versions(version: i16, mut frame: Bytes) -> Answer {
    let offered = offers::find(offers::API_VERSIONS, version).is_some();
    let header_version = if offered { ApiKey::ApiVersions.request_header_version(version) } else { 1 };
    let Ok(header) = wire::request_header(&mut frame, header_version) else { return Answer::HangUp };
    let offer = |(key, range): (i16, kafka_protocol::protocol::VersionRange)| {
        ApiVersion::default().with_api_key(key).with_min_version(range.min).with_max_version(range.max)
    };
    let code = if offered { 0 } else { ResponseError::UnsupportedVersion.code() };
    let response =
        ApiVersionsResponse::default().with_error_code(code).with_api_keys(offers::all().map(offer).collect());
    match put(&response, if offered { version } else { 0 }) {
        Some(body) => frame_of(ApiKey::ApiVersions, version, header.correlation_id, body),
        None => Answer::HangUp,
    }
}
