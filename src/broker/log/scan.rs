//! Going through a segment's file from its first batch to its last.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::batch::{HEADER_BYTES, Header};
use super::segment::to_u64;

/// The file is read in pieces of this size, which hold many batches of the usual sizes.
const PIECE_BYTES: usize = 1024 * 1024;

/// How much of a batch is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its header: enough for what was whole when its segment was closed.
    Headers,
    /// All of it: what a crash may have torn.
    Batches,
}

/// The batches of a file, in order, as far as they are whole.
pub(super) struct Scan<'file> {
    reader: BufReader<&'file File>,
    /// What lies between the place that was reached and the end of the file.
    rest_bytes: u64,
    depth: Depth,
    batch: Vec<u8>,
}

impl<'file> Scan<'file> {
    /// Begins at the start of a file of `length` bytes.
    pub(super) fn new(mut file: &'file File, length: u64, depth: Depth) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let reader = BufReader::with_capacity(PIECE_BYTES, file);
        Ok(Self { reader, rest_bytes: length, depth, batch: Vec::new() })
    }

    /// The next batch; `None` at the end and at the first flaw.
    pub(super) fn next(&mut self) -> io::Result<Option<Header>> {
        if self.rest_bytes < to_u64(HEADER_BYTES) {
            return Ok(None);
        }
        self.batch.resize(HEADER_BYTES, 0);
        self.reader.read_exact(&mut self.batch)?;
        let header = Header::read(&self.batch).filter(|header| to_u64(header.size_bytes) <= self.rest_bytes);
        let Some(header) = header else { return Ok(None) };
        self.rest_bytes -= to_u64(header.size_bytes);
        match self.depth {
            Depth::Headers => self.pass(header),
            Depth::Batches => self.check(header),
        }
    }

    fn pass(&mut self, header: Header) -> io::Result<Option<Header>> {
        let body = i64::try_from(header.size_bytes - HEADER_BYTES).unwrap_or(i64::MAX);
        self.reader.seek_relative(body)?;
        Ok(Some(header))
    }

    fn check(&mut self, header: Header) -> io::Result<Option<Header>> {
        self.batch.resize(header.size_bytes, 0);
        let body = self.batch.get_mut(HEADER_BYTES..).unwrap_or_default();
        self.reader.read_exact(body)?;
        Ok(Header::read_sound(&self.batch))
    }
}
