//! The file below the CSV reader, with a limit on the length of a row: a quotation mark that is never closed makes one
//! row of all the rest of a file.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The longest row. One of the contract has about 60 bytes; the rest is room for columns of others.
pub(super) const MAX_ROW_BYTES: usize = 1024 * 1024;

/// A reader that gives up where one row takes more than [`MAX_ROW_BYTES`].
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    last_byte: Option<u8>,
    state: Arc<State>,
}

/// Tells the reader where a row begins, and knows how the file ends.
#[derive(Debug)]
pub(super) struct RowLimit(Arc<State>);

#[derive(Debug, Default)]
struct State {
    taken: AtomicUsize,
    unterminated: AtomicBool,
}

/// What the reader gives up with.
#[derive(Debug, thiserror::Error)]
#[error("a row is longer than {MAX_ROW_BYTES} bytes")]
pub(super) struct RowTooLong;

impl<R> Bounded<R> {
    pub(super) fn new(inner: R) -> (Self, RowLimit) {
        let state = Arc::new(State::default());
        (Self { inner, last_byte: None, state: Arc::clone(&state) }, RowLimit(state))
    }
}

impl RowLimit {
    /// What was read ahead of the new row is not counted, which is one buffer.
    pub(super) fn begin_row(&self) {
        self.0.taken.store(0, Ordering::Relaxed);
    }

    /// Whether the file's end was reached, and its last line has no line end: then the last row is in that line.
    pub(super) fn ends_without_terminator(&self) -> bool {
        self.0.unterminated.load(Ordering::Relaxed)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.state.taken.load(Ordering::Relaxed) > MAX_ROW_BYTES {
            return Err(io::Error::other(RowTooLong));
        }
        let count = self.inner.read(buffer)?;
        self.state.taken.fetch_add(count, Ordering::Relaxed);
        match buffer.get(..count).and_then(<[u8]>::last) {
            Some(byte) => self.last_byte = Some(*byte),
            None if !buffer.is_empty() => {
                self.state.unterminated.store(self.last_byte != Some(b'\n'), Ordering::Relaxed);
            }
            None => {}
        }
        Ok(count)
    }
}
