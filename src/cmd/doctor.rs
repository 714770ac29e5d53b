//! `vitals doctor`: everything that can be wrong, looked at in order: settings, brokers, topic, store, group, clock, and
//! the embedded broker's folder. Within each of these the order is that of its file.

mod address;
mod brokers;
mod check;
mod folder;
mod group;
mod settings;
mod store;
mod topic;

use std::time::Duration;

use chrono::Utc;
use color_eyre::eyre::Result;
use tokio::time::timeout;

use self::check::{COLUMNS, Check, Sheet, Verdict};
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::output::{Format, FormatArgs, Output, Text, wrapped};
use crate::settings::Settings;

/// How to show it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each check says ok, warn, FAIL or skip; what is not ok is told with why it
matters and what mends it. The exit code is 1 where something failed.
Nothing is changed; a small file is written and removed where an SQLite file
or the embedded broker's folder needs room.

Examples:
  vitals doctor
  vitals doctor --profile embedded
  vitals doctor -o json")]
pub struct Args {
    #[command(flatten)]
    format: FormatArgs,
}

/// What is looked at of the brokers, and of the store, ends after this; servers that are down are told much sooner.
const HALF_LIMIT: Duration = Duration::from_secs(20);

/// Looks at everything.
///
/// # Errors
/// Where it cannot be printed: what does not answer is a finding.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, examine(&args, &context.settings, &context.output)).await
}

async fn examine(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    let mut sheet = Sheet::default();
    settings::examine(settings, &mut sheet);
    let (mut server, mut reading, mut kept) = (Sheet::default(), Sheet::default(), Sheet::default());
    // The halves have their own servers: one that is slow does not hold the other up.
    let _ = tokio::join!(
        timeout(HALF_LIMIT, Box::pin(examine_brokers(settings, &mut server, &mut reading))),
        timeout(HALF_LIMIT, Box::pin(store::examine(settings, &mut kept))),
    );
    let answers = server.checks.iter().any(|check| check.name == brokers::PROTOCOL && check.verdict == Verdict::Ok);
    let needed = server.last_failed();
    server.skip_rest(&brokers::CHECKS);
    server.skip_rest(&topic::CHECKS);
    reading.skip(&[group::GROUP, topic::CLOCK], needed);
    kept.skip_rest(store::checks(settings));
    sheet.append(server);
    sheet.append(kept);
    sheet.append(reading);
    folder::examine(settings, answers, &mut sheet).await;
    show(&sheet, args, output)?;
    Ok(if sheet.count(Verdict::Fail) > 0 { Code::Finding } else { Code::Done })
}

/// What is found of those who read stands behind the store, which holds them up when it is away.
async fn examine_brokers(settings: &Settings, server: &mut Sheet, reading: &mut Sheet) {
    let Some(mut cluster) = brokers::examine(settings, server).await else { return };
    let Some(sample) = topic::examine(settings, &mut cluster, server).await else { return };
    group::examine(settings, &mut cluster, sample.records == 0, reading).await;
    topic::clock(&sample, Utc::now(), reading);
}

fn show(sheet: &Sheet, args: &Args, output: &Output) -> Result<()> {
    if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        // What was skipped for the same reason stands together.
        for together in sheet.checks.chunk_by(|one, next| {
            one.verdict == Verdict::Skipped && next.verdict == Verdict::Skipped && one.found == next.found
        }) {
            output.line(told_together(together, output))?;
        }
    } else {
        let mut rows = output.rows(args.format, &COLUMNS);
        sheet.checks.iter().try_for_each(|check| rows.push(check.row()))?;
        rows.finish()?;
    }
    output.note(summary(sheet));
    Ok(())
}

fn told_together(checks: &[Check], output: &Output) -> Text {
    match checks {
        [check] if check.verdict != Verdict::Skipped => told(check, output),
        [first, ..] => {
            let names: Vec<_> = checks.iter().map(|check| check.name).collect();
            let head = format!("{:<5} ", first.verdict);
            let text = format!("{}: {}", first.found, names.join(", "));
            wrapped(&head, "      ", &text, output.text_width()).join("\n").into()
        }
        [] => Text::default(),
    }
}

/// The check for people: a line, and below it what is to be said where it is not ok.
fn told(check: &Check, output: &Output) -> Text {
    const INDENT: &str = "                       ";
    let width = output.text_width();
    let verdict = format!("{:<5}", check.verdict);
    let mut lines = wrapped(&format!("{verdict} {:<16} ", check.name), INDENT, &check.found, width);
    if let Some(why) = check.why {
        lines.extend(wrapped("       why  ", "            ", why, width));
    }
    if let Some(cure) = &check.cure {
        lines.extend(wrapped("       cure ", "            ", cure, width));
    }
    let text = lines.join("\n");
    match (check.verdict.tone(), text.strip_prefix(&verdict)) {
        (Some(tone), Some(rest)) => Text::default().toned(tone, verdict).plain(rest),
        _ => text.into(),
    }
}

fn summary(sheet: &Sheet) -> String {
    let counts = [
        (Verdict::Ok, "ok"),
        (Verdict::Warn, "to be looked at"),
        (Verdict::Fail, "failed"),
        (Verdict::Skipped, "skipped"),
    ];
    let counts = counts.map(|(verdict, word)| (sheet.count(verdict), word));
    counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
