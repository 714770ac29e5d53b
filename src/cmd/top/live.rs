//! The full screen: draws what the feeds tell, as the keys want it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use color_eyre::eyre::Result;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::board::Board;
use super::draw::{self, Scene, Title};
use super::feeds::Feeds;
use super::look::{Look, Wish};
use crate::output::{Input, Key, OutputError, Screen};

/// What is new is drawn so often at most.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Without anything new the clock and the ages go on all the same.
const IDLE_DRAW_INTERVAL: Duration = Duration::from_secs(1);

/// The full screen.
#[derive(Debug)]
pub(super) struct Live<'a> {
    screen: Screen,
    title: &'a Title,
    board: Board,
    look: Look,
    /// What was known, and the moment, when the user stopped it.
    still: Option<(Board, DateTime<Utc>)>,
    drawn: Instant,
    is_stale: bool,
}

impl<'a> Live<'a> {
    /// A screen that knows nothing yet.
    pub(super) fn new(screen: Screen, title: &'a Title, board: Board) -> Self {
        Self { screen, title, board, look: Look::default(), still: None, drawn: Instant::now(), is_stale: true }
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
                    if self.take(input?)? == Wish::Quit {
                        return Ok(());
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

    fn take(&mut self, input: Input) -> Result<Wish, OutputError> {
        let Input::Key(key) = input else { return Ok(Wish::Draw) };
        let wish = self.press(key)?;
        if wish == Wish::Pause {
            self.still = match self.still.take() {
                None => Some((self.board.clone(), Utc::now())),
                Some(_) => None,
            };
        }
        Ok(wish)
    }

    fn press(&mut self, key: Key) -> Result<Wish, OutputError> {
        let board = self.still.as_ref().map_or(&self.board, |(board, _)| board);
        let page = draw::page(self.screen.size()?, board, &self.look);
        let wish = self.look.press(key, page);
        // Another filter leaves another number of patients.
        self.look.keep_on(draw::page(self.screen.size()?, board, &self.look));
        Ok(wish)
    }

    fn draw(&mut self) -> Result<(), OutputError> {
        let (board, now) = self.still.as_ref().map_or((&self.board, Utc::now()), |(board, then)| (board, *then));
        // Patients may have gone, and the window may have grown.
        self.look.keep_on(draw::page(self.screen.size()?, board, &self.look));
        let color = self.screen.has_colors();
        let scene = Scene { title: self.title, board, look: &self.look, now, paused: self.still.is_some(), color };
        self.screen.draw(|frame| draw::draw(frame, &scene))?;
        self.drawn = Instant::now();
        self.is_stale = false;
        Ok(())
    }
}
