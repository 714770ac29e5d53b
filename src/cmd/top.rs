//! `vitals top`: the ward, the group and the store on one screen.

mod board;
mod feeds;
mod live;
mod patients;
mod plain;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::time::Duration;

use clap::ValueEnum;
use color_eyre::eyre::Result;

use self::feeds::Feeds;
use self::live::Live;
use super::common::{time_argument, watch};
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::output::OutputError;
use crate::reading::Timestamp;
use crate::span::parse_duration;

/// What to show, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It reads the topic without a group: nothing is committed, and no consumer
notices. Of each patient it keeps the newest value of every sign, of 10,000
patients at most. Press ? for the keys.

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
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
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

/// More often nobody can read it.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    watch::parse_interval(text, SHORTEST_INTERVAL)
}

/// Shows it until the user has seen enough.
///
/// # Errors
/// At the start: Kafka cannot be reached, or the topic does not exist. Later nothing but an output that takes nothing:
/// servers that go away are waited for.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = unless_stopped(&context.shutdown, show(&args, context));
    let ended = if args.length.is_zero() {
        work.await
    } else {
        tokio::time::timeout(args.length, work).await.unwrap_or(Ok(Code::Done))
    };
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
