//! One file of a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::batch::{HEADER_BYTES, Header};

/// The ending of a segment's file.
const ENDING: &str = "log";

/// So many bytes lie between two places that are remembered, at least: an index that stays small for large segments.
const INDEX_BYTES: u64 = 4096;

/// One file of record batches.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    base_offset: i64,
    end_offset: i64,
    size_bytes: u64,
    last_time_ms: i64,
    /// Some batches, in order: where each stands.
    index: Vec<Place>,
    is_synced: bool,
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
    path.file_stem().filter(|_| is_segment)?.to_str()?.parse().ok()
}

impl Segment {
    /// Opens the segment that begins with `base_offset`, or makes it. Every batch is checked and told to `note`; from the
    /// first one on that is not whole and sound the file is cut.
    pub(super) fn open(folder: &Path, base_offset: i64, mut note: impl FnMut(&Header, i64)) -> io::Result<Self> {
        let path = folder.join(format!("{base_offset:020}.{ENDING}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut segment = Self {
            path,
            file,
            base_offset,
            end_offset: base_offset,
            size_bytes: 0,
            last_time_ms: i64::MIN,
            index: Vec::new(),
            is_synced: true,
        };
        let length = segment.file.metadata()?.len();
        while let Some(header) = segment.sound_batch_at(segment.size_bytes, length)? {
            note(&header, header.base_offset);
            segment.took(&header, header.base_offset);
        }
        if segment.size_bytes < length {
            segment.file.set_len(segment.size_bytes)?;
            segment.file.sync_all()?;
        }
        Ok(segment)
    }

    fn sound_batch_at(&mut self, position: u64, length: u64) -> io::Result<Option<Header>> {
        let Some(header) = self.header_at(position, length)? else { return Ok(None) };
        if header.base_offset != self.end_offset {
            return Ok(None);
        }
        let batch = self.bytes_at(position, header.size_bytes)?;
        Ok(Header::read_sound(&batch))
    }

    /// The header of the batch at `position`, where the file has all of the batch.
    fn header_at(&self, position: u64, length: u64) -> io::Result<Option<Header>> {
        let room = length.saturating_sub(position);
        if room < to_u64(HEADER_BYTES) {
            return Ok(None);
        }
        let header = Header::read(&self.bytes_at(position, HEADER_BYTES)?);
        Ok(header.filter(|header| to_u64(header.size_bytes) <= room))
    }

    fn bytes_at(&self, position: u64, size_bytes: usize) -> io::Result<Bytes> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(position))?;
        let mut bytes = BytesMut::zeroed(size_bytes);
        file.read_exact(&mut bytes)?;
        Ok(bytes.freeze())
    }

    /// Appends batches that have their offsets.
    pub(super) fn append(&mut self, batches: &[u8], headers: &[Header], base_offset: i64) -> io::Result<()> {
        self.is_synced = false;
        self.file.seek(SeekFrom::Start(self.size_bytes))?;
        if let Err(error) = self.file.write_all(batches) {
            // Half a batch must not stand where the next one goes.
            self.file.set_len(self.size_bytes)?;
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

    /// Reads whole batches from the one that holds `offset`.
    pub(super) fn read(&self, offset: i64, max_bytes: usize) -> io::Result<Bytes> {
        let (position, header) = self.find(offset)?;
        let first = header.size_bytes;
        let room = usize::try_from(self.size_bytes - position).unwrap_or(usize::MAX);
        let wanted = max_bytes.max(first).min(room);
        let data = self.bytes_at(position, wanted)?;
        // What is cut at the end is of no use to anybody.
        let mut whole = first;
        while let Some(next) = data.get(whole..).and_then(Header::read)
            && whole + next.size_bytes <= wanted
        {
            whole += next.size_bytes;
        }
        Ok(data.slice(..whole.min(data.len())))
    }

    fn find(&self, offset: i64) -> io::Result<(u64, Header)> {
        let after = self.index.partition_point(|place| place.offset <= offset);
        let mut position = self.index.get(after.saturating_sub(1)).map_or(0, |place| place.position);
        loop {
            let header = self.header_at(position, self.size_bytes)?.ok_or(io::ErrorKind::InvalidData)?;
            if header.base_offset + header.records() > offset {
                return Ok((position, header));
            }
            position += to_u64(header.size_bytes);
        }
    }

    /// The first batch with a record of `time_ms` or later: its first offset, and its latest time.
    pub(super) fn batch_for_time(&self, time_ms: i64) -> Option<(i64, i64)> {
        if self.last_time_ms < time_ms {
            return None;
        }
        let after = self.index.partition_point(|place| place.time_before_ms < time_ms);
        let mut position = self.index.get(after.saturating_sub(1)).map_or(0, |place| place.position);
        loop {
            let header = self.header_at(position, self.size_bytes).ok()??;
            if header.max_time_ms >= time_ms {
                return Some((header.base_offset, header.max_time_ms));
            }
            position += to_u64(header.size_bytes);
        }
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.is_synced {
            self.file.sync_data()?;
            self.is_synced = true;
        }
        Ok(())
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

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn last_time_ms(&self) -> i64 {
        self.last_time_ms
    }
}

fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
