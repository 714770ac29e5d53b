//! How far something has come, on standard error.

use std::fmt::Display;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Output;

/// How often a live line moves, so that it is seen to be alive.
const TICK: Duration = Duration::from_millis(100);

/// Where there is no terminal, a line at most this often: enough to follow in a log, too little to fill it.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// How far something has come: a live line on a terminal, now and then a plain one elsewhere. The live line goes away
/// when this is dropped.
#[derive(Debug)]
pub struct Progress {
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Live(ProgressBar),
    Plain { output: Output, last: Option<(Instant, String)> },
}

impl Progress {
    pub(super) fn new(output: &Output, total: Option<u64>) -> Self {
        let Some(bars) = output.bars() else {
            return Self { shape: Shape::Plain { output: output.clone(), last: None } };
        };
        let bar = bars.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        // A line that fills the whole width would be broken by the terminal's own echo of ^C, and stay.
        let template = if total.is_some() { "{bar:30} {pos}/{len} {msg}" } else { "{spinner} {msg}" };
        // The templates are constants that parse; the default style would do as well.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(TICK);
        Self { shape: Shape::Live(bar) }
    }

    /// Whether there is a live line; if not, messages are printed seldom.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.shape, Shape::Live(_))
    }

    /// Says how many of the total are done.
    pub fn set_position(&self, done: u64) {
        if let Shape::Live(bar) = &self.shape {
            bar.set_position(done);
        }
    }

    /// Says what is going on.
    pub fn message(&mut self, message: impl Display) {
        let text = message.to_string();
        match &mut self.shape {
            Shape::Live(bar) => bar.set_message(text),
            Shape::Plain { output, last } => {
                let due = last.as_ref().is_none_or(|(when, said)| when.elapsed() >= PLAIN_EVERY && *said != text);
                if due {
                    output.note(&text);
                    *last = Some((Instant::now(), text));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shape::Live(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }
}
