//! Connections and their bytes, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted from a server's start.
#[derive(Debug, Default)]
pub struct Connections {
    /// Those that are open.
    pub open: AtomicU64,
    /// Those that there was no place for.
    pub turned_away: AtomicU64,
    /// What came, inside TLS where there is.
    pub received_bytes: AtomicU64,
    /// What was sent, inside TLS where there is.
    pub sent_bytes: AtomicU64,
}

impl Connections {
    /// Counts a connection, as open until what this gives is dropped.
    pub fn enter(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct OpenConnection(Arc<Connections>);

impl OpenConnection {
    pub(super) fn note_received(&self, bytes: usize) {
        self.0.received_bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn note_sent(&self, bytes: usize) {
        self.0.sent_bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
