//! One file of a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};

use super::batch::{HEADER_BYTES, Header};
use super::scan::{Depth, Scan};
use crate::broker::buffers::Buffers;

/// The ending of a segment's file.
const ENDING: &str = "log";

/// Its name before that: so many digits.
const NAME_DIGITS: usize = 20;

/// So many bytes lie between two places that are remembered, at least: an index that stays small for large segments.
const INDEX_BYTES: u64 = 4096;

/// What a segment is to its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has a successor, and was whole on the disk before that was made.
    Closed,
    /// It is the last: it is appended to, and a crash may have torn its end.
    Active,
}

/// One file of record batches.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Arc<File>,
    base_offset: i64,
    end_offset: i64,
    /// Up to here the file is sound.
    size_bytes: u64,
    /// What stands behind the first flaw of a closed segment.
    lost_bytes: u64,
    last_time_ms: i64,
    /// Some batches, in order: where each stands.
    index: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
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
        note: impl FnMut(&Header, i64),
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
        let depth = if role == Role::Active { Depth::Batches } else { Depth::Headers };
        segment.take_all(Scan::new(&file, length, depth)?, note)?;
        let flawed = length - segment.size_bytes;
        match role {
            Role::Active if flawed > 0 => segment.cut()?,
            Role::Active => {}
            Role::Closed => segment.lost_bytes = flawed,
        }
        Ok(segment)
    }

    fn take_all(&mut self, mut scan: Scan<'_>, mut note: impl FnMut(&Header, i64)) -> io::Result<()> {
        while let Some(header) = scan.next()?
            && header.base_offset == self.end_offset
        {
            note(&header, header.base_offset);
            self.took(&header, header.base_offset);
        }
        Ok(())
    }

    fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.size_bytes)?;
        self.file.sync_all()
    }

    fn bytes_at(&self, position: u64, size_bytes: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(size_bytes);
        read_exact_at(&self.file, &mut bytes, position)?;
        Ok(bytes.freeze())
    }

    /// Appends batches that have their offsets.
    pub(super) fn append(&mut self, batches: &[u8], headers: &[Header], base_offset: i64) -> io::Result<()> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.size_bytes))?;
        if let Err(error) = file.write_all(batches) {
            // Half a batch must not stand where the next one goes.
            file.set_len(self.size_bytes)?;
            return Err(error);
        }
        let mut offset = base_offset;
        for header in headers {
            self.took(header, offset);
            offset += header.records();
        }
        Ok(())
    }

    /// A batch stands at the end of the file.
    fn took(&mut self, header: &Header, offset: i64) {
        let due = self.index.last().is_none_or(|last| self.size_bytes - last.position >= INDEX_BYTES);
        if due {
            self.index.push(Place { offset, position: self.size_bytes, time_before_ms: self.last_time_ms });
        }
        self.size_bytes += to_u64(header.size_bytes);
        self.end_offset = offset + header.records();
        self.last_time_ms = self.last_time_ms.max(header.max_time_ms);
    }

    /// Reads whole batches from the one that holds `offset`, which is not below the first, up to `before`.
    pub(super) fn read(&self, offset: i64, before: i64, max_bytes: usize, buffers: &Buffers) -> io::Result<Bytes> {
        if offset >= self.end_offset {
            let what = format!("{} is damaged: offset {offset} cannot be read", self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let (position, header) = self.find(offset)?;
        let first = header.size_bytes;
        let room = usize::try_from(self.size_bytes - position).unwrap_or(usize::MAX);
        let wanted = max_bytes.max(first).min(room);
        let data = buffers.filled(wanted, |room| {
            room.resize(wanted, 0);
            read_exact_at(&self.file, room, position)
        })?;
        // What is cut at the end is of no use to anybody.
        let mut whole = first;
        while let Some(next) = data.get(whole..).and_then(Header::read)
            && whole + next.size_bytes <= wanted
            && next.base_offset < before
        {
            whole += next.size_bytes;
        }
        Ok(data.slice(..whole.min(data.len())))
    }

    fn find(&self, offset: i64) -> io::Result<(u64, Header)> {
        let after = self.index.partition_point(|place| place.offset <= offset);
        self.first_behind(after, |header| header.base_offset + header.records() > offset)
    }

    /// The first batch with a record of `time_ms` or later: its first offset, and its latest time.
    pub(super) fn batch_for_time(&self, time_ms: i64) -> Option<(i64, i64)> {
        if self.last_time_ms < time_ms {
            return None;
        }
        let after = self.index.partition_point(|place| place.time_before_ms < time_ms);
        let (_, header) = self.first_behind(after, |header| header.max_time_ms >= time_ms).ok()?;
        Some((header.base_offset, header.max_time_ms))
    }

    /// The first batch that is wanted between a place of the index and the one `after` it, and where it stands.
    fn first_behind(&self, after: usize, wanted: impl Fn(&Header) -> bool) -> io::Result<(u64, Header)> {
        let mut position = self.index.get(after.saturating_sub(1)).map_or(0, |place| place.position);
        // No batch begins further behind its place than this, so that one piece has the headers of all.
        let reach = INDEX_BYTES + to_u64(HEADER_BYTES);
        let room = self.size_bytes.saturating_sub(position).min(reach);
        let piece = self.bytes_at(position, usize::try_from(room).unwrap_or(usize::MAX))?;
        let mut rest = &piece[..];
        loop {
            let header = Header::read(rest).ok_or(io::ErrorKind::InvalidData)?;
            if wanted(&header) {
                return Ok((position, header));
            }
            position += to_u64(header.size_bytes);
            rest = rest.get(header.size_bytes..).ok_or(io::ErrorKind::InvalidData)?;
        }
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(super) fn end_offset(&self) -> i64 {
        self.end_offset
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

/// Reads at a place, and leaves the place alone at which the file is written.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, position)
}

/// Reads at a place. Writing seeks its own.
#[cfg(not(unix))]
fn read_exact_at(mut file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(position))?;
    io::Read::read_exact(&mut file, bytes)
}

pub(super) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
