//! The last lines of a log file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Read at most this much of a log's end: 20 lines with a Java stack trace fit many times.
const READ_LIMIT_BYTES: u64 = 256 * 1024;

/// How many lines an error message shows.
pub(crate) const SHOWN_WITH_ERRORS: usize = 20;

/// A log file's last lines, printed under the file's name.
#[derive(Debug)]
pub(crate) struct LogTail {
    path: PathBuf,
    lines: Vec<String>,
}

impl LogTail {
    /// The last `count` lines; none when there is no such file.
    pub(crate) fn read(path: &Path, count: usize) -> Self {
        let text = read_end(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(count);
        let lines = lines.into_iter().skip(skipped).map(str::to_owned).collect();
        Self { path: path.to_owned(), lines }
    }

    /// The lines, oldest first.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for LogTail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.lines.is_empty() {
            return write!(out, "({path} is empty)");
        }
        write!(out, "the last lines of {path}:")?;
        self.lines.iter().try_for_each(|line| write!(out, "\n  | {line}"))
    }
}

fn read_end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ_LIMIT_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(READ_LIMIT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
