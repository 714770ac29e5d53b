//! One partition's records on disk: a log of segments, appended to and never changed.
//!
//! A segment is a file of record batches exactly as they travel; its name is its first offset. What a crash has torn off
//! at the end of the last one is cut away when the log is opened; a flaw in an earlier one is no crash's, and its file is
//! left as it is: what stands behind the flaw cannot be read, everything else can. An append is in the page cache when it
//! returns, which outlives this process; [`PartitionLog::sync`] brings it to the disk, as does `flush` for all who wait.
//!
//! - `batch`: the head of a record batch
//! - `producers`: which batch of a producer is new, and which a repeat
//! - `segment`: one file; `scan` walks through its batches

mod batch;
mod producers;
mod scan;
mod segment;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::batch::Header;
use self::producers::{Producers, Sequence, is_numbered};
use self::segment::{Role, Segment};
use super::buffers::Buffers;
use super::flush::{Durable, Flushed};
use crate::disk::sync_folder;
use crate::kafka::records;

/// How large things may become.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// The largest batch that is taken.
    pub max_batch_bytes: usize,
    /// A segment beyond this gets a successor.
    pub segment_bytes: u64,
    /// Whether records are read before they are on the disk. Who has read them, and commits, may say so more lastingly than
    /// they are there: then a power cut would have others in their place, which nobody reads.
    pub shows_unsynced: bool,
}

impl Default for LogLimits {
    /// Batches as Kafka takes them by default; segments that retention can drop one by one.
    fn default() -> Self {
        Self { max_batch_bytes: 1_048_588, segment_bytes: 64 * 1024 * 1024, shows_unsynced: true }
    }
}

/// Why a log cannot be opened or kept.
#[derive(Debug, thiserror::Error)]
#[error("the log in {}", folder.display())]
pub struct LogError {
    /// Its folder.
    pub folder: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Why an append was refused.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A batch is larger than the topic takes.
    #[error("a batch of {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit in force.
        limit: usize,
    },
    /// It is no whole, sound batch, or an idempotent producer's that does not come alone.
    #[error("a broken batch")]
    Corrupt,
    /// A batch of an idempotent producer that does not follow the one before.
    #[error("a batch out of order")]
    OutOfOrderSequence,
    /// A batch of a producer whose id has gone to another one.
    #[error("an outdated producer")]
    InvalidProducerEpoch,
    /// It cannot be written.
    #[error("the log cannot be written")]
    Io(#[from] io::Error),
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset is not in the log.
    #[error("offset {offset} is not within {start} and {end}")]
    OutOfRange {
        /// The offset.
        offset: i64,
        /// The first that is there.
        start: i64,
        /// Behind the last.
        end: i64,
    },
    /// It cannot be read, as where the file is damaged there.
    #[error("the log cannot be read")]
    Io(#[from] io::Error),
}

/// What an append gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The offset of the last record.
    pub last_offset: i64,
}

/// One partition's log.
#[derive(Debug)]
pub struct PartitionLog {
    folder: PathBuf,
    limits: LogLimits,
    /// Oldest first; only the last is appended to. None where the log is closed.
    segments: Vec<Segment>,
    producers: Producers,
    /// Behind the last record that was appended.
    end_offset: i64,
    /// As offsets.
    durable: Durable,
}

impl PartitionLog {
    /// Opens the log in `folder`, which is made if it is not there. A torn end is cut off.
    ///
    /// # Errors
    /// The folder cannot be used, or a segment reaches into the next one.
    pub fn open(folder: &Path, limits: LogLimits) -> Result<Self, LogError> {
        Self::try_open(folder, limits).map_err(|source| LogError { folder: folder.to_owned(), source })
    }

    fn try_open(folder: &Path, limits: LogLimits) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut bases = Vec::new();
        for entry in fs::read_dir(folder)? {
            bases.extend(segment::base_of(&entry?.path()));
        }
        bases.sort_unstable();
        let is_new = bases.is_empty();
        if is_new {
            bases.push(0);
        }
        let mut producers = Producers::default();
        let mut segments: Vec<Segment> = Vec::with_capacity(bases.len());
        let last = bases.last().copied();
        for base in bases {
            // Which of the two is right nobody can tell, so neither is touched.
            if segments.last().is_some_and(|before| before.end_offset() > base) {
                let what = format!("the segment before offset {base} reaches beyond it");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let role = if Some(base) == last { Role::Active } else { Role::Closed };
            segments.push(Segment::open(folder, base, role, |header, base| producers.note(header, base))?);
        }
        // What an earlier process has left in the page cache may not be on the disk.
        match segments.last() {
            Some(active) if !is_new => active.file().sync_data()?,
            _ => sync_folder(folder)?,
        }
        let end_offset = segments.last().map_or(0, Segment::end_offset);
        let durable = Durable::up_to(end_offset);
        Ok(Self { folder: folder.to_owned(), limits, segments, producers, end_offset, durable })
    }

    /// Appends what a producer sent: one or more whole batches. They get the next offsets.
    ///
    /// # Errors
    /// Nothing of it was appended.
    pub fn append(&mut self, batches: &Bytes) -> Result<Appended, AppendError> {
        let headers = self.check(batches)?;
        if let Some(repeat) = self.check_sequences(&headers)? {
            return Ok(repeat);
        }
        let base_offset = self.end_offset;
        let mut next = base_offset;
        let mut placed = BytesMut::from(&batches[..]);
        let mut position = 0;
        for header in &headers {
            batch::place(&mut placed, position, next);
            position += header.size_bytes;
            next += header.records();
        }
        self.durable.check()?;
        self.roll_when_full(base_offset)?;
        if let Some(active) = self.segments.last_mut() {
            active.append(&placed, &headers, base_offset)?;
        }
        let mut base = base_offset;
        for header in &headers {
            self.producers.note(header, base);
            base += header.records();
        }
        self.end_offset = next;
        Ok(Appended { base_offset, last_offset: next - 1 })
    }

    fn check(&self, batches: &Bytes) -> Result<Vec<Header>, AppendError> {
        let mut rest = batches.clone();
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let header = Header::read_sound(&rest).ok_or(AppendError::Corrupt)?;
            if header.size_bytes > self.limits.max_batch_bytes {
                return Err(AppendError::TooLarge { bytes: header.size_bytes, limit: self.limits.max_batch_bytes });
            }
            rest = rest.slice(header.size_bytes..);
            headers.push(header);
        }
        // One answer cannot say of one batch that it is a repeat and of another that it is new. Kafka takes one as well.
        let is_mixed = headers.len() > 1 && headers.iter().any(is_numbered);
        if headers.is_empty() || is_mixed { Err(AppendError::Corrupt) } else { Ok(headers) }
    }

    /// A repeat of what is there already gives its offsets.
    fn check_sequences(&self, headers: &[Header]) -> Result<Option<Appended>, AppendError> {
        // Several are not numbered.
        let [header] = headers else { return Ok(None) };
        match self.producers.judge(header) {
            Sequence::Next => Ok(None),
            Sequence::Repeat(base_offset) => {
                Ok(Some(Appended { base_offset, last_offset: base_offset + header.records() - 1 }))
            }
            Sequence::OutOfOrder => Err(AppendError::OutOfOrderSequence),
            Sequence::OldEpoch => Err(AppendError::InvalidProducerEpoch),
        }
    }

    fn roll_when_full(&mut self, base_offset: i64) -> io::Result<()> {
        if self.segments.last().is_some_and(|active| active.size_bytes() >= self.limits.segment_bytes) {
            self.sync()?;
            let next = Segment::open(&self.folder, base_offset, Role::Active, |_, _| {})?;
            sync_folder(&self.folder)?;
            self.segments.push(next);
        }
        Ok(())
    }

    /// Reads whole batches from the one that holds `offset`: at least that one, and no more than `max_bytes` where there
    /// are several. Nothing at the end of the log.
    ///
    /// # Errors
    /// The offset is below the start or above the end, or the file cannot be read.
    pub fn read(&self, offset: i64, max_bytes: usize, buffers: &Buffers) -> Result<Bytes, ReadError> {
        let (start, end) = (self.start_offset(), self.end_offset());
        if !(start..=end).contains(&offset) {
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        let segment = self.segments.iter().rev().find(|segment| segment.base_offset() <= offset);
        match segment {
            Some(segment) if offset < end => Ok(segment.read(offset, end, max_bytes, buffers)?),
            _ => Ok(Bytes::new()),
        }
    }

    /// The first offset that is there.
    #[must_use]
    pub fn start_offset(&self) -> i64 {
        self.segments.first().map_or(0, Segment::base_offset)
    }

    /// Behind the last record that can be read.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        if self.limits.shows_unsynced { self.end_offset } else { self.durable.mark() }
    }

    /// The first record that was sent at `time_ms` or later, with its time.
    #[must_use]
    pub fn offset_for_time(&self, time_ms: i64) -> Option<(i64, i64)> {
        let found = self.segments.iter().find_map(|segment| segment.batch_for_time(time_ms));
        let (offset, batch_time) = found.filter(|(offset, _)| *offset < self.end_offset())?;
        let records = self
            .read(offset, 1, &Buffers::default())
            .map(|data| records::decode(data, offset).records)
            .unwrap_or_default();
        let first = records.iter().find(|record| record.timestamp_ms >= time_ms);
        Some(first.map_or((offset, batch_time), |record| (record.offset, record.timestamp_ms)))
    }

    /// Lets go of its files: its topic is gone, and another one of that name may have a log in the same folder.
    pub fn close(&mut self) {
        self.segments.clear();
    }

    /// Whether its topic is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.segments.is_empty()
    }

    /// Brings what was appended to the disk.
    ///
    /// # Errors
    /// The disk refuses, or has refused before.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(active) = self.segments.last()
            && self.durable.check()? < self.end_offset
        {
            self.durable.note(self.end_offset, &active.file().sync_data());
        }
        self.durable.check().map(drop)
    }

    /// Drops the oldest segments whose records are all older than `retention_ms`, or that make the log larger than
    /// `retention_bytes`. The one that is appended to stays. Where records have no time, that of their file counts.
    ///
    /// # Errors
    /// A file cannot be asked for its time or removed.
    pub fn retain(&mut self, now_ms: i64, retention_ms: Option<i64>, retention_bytes: Option<u64>) -> io::Result<()> {
        while self.segments.len() > 1 {
            let size: u64 = self.segments.iter().map(Segment::size_bytes).sum();
            let Some(oldest) = self.segments.first() else { break };
            let too_old = match retention_ms {
                Some(ms) => now_ms.saturating_sub(oldest.last_time_ms()?) > ms,
                None => false,
            };
            let too_much = retention_bytes.is_some_and(|bytes| size - oldest.size_bytes() >= bytes);
            if !too_old && !too_much {
                break;
            }
            self.segments.remove(0).remove()?;
        }
        Ok(())
    }
}

impl Flushed for PartitionLog {
    fn written(&self) -> Option<(i64, Arc<File>)> {
        self.segments.last().map(|active| (self.end_offset, Arc::clone(active.file())))
    }

    fn durable(&mut self) -> &mut Durable {
        &mut self.durable
    }
}

#[cfg(test)]
mod tests;
