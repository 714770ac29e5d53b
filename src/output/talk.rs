//! Talk: what is printed to standard error.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::log::{Line, NOTE};
use super::visible::{for_cell, one_line};
use super::{LogLevel, Output, Sink, Talk, Text, Tone, beside, lock, wrapped};
use crate::advice::Code;

impl Output {
    /// Prints a line of talk to standard error. It never waits, and never fails: there would be nobody to tell. While a
    /// [`Screen`](super::Screen) is open it is held back.
    pub fn note(&self, note: impl Display) {
        let text = note.to_string();
        let level = if text.starts_with(NOTE) { LogLevel::Warn } else { LogLevel::Info };
        self.tell(level, "note", text);
    }

    /// The same, and where talk goes into a log it is the event of this name and level.
    pub fn tell(&self, level: LogLevel, event: &str, text: impl Display) {
        match self.log() {
            Some(log) => self.log_line(log, level, &Line::of_talk(event, &text.to_string())),
            None => self.say(&text.to_string().into()),
        }
    }

    /// The same for a person alone: where there is a log, what it holds of this is its own business.
    pub fn tell_person(&self, text: impl Display) {
        if !self.is_logged() {
            self.note(text);
        }
    }

    fn say(&self, text: &Text) {
        let text = self.dress(text, self.streams.terminals.stderr);
        if let Some(text) = lock(&self.streams.screen).hold(text) {
            self.print_talk(text);
        }
    }

    pub(super) fn print_talk(&self, text: String) {
        let (bars, untold, size) = (self.streams.bars.clone(), &self.streams.untold, text.len());
        // It is told where it belongs: behind what found room before.
        let left_out = untold.swap(0, Ordering::Relaxed);
        let log = self.log();
        let is_taken = self.talk(size, move |stderr| {
            let before = match left_out {
                0 => String::new(),
                count => match log {
                    Some(log) => format!("{}\n", log.dropped(count)),
                    None => format!("note: {count} notes before this were not shown: standard error was not read\n"),
                },
            };
            beside(bars.as_ref(), || {
                let _ = stderr.write_all(format!("{before}{text}\n").as_bytes()).and_then(|()| stderr.flush());
            });
        });
        if !is_taken {
            untold.fetch_add(left_out.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Has it done by the thread that prints talk, in its turn. Says whether there is room for it.
    pub(super) fn talk(&self, size_bytes: usize, talk: impl FnOnce(&mut Sink) + Send + 'static) -> bool {
        self.streams.talk.offer(Box::new(talk), size_bytes.saturating_add(size_of::<Talk>()))
    }

    /// Waits until all talk is printed, but no longer than `limit`: before the program ends.
    pub fn wait_for_talk(&self, limit: Duration) {
        self.streams.talk.wait_until_done(limit);
    }

    /// Prints an error that does not end the command, with its causes, to standard error.
    pub fn note_error(&self, error: &(dyn Error + 'static)) {
        self.note(format_args!("note: {}", error_chain(error)));
    }

    /// Prints an error and what to do about it to standard error. The `chain` holds the error first, then its causes. The
    /// code that the program ends with for it goes into a log alone.
    pub fn error<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a (dyn Error + 'static)>,
        hint: Option<&str>,
        code: Code,
    ) {
        let text = joined(chain);
        if let Some(log) = self.log() {
            return self.log_line(log, LogLevel::Error, &Line::of_failure(&text, hint, code));
        }
        self.labelled(Tone::Alert, "error:", &text);
        if let Some(hint) = hint {
            self.labelled(Tone::Heading, "hint:", &one_line(hint));
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
}

/// An error with its causes on one line.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    joined(std::iter::successors(Some(error), |&error| error.source()))
}

/// The chain on one line. A text that ends with its own cause does not say it twice.
fn joined<'a>(chain: impl IntoIterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut links: Vec<String> = Vec::new();
    for error in chain {
        let text = one_line(&error.to_string());
        if !links.last().is_some_and(|last| last.ends_with(&text)) {
            links.push(text);
        }
    }
    links.join(": ")
}
