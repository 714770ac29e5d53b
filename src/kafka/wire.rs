//! From a frame's bytes to a message of `kafka-protocol`, without trust in the lengths that it names.
//!
//! The crate's own decoders ask for the memory of a whole array before its first element is there, so that eleven bytes
//! can ask for hundreds of gigabytes, and that ends the process. Here every message is walked before it is decoded, by
//! its `shape`: an array has to be there to its last element, and there is a limit to how much a message may become in
//! memory. Nothing else calls the crate's decoders (`cargo xtask tidy` looks for that).
//!
//! `shape` says how a message is described and walks through one; `messages` describes those that are spoken here.

mod messages;
mod shape;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Request, VersionRange};

use self::messages::Spoken;
use self::shape::Message;

/// The most of what takes memory of its own (elements with fields, texts in lists, unknown tagged fields) that a message
/// may hold. The partitions of the largest clusters are fewer; each takes up to 250 bytes, so that a message that lies in
/// wait takes 125 MB beside its own bytes at most.
pub const MAX_PARTS: usize = 500_000;

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum WireError {
    /// It is none of those that are spoken here.
    #[error("message {key} is not spoken here in version {version}")]
    Unspoken { key: i16, version: i16 },
    /// It ends before what it announces, or announces what cannot be.
    #[error("a length in it goes beyond its end")]
    Length,
    /// It is within its lengths, but would take too much memory.
    #[error("it has more than {MAX_PARTS} parts")]
    TooManyParts,
    /// The fields do not hold what they have to.
    #[error("{0}")]
    Field(String),
}

/// Takes a request's body from the front of `body`.
pub fn request<R: Request>(body: &mut Bytes, version: i16) -> Result<R, WireError> {
    checked(request_shape(R::KEY), R::KEY, version, body)
}

/// Takes the body of the response to a request of the kind `R` from the front of `body`.
pub fn response<R: Request>(body: &mut Bytes, version: i16) -> Result<R::Response, WireError> {
    checked(response_of(R::KEY).map(|spoken| &spoken.shape), R::KEY, version, body)
}

/// Takes a request's header from the front of `frame`, in the version of headers that belongs to the request.
pub fn request_header(frame: &mut Bytes, header_version: i16) -> Result<RequestHeader, WireError> {
    checked(Some(&messages::REQUEST_HEADER), -1, header_version, frame)
}

/// Takes a response's header from the front of `frame`, in the version of headers that belongs to the response.
pub fn response_header(frame: &mut Bytes, header_version: i16) -> Result<ResponseHeader, WireError> {
    checked(Some(&messages::RESPONSE_HEADER), -1, header_version, frame)
}

fn checked<M: Decodable>(shape: Option<&Message>, key: i16, version: i16, bytes: &mut Bytes) -> Result<M, WireError> {
    let shape = shape.filter(|shape| shape.has(version)).ok_or(WireError::Unspoken { key, version })?;
    let end = shape.walk(version, bytes)?;
    let message = M::decode(bytes, version).map_err(|error| WireError::Field(error.to_string()))?;
    debug_assert_eq!(end, bytes.remaining(), "the shape of message {key} is wrong in version {version}");
    Ok(message)
}

fn request_shape(key: i16) -> Option<&'static Message> {
    messages::REQUESTS.iter().find(|spoken| api_key(spoken.api) == key).map(|spoken| &spoken.shape)
}

fn response_of(key: i16) -> Option<&'static Spoken> {
    messages::RESPONSES.iter().find(|spoken| api_key(spoken.api) == key)
}

/// The versions in which a client sends a request; none of one that it does not send.
pub(super) fn spoken(key: i16) -> VersionRange {
    let (min, max) = response_of(key).map_or((0, -1), |spoken| spoken.shape.versions);
    VersionRange { min, max }
}

/// The requests without which something does not work, with their names.
pub(super) fn needed() -> impl Iterator<Item = (i16, &'static str)> {
    // Only KRaft has a quorum, only Kafka 4 groups of the newer protocol, not every broker wants a login, and a `vitals up`
    // of an earlier version does not change the settings of its topics.
    let optional = |api| {
        matches!(
            api,
            ApiKey::DescribeQuorum
                | ApiKey::ConsumerGroupDescribe
                | ApiKey::SaslHandshake
                | ApiKey::SaslAuthenticate
                | ApiKey::IncrementalAlterConfigs
        )
    };
    let needed = messages::RESPONSES.iter().filter(move |spoken| !optional(spoken.api));
    needed.map(|spoken| (api_key(spoken.api), spoken.name))
}

/// A request's name, for messages to the user.
pub(super) fn name(key: i16) -> &'static str {
    response_of(key).map_or("a request", |spoken| spoken.name)
}

/// The protocol's number of a request.
#[allow(clippy::as_conversions, reason = "the enum's values are the protocol's numbers")]
pub(super) fn api_key(key: ApiKey) -> i16 {
    key as i16
}

/// The versions in which a request's body can be read.
#[cfg(test)]
pub(crate) fn read_versions(key: i16) -> Option<(i16, i16)> {
    request_shape(key).map(|shape| shape.versions)
}

#[cfg(test)]
mod tests;
