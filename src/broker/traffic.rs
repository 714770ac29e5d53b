//! What the broker counts of what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counted from the broker's start.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections that are open now.
    pub open: AtomicU64,
    /// Connections that were taken.
    pub taken: AtomicU64,
    /// Connections that there was no place for.
    pub turned_away: AtomicU64,
    /// Records that were appended.
    pub records_in: AtomicU64,
    /// Their bytes, as they were sent.
    pub bytes_in: AtomicU64,
    /// Bytes of records in answers to fetches.
    pub bytes_out: AtomicU64,
}

impl Traffic {
    /// Counts a connection, as open until what this gives is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> OpenConnection {
        add(&self.taken, 1);
        add(&self.open, 1);
        OpenConnection(Arc::clone(self))
    }

    pub(super) fn turn_away(&self) {
        add(&self.turned_away, 1);
    }

    pub(super) fn produced(&self, records: i64, bytes: usize) {
        add(&self.records_in, u64::try_from(records).unwrap_or(0));
        add(&self.bytes_in, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(super) fn fetched(&self, bytes: usize) {
        add(&self.bytes_out, u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

fn add(to: &AtomicU64, count: u64) {
    to.fetch_add(count, Ordering::Relaxed);
}

/// A connection that is open.
pub(super) struct OpenConnection(Arc<Traffic>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
