//! `vitals doctor`: everything that can be wrong, looked at in order: settings, brokers, topic, store, group, clock, and
//! the embedded broker's folder. Within each of these the order is that of its file.

mod kafka;
mod servers;
mod store;

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::timeout;

use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::diagnose::Finding;
use crate::output::{Cell, Column, Format, FormatArgs, Output, Text, Tone, wrapped};
use crate::settings::{Settings, Source};

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

const SETTINGS: &str = "settings";

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
    let mut checks = Checks::default();
    examine_settings(settings, &mut checks);
    let (mut servers, mut clients, mut stored) = (Checks::default(), Checks::default(), Checks::default());
    // The halves have their own servers: one that is slow does not hold the other up.
    let _ = tokio::join!(
        timeout(HALF_LIMIT, Box::pin(kafka::examine(settings, &mut servers, &mut clients))),
        timeout(HALF_LIMIT, Box::pin(store::examine(settings, &mut stored))),
    );
    let is_ok = |check: &Check| check.name == kafka::PROTOCOL && matches!(check.finding, Finding::Ok(_));
    let answers = servers.0.iter().any(is_ok);
    clients.skip(&kafka::OF_CLIENTS, servers.last_failed());
    servers.skip_rest(&kafka::OF_SERVERS);
    stored.skip_rest(store::checks_of(settings));
    // What is found of those who read stands behind the store, which holds them up when it is away.
    checks.0.extend([servers, stored, clients].into_iter().flat_map(|checks| checks.0));
    store::broker_folder(settings, answers, &mut checks).await;
    show(&checks, args, output)?;
    Ok(if checks.last_failed().is_some() { Code::Finding } else { Code::Done })
}

/// The settings. What cannot be used at all has ended the program before.
fn examine_settings(settings: &Settings, checks: &mut Checks) {
    for note in &settings.notes {
        let why =
            if note.counts { "it counts, and says so at every start" } else { "what it was meant to say is not heard" };
        checks.note(SETTINGS, Finding::warn(&note.text, note.fix, why));
    }
    if settings.notes.iter().all(|note| note.counts) {
        checks.note(SETTINGS, Finding::ok(given(settings)));
    }
}

fn given(settings: &Settings) -> String {
    let mut by_source: Vec<(&Source, Vec<&str>)> = Vec::new();
    for setting in settings.resolved.iter().filter(|setting| setting.source != Source::Default) {
        match by_source.iter_mut().find(|(source, _)| **source == setting.source) {
            Some((_, names)) => names.push(setting.name),
            None => by_source.push((&setting.source, vec![setting.name])),
        }
    }
    let given: Vec<_> = by_source.iter().map(|(source, names)| format!("{} (by {source})", names.join(", "))).collect();
    if given.is_empty() { "all defaults".to_owned() } else { given.join("; ") }
}

fn show(checks: &Checks, args: &Args, output: &Output) -> Result<()> {
    if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        // What was skipped for the same reason stands together.
        for together in
            checks.0.chunk_by(|one, next| matches!(one.finding, Finding::Skipped(_)) && one.finding == next.finding)
        {
            output.line(told(together, output.text_width()))?;
        }
    } else {
        let mut rows = output.rows(args.format, &COLUMNS);
        checks.0.iter().try_for_each(|check| rows.push(check.row()))?;
        rows.finish()?;
    }
    let words = [("ok", "ok"), ("warn", "to be looked at"), ("FAIL", "failed"), ("skip", "skipped")];
    let counts = words.map(|(verdict, word)| (checks.count(verdict), word)).into_iter().filter(|(count, _)| *count > 0);
    output.note(counts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", "));
    Ok(())
}

/// A check for people: a line, and below it what is to be said where it is not ok. Several that were skipped together.
fn told(checks: &[Check], width: usize) -> Text {
    const INDENT: &str = "                       ";
    let [check, ..] = checks else { return Text::default() };
    let (verdict, tone) = check.verdict();
    let verdict = format!("{verdict:<5}");
    let Some(tone) = tone else {
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        let text = format!("{}: {}", check.found(), names.join(", "));
        return wrapped(&format!("{verdict} "), "      ", &text, width).join("\n").into();
    };
    let mut lines = wrapped(&format!("{verdict} {:<16} ", check.name), INDENT, check.found(), width);
    if let Some((why, fix)) = check.advice() {
        lines.extend(wrapped("       why  ", "            ", why, width));
        lines.extend(wrapped("       cure ", "            ", fix, width));
    }
    let text = lines.join("\n");
    let rest = text.strip_prefix(&verdict).unwrap_or(&text);
    Text::default().toned(tone, &verdict).plain(rest)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    /// Its name, which never changes.
    name: &'static str,
    finding: Finding,
}

const COLUMNS: [Column; 5] = [
    Column::text("check", "CHECK"),
    Column::text("verdict", "VERDICT"),
    Column::text("found", "FOUND"),
    Column::text("why", "WHY"),
    Column::text("cure", "CURE"),
];

impl Check {
    /// The verdict in one word, with its colour.
    fn verdict(&self) -> (&'static str, Option<Tone>) {
        match &self.finding {
            Finding::Ok(_) => ("ok", Some(Tone::Good)),
            Finding::Warn(..) => ("warn", Some(Tone::Doubt)),
            Finding::Fail(..) => ("FAIL", Some(Tone::Alert)),
            Finding::Skipped(_) => ("skip", None),
        }
    }

    fn found(&self) -> &str {
        match &self.finding {
            Finding::Ok(found) | Finding::Skipped(found) => found,
            Finding::Warn(problem, _) | Finding::Fail(problem, _) => &problem.what,
        }
    }

    /// Why it matters, and what mends it, where it is not as it should be.
    fn advice(&self) -> Option<(&'static str, &str)> {
        match &self.finding {
            Finding::Ok(_) | Finding::Skipped(_) => None,
            Finding::Warn(problem, why) | Finding::Fail(problem, why) => Some((why, &problem.fix)),
        }
    }

    fn row(&self) -> Vec<Cell> {
        let (why, fix) = self.advice().unzip();
        let verdict = self.verdict().0.to_ascii_lowercase();
        vec![self.name.into(), verdict.into(), self.found().into(), why.into(), fix.into()]
    }
}

/// Checks in the order in which they were made.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn note(&mut self, name: &'static str, finding: Finding) {
        self.0.push(Check { name, finding });
    }

    fn note_if_made(&mut self, name: &'static str, finding: Option<Finding>) {
        self.0.extend(finding.map(|finding| Check { name, finding }));
    }

    /// Of what was found only the first, which is the worst.
    fn note_worst(&mut self, name: &'static str, findings: Vec<Finding>) {
        self.note_if_made(name, findings.into_iter().next());
    }

    fn last_failed(&self) -> Option<&'static str> {
        self.0.iter().rev().find(|check| matches!(check.finding, Finding::Fail(..))).map(|check| check.name)
    }

    /// Notes those of `names` that were not made: they need the one that failed last.
    fn skip_rest(&mut self, names: &[&'static str]) {
        self.skip(names, self.last_failed());
    }

    /// Notes those of `names` that were not made: they need another check.
    fn skip(&mut self, names: &[&'static str], needed: Option<&'static str>) {
        let reason =
            needed.map_or_else(|| "it was not answered in time".to_owned(), |needed| format!("needs {needed}"));
        for name in names {
            if !self.0.iter().any(|check| check.name == *name) {
                self.note(name, Finding::Skipped(reason.clone()));
            }
        }
    }

    fn count(&self, verdict: &str) -> usize {
        self.0.iter().filter(|check| check.verdict().0 == verdict).count()
    }
}

#[cfg(test)]
mod tests;
