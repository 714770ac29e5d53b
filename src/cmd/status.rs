//! `vitals status`: brokers, topics, group and store on one screen.

mod look;
mod report;

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use self::report::Report;
use super::Context;
use super::common::watch::WatchArgs;
use crate::advice::{Advice, Code};
use crate::diagnose::Problem;
use crate::output::{ObjectFormat, ObjectFormatArgs, Output, Text, Tone};
use crate::settings::Settings;
use crate::store::AnyStore;

/// How to show it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 1 where something is wrong: each such thing is said with
what mends it. It is 4 where neither the brokers nor the store answer.
`vitals doctor` looks deeper.

Alarms that are on are counted: in Cassandra among the newest 1,000 of each
patient, and not where that takes longer than 2 s.

Examples:
  vitals status
  vitals status --watch
  vitals status -o json")]
pub struct Args {
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: ObjectFormatArgs,
}

/// Everything is said within the 5 s in which a command must say that nothing answers.
const LOOK_LIMIT: Duration = Duration::from_millis(4500);

/// Looks, once or until Ctrl+C.
///
/// # Errors
/// Where it cannot be printed: what does not answer is a finding.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut store = None;
    loop {
        let report = look(settings, &mut store).await;
        show(&report, args, output)?;
        // Whoever watches wants to see how it goes on.
        if !args.watch.again().await {
            return Ok(code(&report));
        }
    }
}

async fn look(settings: &Settings, store: &mut Option<AnyStore>) -> Report {
    let mut report = Report {
        brokers_address: settings.brokers.to_string(),
        store_address: settings.store.to_string(),
        ..Report::default()
    };
    let mut stored = Report::default();
    let (brokers, kept) = tokio::join!(
        timeout(LOOK_LIMIT, Box::pin(look::brokers(settings, &mut report))),
        timeout(LOOK_LIMIT, Box::pin(look::store(settings, store, &mut stored))),
    );
    report.wrong.extend(unanswered("the brokers", brokers));
    report.wrong.append(&mut stored.wrong);
    report.wrong.extend(unanswered("the store", kept));
    report.store = stored.store;
    report.retention = stored.retention;
    report.largest = stored.largest;
    report.healthy = report.wrong.is_empty();
    report
}

fn unanswered(who: &str, look: Result<Result<(), impl Advice + 'static>, Elapsed>) -> Option<Problem> {
    if let Ok(outcome) = look {
        return outcome.err().map(|error| Problem::of(&error));
    }
    let what = format!("{who} did not answer everything within {:.1} s", LOOK_LIMIT.as_secs_f64());
    Some(Problem::new(what, "try again; `vitals doctor` says how far it gets"))
}

fn code(report: &Report) -> Code {
    match (report.healthy, &report.cluster, &report.store) {
        (true, ..) => Code::Done,
        (false, None, None) => Code::Unreachable,
        (false, ..) => Code::Finding,
    }
}

fn show(report: &Report, args: &Args, output: &Output) -> Result<()> {
    match args.format.choose(output.stdout_is_terminal()) {
        ObjectFormat::Table => {
            let mut lines = report::lines(report, output.text_width()).into_iter().map(painted);
            if args.watch.is_on() && output.stdout_is_screen() {
                output.screen(&lines.collect::<Vec<_>>())?;
            } else {
                lines.try_for_each(|line| output.line(line))?;
            }
        }
        ObjectFormat::Json => output.json(&serde_json::to_string_pretty(report)?)?,
        ObjectFormat::Ndjson => output.json(&serde_json::to_string(report)?)?,
    }
    Ok(())
}

/// Colours repeat what the words say.
fn painted(line: String) -> Text {
    match line.strip_prefix(report::WRONG) {
        Some(rest) => Text::default().toned(Tone::Alert, report::WRONG).plain(rest),
        None if line == report::WELL => Text::default().toned(Tone::Good, line),
        None => line.into(),
    }
}

#[cfg(test)]
mod tests;
