//! `vitals dlq list`: what was refused, or how much of it for which reason.

use std::collections::BTreeMap;

use color_eyre::eyre::Result;

use super::letters::{Choice, Letters};
use super::{connect, counted, sent, size_bytes};
use crate::advice::Code;
use crate::cmd::Context;
use crate::cmd::common::escaped::text;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::dead_letter::KeptLetter;
use crate::output::{Cell, Column, FormatArgs, Rows, Value};

/// Which letters.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Partition and offset are those of the message in its own topic. A letter that
lies in the dead-letter topic several times is shown once.

Examples:
  vitals dlq list
  vitals dlq list --by reason
  vitals dlq list --reason not_json -o ndjson")]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Only how many there are for each reason
    #[arg(long, value_name = "WHAT", value_enum)]
    by: Option<By>,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// The code for which they were refused
    Reason,
}

const COLUMNS: [Column; 6] = [
    Column::text("timestamp", "SENT"),
    Column::number("partition", "PARTITION"),
    Column::number("offset", "OFFSET"),
    Column::text("reason", "REASON"),
    Column::text("key", "KEY"),
    Column::number("size_bytes", "BYTES"),
];

const BY_REASON: [Column; 2] = [Column::text("reason", "REASON"), Column::number("letters", "LETTERS")];

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut cluster = connect(context).await?;
    let topic = dead_letter_topic(&settings.topic);
    let mut letters = Letters::open(&mut cluster, &topic, &settings.topic, &args.choice).await?;
    let count = match args.by {
        None => list(&mut letters, output.rows(args.format, &COLUMNS)).await?,
        Some(By::Reason) => count(&mut letters, output.rows(args.format, &BY_REASON)).await?,
    };
    output.note(counted(count));
    if letters.others > 0 {
        output.note(format_args!(
            "no letters of this topic in '{topic}': {}",
            crate::output::counted(letters.others, "message")
        ));
    }
    if let Some(left_out) = letters.left_out() {
        output.note(left_out);
    }
    if letters.is_unsure {
        output.note("there are too many to tell whether some were shown twice");
    }
    Ok(Code::Done)
}

async fn list(letters: &mut Letters<'_>, mut rows: Rows<'_>) -> Result<u64> {
    let mut count = 0;
    while let Some(letter) = letters.next().await? {
        count += 1;
        rows.push(row(&letter))?;
    }
    rows.finish()?;
    Ok(count)
}

async fn count(letters: &mut Letters<'_>, mut rows: Rows<'_>) -> Result<u64> {
    let mut by_reason = BTreeMap::<String, u64>::new();
    while let Some(letter) = letters.next().await? {
        *by_reason.entry(letter.reason).or_default() += 1;
    }
    for (reason, count) in &by_reason {
        rows.push(vec![reason.as_str().into(), (*count).into()])?;
    }
    rows.finish()?;
    Ok(by_reason.values().sum())
}

fn row(letter: &KeptLetter) -> Vec<Cell> {
    let values: [Value; 6] = [
        sent(letter).map(|time| time.to_string()).into(),
        letter.partition.into(),
        letter.offset.into(),
        letter.reason.as_str().into(),
        letter.original.key.as_deref().map(text).into(),
        size_bytes(letter).into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::dlq::tests::letter;
    use crate::output::{Format, Output};

    #[test]
    fn programs_get_time_place_reason_key_and_size() {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        rows.push(row(&letter("not_json", Some(b"P\xff"), Some(b"{\"heart")))).unwrap();
        rows.push(row(&letter("null_value", None, None))).unwrap();
        rows.finish().unwrap();
        let expected = concat!(
            r#"{"timestamp":"2025-10-26T10:30:15.123000+00:00","partition":2,"offset":41,"reason":"not_json","#,
            r#""key":"P\\xff","size_bytes":7}"#,
            "\n",
            r#"{"timestamp":"2025-10-26T10:30:15.123000+00:00","partition":2,"offset":41,"reason":"null_value","#,
            r#""key":null,"size_bytes":0}"#,
            "\n"
        );
        assert_eq!(memory.stdout(), expected);
    }
}
