//! `vitals dlq show`: one message that was refused, as it came.

use color_eyre::eyre::Result;
use serde_json::Value as Json;

use super::letters::{Choice, Letters};
use super::{DlqError, connect, sent, size_bytes};
use crate::advice::Code;
use crate::cmd::Context;
use crate::cmd::common::escaped::{self, text};
use crate::cmd::common::offset_argument;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::dead_letter::{KeptLetter, Unfinished};
use crate::kafka::history::Stretch;
use crate::output::{Cell, Column, Format, FormatArgs, Value, counted, visible};
use crate::pipeline;

/// Which letter.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The place is that of the message in its own topic, as `vitals dlq list` shows
it. Bytes that are not UTF-8 come as \\xHH, except with --raw. Today's reason is
why it would be refused if it were sent again.

Examples:
  vitals dlq show 2:41
  vitals dlq show 2:41 --raw > message.bin")]
pub(super) struct Args {
    /// Where the message stood in its topic
    #[arg(value_name = "PARTITION:OFFSET", value_parser = offset_argument::parse_offset)]
    place: (i32, i64),
    /// Only the value, as it came
    #[arg(long, conflicts_with = "format")]
    raw: bool,
    #[command(flatten)]
    format: FormatArgs,
}

const COLUMNS: [Column; 9] = [
    Column::text("timestamp", "sent"),
    Column::text("topic", "topic"),
    Column::number("partition", "partition"),
    Column::number("offset", "offset"),
    Column::text("reason", "reason"),
    Column::text("reason_today", "today"),
    Column::text("key", "key"),
    Column::text("headers", "headers"),
    Column::text("value", "value"),
];

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let letter = find(args, context).await?;
    let output = &context.output;
    if args.raw {
        output.bytes(letter.original.value.as_deref().unwrap_or_default())?;
    } else if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        output.line(lines(&letter).join("\n"))?;
    } else {
        let mut rows = output.rows(args.format, &COLUMNS);
        rows.push(row(&letter))?;
        rows.finish()?;
    }
    Ok(Code::Done)
}

async fn find(args: &Args, context: &Context) -> Result<KeptLetter> {
    let ((partition, offset), source) = (args.place, &context.settings.topic);
    let (topic, mut cluster) = (dead_letter_topic(source), connect(context).await?);
    let offsets = Some(Stretch { partition, start: offset, end: offset.saturating_add(1) });
    let choice = Choice { offsets, ..Choice::default() };
    let mut letters = Letters::open(&mut cluster, &topic, source, &choice).await?;
    if let Some(letter) = letters.next().await? {
        return Ok(letter);
    }
    Err(match letters.unfinished().first() {
        Some(Unfinished { found, parts, .. }) => DlqError::NotWhole { partition, offset, found: *found, parts: *parts },
        None => DlqError::NoLetter { partition, offset },
    })?
}

/// The code for which it would be refused now.
pub(super) fn reason_today(letter: &KeptLetter) -> Option<&'static str> {
    pipeline::decode(&letter.original).err().map(|reject| reject.code())
}

fn row(letter: &KeptLetter) -> Vec<Cell> {
    let headers = letter.original.headers.iter().map(escaped::header).collect();
    let values: [Value; 9] = [
        sent(letter).map(|time| time.to_string()).into(),
        letter.topic.as_str().into(),
        letter.partition.into(),
        letter.offset.into(),
        letter.reason.as_str().into(),
        reason_today(letter).into(),
        letter.original.key.as_deref().map(text).into(),
        Json::Array(headers).into(),
        letter.original.value.as_deref().map(text).into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

/// For people: what is known of it, and under that the value. What could drive a terminal is made visible.
fn lines(letter: &KeptLetter) -> Vec<String> {
    let KeptLetter { reason, topic, partition, offset, original } = letter;
    let mut lines = vec![
        format!("message   {partition}:{offset} of {topic}"),
        format!("sent      {}", sent(letter).map_or_else(|| "at a time not known".to_owned(), |time| time.to_string())),
        format!("refused   {reason}"),
        format!("today     {}", reason_today(letter).unwrap_or("it would be taken")),
        format!("key       {}", original.key.as_deref().map_or_else(|| "none".to_owned(), text)),
    ];
    lines.extend(original.headers.iter().map(|header| {
        let value = header.value.as_deref().map_or_else(|| "null".to_owned(), text);
        format!("header    {}={value}", text(&header.key))
    }));
    lines.push(format!("value     {}", counted(size_bytes(letter), "byte")));
    let mut lines: Vec<_> = lines.iter().map(|line| visible(line)).collect();
    if let Some(value) = &original.value {
        lines.extend(text(value).lines().map(visible));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::dlq::tests::letter;
    use crate::output::Output;

    #[test]
    fn people_see_what_is_known_and_the_value_below_it() {
        let told = lines(&letter("sign_type", Some(b"P1"), Some(b"{\x1b\n\xff}")));
        let expected = [
            "message   2:41 of t",
            "sent      2025-10-26T10:30:15.123000+00:00",
            "refused   sign_type",
            "today     not_utf8",
            "key       P1",
            "value     5 bytes",
        ];
        assert_eq!(told[..6], expected);
        assert_eq!(told.len(), 8, "{told:?}");
        assert!(!told[6].contains('\x1b') && told[7] == "\\xff}", "{told:?}");
    }

    #[test]
    fn programs_get_the_reason_of_today_beside_the_old_one() {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        let value = br#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;
        rows.push(row(&letter("no_sign", None, Some(value)))).unwrap();
        rows.finish().unwrap();
        let told: Json = serde_json::from_str(&memory.stdout()).unwrap();
        assert_eq!((&told["reason"], &told["reason_today"]), (&"no_sign".into(), &Json::Null));
        assert_eq!((&told["key"], &told["headers"]), (&Json::Null, &Json::Array(Vec::new())));
    }
}
