//! A full screen: the terminal while it is ours, and how it is given back.
//!
//! The terminal is given back in every way the program can end: [`Screen`] does it when it is dropped (the end, an
//! error, a signal), and [`Output::leave_screen`] does it before a panic is told. Talk that comes while the screen is
//! open would spoil it; it is held back until the screen has gone.

use std::io::{self, Write};

use crossterm::cursor::Show;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::execute;
use crossterm::style::force_color_output;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use futures::StreamExt as _;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};

use super::{Output, OutputError, lock};

/// Lines of talk that are held back at most; later ones are dropped, since the first ones tell the cause.
const HELD_NOTES: usize = 100;

/// Whether the screen is open, and the talk that waits for its end.
#[derive(Debug, Default)]
pub(super) struct ScreenState {
    open: bool,
    held: Vec<String>,
}

impl ScreenState {
    /// Keeps `text` where the screen is open; gives it back where it can be printed.
    pub(super) fn hold(&mut self, text: String) -> Option<String> {
        if !self.open {
            return Some(text);
        }
        if self.held.len() < HELD_NOTES {
            self.held.push(text);
        }
        None
    }
}

/// A key as the screen understands it.
#[allow(missing_docs, reason = "keys are called by their names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    /// Ctrl+C: with a full screen it comes as a key, not as a signal.
    Interrupt,
    Escape,
    Enter,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What comes from the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The window has another size, or something else asks for a new drawing.
    Redraw,
}

/// The full screen. The terminal is given back when this is dropped.
pub struct Screen {
    output: Output,
    terminal: Terminal<CrosstermBackend<StdoutWriter>>,
    inputs: EventStream,
}

impl Screen {
    fn enter(output: &Output) -> Result<Self, OutputError> {
        execute!(StdoutWriter(output.clone()), EnterAlternateScreen)?;
        let terminal = Terminal::new(CrosstermBackend::new(StdoutWriter(output.clone())))?;
        // It has an opinion on NO_COLOR of its own; --color decides.
        force_color_output(output.color().is_on(true));
        Ok(Self { output: output.clone(), terminal, inputs: EventStream::new() })
    }

    /// Draws. After [`Output::leave_screen`] nothing is drawn any more.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), OutputError> {
        if lock(&self.output.streams.screen).open {
            self.terminal.draw(draw)?;
        }
        Ok(())
    }

    /// Whether colours are wanted.
    pub fn has_colors(&self) -> bool {
        self.output.color().is_on(true)
    }

    /// The size of the window, in characters.
    pub fn size(&self) -> Result<Size, OutputError> {
        Ok(self.terminal.size()?)
    }

    /// Waits for a key or a new size. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`OutputError::Closed`] where the terminal has gone.
    pub async fn input(&mut self) -> Result<Input, OutputError> {
        loop {
            match self.inputs.next().await {
                None | Some(Err(_)) => return Err(OutputError::Closed),
                Some(Ok(Event::Resize(..))) => return Ok(Input::Redraw),
                Some(Ok(Event::Key(event))) => {
                    if let Some(key) = key(event) {
                        return Ok(Input::Key(key));
                    }
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.output.leave_screen();
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Output {
    /// Takes the terminal over. `None` where there is none that could be: standard output goes elsewhere or cannot be
    /// drawn on, no keys can be read, or the terminal is another job's.
    pub fn open_screen(&self) -> Result<Option<Screen>, OutputError> {
        // Who changes a terminal's mode in the background is stopped by the system, for ever.
        if !self.stdout_is_screen() || !is_in_foreground() || enable_raw_mode().is_err() {
            return Ok(None);
        }
        lock(&self.streams.screen).open = true;
        let opened = Screen::enter(self);
        if opened.is_err() {
            self.leave_screen();
        }
        opened.map(Some)
    }

    /// Gives the terminal back if a full screen has it, and prints the talk that was held back. A panic is told only
    /// after this.
    pub fn leave_screen(&self) {
        let state = std::mem::take(&mut *lock(&self.streams.screen));
        if state.open {
            // A terminal that takes nothing any more needs nothing given back.
            let _ = execute!(StdoutWriter(self.clone()), LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
        state.held.into_iter().for_each(|text| self.print_talk(text));
    }
}

struct StdoutWriter(Output);

impl Write for StdoutWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0.streams.stdout).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.0.streams.stdout).flush()
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    // Windows tells of keys that are let go too.
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let plain = !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    Some(match event.code {
        KeyCode::Char('c') if event.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(letter) if plain => Key::Char(letter),
        KeyCode::Esc => Key::Escape,
        KeyCode::Enter => Key::Enter,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

/// Whether this program may read the terminal's keys and change its mode. A job in the background, as that which `timeout`
/// makes, is stopped by the system when it does. Where there is no terminal, nobody is.
#[cfg(unix)]
pub fn is_in_foreground() -> bool {
    let foreground = std::fs::File::open("/dev/tty").ok().and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
    foreground.is_none_or(|group| group == rustix::process::getpgrp())
}

/// Whether this program may read the terminal's keys and change its mode: always.
#[cfg(not(unix))]
pub fn is_in_foreground() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_held_back_while_the_screen_is_open_and_printed_when_it_is_left() {
        let (output, memory) = Output::into_memory();
        lock(&output.streams.screen).open = true;
        output.note("a note");
        assert_eq!(memory.stderr(), "");
        output.leave_screen();
        assert_eq!(memory.stderr(), "a note\n");
        assert!(memory.stdout().contains("\x1b[?1049l"), "the alternate screen is left: {:?}", memory.stdout());
        output.note("another");
        assert_eq!(memory.stderr(), "a note\nanother\n");
    }

    #[test]
    fn no_more_than_so_much_talk_is_held_back() {
        let mut state = ScreenState { open: true, held: Vec::new() };
        for _ in 0..=HELD_NOTES {
            assert_eq!(state.hold("note".to_owned()), None);
        }
        assert_eq!(state.held.len(), HELD_NOTES);
    }

    #[test]
    fn nothing_but_a_terminal_becomes_a_screen_and_one_that_is_not_open_is_left_without_a_trace() {
        let (output, memory) = Output::into_memory();
        assert!(output.open_screen().unwrap().is_none());
        output.leave_screen();
        assert_eq!((memory.stdout(), memory.stderr()), (String::new(), String::new()));
    }

    #[test]
    fn ctrl_c_is_an_interrupt_and_other_ctrl_keys_are_nothing() {
        let press = |letter, modifiers| key(KeyEvent::new(KeyCode::Char(letter), modifiers));
        assert_eq!(press('c', KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(press('z', KeyModifiers::CONTROL), None);
        assert_eq!(press('P', KeyModifiers::SHIFT), Some(Key::Char('P')));
    }
}
