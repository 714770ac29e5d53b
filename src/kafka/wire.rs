//! From a frame's bytes to a message of `kafka-protocol`, without trust in the lengths that it names.
//!
//! The crate's own decoders ask for the memory of a whole array before its first element is there, so that eleven bytes
//! can ask for hundreds of gigabytes, and that ends the process. Here every message is walked before it is decoded, by
//! its `shape`: an array has to be there to its last element, and there is a limit to how much a message may become in
//! memory. Nothing else calls the crate's decoders (`cargo xtask tidy` looks for that).
//!
//! In reading order: `shape` says how a message is described, `requests` and `responses` describe those that are
//! spoken here, `walk` goes through one.

mod requests;
mod responses;
mod shape;
mod walk;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Request};

use self::shape::Message;

/// The most of what takes memory of its own (elements with fields, texts in lists, unknown tagged fields) that a message
/// may hold. The partitions of the largest clusters are fewer; each takes up to 250 bytes, so that a message that lies in
/// wait takes 125 MB beside its own bytes at most.
pub const MAX_PARTS: usize = 500_000;

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is none of those that are spoken here.
    #[error("message {key} is not spoken here in version {version}")]
    Unspoken {
        /// The protocol's number of the request.
        key: i16,
        /// Its version.
        version: i16,
    },
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
///
/// # Errors
/// It is not a request of this kind and version, or a length in it lies.
pub fn request<R: Request>(body: &mut Bytes, version: i16) -> Result<R, WireError> {
    checked(requests::of(R::KEY), R::KEY, version, body)
}

/// Takes the body of the response to a request of the kind `R` from the front of `body`.
///
/// # Errors
/// It is not a response of this kind and version, or a length in it lies.
pub fn response<R: Request>(body: &mut Bytes, version: i16) -> Result<R::Response, WireError> {
    checked(responses::of(R::KEY), R::KEY, version, body)
}

/// Takes a request's header from the front of `frame`, in the version of headers that belongs to the request.
///
/// # Errors
/// It is none, or a length in it lies.
pub fn request_header(frame: &mut Bytes, header_version: i16) -> Result<RequestHeader, WireError> {
    checked(Some(&requests::HEADER), -1, header_version, frame)
}

/// Takes a response's header from the front of `frame`, in the version of headers that belongs to the response.
///
/// # Errors
/// It is none, or a length in it lies.
pub fn response_header(frame: &mut Bytes, header_version: i16) -> Result<ResponseHeader, WireError> {
    checked(Some(&responses::HEADER), -1, header_version, frame)
}

fn checked<M: Decodable>(shape: Option<&Message>, key: i16, version: i16, bytes: &mut Bytes) -> Result<M, WireError> {
    let shape = shape.filter(|shape| shape.has(version)).ok_or(WireError::Unspoken { key, version })?;
    let end = walk::through(shape, version, bytes)?;
    let message = M::decode(bytes, version).map_err(|error| WireError::Field(error.to_string()))?;
    debug_assert_eq!(end, bytes.remaining(), "the shape of message {key} is wrong in version {version}");
    Ok(message)
}

/// The versions in which a request's body can be read.
#[cfg(test)]
pub(crate) fn read_versions(key: i16) -> Option<(i16, i16)> {
    requests::of(key).map(|shape| shape.versions)
}

#[cfg(test)]
mod tests;
