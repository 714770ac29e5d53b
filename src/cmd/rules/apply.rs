//! Sets of rules in the store: what is in force for every consumer, and what was.

use std::path::PathBuf;

use chrono::Utc;
use color_eyre::eyre::Result;

use super::sets::{self, Sheet};
use super::{RulesCommandError, own_limits};
use crate::advice::Code;
use crate::alarm::rules::RuleSet;
use crate::app;
use crate::app::author::line;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, print};
use crate::output::{Column, FormatArgs, counted};
use crate::pipeline::store::Entry;
use crate::reading::Timestamp;
use crate::store::Journal;

/// How often somebody else may apply a set at the same moment.
const ATTEMPTS: u32 = 5;
/// How many sets the history shows.
const SHOWN: u16 = 1000;

/// What to put in force, and who says so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every consumer of this store takes the set up within 5 s, without a restart.
Alarms that are on go on under the rule of the same name; where a rule is gone,
its alarms end. `vitals rules test` tells before what a set would have raised.

Limits of a patient's own (`vitals patient set --limit`) go on as well. Where one
could never be crossed under this set, or its alarm could never end, the set is
refused. One whose rule the set does not have is named, and has no effect.

Examples:
  vitals rules apply ward --by 'A. Nurse' --reason 'adults on ward 3'
  vitals rules apply mine.toml --by engineer --reason 'SpO2 alarms at night'")]
pub(super) struct Args {
    /// A set that is built in, or a file of rules
    #[arg(value_name = "SET|FILE")]
    set: PathBuf,
    /// Who puts it in force
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line)]
    reason: String,
}

/// Puts a set in force.
pub(super) async fn apply(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let Sheet { rules, text } = sets::find(&args.set)?;
    let store = app::open_store_to_change(settings, output).await?;
    for _ in 0..ATTEMPTS {
        let last = store.newest_entries(Journal::Rules, 1).await?.pop();
        if let Some(last) = last.as_ref().filter(|last| last.content == text && last.name == rules.name) {
            output.note(format_args!("{} is in force already, as version {}", last.name, last.version));
            return Ok(Code::Done);
        }
        let applied = Entry {
            version: last.map_or(1, |last| last.version.saturating_add(1)),
            name: rules.name.clone(),
            author: args.by.clone(),
            reason: args.reason.clone(),
            at: Timestamp::from_utc(Utc::now())?.to_string(),
            content: text.clone(),
        };
        let in_force = applied.set(settings.limits).unwrap_or_else(|_| rules.clone());
        own_limits::check(&in_force, &store.admitted().await?, output)?;
        if store.add_entry(Journal::Rules, &applied).await? {
            let count = counted(rules.own().count(), "rule");
            output.note(format_args!("{}, {count}: applied as version {}", applied.name, applied.version));
            return Ok(Code::Done);
        }
    }
    Err(RulesCommandError::Contended.into())
}

/// A set that was applied, and whether it is in force.
type Shown = (Entry, bool);

const HISTORY: [Field<Shown>; 7] = [
    (Column::number("version", "VERSION"), |(set, _)| set.version.into()),
    (Column::text("name", "NAME"), |(set, _)| set.name.as_str().into()),
    (Column::text("applied_at", "APPLIED"), |(set, _)| set.at.as_str().into()),
    (Column::text("by", "BY"), |(set, _)| set.author.as_str().into()),
    (Column::text("reason", "REASON"), |(set, _)| set.reason.as_str().into()),
    (Column::text("in_force", "IN FORCE"), |(_, in_force)| (*in_force).into()),
    (Column::for_programs("content"), |(set, _)| set.content.as_str().into()),
];

/// Shows what was put in force, the newest first.
pub(super) async fn history(format: FormatArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let applied = store.newest_entries(Journal::Rules, SHOWN).await?;
    if applied.is_empty() {
        output.note("no set was applied: classic is in force, with the limits of the settings");
    }
    // One that cannot be read here is in force nowhere that this vitals runs.
    let is_read = |set: &Entry| RuleSet::parse(&set.name, &set.content).is_ok();
    let in_force = applied.iter().find(|set| is_read(set)).map(|set| set.version);
    print(output, format, &HISTORY, applied.into_iter().map(|set| (set.clone(), Some(set.version) == in_force)))?;
    Ok(Code::Done)
}
