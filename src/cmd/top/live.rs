//! The full screen: draws what the feeds tell, as the keys want it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use color_eyre::eyre::Result;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::board::Board;
use super::feeds::Feeds;
use super::screen::{self, ScreenContent};
use super::view::{Action, View};
use crate::output::{Input, Key, OutputError, Screen};
use crate::settings::Settings;

/// What is new is drawn so often at most.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Without anything new the clock and the ages go on all the same.
const IDLE_DRAW_INTERVAL: Duration = Duration::from_secs(1);

/// The full screen.
#[derive(Debug)]
pub(super) struct Live<'a> {
    screen: Screen,
    settings: &'a Settings,
    board: Board,
    view: View,
    /// What was known, and the time, when the user paused it.
    paused: Option<(Board, DateTime<Utc>)>,
    drawn: Instant,
    is_stale: bool,
}

impl<'a> Live<'a> {
    pub(super) fn new(screen: Screen, settings: &'a Settings) -> Self {
        let board = Board::new(settings.limits);
        Self { screen, settings, board, view: View::default(), paused: None, drawn: Instant::now(), is_stale: true }
    }

    /// Shows what the `feeds` tell until the user has seen enough.
    ///
    /// # Errors
    /// The terminal is gone, or takes nothing.
    pub(super) async fn run(&mut self, feeds: &mut Feeds) -> Result<()> {
        let mut ticks = interval(DRAW_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.draw()?;
        loop {
            tokio::select! {
                // Keys first: a flood of messages must not hold them up.
                biased;
                input = self.screen.input() => {
                    if let Input::Key(key) = input? {
                        match self.press(key)? {
                            Action::Draw => {}
                            Action::Quit => return Ok(()),
                            Action::Pause if self.paused.is_some() => self.paused = None,
                            Action::Pause => self.paused = Some((self.board.clone(), Utc::now())),
                        }
                    }
                    self.draw()?;
                }
                _ = ticks.tick() => {
                    if self.is_stale || self.drawn.elapsed() >= IDLE_DRAW_INTERVAL {
                        self.draw()?;
                    }
                }
                event = feeds.next() => {
                    self.board.apply(event, Utc::now());
                    self.is_stale = true;
                }
            }
        }
    }

    fn press(&mut self, key: Key) -> Result<Action, OutputError> {
        let board = self.paused.as_ref().map_or(&self.board, |(board, _)| board);
        let size = self.screen.size()?;
        let action = self.view.press(key, screen::page(size, board, &self.view));
        // Another filter leaves another number of patients.
        self.view.keep_on(screen::page(size, board, &self.view));
        Ok(action)
    }

    fn draw(&mut self) -> Result<(), OutputError> {
        let (board, now) = self.paused.as_ref().map_or((&self.board, Utc::now()), |(board, then)| (board, *then));
        // Patients may have gone, and the window may have grown.
        self.view.keep_on(screen::page(self.screen.size()?, board, &self.view));
        let content = ScreenContent {
            settings: self.settings,
            board,
            view: &self.view,
            now,
            paused: self.paused.is_some(),
            color: self.screen.has_colors(),
        };
        self.screen.draw(|frame| screen::draw(frame, &content))?;
        self.drawn = Instant::now();
        self.is_stale = false;
        Ok(())
    }
}
