//! Output that tests read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Output, Terminals, lock};

impl Output {
    /// Prints into memory, as into a pipe: for tests.
    pub fn into_memory() -> (Self, Memory) {
        let (stdout, stderr) = (MemoryStream::default(), MemoryStream::default());
        let output = Self::new(Box::new(stdout.clone()), Box::new(stderr.clone()), Terminals::default(), None);
        (output.clone(), Memory { stdout, stderr, output })
    }
}

/// What was printed into memory.
#[derive(Debug, Clone)]
pub struct Memory {
    stdout: MemoryStream,
    stderr: MemoryStream,
    output: Output,
}

impl Memory {
    /// What went to standard output.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What went to standard error.
    pub fn stderr(&self) -> String {
        self.output.wait_for_talk(Duration::from_secs(60));
        self.stderr.text()
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct MemoryStream(pub(super) Arc<Mutex<Vec<u8>>>);

impl MemoryStream {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
