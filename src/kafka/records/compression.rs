//! Compresses batches, and opens compressed ones, each within a limit.

use std::io::{Read, Write as _};

use bytes::{Buf, Bytes};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::MAX_INFLATED_BYTES;
use crate::record::BatchFault;

/// The header of snappy's xerial framing, which the Java producer writes: magic, then two versions.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\x00";
const XERIAL_HEADER_BYTES: usize = 16;

/// How much of a zstd frame is opened at a time.
const ZSTD_STEP_BYTES: usize = 1024 * 1024;

/// How a batch that is written is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// What every reader opens.
    Gzip,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
}

impl Codec {
    /// As the batch attributes have it.
    pub(super) fn bits(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

/// Compresses `data`; `None` where it is to stay as it is.
pub(super) fn pack(codec: Codec, data: &[u8]) -> Option<Vec<u8>> {
    match codec {
        Codec::None => None,
        Codec::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(data).and_then(|()| packed.finish()).ok()
        }
        Codec::Lz4 => {
            let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
            packed.write_all(data).ok()?;
            packed.finish().ok()
        }
        Codec::Zstd => Some(compress_to_vec(data, CompressionLevel::Fastest)),
    }
}

/// Opens `data`, which is compressed with the codec of the batch attributes' lowest three bits.
pub(super) fn open(codec: u8, data: Bytes) -> Result<Bytes, BatchFault> {
    match codec {
        0 => Ok(data),
        1 => read_limited(flate2::read::MultiGzDecoder::new(data.reader())),
        2 => snappy(data),
        3 => read_limited(lz4_flex::frame::FrameDecoder::new(data.reader())),
        4 => zstd(data),
        other => Err(BatchFault::Codec(other)),
    }
}

fn read_limited(from: impl Read) -> Result<Bytes, BatchFault> {
    let mut opened = Vec::new();
    let limit = u64::try_from(MAX_INFLATED_BYTES).unwrap_or(u64::MAX);
    from.take(limit + 1).read_to_end(&mut opened).map_err(|_| BatchFault::Compression)?;
    if opened.len() > MAX_INFLATED_BYTES { Err(BatchFault::Inflated) } else { Ok(opened.into()) }
}

/// In steps that each add as much as they say, or end the frame. A reader would not do: it gives nothing before it holds
/// more than the frame's window, which a frame may claim to be terabytes.
fn zstd(data: Bytes) -> Result<Bytes, BatchFault> {
    let mut from = data.reader();
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut from)?;
    let mut opened = Vec::new();
    for _ in 0..=MAX_INFLATED_BYTES / ZSTD_STEP_BYTES {
        let is_whole = decoder.decode_blocks(&mut from, BlockDecodingStrategy::UptoBytes(ZSTD_STEP_BYTES))?;
        decoder.collect_to_writer(&mut opened).map_err(|_| BatchFault::Compression)?;
        if is_whole {
            return if opened.len() > MAX_INFLATED_BYTES { Err(BatchFault::Inflated) } else { Ok(opened.into()) };
        }
    }
    Err(BatchFault::Inflated)
}

impl From<FrameDecoderError> for BatchFault {
    fn from(_: FrameDecoderError) -> Self {
        Self::Compression
    }
}

/// Snappy comes as one raw block (librdkafka) or as xerial's sequence of blocks with their lengths (Java).
fn snappy(mut data: Bytes) -> Result<Bytes, BatchFault> {
    if !data.starts_with(XERIAL_MAGIC) {
        return block(&data).map(Bytes::from);
    }
    let mut opened = Vec::new();
    data.advance(XERIAL_HEADER_BYTES.min(data.len()));
    while data.has_remaining() {
        let length = data.try_get_i32().ok().and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= data.remaining()).ok_or(BatchFault::Compression)?;
        opened.extend_from_slice(&block(&data.split_to(length))?);
        if opened.len() > MAX_INFLATED_BYTES {
            return Err(BatchFault::Inflated);
        }
    }
    Ok(opened.into())
}

fn block(data: &[u8]) -> Result<Vec<u8>, BatchFault> {
    let length = snap::raw::decompress_len(data).map_err(|_| BatchFault::Compression)?;
    if length > MAX_INFLATED_BYTES {
        return Err(BatchFault::Inflated);
    }
    snap::raw::Decoder::new().decompress_vec(data).map_err(|_| BatchFault::Compression)
}
