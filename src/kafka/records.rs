//! Kafka's record batches (message format 2), read and written.
//!
//! Our own, because a reader must be able to pass what it cannot understand: null headers, header keys that are not
//! UTF-8, transaction markers, codecs of the future. A batch that cannot be opened becomes one
//! [`Record`](crate::record::Record) with a [`fault`](crate::record::Record::fault), so that it reaches the dead letters
//! and the partition goes on behind it. Values are slices of the response, not copies.
//!
//! The layout is that of Kafka's protocol guide, "Record Batch"; lengths inside records are zig-zag varints.

mod compression;
mod decode;
mod encode;

pub use compression::Codec;
pub(crate) use decode::HEADER_BYTES;
pub use decode::{BatchHeader, Decoded, decode};
pub use encode::{encode, encode_with};

/// The limit of what is decompressed in one go. Brokers take batches of 1 MiB by default, and JSON shrinks to a tenth or
/// less; a batch beyond it cannot be opened, and several that are beyond it together are opened one after another.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024 * 1024;

/// The most records of one batch. The smallest take seven bytes, so a plain batch of 1 MiB has no more.
pub const MAX_BATCH_RECORDS: i32 = 200_000;

/// The most headers of one batch, over all of its records. The smallest take two bytes, so a plain batch of 1 MiB has no
/// more; in memory each takes 64.
pub const MAX_BATCH_HEADERS: usize = 524_288;

#[cfg(test)]
mod tests;
