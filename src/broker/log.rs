//! One partition's records on disk: a log of segments, appended to and never changed.
//!
//! A segment is a file of record batches exactly as they travel; its name is its first offset. What a crash has torn off
//! at the end of the last one is cut away when the log is opened; a flaw in an earlier one is no crash's, and its file is
//! left as it is: what stands behind the flaw cannot be read, everything else can. An append is in the page cache when it
//! returns, which outlives this process; [`PartitionLog::sync`] brings it to the disk, as does `flush` for all who wait.
//!
//! - `batch`: which batch is whole, and which of a producer is a repeat
//! - `segment`: one file

mod batch;
mod segment;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;

use self::batch::{Producers, is_numbered};
use self::segment::{Role, Segment};
use super::buffers::Buffers;
use super::flush::{Durable, Flushed};
use crate::disk::sync_folder;
use crate::kafka::records::{self, BatchHeader};

/// How large things may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogLimits {
    /// The largest batch that is taken.
    pub(super) max_batch_bytes: usize,
    /// A segment beyond this gets a successor.
    pub(super) segment_bytes: u64,
    /// Whether records are read before they are on the disk. Who has read them, and commits, may say so more lastingly than
    /// they are there: then a power cut would have others in their place, which nobody reads.
    pub(super) shows_unsynced: bool,
}

impl Default for LogLimits {
    /// Batches as Kafka takes them by default; segments that retention can drop one by one.
    fn default() -> Self {
        Self { max_batch_bytes: 1_048_588, segment_bytes: 64 * 1024 * 1024, shows_unsynced: true }
    }
}

/// The offsets of the first and the last record of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
}

/// One partition's log.
#[derive(Debug)]
pub(super) struct PartitionLog {
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
    pub(super) fn open(folder: &Path, limits: LogLimits) -> io::Result<Self> {
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
            if segments.last().is_some_and(|before| before.end_offset > base) {
                let what = format!("the segment before offset {base} reaches beyond it");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let role = if Some(base) == last { Role::Active } else { Role::Closed };
            segments.push(Segment::open(folder, base, role, |header| producers.note(header))?);
        }
        // What an earlier process has left in the page cache may not be on the disk.
        match segments.last() {
            Some(active) if !is_new => active.file.sync_data()?,
            _ => sync_folder(folder)?,
        }
        let end_offset = segments.last().map_or(0, |active| active.end_offset);
        let durable = Durable::up_to(end_offset);
        Ok(Self { folder: folder.to_owned(), limits, segments, producers, end_offset, durable })
    }

    /// Appends what a producer sent: one or more whole batches, all of them or none. They get the next offsets. A repeat
    /// of what is there already gives its offsets.
    pub(super) fn append(&mut self, batches: &Bytes) -> Result<Appended, ResponseError> {
        let mut headers = self.check(batches)?;
        // Several are not numbered.
        if let [header] = &headers[..]
            && let Some(base_offset) = self.producers.repeat_of(header)?
        {
            return Ok(Appended { base_offset, last_offset: base_offset + batch::records(header) - 1 });
        }
        let base_offset = self.end_offset;
        let mut next = base_offset;
        let mut placed = BytesMut::from(&batches[..]);
        let mut position = 0;
        for header in &mut headers {
            header.base_offset = next;
            batch::place(&mut placed, position, next);
            position += header.size_bytes;
            next += batch::records(header);
        }
        self.write(&placed, &headers).map_err(|_| ResponseError::KafkaStorageError)?;
        for header in &headers {
            self.producers.note(header);
        }
        self.end_offset = next;
        Ok(Appended { base_offset, last_offset: next - 1 })
    }

    fn check(&self, batches: &Bytes) -> Result<Vec<BatchHeader>, ResponseError> {
        let mut rest = &batches[..];
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let header = batch::read_sound(rest).ok_or(ResponseError::CorruptMessage)?;
            if header.size_bytes > self.limits.max_batch_bytes {
                return Err(ResponseError::MessageTooLarge);
            }
            rest = rest.get(header.size_bytes..).unwrap_or_default();
            headers.push(header);
        }
        // One answer cannot say of one batch that it is a repeat and of another that it is new. Kafka takes one as well.
        let is_mixed = headers.len() > 1 && headers.iter().any(is_numbered);
        if headers.is_empty() || is_mixed { Err(ResponseError::CorruptMessage) } else { Ok(headers) }
    }

    /// A full segment gets a successor first.
    fn write(&mut self, batches: &[u8], headers: &[BatchHeader]) -> io::Result<()> {
        self.durable.check()?;
        if self.segments.last().is_some_and(|active| active.size_bytes() >= self.limits.segment_bytes) {
            self.begin_segment()?;
        }
        self.segments.last_mut().map_or(Ok(()), |active| active.append(batches, headers))
    }

    /// The segment that is appended to gets a successor.
    fn begin_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        let next = Segment::open(&self.folder, self.end_offset, Role::Active, |_| {})?;
        sync_folder(&self.folder)?;
        self.segments.push(next);
        Ok(())
    }

    /// Reads whole batches from the one that holds `offset`: at least that one, and no more than `max_bytes` where there
    /// are several. Nothing at the end of the log.
    pub(super) fn read(&self, offset: i64, max_bytes: usize, buffers: &Buffers) -> Result<Bytes, ResponseError> {
        let end = self.end_offset();
        if !(self.start_offset()..=end).contains(&offset) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let segment = self.segments.iter().rev().find(|segment| segment.base_offset <= offset);
        match segment.filter(|_| offset < end) {
            // As where the file is damaged there.
            Some(segment) => {
                segment.read(offset, end, max_bytes, buffers).map_err(|_| ResponseError::KafkaStorageError)
            }
            None => Ok(Bytes::new()),
        }
    }

    /// The first offset that is there.
    pub(super) fn start_offset(&self) -> i64 {
        self.segments.first().map_or(0, |oldest| oldest.base_offset)
    }

    /// Behind the last record that can be read.
    pub(super) fn end_offset(&self) -> i64 {
        if self.limits.shows_unsynced { self.end_offset } else { self.durable.mark() }
    }

    /// The first record that was sent at `time_ms` or later, with its time.
    pub(super) fn offset_for_time(&self, time_ms: i64) -> Option<(i64, i64)> {
        let found = self.segments.iter().find_map(|segment| segment.batch_for_time(time_ms));
        let (offset, batch_time) = found.filter(|(offset, _)| *offset < self.end_offset())?;
        let data = self.read(offset, 1, &Buffers::default()).unwrap_or_default();
        let records = records::decode(data, offset).records;
        let first = records.iter().find(|record| record.timestamp_ms >= time_ms);
        Some(first.map_or((offset, batch_time), |record| (record.offset, record.timestamp_ms)))
    }

    /// Lets go of its files: its topic is gone, and another one of that name may have a log in the same folder.
    pub(super) fn close(&mut self) {
        self.segments.clear();
    }

    /// Whether its topic is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.segments.is_empty()
    }

    /// Brings what was appended to the disk.
    fn sync(&mut self) -> io::Result<()> {
        if let Some(active) = self.segments.last()
            && self.durable.check()? < self.end_offset
        {
            self.durable.note(self.end_offset, &active.file.sync_data());
        }
        self.durable.check().map(drop)
    }

    /// Takes batches up to another size from now on.
    pub(super) fn set_max_batch_bytes(&mut self, bytes: usize) {
        self.limits.max_batch_bytes = bytes;
    }

    /// Drops the oldest segments whose records are all older than `retention_ms`, or that make the log larger than
    /// `retention_bytes`. The one that is appended to stays as long as one of its records does. Where records have no
    /// time, that of their file counts.
    pub(super) fn retain(
        &mut self,
        now_ms: i64,
        retention_ms: Option<i64>,
        retention_bytes: Option<u64>,
    ) -> io::Result<()> {
        let is_too_old = |segment: &Segment| match retention_ms {
            Some(ms) => segment.last_time_ms().map(|last| now_ms.saturating_sub(last) > ms),
            None => Ok(false),
        };
        if let Some(active) = self.segments.last()
            && active.end_offset > active.base_offset
            && is_too_old(active)?
        {
            self.begin_segment()?;
        }
        while self.segments.len() > 1 {
            let size: u64 = self.segments.iter().map(Segment::size_bytes).sum();
            let Some(oldest) = self.segments.first() else { break };
            let too_old = is_too_old(oldest)?;
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
        self.segments.last().map(|active| (self.end_offset, Arc::clone(&active.file)))
    }

    fn durable(&mut self) -> &mut Durable {
        &mut self.durable
    }
}

#[cfg(test)]
mod tests;
