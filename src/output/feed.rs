//! Lines for standard output that never hold up who prints them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::queue::Queue;
use super::{LogLevel, Output, OutputError, Text, lock};

/// Lines may wait up to this size: several hundred milliseconds of the fastest drain, for a reader that is scheduled
/// late, and little beside what the fetches take.
const LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// After lines were left out, the queue empties down to this before more are taken: whole stretches, not every other
/// line.
const RESUME_BYTES: usize = LIMIT_BYTES / 2;

/// Somebody who reads a little too slowly is told of it so often at most.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Lines for standard output, printed by a thread of their own. Where nobody reads them for so long that they do not
/// fit into memory, they are left out, counted, and talked of.
pub struct Feed {
    output: Output,
    queue: Queue<Vec<u8>>,
    /// Why standard output takes nothing any more.
    failed: Arc<Mutex<Option<OutputError>>>,
    left_out: u64,
    /// Where lines are being left out: whether somebody was told.
    gap: Option<bool>,
    told: Option<Instant>,
}

/// What became of the lines.
#[derive(Debug)]
pub struct Shown {
    /// How many were not printed, because nobody read them in time.
    pub left_out: u64,
    /// Standard output could not be written. Not for a reader that has gone: it had enough.
    pub failed: Option<OutputError>,
}

impl Output {
    /// Lines for standard output that never hold up who prints them.
    pub fn feed(&self) -> Feed {
        let failed: Arc<Mutex<Option<OutputError>>> = Arc::default();
        let (stdout, why) = (self.clone(), Arc::clone(&failed));
        let queue = Queue::new(LIMIT_BYTES, move |lines: Vec<Vec<u8>>| {
            if lock(&why).is_none()
                && let Err(error) = stdout.write(&lines.concat()).and_then(|()| stdout.flush())
            {
                if matches!(error, OutputError::Write(_)) {
                    let text = format!("note: {error}; nothing is shown any more, the work goes on");
                    stdout.tell(LogLevel::Warn, "stdout_failed", text);
                }
                *lock(&why) = Some(error);
            }
        });
        Feed { output: self.clone(), queue, failed, left_out: 0, gap: None, told: None }
    }
}

impl Feed {
    /// Prints a line, or several at once, when standard output takes it. Never waits.
    pub fn line(&mut self, line: impl Into<Text>) {
        let line = self.output.dressed(&line.into().plain('\n'));
        self.print(line.into_bytes());
    }

    /// Shows `lines` in the place of what was there, as [`Output::screen`] does, where everything before is shown.
    pub fn screen(&mut self, lines: &[Text]) {
        if self.is_idle() {
            let screen = self.output.screenful(lines);
            self.print(screen.into_bytes());
        }
    }

    /// Prints bytes of data as [`Output::bytes`] does, when standard output takes them. Never waits.
    pub fn bytes(&mut self, bytes: Vec<u8>) {
        let bytes = self.output.tamed(bytes);
        self.print(bytes);
    }

    /// Whether nothing waits to be printed.
    pub fn is_idle(&self) -> bool {
        self.queue.len() == 0
    }

    /// Whether standard output takes nothing any more, because its reader has gone or for another reason.
    pub fn has_failed(&self) -> bool {
        lock(&self.failed).is_some()
    }

    /// Whether the reader of standard output has gone.
    pub fn is_closed(&self) -> bool {
        matches!(*lock(&self.failed), Some(OutputError::Closed))
    }

    /// Waits until everything is printed, or cannot be. Cancel safe.
    pub async fn printed(&self) {
        self.queue.done().await;
    }

    /// Prints what still waits, until `patience` is over.
    pub async fn end(self, patience: impl Future<Output = ()>) -> Shown {
        tokio::select! {
            () = self.printed() => {}
            () = patience => {}
        }
        let failed = lock(&self.failed).take();
        let unprinted = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        Shown {
            left_out: if failed.is_some() { 0 } else { self.left_out.saturating_add(unprinted) },
            failed: failed.filter(|error| !matches!(error, OutputError::Closed)),
        }
    }

    fn print(&mut self, bytes: Vec<u8>) {
        if self.has_failed() {
            return;
        }
        let size = bytes.capacity();
        if self.gap.is_some() && self.queue.bytes() > RESUME_BYTES || !self.queue.offer(bytes, size) {
            self.leave_out();
        } else if self.gap.take() == Some(true) {
            let text = format!("standard output is read again; {} so far not shown", self.left_out);
            self.output.tell(LogLevel::Info, "stdout_read_again", text);
        }
    }

    fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
        if self.gap.is_none() {
            let is_told = self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN);
            self.gap = Some(is_told);
            if is_told {
                self.told = Some(Instant::now());
                self.output.tell(
                    LogLevel::Warn,
                    "stdout_not_read",
                    "note: standard output is not read, or too slowly: what follows is counted and not shown; the work \
                     goes on",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::io::{self, Write};
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;
    use crate::output::Terminals;
    use crate::output::memory::MemoryStream;

    /// A stream that takes something for every permit.
    struct Gate {
        permits: Receiver<()>,
        taken: MemoryStream,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.permits.recv();
            self.taken.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LINE_BYTES: usize = 1024 * 1024;

    #[tokio::test]
    async fn what_does_not_fit_is_counted_and_told_and_what_fits_is_printed_when_somebody_reads() {
        let (permit, permits) = sync_channel(1);
        let (taken, told) = (MemoryStream::default(), MemoryStream::default());
        let gate = Gate { permits, taken: taken.clone() };
        let output = Output::new(Box::new(gate), Box::new(told.clone()), Terminals::default(), None);
        let mut feed = output.feed();
        let lines = LIMIT_BYTES / LINE_BYTES + 10;
        (0..lines).for_each(|number| feed.line(format!("{number:04}{}", "x".repeat(LINE_BYTES))));
        output.wait_for_talk(Duration::from_secs(60));
        assert_eq!(told.text().matches("what follows is counted and not shown").count(), 1, "{}", told.text());
        drop(permit);
        feed.printed().await;
        feed.line("after");
        let Shown { left_out, failed } = feed.end(pending()).await;
        assert!(failed.is_none());
        let shown = taken.text();
        let numbers: Vec<_> = shown.lines().filter_map(|line| line.get(..4)?.parse::<usize>().ok()).collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "the first ones, in their order");
        assert_eq!(usize::try_from(left_out).unwrap(), lines - numbers.len());
        assert!(left_out >= 10 && shown.ends_with("\nafter\n"), "{left_out}");
        output.wait_for_talk(Duration::from_secs(60));
        assert!(told.text().ends_with(&format!("standard output is read again; {left_out} so far not shown\n")));
    }

    #[tokio::test]
    async fn what_nobody_reads_by_the_end_is_counted_too() {
        let (_permit, permits) = sync_channel(1);
        let gate = Gate { permits, taken: MemoryStream::default() };
        let output = Output::new(Box::new(gate), Box::new(io::sink()), Terminals::default(), None);
        let mut feed = output.feed();
        (0..3).for_each(|_| feed.line("x"));
        assert_eq!(feed.end(ready(())).await.left_out, 3);
    }
}
