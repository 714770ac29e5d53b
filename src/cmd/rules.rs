//! `vitals rules`: the sets of alarm rules, files of them, what they would have raised, and which is in force.

mod apply;
mod back_test;
mod error;
mod own_limits;
mod sets;
mod words;

use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;

pub use error::RulesCommandError;

use self::sets::Sheet;
use super::Context;
use super::common::table::{Field, print};
use crate::advice::Code;
use crate::alarm::Priority;
use crate::alarm::rules::{BUILT_IN, RuleSet, json_schema};
use crate::output::{Column, FormatArgs, Output, counted};

/// The rules.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the sets of rules that are built in
    #[command(after_help = "\
HIGH, MEDIUM and LOW tell how many of a set's rules have that priority.

Example:
  vitals rules list")]
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show the rules of a set
    #[command(after_help = "\
HYST, the hysteresis, is how far a value has to come back before an alarm ends;
DELAY is how long it has to be over, in seconds of the readings' own time.

Examples:
  vitals rules show ward
  vitals rules show ward --toml > mine.toml
  vitals rules show mine.toml -o csv")]
    Show {
        /// A set that is built in, or a file of rules
        #[arg(value_name = "SET|FILE")]
        set: PathBuf,
        /// Print the file's text as it is, to begin a file of one's own
        #[arg(long, conflicts_with = "format")]
        toml: bool,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Check a file of rules
    #[command(after_help = "\
The first mistake is told with its line and column; the exit code is 3 then.

Example:
  vitals rules check mine.toml")]
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON Schema of a file of rules
    #[command(after_help = "\
Editors that know the schema complete the keys and mark mistakes. For those
that use Taplo, put this line above a file of rules:
  #:schema ./rules.schema.json

Example:
  vitals rules schema > rules.schema.json")]
    Schema,
    /// Put a set in force, for every consumer of the store
    Apply(apply::Args),
    /// Show which sets were put in force, by whom and why
    #[command(after_help = "\
Without any, classic is in force, with the limits of the settings.

Example:
  vitals rules history")]
    History {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Try a set on recorded readings: what would it have raised?
    Test(back_test::Args),
}

/// Shows, checks, tries or applies rules.
///
/// # Errors
/// [`RulesCommandError`] for the rules and the readings; those of the store and of CSV files.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let output = &context.output;
    match args.action {
        Action::List { format } => {
            print(output, format, &LIST, BUILT_IN.iter().filter_map(|name| RuleSet::built_in(name)))?;
        }
        Action::Show { set, toml: true, .. } => output.bytes(sets::find(&set)?.text.as_bytes())?,
        Action::Show { set, format, .. } => show(&sets::find(&set)?.rules, format, output)?,
        Action::Check { file } => check(&file, output)?,
        Action::Schema => output.json(&format!("{:#}", json_schema()))?,
        Action::Apply(args) => return apply::apply(args, context).await,
        Action::History { format } => return apply::history(format, context).await,
        Action::Test(args) => return back_test::run(args, context).await,
    }
    Ok(Code::Done)
}

const LIST: [Field<RuleSet>; 6] = [
    (Column::text("name", "NAME"), |set| set.name.as_str().into()),
    (Column::number("rules", "RULES"), |set| set.own().count().into()),
    (Column::number("high", "HIGH"), |set| of_priority(set, Priority::High).into()),
    (Column::number("medium", "MEDIUM"), |set| of_priority(set, Priority::Medium).into()),
    (Column::number("low", "LOW"), |set| of_priority(set, Priority::Low).into()),
    (Column::text("default", "DEFAULT"), |set| BUILT_IN.first().is_some_and(|first| *first == set.name).into()),
];

fn of_priority(set: &RuleSet, priority: Priority) -> usize {
    set.own().filter(|rule| rule.priority == priority).count()
}

fn show(set: &RuleSet, format: FormatArgs, output: &Output) -> Result<()> {
    print(output, format, &words::FIELDS, set.own())?;
    output.note("every set also tells of values that are not believed: `vitals guide messages`");
    Ok(())
}

fn check(file: &Path, output: &Output) -> Result<()> {
    let Sheet { rules, .. } = sets::read(file)?;
    output.note(format_args!("{}: {} in order", file.display(), counted(rules.own().count(), "rule")));
    Ok(())
}
