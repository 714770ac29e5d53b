//! How far something has come, on standard error.

use std::fmt::Display;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, for_cell};

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
    Live { output: Output, bar: ProgressBar },
    Plain { output: Output, last: Option<(Instant, String)> },
}

impl Output {
    /// Begins to show how far something has come, of a `total` if that is known.
    pub fn progress(&self, total: Option<u64>) -> Progress {
        let output = self.clone();
        // A log has lines alone.
        let Some(bars) = self.streams.bars.clone().filter(|_| !self.is_logged()) else {
            return Progress { shape: Shape::Plain { output, last: None } };
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let progress = Progress { shape: Shape::Live { output, bar } };
        progress.on_bar(move |bar| {
            // A line that fills the whole width would be broken by the terminal's own echo of ^C, and stay.
            let template = if total.is_some() { "{bar:30} {pos}/{len} {msg}" } else { "{spinner} {msg}" };
            // The templates are constants that parse; the default style would do as well.
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bars.add(bar.clone()).enable_steady_tick(TICK);
        });
        progress
    }
}

impl Progress {
    /// Does something with the live line, if there is one. A terminal that takes nothing would hold up whoever does.
    fn on_bar(&self, change: impl FnOnce(&ProgressBar) + Send + 'static) {
        if let Shape::Live { output, bar } = &self.shape {
            let bar = bar.clone();
            // Where there is no room for it, nobody looks.
            let _ = output.talk(0, move |_| change(&bar));
        }
    }

    /// Whether there is a live line; if not, messages are printed seldom.
    pub fn is_live(&self) -> bool {
        matches!(self.shape, Shape::Live { .. })
    }

    /// Says how many of the total are done.
    pub fn set_position(&self, done: u64) {
        self.on_bar(move |bar| bar.set_position(done));
    }

    /// Says what is going on.
    pub fn message(&mut self, message: impl Display) {
        let text = message.to_string();
        match &mut self.shape {
            Shape::Live { .. } => self.on_bar(move |bar| bar.set_message(for_cell(&text).into_owned())),
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
        self.on_bar(ProgressBar::finish_and_clear);
    }
}
