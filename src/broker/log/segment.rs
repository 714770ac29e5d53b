//! One file of a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::batch::{self, records};
use crate::broker::buffers::Buffers;
use crate::kafka::records::{BatchHeader, HEADER_BYTES};

/// The ending of a segment's file.
const ENDING: &str = "log";

/// Its name before that: so many digits.
const NAME_DIGITS: usize = 20;

/// So many bytes lie between two places that are remembered, at least: an index that stays small for large segments.
const INDEX_BYTES: u64 = 4096;

/// A segment is opened in pieces of this size, which hold many batches of the usual sizes.
const PIECE_BYTES: usize = 1024 * 1024;

/// What a segment is to its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has a successor, and was whole on the disk before that was made: when it is opened, its headers are enough.
    Closed,
    /// It is the last: it is appended to, and a crash may have torn its end.
    Active,
}

/// One file of record batches.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    pub(super) file: Arc<File>,
    pub(super) base_offset: i64,
    pub(super) end_offset: i64,
    /// Up to here the file is sound.
    size_bytes: u64,
    /// What stands behind the first flaw of a closed segment.
    lost_bytes: u64,
    last_time_ms: i64,
    /// Some batches, in order: where each stands.
    index: Vec<IndexEntry>,
}

#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    offset: i64,
    position: u64,
    /// The latest time of what stands before.
    time_before_ms: i64,
}

/// The first offset of the segment at `path`, if it is one.
pub(super) fn base_of(path: &Path) -> Option<i64> {
    let is_segment = path.extension().is_some_and(|ending| ending == ENDING);
    let digits = path.file_stem().filter(|_| is_segment)?.to_str()?;
    let is_name = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_name)
}

impl Segment {
    /// Opens the segment that begins with `base_offset`, or makes it. Its batches are told to `note`, up to the first one
    /// that is not whole and sound; from there on the active segment's file is cut, and a closed one's left unread.
    pub(super) fn open(
        folder: &Path,
        base_offset: i64,
        role: Role,
        mut note: impl FnMut(&BatchHeader),
    ) -> io::Result<Self> {
        let path = folder.join(format!("{base_offset:0NAME_DIGITS$}.{ENDING}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let file = Arc::new(file);
        let mut segment = Self {
            path,
            base_offset,
            end_offset: base_offset,
            size_bytes: 0,
            lost_bytes: 0,
            last_time_ms: i64::MIN,
            index: Vec::new(),
            file: Arc::clone(&file),
        };
        let length = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(PIECE_BYTES, &*file);
        reader.rewind()?;
        let mut buffer = Vec::new();
        while let Some(header) = next_batch(&mut reader, length - segment.size_bytes, role, &mut buffer)?
            && header.base_offset == segment.end_offset
        {
            note(&header);
            segment.took(&header);
        }
        let flawed = length - segment.size_bytes;
        if role == Role::Closed {
            segment.lost_bytes = flawed;
        } else if flawed > 0 {
            file.set_len(segment.size_bytes)?;
            file.sync_all()?;
        }
        Ok(segment)
    }

    /// Appends batches that have their offsets.
    pub(super) fn append(&mut self, batches: &[u8], headers: &[BatchHeader]) -> io::Result<()> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.size_bytes))?;
        if let Err(error) = file.write_all(batches) {
            // Half a batch must not stand where the next one goes.
            file.set_len(self.size_bytes)?;
            return Err(error);
        }
        for header in headers {
            self.took(header);
        }
        Ok(())
    }

    /// A batch stands at the end of the file.
    fn took(&mut self, header: &BatchHeader) {
        if self.index.last().is_none_or(|last| self.size_bytes - last.position >= INDEX_BYTES) {
            let (offset, position) = (header.base_offset, self.size_bytes);
            self.index.push(IndexEntry { offset, position, time_before_ms: self.last_time_ms });
        }
        self.size_bytes += to_u64(header.size_bytes);
        self.end_offset = header.base_offset + records(header);
        self.last_time_ms = self.last_time_ms.max(header.max_timestamp_ms);
    }

    /// Reads whole batches from the one that holds `offset`, which is not below the first, up to `before`.
    pub(super) fn read(&self, offset: i64, before: i64, max_bytes: usize, buffers: &Buffers) -> io::Result<Bytes> {
        if offset >= self.end_offset {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        let (position, header) = self.first_behind(after, |header| header.base_offset + records(header) > offset)?;
        let first = header.size_bytes;
        let room = usize::try_from(self.size_bytes - position).unwrap_or(usize::MAX);
        let wanted = max_bytes.max(first).min(room);
        let data = buffers.filled(wanted, |room| {
            room.resize(wanted, 0);
            read_exact_at(&self.file, room, position)
        })?;
        // What is cut at the end is of no use to anybody.
        let mut whole = first;
        while let Some(next) = data.get(whole..).and_then(batch::read)
            && whole + next.size_bytes <= wanted
            && next.base_offset < before
        {
            whole += next.size_bytes;
        }
        Ok(data.slice(..whole.min(data.len())))
    }

    /// The first batch with a record of `time_ms` or later: its first offset, and its latest time.
    pub(super) fn batch_for_time(&self, time_ms: i64) -> Option<(i64, i64)> {
        if self.last_time_ms < time_ms {
            return None;
        }
        let after = self.index.partition_point(|entry| entry.time_before_ms < time_ms);
        let (_, header) = self.first_behind(after, |header| header.max_timestamp_ms >= time_ms).ok()?;
        Some((header.base_offset, header.max_timestamp_ms))
    }

    /// The first batch that is wanted between an entry of the index and the one `after` it, and where it stands.
    fn first_behind(&self, after: usize, wanted: impl Fn(&BatchHeader) -> bool) -> io::Result<(u64, BatchHeader)> {
        let mut position = self.index.get(after.saturating_sub(1)).map_or(0, |entry| entry.position);
        // No batch begins further behind its entry than this, so that one piece has the headers of all.
        let reach = INDEX_BYTES + to_u64(HEADER_BYTES);
        let room = self.size_bytes.saturating_sub(position).min(reach);
        let mut piece = vec![0; usize::try_from(room).unwrap_or(usize::MAX)];
        read_exact_at(&self.file, &mut piece, position)?;
        let mut rest = &piece[..];
        loop {
            let header = batch::read(rest).ok_or(io::ErrorKind::InvalidData)?;
            if wanted(&header) {
                return Ok((position, header));
            }
            position += to_u64(header.size_bytes);
            rest = rest.get(header.size_bytes..).ok_or(io::ErrorKind::InvalidData)?;
        }
    }

    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// The whole file's, also where it cannot be read.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes + self.lost_bytes
    }

    /// When the last record was sent; where that is not known, when the file was written.
    pub(super) fn last_time_ms(&self) -> io::Result<i64> {
        if self.last_time_ms >= 0 && self.lost_bytes == 0 {
            return Ok(self.last_time_ms);
        }
        let written = self.file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(self.last_time_ms.max(i64::try_from(written.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The next of the `rest_bytes` of a file; `None` at the end and at the first flaw.
fn next_batch(
    reader: &mut BufReader<&File>,
    rest_bytes: u64,
    role: Role,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<BatchHeader>> {
    if rest_bytes < to_u64(HEADER_BYTES) {
        return Ok(None);
    }
    buffer.resize(HEADER_BYTES, 0);
    reader.read_exact(buffer)?;
    let header = batch::read(buffer).filter(|header| to_u64(header.size_bytes) <= rest_bytes);
    let Some(header) = header else { return Ok(None) };
    if role == Role::Closed {
        let body = i64::try_from(header.size_bytes - HEADER_BYTES).unwrap_or(i64::MAX);
        reader.seek_relative(body)?;
        return Ok(Some(header));
    }
    buffer.resize(header.size_bytes, 0);
    reader.read_exact(buffer.get_mut(HEADER_BYTES..).unwrap_or_default())?;
    Ok(batch::read_sound(buffer))
}

/// Reads at a place, and leaves the place alone at which the file is written.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, position)
}

/// Reads at a place. Writing seeks its own.
#[cfg(not(unix))]
fn read_exact_at(mut file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(position))?;
    file.read_exact(bytes)
}

pub(super) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
