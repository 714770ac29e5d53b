//! Everything that is printed, except clap's help. Standard output is data, standard error is talk.
//!
//! [`Output`] owns both, the progress lines and the full [`Screen`], so that they never run into each other. Every mark
//! is a character; a [colour](Color) only repeats it.

mod cell;
mod counted;
mod error;
mod format;
mod paint;
mod progress;
mod render;
mod rows;
mod screen;
mod visible;
mod wrap;

use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget};
use screen::Stage;

pub use cell::{Cell, Column, Value};
pub use counted::counted;
pub use error::OutputError;
pub use format::{Format, FormatArgs, ObjectFormat, ObjectFormatArgs};
pub use paint::{Color, Tone};
pub use progress::Progress;
pub use rows::Rows;
pub use screen::{Input, Key, Screen};
pub use visible::visible;
pub use wrap::wrapped;

/// Stands behind a value in a table that is not believed.
pub const MARK: &str = "!";

/// So much is collected before it goes to standard output: few system calls, and little to lose.
const STDOUT_BUFFER_BYTES: usize = 64 * 1024;

/// Where no terminal tells its width.
const DEFAULT_WIDTH: u16 = 80;

type Sink = Box<dyn Write + Send>;

/// Standard output and standard error. Clones share them.
#[derive(Clone)]
pub struct Output {
    streams: Arc<Streams>,
}

struct Streams {
    stdout: Mutex<BufWriter<Sink>>,
    stderr: Mutex<Sink>,
    stdout_is_terminal: bool,
    bars: Option<MultiProgress>,
    color: OnceLock<Color>,
    stage: Mutex<Stage>,
}

impl Output {
    /// The program's own standard output and standard error.
    #[must_use]
    pub fn of_process() -> Self {
        let bars = io::stderr().is_terminal().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), io::stdout().is_terminal(), bars)
    }

    /// Prints into memory, as into a pipe: for tests.
    #[must_use]
    pub fn into_memory() -> (Self, Memory) {
        let memory = Memory::default();
        let (stdout, stderr) = (memory.stdout.clone(), memory.stderr.clone());
        (Self::new(Box::new(stdout), Box::new(stderr), false, None), memory)
    }

    fn new(stdout: Sink, stderr: Sink, stdout_is_terminal: bool, bars: Option<MultiProgress>) -> Self {
        let stdout = Mutex::new(BufWriter::with_capacity(STDOUT_BUFFER_BYTES, stdout));
        let (stderr, color, stage) = (Mutex::new(stderr), OnceLock::new(), Mutex::default());
        Self { streams: Arc::new(Streams { stdout, stderr, stdout_is_terminal, bars, color, stage }) }
    }

    /// Says when to colour; what is printed before follows [`Color::Auto`]. Only the first call counts.
    pub fn set_color(&self, color: Color) {
        let _ = self.streams.color.set(color);
    }

    /// A text for standard output in the colour of its meaning, where colours are wanted.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        tone.paint(&text.to_string(), self.color().is_on(self.stdout_is_terminal()))
    }

    /// The same for standard error.
    fn paint_talk(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.color().is_on(self.streams.bars.is_some()))
    }

    fn color(&self) -> Color {
        self.streams.color.get().copied().unwrap_or_default()
    }

    /// Prints a line, or several at once, of data to standard output, where it is seen at once.
    ///
    /// # Errors
    /// [`OutputError::Closed`] where nobody reads it any more, [`OutputError::Write`] where it cannot be written.
    pub fn line(&self, line: impl Display) -> Result<(), OutputError> {
        self.buffer(&format!("{line}\n"))?;
        self.flush()
    }

    /// Prints bytes of data to standard output as they are, where they are seen at once.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.beside_bars(self.stdout_is_terminal(), || {
            let mut stdout = lock(&self.streams.stdout);
            Ok(stdout.write_all(bytes).and_then(|()| stdout.flush())?)
        })
    }

    /// Clears the screen, where standard output goes to one, for what is shown again and again.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn clear_screen(&self) -> Result<(), OutputError> {
        if self.stdout_is_terminal() { self.line("\x1b[H\x1b[2J") } else { Ok(()) }
    }

    /// Shows `lines` from the top of the screen on, in the place of what was there, where standard output goes to one.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn screen(&self, lines: &[String]) -> Result<(), OutputError> {
        // Each line clears what was behind it, and the last what was below: nothing flickers.
        self.line(format_args!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\n")))
    }

    /// Prints a line of talk to standard error. If that fails there is nobody to tell, so it never does. While a
    /// [`Screen`] is open it is held back.
    pub fn note(&self, note: impl Display) {
        let Some(text) = lock(&self.streams.stage).hold(note.to_string()) else { return };
        let text = format!("{text}\n");
        self.beside_bars(true, || {
            let mut stderr = lock(&self.streams.stderr);
            let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        });
    }

    /// Prints an error that does not end the command, with its causes, to standard error.
    pub fn note_error(&self, error: &(dyn std::error::Error + 'static)) {
        self.note(format_args!("note: {}", joined(std::iter::successors(Some(error), |error| error.source()))));
    }

    /// Prints an error and what to do about it to standard error. The `chain` holds the error first, then its causes.
    pub fn error<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a (dyn std::error::Error + 'static)>,
        hint: Option<&str>,
    ) {
        self.labelled(Tone::Alert, "error:", &joined(chain));
        if let Some(hint) = hint {
            self.labelled(Tone::Heading, "hint:", &visible::one_line(hint));
        }
    }

    /// Prints a line of talk behind a label; on a terminal in as many lines as its width asks for.
    fn labelled(&self, tone: Tone, label: &str, text: &str) {
        let painted = self.paint_talk(tone, label);
        let width = self.streams.bars.as_ref().and_then(|_| terminal_size::terminal_size_of(io::stderr()));
        let text = match width {
            Some((width, _)) => {
                let indent = " ".repeat(label.len() + 1);
                let lines = wrapped(&indent, &indent, text, width.0.into());
                lines.join("\n").trim_start().to_owned()
            }
            None => text.to_owned(),
        };
        self.note(format_args!("{painted} {text}"));
    }

    /// Begins rows of data on standard output, with these `columns`.
    #[must_use]
    pub fn rows<'a>(&'a self, format: FormatArgs, columns: &'a [Column]) -> Rows<'a> {
        Rows::new(self, format.choose(self.stdout_is_terminal()), columns)
    }

    /// Begins to show how far something has come, of a `total` if that is known.
    #[must_use]
    pub fn progress(&self, total: Option<u64>) -> Progress {
        Progress::new(self, total)
    }

    /// Whether standard output goes to a terminal.
    #[must_use]
    pub fn stdout_is_terminal(&self) -> bool {
        self.streams.stdout_is_terminal
    }

    /// The width for text: that of the terminal, or what most have.
    #[must_use]
    pub fn text_width(&self) -> usize {
        self.width().unwrap_or(DEFAULT_WIDTH).into()
    }

    fn bars(&self) -> Option<&MultiProgress> {
        self.streams.bars.as_ref()
    }

    /// The columns that a table may have, if there is a limit.
    fn width(&self) -> Option<u16> {
        let terminal = || terminal_size::terminal_size_of(io::stdout()).map_or(DEFAULT_WIDTH, |(width, _)| width.0);
        self.stdout_is_terminal().then(terminal)
    }

    fn buffer(&self, text: &str) -> Result<(), OutputError> {
        self.beside_bars(self.stdout_is_terminal(), || Ok(lock(&self.streams.stdout).write_all(text.as_bytes())?))
    }

    fn flush(&self) -> Result<(), OutputError> {
        self.beside_bars(self.stdout_is_terminal(), || Ok(lock(&self.streams.stdout).flush()?))
    }

    /// Takes live lines off the screen while something else is printed to it. What goes elsewhere must not hold them
    /// up: a reader that does not read blocks the writing for as long as it likes.
    fn beside_bars<T>(&self, on_screen: bool, print: impl FnOnce() -> T) -> T {
        match &self.streams.bars {
            Some(bars) if on_screen => bars.suspend(print),
            _ => print(),
        }
    }
}

/// After a panic elsewhere a stream is as good as before.
fn lock<T>(stream: &Mutex<T>) -> MutexGuard<'_, T> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chain on one line. A text that ends with its own cause does not say it twice.
fn joined<'a>(chain: impl IntoIterator<Item = &'a (dyn std::error::Error + 'static)>) -> String {
    let mut links: Vec<String> = Vec::new();
    for error in chain {
        let text = visible::one_line(&error.to_string());
        if !links.last().is_some_and(|last| last.ends_with(&text)) {
            links.push(text);
        }
    }
    links.join(": ")
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("stdout_is_terminal", &self.stdout_is_terminal()).finish_non_exhaustive()
    }
}

/// What was printed into memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    stdout: MemoryStream,
    stderr: MemoryStream,
}

impl Memory {
    /// What went to standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What went to standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}

#[derive(Debug, Clone, Default)]
struct MemoryStream(Arc<Mutex<Vec<u8>>>);

impl MemoryStream {
    fn text(&self) -> String {
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

#[cfg(test)]
mod tests;
