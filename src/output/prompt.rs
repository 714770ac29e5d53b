//! A password that is typed: nothing of it is shown.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::screen::is_in_foreground;
use crate::secret::Secret;

/// There are terminals at which nobody sits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The terminal as it was, however this ends.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        enable_raw_mode().map(|()| Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that takes nothing any more needs nothing given back.
        let _ = disable_raw_mode();
        let _ = writeln!(io::stderr());
    }
}

/// Asks for a password at the terminal. `None` where there is nobody to ask, and where Ctrl+C or nothing was typed.
pub fn ask_password(question: &str) -> Option<Secret> {
    // Who reads the terminal in the background is stopped by the system, for ever.
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() || !is_in_foreground() {
        return None;
    }
    // Before the question: what is typed early must not be shown either.
    let _raw = RawMode::enter().ok()?;
    write!(io::stderr(), "{question}: ").ok()?;
    io::stderr().flush().ok()?;
    let mut typed = Typed::default();
    while poll(PATIENCE).ok()? {
        match typed.take(&read().ok()?) {
            Step::More => {}
            Step::Done => return (!typed.text.is_empty()).then(|| Secret::new(&typed.text)),
            Step::Declined => return None,
        }
    }
    None
}

#[derive(Default)]
struct Typed {
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
    Declined,
}

impl Typed {
    fn take(&mut self, event: &Event) -> Step {
        // Windows tells of keys that are let go too.
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) = event
        else {
            return Step::More;
        };
        // Windows tells of AltGr, by which letters are typed, as both.
        let is_control = modifiers.contains(KeyModifiers::CONTROL) && !modifiers.contains(KeyModifiers::ALT);
        match code {
            KeyCode::Enter => return Step::Done,
            KeyCode::Char('c' | 'd') if is_control => return Step::Declined,
            KeyCode::Char('u') if is_control => self.text.clear(),
            KeyCode::Char(letter) if !is_control => self.text.push(*letter),
            KeyCode::Backspace => drop(self.text.pop()),
            _ => {}
        }
        Step::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn what_is_typed_can_be_mended_and_declined() {
        let mut typed = Typed::default();
        for letter in "xä b".chars() {
            assert_eq!(typed.take(&key(KeyCode::Char(letter), KeyModifiers::NONE)), Step::More);
        }
        typed.take(&key(KeyCode::Backspace, KeyModifiers::NONE));
        assert_eq!(typed.text, "xä ");
        typed.take(&key(KeyCode::Char('u'), KeyModifiers::CONTROL));
        typed.take(&key(KeyCode::Char('P'), KeyModifiers::SHIFT));
        typed.take(&key(KeyCode::Char('@'), KeyModifiers::CONTROL | KeyModifiers::ALT));
        assert_eq!(typed.text, "P@");
        assert_eq!(typed.take(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)), Step::Declined);
        assert_eq!(typed.take(&key(KeyCode::Enter, KeyModifiers::NONE)), Step::Done);
    }
}
