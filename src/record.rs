//! One record of a topic's partition: what a message is before anybody has understood it.

pub mod murmur2;

use bytes::Bytes;

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

/// What is wrong with a whole record batch, as the log holds it.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    #[error("unknown codec {0}")]
    Codec(u8),
    #[error("bad checksum")]
    Checksum,
    /// Its message format is older than version 2 (Kafka before 0.11) or unknown.
    #[error("unknown message format {0}")]
    Magic(i8),
    #[error("broken compression")]
    Compression,
    #[error("larger than the limit when decompressed")]
    Inflated,
    #[error("broken record")]
    Record,
}
