//! `vitals dlq list`: what was refused, or how much of it for which reason.

use std::collections::BTreeMap;

use color_eyre::eyre::Result;

use super::letters::{Choice, DeadLetters};
use super::{counted, key, sent, size_bytes};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, Table, print};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::letter::KeptLetter;
use crate::output::{Column, FormatArgs};

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

const FIELDS: [Field<KeptLetter>; 6] = [
    (Column::text("timestamp", "SENT"), sent),
    (Column::number("partition", "PARTITION"), |letter| letter.partition.into()),
    (Column::number("offset", "OFFSET"), |letter| letter.offset.into()),
    (Column::text("reason", "REASON"), |letter| letter.reason.as_str().into()),
    (Column::text("key", "KEY"), key),
    (Column::number("size_bytes", "BYTES"), |letter| size_bytes(letter).into()),
];

const BY_REASON: [Field<(String, u64)>; 2] = [
    (Column::text("reason", "REASON"), |(reason, _)| reason.as_str().into()),
    (Column::number("letters", "LETTERS"), |(_, letters)| (*letters).into()),
];

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut cluster = app::open_kafka(settings).await?;
    let topic = dead_letter_topic(&settings.topic);
    let mut letters = DeadLetters::open(&mut cluster, &topic, &settings.topic, &args.choice).await?;
    let mut count: u64 = 0;
    match args.by {
        None => {
            let mut table = Table::new(output, args.format, &FIELDS);
            while let Some(letter) = letters.next().await? {
                count += 1;
                table.push(&letter)?;
            }
            table.finish()?;
        }
        Some(By::Reason) => {
            let mut by_reason = BTreeMap::<String, u64>::new();
            while let Some(letter) = letters.next().await? {
                count += 1;
                *by_reason.entry(letter.reason).or_default() += 1;
            }
            print(output, args.format, &BY_REASON, by_reason)?;
        }
    }
    output.note(counted(count));
    if letters.others > 0 {
        let others = crate::output::counted(letters.others, "message");
        output.note(format_args!("no letters of this topic in '{topic}': {others}"));
    }
    if let Some(left_out) = letters.left_out() {
        output.note(left_out);
    }
    if letters.is_unsure {
        output.note("there are too many to tell whether some were shown twice");
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::cmd::dlq::tests::letter;

    #[test]
    fn programs_get_time_place_reason_key_and_size() {
        let letters = [letter("not_json", Some(b"P\xff"), Some(b"{\"heart")), letter("null_value", None, None)];
        let expected = concat!(
            r#"{"timestamp":"2025-10-26T10:30:15.123000+00:00","partition":2,"offset":41,"reason":"not_json","#,
            r#""key":"P\\xff","size_bytes":7}"#,
            "\n",
            r#"{"timestamp":"2025-10-26T10:30:15.123000+00:00","partition":2,"offset":41,"reason":"null_value","#,
            r#""key":null,"size_bytes":0}"#,
            "\n"
        );
        assert_eq!(ndjson(&FIELDS, letters), expected);
    }
}
