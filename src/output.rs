//! Everything that is printed. Standard output is data, standard error is talk.
//!
//! [`Output`] owns both, the progress lines and the full [`Screen`], so that they never run into each other. Every mark
//! is a character; a [colour](Color) only repeats it.

mod cell;
mod counted;
mod error;
mod feed;
mod foreground;
mod format;
mod paint;
mod progress;
mod queue;
mod render;
mod rows;
mod screen;
mod text;
mod visible;
mod wrap;

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget};
use queue::Queue;
use screen::Stage;
use visible::{Escape, for_terminal};

pub use cell::{Cell, Column, Value};
pub use counted::counted;
pub use error::OutputError;
pub use feed::{Feed, Shown};
pub use foreground::is_in_foreground;
pub use format::{Format, FormatArgs, ObjectFormat, ObjectFormatArgs};
pub use paint::{Color, Tone};
pub use progress::Progress;
pub use rows::Rows;
pub use screen::{Input, Key, Screen};
pub use text::Text;
pub use visible::{for_cell, visible};
pub use wrap::wrapped;

/// Stands behind a value in a table that is not believed.
pub const MARK: &str = "!";

/// So much is collected before it goes to standard output: few system calls, and little to lose.
const STDOUT_BUFFER_BYTES: usize = 64 * 1024;

/// So much talk may wait for who reads standard error: more than a screen of it tells nothing new.
const TALK_BYTES: usize = 64 * 1024;

/// Data waits so long for the talk before it to be printed, so that both come in their order.
const TALK_FIRST: Duration = Duration::from_millis(100);

/// Where no terminal tells its width.
const DEFAULT_WIDTH: u16 = 80;

type Sink = Box<dyn Write + Send>;

/// Something to do with standard error and the bars on it, on the one thread that may be held up by them.
type Talk = Box<dyn FnOnce(&mut Sink) + Send>;

/// Standard output and standard error. Clones share them.
#[derive(Clone)]
pub struct Output {
    streams: Arc<Streams>,
}

struct Streams {
    stdout: Mutex<BufWriter<Sink>>,
    talk: Queue<Talk>,
    /// How many notes found no room, and nobody knows of yet.
    untold: Arc<AtomicUsize>,
    terminals: Terminals,
    bars: Option<MultiProgress>,
    color: OnceLock<Color>,
    stage: Mutex<Stage>,
}

/// What the two streams go to.
#[derive(Debug, Clone, Copy, Default)]
struct Terminals {
    stdout: bool,
    stderr: bool,
    /// Whether the terminal knows colours and moves its cursor.
    takes_escapes: bool,
}

impl Output {
    /// The program's own standard output and standard error. A terminal that does not take escape sequences gets lines
    /// of text alone.
    pub fn of_process(takes_escapes: bool) -> Self {
        let terminals =
            Terminals { stdout: io::stdout().is_terminal(), stderr: io::stderr().is_terminal(), takes_escapes };
        let has_bars = terminals.stderr && takes_escapes;
        let bars = has_bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), terminals, bars)
    }

    /// Prints into memory, as into a pipe: for tests.
    pub fn into_memory() -> (Self, Memory) {
        let (stdout, stderr) = (MemoryStream::default(), MemoryStream::default());
        let output = Self::new(Box::new(stdout.clone()), Box::new(stderr.clone()), Terminals::default(), None);
        (output.clone(), Memory { stdout, stderr, output })
    }

    fn new(stdout: Sink, mut stderr: Sink, terminals: Terminals, bars: Option<MultiProgress>) -> Self {
        let stdout = Mutex::new(BufWriter::with_capacity(STDOUT_BUFFER_BYTES, stdout));
        let talk = Queue::new(TALK_BYTES, move |batch: Vec<Talk>| batch.into_iter().for_each(|talk| talk(&mut stderr)));
        let (untold, color, stage) = (Arc::default(), OnceLock::new(), Mutex::default());
        Self { streams: Arc::new(Streams { stdout, talk, untold, terminals, bars, color, stage }) }
    }

    /// Says when to colour; what is printed before follows [`Color::Auto`]. Only the first call counts.
    pub fn set_color(&self, color: Color) {
        let _ = self.streams.color.set(color);
    }

    fn color(&self) -> Color {
        self.streams.color.get().copied().unwrap_or_default()
    }

    /// The text as it goes to standard output: with colours where they are wanted, and on a terminal without what
    /// [deceives](visible).
    fn dressed(&self, text: &Text) -> String {
        self.dress(text, self.streams.terminals.stdout)
    }

    fn dress(&self, text: &Text, is_terminal: bool) -> String {
        let has_colors = self.color().is_on(is_terminal && self.streams.terminals.takes_escapes);
        let piece = |(tone, text): &(Option<Tone>, String)| {
            let text = if is_terminal { for_terminal(text, Escape::Text) } else { Cow::Borrowed(text.as_str()) };
            tone.map_or_else(|| text.to_string(), |tone| tone.paint(&text, has_colors))
        };
        // In one piece of the right size: many may wait.
        text.pieces.iter().map(piece).collect::<Vec<_>>().concat()
    }

    /// Bytes as they go to standard output: to a terminal as text without what [deceives](visible), and what is no text
    /// as `\xHH`.
    fn tamed(&self, bytes: Vec<u8>) -> Vec<u8> {
        if !self.stdout_is_terminal() {
            return bytes;
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(&for_terminal(chunk.valid(), Escape::Text));
            for byte in chunk.invalid() {
                // Writing into a text cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
        text.into_bytes()
    }

    /// Prints a line, or several at once, of data to standard output, where it is seen at once.
    ///
    /// # Errors
    /// [`OutputError::Closed`] where nobody reads it any more, [`OutputError::Write`] where it cannot be written.
    pub fn line(&self, line: impl Into<Text>) -> Result<(), OutputError> {
        self.text(line.into().plain('\n'))
    }

    /// Prints a text of ours that is known in both forms, with its line breaks.
    pub fn own(&self, plain: &str, colored: &str) -> Result<(), OutputError> {
        let has_colors = self.color().is_on(self.stdout_is_screen());
        self.write(if has_colors { colored } else { plain }.as_bytes())?;
        self.flush()
    }

    /// Prints text that has its line breaks to standard output, as [`Output::line`] does.
    pub fn text(&self, text: impl Into<Text>) -> Result<(), OutputError> {
        self.settle(TALK_FIRST);
        self.buffer(&text.into())?;
        self.flush()
    }

    /// Prints JSON and a line break to standard output, where it is seen at once. On a terminal it stays JSON.
    pub fn json(&self, json: &str) -> Result<(), OutputError> {
        self.data(&format!("{json}\n"), Escape::Json)?;
        self.flush()
    }

    /// Prints bytes of data to standard output, where they are seen at once; as they are, but for a terminal.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.settle(TALK_FIRST);
        self.write(&self.tamed(bytes.to_owned()))?;
        self.flush()
    }

    /// Clears the screen, where standard output goes to one, for what is shown again and again.
    pub fn clear_screen(&self) -> Result<(), OutputError> {
        if !self.stdout_is_screen() {
            return Ok(());
        }
        self.write(b"\x1b[H\x1b[2J")?;
        self.flush()
    }

    /// Shows `lines` from the top of the screen on, in the place of what was there, where standard output goes to one.
    pub fn screen(&self, lines: &[Text]) -> Result<(), OutputError> {
        self.write(self.screenful(lines).as_bytes())?;
        self.flush()
    }

    fn screenful(&self, lines: &[Text]) -> String {
        // Each line clears what was behind it, and the last what was below: nothing flickers.
        let lines: Vec<_> = lines.iter().map(|line| self.dressed(line)).collect();
        format!("\x1b[H{}\x1b[K\x1b[J\n", lines.join("\x1b[K\n"))
    }

    /// Lines for standard output that never hold up who prints them.
    pub fn feed(&self) -> Feed {
        Feed::new(self)
    }

    /// Prints a line of talk to standard error. It never waits, and never fails: there would be nobody to tell. While a
    /// [`Screen`] is open it is held back.
    pub fn note(&self, note: impl Display) {
        self.say(&note.to_string().into());
    }

    fn say(&self, text: &Text) {
        let text = self.dress(text, self.streams.terminals.stderr);
        if let Some(text) = lock(&self.streams.stage).hold(text) {
            self.print_talk(text);
        }
    }

    fn print_talk(&self, text: String) {
        let (bars, untold, size) = (self.streams.bars.clone(), Arc::clone(&self.streams.untold), text.len());
        let is_taken = self.talk(size, move |stderr| {
            let before = match untold.swap(0, Ordering::Relaxed) {
                0 => String::new(),
                count => format!("note: {count} notes before this were not shown: standard error was not read\n"),
            };
            beside(bars.as_ref(), || {
                let _ = stderr.write_all(format!("{before}{text}\n").as_bytes()).and_then(|()| stderr.flush());
            });
        });
        if !is_taken {
            self.streams.untold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has it done by the thread that prints talk, in its turn. Says whether there is room for it.
    fn talk(&self, size_bytes: usize, talk: impl FnOnce(&mut Sink) + Send + 'static) -> bool {
        self.streams.talk.offer(Box::new(talk), size_bytes.saturating_add(size_of::<Talk>()))
    }

    /// Waits until all talk is printed, but no longer than `limit`: before the program ends.
    pub fn settle(&self, limit: Duration) {
        self.streams.talk.settle(limit);
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

    /// Prints what is wrong with the command line, in its own words.
    pub fn usage(&self, text: &str) {
        const LABEL: &str = "error:";
        let text = match text.strip_prefix(LABEL) {
            Some(rest) => Text::default().toned(Tone::Alert, LABEL).plain(rest),
            None => text.into(),
        };
        self.say(&text);
    }

    /// Prints a line of talk behind a label; on a terminal in as many lines as its width asks for.
    fn labelled(&self, tone: Tone, label: &str, text: &str) {
        let is_terminal = self.streams.terminals.stderr;
        let width = is_terminal.then(|| terminal_size::terminal_size_of(io::stderr())).flatten();
        let text = match width {
            Some((width, _)) => {
                let indent = " ".repeat(label.len() + 1);
                let lines = wrapped(&indent, &indent, &for_cell(text), width.0.into());
                lines.join("\n").trim_start().to_owned()
            }
            None => text.to_owned(),
        };
        self.say(&Text::default().toned(tone, label).plain(' ').plain(text));
    }

    /// Begins rows of data on standard output, with these `columns`.
    pub fn rows<'a>(&'a self, format: FormatArgs, columns: &'a [Column]) -> Rows<'a> {
        Rows::new(self, format.choose(self.stdout_is_terminal()), columns)
    }

    /// Begins to show how far something has come, of a `total` if that is known.
    pub fn progress(&self, total: Option<u64>) -> Progress {
        Progress::new(self, total)
    }

    /// Whether standard output goes to a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        self.streams.terminals.stdout
    }

    /// Whether standard output goes to a terminal that can be drawn on.
    pub fn stdout_is_screen(&self) -> bool {
        self.stdout_is_terminal() && self.streams.terminals.takes_escapes
    }

    /// The width for text: that of the terminal, or what most have.
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

    /// Text that is not flushed yet.
    fn buffer(&self, text: &Text) -> Result<(), OutputError> {
        self.write(self.dressed(text).as_bytes())
    }

    /// The same, escaped as asked for where it goes to a terminal.
    fn data(&self, text: &str, escape: Escape) -> Result<(), OutputError> {
        let text = if self.stdout_is_terminal() { for_terminal(text, escape) } else { Cow::Borrowed(text) };
        self.write(text.as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.beside_bars(|| Ok(lock(&self.streams.stdout).write_all(bytes)?))
    }

    fn flush(&self) -> Result<(), OutputError> {
        self.beside_bars(|| Ok(lock(&self.streams.stdout).flush()?))
    }

    /// Takes live lines off the screen while data is printed to it. What goes elsewhere must not hold them up: a reader
    /// that does not read blocks the writing for as long as it likes.
    fn beside_bars<T>(&self, print: impl FnOnce() -> T) -> T {
        beside(self.bars().filter(|_| self.stdout_is_terminal()), print)
    }
}

fn beside<T>(bars: Option<&MultiProgress>, print: impl FnOnce() -> T) -> T {
    match bars {
        Some(bars) => bars.suspend(print),
        None => print(),
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
        f.debug_struct("Output").field("terminals", &self.streams.terminals).finish_non_exhaustive()
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
        self.output.settle(Duration::from_secs(60));
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
