//! Everything that is printed. Standard output is data, standard error is talk.
//!
//! [`Output`] owns both, the progress lines and the full [`Screen`], so that they never run into each other. Every mark
//! is a character; a [colour](Color) only repeats it.

mod feed;
mod log;
#[cfg(feature = "testing")]
mod memory;
mod progress;
mod prompt;
mod queue;
mod rows;
mod screen;
mod talk;
mod text;
mod visible;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget};
use log::Log;
use queue::Queue;
use screen::ScreenState;
use visible::{Escape, for_terminal};

use crate::advice::{Advice, Code};

pub use feed::{Feed, Shown};
#[cfg(test)]
pub(crate) use log::logged;
pub use log::{LogFormat, LogLevel, log_events};
#[cfg(feature = "testing")]
pub use memory::Memory;
pub use progress::Progress;
pub use prompt::ask_password;
pub use rows::{
    Cell, Column, Format, FormatArgs, ObjectFormat, ObjectFormatArgs, Rows, Value, csv_head, csv_row, json_object,
};
pub use screen::{Input, Key, Screen, is_in_foreground};
pub use talk::error_chain;
pub use text::{Color, Text, Tone, counted, size, wrapped};
pub use visible::{for_cell, visible};

/// Stands behind a value in a table that is not believed.
pub const MARK: &str = "!";

/// So much is collected before it goes to standard output: few system calls, and little to lose.
const STDOUT_BUFFER_BYTES: usize = 64 * 1024;

/// So much talk may wait for who reads standard error: more than a screen of it tells nothing new.
const TALK_BYTES: usize = 64 * 1024;

/// Data waits so long for the talk before it to be printed, so that both come in their order.
const TALK_FIRST: Duration = Duration::from_millis(100);

const DEFAULT_WIDTH: u16 = 80;

type Sink = Box<dyn Write + Send>;

/// Something to do with standard error and the bars on it, on the one thread that they may hold up.
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
    untold: AtomicUsize,
    terminals: Terminals,
    bars: Option<MultiProgress>,
    color: OnceLock<Color>,
    /// Set where talk goes into a log.
    log: OnceLock<Log>,
    screen: Mutex<ScreenState>,
}

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

    fn new(stdout: Sink, mut stderr: Sink, terminals: Terminals, bars: Option<MultiProgress>) -> Self {
        let stdout = Mutex::new(BufWriter::with_capacity(STDOUT_BUFFER_BYTES, stdout));
        let talk = Queue::new(TALK_BYTES, move |batch: Vec<Talk>| batch.into_iter().for_each(|talk| talk(&mut stderr)));
        let (untold, color, log, screen) = (AtomicUsize::default(), OnceLock::new(), OnceLock::new(), Mutex::default());
        Self { streams: Arc::new(Streams { stdout, talk, untold, terminals, bars, color, log, screen }) }
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
        self.wait_for_talk(TALK_FIRST);
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
        self.wait_for_talk(TALK_FIRST);
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
        beside(self.streams.bars.as_ref().filter(|_| self.stdout_is_terminal()), print)
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

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("terminals", &self.streams.terminals).finish_non_exhaustive()
    }
}

/// Why something could not be printed to standard output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Whoever reads standard output has gone, as `head` does when it has enough. Nothing went wrong.
    #[error("standard output is closed")]
    Closed,
    /// Standard output does not take what is written: a full disk, say.
    #[error("cannot write to standard output: {0}")]
    Write(io::Error),
    /// A full screen was asked for where there is no terminal.
    #[error("there is no terminal for a full screen")]
    NoTerminal,
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Write(error) }
    }
}

impl Advice for OutputError {
    /// A closed pipe is how a reader says that it has enough, so it counts as done.
    fn code(&self) -> Code {
        match self {
            Self::Closed => Code::Done,
            Self::Write(_) => Code::Unreachable,
            Self::NoTerminal => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Closed => None,
            Self::NoTerminal => Some("add -o text, or leave -o out".to_owned()),
            Self::Write(_) => Some("send the output to a place that has space and may be written".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
