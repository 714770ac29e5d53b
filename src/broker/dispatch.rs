//! From a request's frame to its response.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable, Request};

use super::groups::{Client, Groups};
use super::notice::Notice;
use super::state::State;
use super::users::Login;
use super::{records, topics};
use crate::kafka::wire;

/// What a frame's length takes, in front of it.
const LENGTH_BYTES: usize = 4;

/// Which requests are answered, in which versions. The versions begin where Kafka 4.x clients begin, and end with the
/// last whose meaning is kept here: newer produce versions carry transactions, newer commits name topics by id. Clients
/// take the highest version that both sides know. A heartbeat of the newer group protocol is here to be refused in words.
const SUPPORTED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 13),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 2, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::SaslHandshake, 1, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
    (ApiKey::ConsumerGroupHeartbeat, 0, 1),
];

/// What a client gets.
pub(super) enum Outcome {
    /// Its length and its header, then its body. Two pieces, since a body can be megabytes of records.
    Response { head: Bytes, body: Bytes },
    /// It wants no response.
    Silence,
}

/// Answers one request. `None` where there is no response that would be true, the request is malformed, or whoever asks is
/// not let in.
pub(super) async fn answer(state: &State, peer: SocketAddr, login: &mut Login, mut frame: Bytes) -> Option<Outcome> {
    // They stand in front of every header.
    let mut fields = &frame[..];
    let (key, version) = (fields.try_get_i16().ok()?, fields.try_get_i16().ok()?);
    let api = ApiKey::try_from(key).ok();
    if api == Some(ApiKey::ApiVersions) {
        return api_versions(state, version, frame);
    }
    // Strangers are told nothing, and nothing is told of them.
    if !login.is_in() && !matches!(api, Some(ApiKey::SaslHandshake | ApiKey::SaslAuthenticate)) {
        return None;
    }
    let Some(api) = api.filter(|api| is_supported(*api, version)) else {
        let name = api.map_or_else(|| "an unknown request".to_owned(), |api| format!("{api:?}"));
        state.notices.tell_once(Notice::Unanswered(format!("{name} ({key}) in version {version}")));
        return None;
    };
    let header = wire::request_header(&mut frame, api.request_header_version(version)).ok()?;
    if let Some(body) = identify(state, api, version, login, &mut frame).await? {
        return response(api, version, header.correlation_id, body);
    }
    let client = Client {
        id: header.client_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        host: format!("/{}", peer.ip()),
    };
    match body(state, api, version, frame, client).await? {
        Some(body) => response(api, version, header.correlation_id, body),
        None => Some(Outcome::Silence),
    }
}

/// The requests of a login; `Some(None)` for any other.
async fn identify(
    state: &State,
    api: ApiKey,
    version: i16,
    login: &mut Login,
    body: &mut Bytes,
) -> Option<Option<Bytes>> {
    let users = state.entrance.users.as_ref();
    match api {
        ApiKey::SaslHandshake => encode(state, &login.handshake(&read(body, version)?), version).map(Some),
        ApiKey::SaslAuthenticate => {
            let answer = login.authenticate(users, &read(body, version)?).await;
            encode(state, &answer, version).map(Some)
        }
        _ => Some(None),
    }
}

fn is_supported(api: ApiKey, version: i16) -> bool {
    SUPPORTED.iter().any(|(key, min, max)| *key == api && (*min..=*max).contains(&version))
}

/// The body of the response; `Some(None)` where none is wanted.
async fn body(state: &State, api: ApiKey, version: i16, mut body: Bytes, client: Client) -> Option<Option<Bytes>> {
    let body = &mut body;
    let groups = &state.groups;
    let encoded = match api {
        ApiKey::Produce => match records::produce(state, read(body, version)?).await {
            Some(response) => encode(state, &response, version),
            None => return Some(None),
        },
        ApiKey::Fetch => encode(state, &records::fetch(state, read(body, version)?, version).await, version),
        ApiKey::ListOffsets => encode(state, &records::list_offsets(state, read(body, version)?), version),
        ApiKey::InitProducerId => encode(state, &records::init_producer_id(state, &read(body, version)?), version),
        ApiKey::Metadata => encode(state, &topics::metadata(state, read(body, version)?, version), version),
        ApiKey::CreateTopics => encode(state, &topics::create(state, read(body, version)?), version),
        ApiKey::DeleteTopics => encode(state, &topics::delete(state, read(body, version)?), version),
        ApiKey::DescribeConfigs => encode(state, &topics::describe_configs(state, read(body, version)?), version),
        ApiKey::IncrementalAlterConfigs => {
            encode(state, &topics::alter_configs(state, read(body, version)?).await, version)
        }
        ApiKey::DescribeCluster => encode(state, &topics::describe_cluster(state, &read(body, version)?), version),
        ApiKey::FindCoordinator => {
            encode(state, &topics::find_coordinator(state, read(body, version)?, version), version)
        }
        ApiKey::JoinGroup => encode(state, &groups.join(read(body, version)?, client, version).await, version),
        ApiKey::SyncGroup => encode(state, &groups.sync(read(body, version)?).await, version),
        ApiKey::Heartbeat => encode(state, &groups.heartbeat(read(body, version)?), version),
        ApiKey::LeaveGroup => encode(state, &groups.leave(read(body, version)?, version), version),
        ApiKey::OffsetCommit => encode(state, &groups.commit(read(body, version)?).await, version),
        ApiKey::ConsumerGroupHeartbeat => encode(state, &Groups::refuse_newer(read(body, version)?), version),
        ApiKey::OffsetFetch => encode(state, &groups.fetch_offsets(read(body, version)?, version), version),
        ApiKey::ListGroups => encode(state, &groups.list(&read(body, version)?), version),
        ApiKey::DescribeGroups => encode(state, &groups.describe(read(body, version)?, version), version),
        ApiKey::OffsetDelete => encode(state, &groups.delete_offsets(read(body, version)?), version),
        ApiKey::DeleteGroups => encode(state, &groups.delete(read(body, version)?), version),
        _ => None,
    };
    // What these say of committed offsets has to stay true. Where the disk fails nobody can say.
    if matches!(api, ApiKey::OffsetDelete | ApiKey::DeleteGroups) {
        state.topics.offsets_kept().await.ok()?;
    }
    encoded.map(Some)
}

fn read<R: Request>(body: &mut Bytes, version: i16) -> Option<R> {
    wire::request(body, version).ok()
}

/// The size is known first, since a response can be megabytes: a buffer that grows to that is copied again and again.
fn encode(state: &State, response: &impl Encodable, version: i16) -> Option<Bytes> {
    let size_bytes = response.compute_size(version).ok()?;
    state.buffers.filled(size_bytes, |body| response.encode(body, version)).ok()
}

fn response(api: ApiKey, version: i16, correlation_id: i32, body: Bytes) -> Option<Outcome> {
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let mut head = BytesMut::new();
    // The length comes first and is known last.
    head.put_i32(0);
    header.encode(&mut head, api.response_header_version(version)).ok()?;
    let length = i32::try_from((head.len() + body.len()).checked_sub(LENGTH_BYTES)?).ok()?;
    *head.first_chunk_mut()? = length.to_be_bytes();
    Some(Outcome::Response { head: head.freeze(), body })
}

/// What is supported. A client that asks in a version that is not supported is told in the oldest, so that it can ask
/// again.
fn api_versions(state: &State, version: i16, mut frame: Bytes) -> Option<Outcome> {
    let is_supported = is_supported(ApiKey::ApiVersions, version);
    let header_version = if is_supported { ApiKey::ApiVersions.request_header_version(version) } else { 1 };
    let header = wire::request_header(&mut frame, header_version).ok()?;
    let versions = SUPPORTED.iter().map(|(key, min, max)| {
        ApiVersion::default().with_api_key(number(*key)).with_min_version(*min).with_max_version(*max)
    });
    let code = if is_supported { 0 } else { ResponseError::UnsupportedVersion.code() };
    let list = ApiVersionsResponse::default().with_error_code(code).with_api_keys(versions.collect());
    let body = encode(state, &list, if is_supported { version } else { 0 })?;
    response(ApiKey::ApiVersions, version, header.correlation_id, body)
}

#[allow(clippy::as_conversions, reason = "the enum's values are the protocol's numbers")]
fn number(key: ApiKey) -> i16 {
    key as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_that_is_supported_can_be_read() {
        for (key, min, max) in SUPPORTED {
            assert_eq!(wire::read_versions(number(*key)), Some((*min, *max)), "{key:?}");
        }
    }
}
