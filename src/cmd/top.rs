//! `vitals top`: the ward, the group and the store on one screen.

mod board;
mod feeds;
mod patients;
mod plain;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use color_eyre::eyre::Result;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::board::Board;
use self::feeds::Feeds;
use self::screen::ScreenContent;
use self::view::{Action, View};
use super::common::{time_argument, watch};
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::alarm::rules::RuleSet;
use crate::app;
use crate::output::{Input, Key, OutputError, Screen};
use crate::reading::Timestamp;
use crate::settings::Settings;
use crate::span::parse_duration;

/// What to show, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It reads the topic without a group: nothing is committed, and no consumer
notices. Of each patient it keeps the newest value of every sign and the alarms
that are on, of 10,000 patients at most. Press ? for the keys.

It raises and ends alarms by the same rules as `vitals consume`, for itself. Of
those that began before --since it knows what the store has when it first sees the
patient, and nothing where the store does not answer in 2 s.

Without a terminal it prints a block of lines every --interval.

Examples:
  vitals top
  vitals top --since 'today 08:00'
  vitals top --for 10s -o ndjson")]
pub struct Args {
    /// Begin with what was sent at this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(
        long,
        value_name = "TIME",
        default_value = "-5m",
        value_parser = time_argument::parse,
        allow_hyphen_values = true
    )]
    since: Timestamp,
    /// How often lines are printed where there is no screen
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_interval)]
    interval: Duration,
    /// For how long; 0 goes on until q or Ctrl+C
    #[arg(long = "for", value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    length: Duration,
    /// How to show it [default: screen on a terminal, text elsewhere]
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    output: Option<Shape>,
}

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// A full screen, where there is a terminal
    Screen,
    /// A block of lines every interval
    Text,
    /// An object on a line every interval
    Ndjson,
}

/// What is new is drawn so often at most.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Without anything new the clock and the ages go on all the same.
const IDLE_DRAW_INTERVAL: Duration = Duration::from_secs(1);

/// More often nobody can read it.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

fn parse_interval(text: &str) -> Result<Duration, String> {
    watch::parse_interval(text, SHORTEST_INTERVAL)
}

/// Shows it until the user has seen enough.
///
/// # Errors
/// At the start: Kafka cannot be reached, or the topic does not exist. Later nothing but an output that takes nothing:
/// servers that go away are waited for.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = unless_stopped(&context.shutdown, show(&args, context));
    let ended =
        if args.length.is_zero() { work.await } else { timeout(args.length, work).await.unwrap_or(Ok(Code::Done)) };
    // Ctrl+C is how looking on ends.
    ended.map(|code| if code == Code::CutShort { Code::Done } else { code })
}

async fn show(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    app::check_cluster(settings).await?;
    let mut feeds = Feeds::start(settings, args.since).await?;
    let screen = match args.output {
        None | Some(Shape::Screen) => output.open_screen()?,
        Some(Shape::Text | Shape::Ndjson) => None,
    };
    match screen {
        Some(screen) => Live::new(screen, settings).run(&mut feeds).await?,
        None if args.output == Some(Shape::Screen) => return Err(OutputError::NoTerminal.into()),
        None => plain::run(args, settings, &mut feeds, output).await?,
    }
    Ok(Code::Done)
}

/// The rules by which it watches until the store tells of others.
fn rules(settings: &Settings) -> RuleSet {
    RuleSet::classic(settings.limits)
}

/// The full screen.
#[derive(Debug)]
struct Live<'a> {
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
    fn new(screen: Screen, settings: &'a Settings) -> Self {
        let board = Board::new(rules(settings));
        Self { screen, settings, board, view: View::default(), paused: None, drawn: Instant::now(), is_stale: true }
    }

    /// Shows what the `feeds` tell until the user has seen enough.
    async fn run(&mut self, feeds: &mut Feeds) -> Result<()> {
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
                    self.board.advance(Utc::now());
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
