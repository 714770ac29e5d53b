//! `vitals schema show`: the tables as they are, and where they differ from what `vitals init` makes.

use color_eyre::eyre::Result;

use super::common::table::{Field, print};
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::output::{Column, FormatArgs, Output};
use crate::settings::Settings;
use crate::store::{SchemaPart, SchemaState};

/// The schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the statements that would make the tables as they are
    #[command(after_help = "\
Without -o these are statements that can be run, with what differs from
`vitals init` in comments before them.

Examples:
  vitals schema show
  vitals schema show -o table")]
    Show {
        #[command(flatten)]
        format: FormatArgs,
    },
}

const FIELDS: [Field<SchemaPart>; 4] = [
    (Column::text("part", "PART"), |part| part.what.as_str().into()),
    (Column::text("state", "STATE"), |part| part.state.name().into()),
    (Column::text("differences", "DIFFERENCES"), |part| part.differences.clone().into()),
    (Column::for_programs("statement"), |part| part.statement.clone().into()),
];

/// Shows the schema.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Action::Show { format } = args.action;
    unless_stopped(&context.shutdown, show(format, &context.settings, &context.output)).await
}

async fn show(format: FormatArgs, settings: &Settings, output: &Output) -> Result<Code> {
    let store = app::open_store(settings).await?;
    let (parts, version) = (store.schema().await?, store.version().await?);
    output.note(version);
    if format.format.is_none() {
        output.line(parts.iter().map(statement).collect::<Vec<_>>().join("\n\n"))?;
    } else {
        print(output, format, &FIELDS, parts)?;
    }
    Ok(Code::Done)
}

/// A part as a statement, with comments before it.
fn statement(part: &SchemaPart) -> String {
    let state = match part.state {
        SchemaState::AsMade => "as `vitals init` makes it",
        SchemaState::Differs => "differs from what `vitals init` makes",
        SchemaState::Missing => "missing; `vitals init` makes it",
        SchemaState::NotOurs => "not made by vitals",
    };
    let mut lines = vec![format!("-- {}: {state}", part.what)];
    lines.extend(part.differences.iter().map(|difference| format!("--   it {difference}")));
    lines.extend(part.statement.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_in_comments_before_the_statement() {
        let part = SchemaPart {
            what: "table beds".to_owned(),
            state: SchemaState::Differs,
            differences: vec!["has the further column ward TEXT".to_owned()],
            statement: Some("CREATE TABLE beds (id INT);".to_owned()),
        };
        let expected = "-- table beds: differs from what `vitals init` makes\n\
                        --   it has the further column ward TEXT\n\
                        CREATE TABLE beds (id INT);";
        assert_eq!(statement(&part), expected);
        let missing = SchemaPart { state: SchemaState::Missing, differences: Vec::new(), statement: None, ..part };
        assert_eq!(statement(&missing), "-- table beds: missing; `vitals init` makes it");
    }
}
