//! Kafka's record batches (message format 2), read and written.
//!
//! Our own, because a reader must be able to pass what it cannot understand: null headers, header keys that are not
//! UTF-8, transaction markers, codecs of the future. A batch that cannot be opened becomes one [`Record`] with a
//! [`fault`](Record::fault), so that it reaches the dead letters and the partition goes on behind it. Values are
//! slices of the response, not copies.
//!
//! The layout is that of Kafka's protocol guide, "Record Batch"; lengths inside records are zig-zag varints.

mod compression;
mod decode;
mod encode;
mod varint;

use bytes::Bytes;

pub use compression::Codec;
pub use decode::{Decoded, decode};
pub use encode::{encode, encode_with};

use crate::reject::BatchFault;

/// The limit of what is decompressed in one go. Brokers take batches of 1 MiB by default, and JSON shrinks to a tenth or
/// less; a batch beyond it cannot be opened, and several that are beyond it together are opened one after another.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024 * 1024;

/// The most records of one batch. The smallest take seven bytes, so a plain batch of 1 MiB has no more.
pub const MAX_BATCH_RECORDS: i32 = 200_000;

/// The most headers of one batch, over all of its records. The smallest take two bytes, so a plain batch of 1 MiB has no
/// more; in memory each takes 64.
pub const MAX_BATCH_HEADERS: usize = 524_288;

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// When it was sent or appended, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its key, where it has one.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone. Where there is a fault, the bytes of the whole batch.
    pub value: Option<Bytes>,
    /// Its headers, in their order. Keys are bytes: nothing makes a producer send UTF-8.
    pub headers: Vec<Header>,
    /// Why this stands for a whole batch that could not be opened.
    pub fault: Option<BatchFault>,
}

impl Record {
    /// The same record in memory of its own, where it was a slice of a whole response.
    #[must_use]
    pub fn detached(&self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let header = |header: &Header| Header { key: copy(&header.key), value: header.value.as_ref().map(copy) };
        Self {
            key: self.key.as_ref().map(copy),
            value: self.value.as_ref().map(copy),
            headers: self.headers.iter().map(header).collect(),
            ..*self
        }
    }

    /// About how much memory the record holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let size = |header: &Header| size_of::<Header>() + header.key.len() + length(header.value.as_ref());
        let headers: usize = self.headers.iter().map(size).sum();
        size_of::<Self>() + length(self.key.as_ref()) + length(self.value.as_ref()) + headers
    }
}

/// One header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its key: any bytes.
    pub key: Bytes,
    /// Its value; null is allowed.
    pub value: Option<Bytes>,
}

fn length(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests;
