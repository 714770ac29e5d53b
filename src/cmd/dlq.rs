//! `vitals dlq`: what was refused, and to send it again.

pub(in crate::cmd) mod letters;
mod replay;

use std::collections::BTreeMap;

use bytes::Bytes;
use color_eyre::eyre::Result;

use self::letters::{Choice, DeadLetters};
use super::common::message::{self, headers, text};
use super::common::offset_argument;
use super::common::table::{Field, Table, print};
use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::app;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::dead_letter::{KeptLetter, Unfinished};
use crate::kafka::error::KafkaError;
use crate::kafka::history::Stretch;
use crate::output::{Column, Format, FormatArgs, Value, counted, visible};
use crate::pipeline;

/// What to do with dead letters.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A message that cannot become a reading is kept as it came, in the topic of the
readings with .dlq behind its name: `consume` goes on behind it.

Examples:
  vitals dlq list --by reason
  vitals dlq show 2:41
  vitals dlq replay --reason sign_type --dry-run")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what was refused, and why
    List(ListArgs),
    /// Show one message that was refused, as it came
    Show(ShowArgs),
    /// Send what was refused to the topic of the readings again
    Replay(replay::Args),
}

/// Why nothing could be done with dead letters.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DlqError {
    #[error("there is no dead letter of {partition}:{offset}")]
    NoLetter { partition: i32, offset: i64 },
    #[error("the dead letter of {partition}:{offset} is not whole; parts found: {found} of {parts}")]
    NotWhole { partition: i32, offset: i64, found: usize, parts: u32 },
    /// More than can be remembered.
    #[error("there are too many dead letters to be sure that none is sent twice")]
    TooMany,
    /// Kafka did not take some of them: `unsure` of them, the first of which is that of this partition and offset.
    #[error("{} sent; of the next {unsure}, from {partition}:{offset} on, it is not known", counted(*.sent, "letter"))]
    Broken { sent: u64, unsure: usize, partition: i32, offset: i64, source: KafkaError },
}

impl Advice for DlqError {
    fn code(&self) -> Code {
        match self {
            Self::NoLetter { .. } | Self::TooMany => Code::Usage,
            Self::NotWhole { .. } => Code::BadData,
            Self::Broken { source, .. } => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoLetter { .. } => "`vitals dlq list` shows what there is".to_owned(),
            Self::NotWhole { .. } => {
                "while its message is not committed, `vitals consume` keeps it anew; `vitals topic tail` shows the message"
                    .to_owned()
            }
            Self::TooMany => "send them in parts: --offsets or --reason".to_owned(),
            Self::Broken { .. } => {
                "send the rest with --offsets once Kafka is well; a repeated reading changes nothing".to_owned()
            }
        })
    }
}

/// Does it.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    match args.action {
        // What was sent is reported also when it is cut short.
        Action::Replay(args) => replay::run(&args, context).await,
        Action::List(args) => unless_stopped(&context.shutdown, list(&args, context)).await,
        Action::Show(args) => unless_stopped(&context.shutdown, show(&args, context)).await,
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Partition and offset are those of the message in its own topic. A letter that
lies in the dead-letter topic several times is shown once.

Examples:
  vitals dlq list
  vitals dlq list --by reason
  vitals dlq list --reason not_json -o ndjson")]
struct ListArgs {
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

const LIST: [Field<KeptLetter>; 6] = [
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

async fn list(args: &ListArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let topic = dead_letter_topic(&settings.topic);
    let mut cluster = app::open_led_kafka(settings, &[&topic], None, output).await?;
    let mut letters = DeadLetters::open(&mut cluster, &topic, &settings.topic, &args.choice).await?;
    let mut count: u64 = 0;
    match args.by {
        None => {
            let mut table = Table::new(output, args.format, &LIST);
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
    output.note(dead_letters(count));
    if letters.others > 0 {
        let others = counted(letters.others, "message");
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

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The place is that of the message in its own topic, as `vitals dlq list` shows
it. Bytes that are not UTF-8 come as \\xHH, except with --raw. Today's reason is
why it would be refused if it were sent again. What came as HL7 or over HTTP
and was refused never was in the topic: its partition is -1 or -2, and its
headers say where it is wrong.

Examples:
  vitals dlq show 2:41
  vitals dlq show 2:41 --raw > message.bin")]
struct ShowArgs {
    /// Where the message stood in its topic
    #[arg(value_name = "PARTITION:OFFSET", value_parser = offset_argument::parse_offset, allow_hyphen_values = true)]
    place: (i32, i64),
    /// Only the value, as it came
    #[arg(long, conflicts_with = "format")]
    raw: bool,
    #[command(flatten)]
    format: FormatArgs,
}

const SHOW: [Field<KeptLetter>; 9] = [
    (Column::text("timestamp", "sent"), sent),
    (Column::text("topic", "topic"), |letter| letter.topic.as_str().into()),
    (Column::number("partition", "partition"), |letter| letter.partition.into()),
    (Column::number("offset", "offset"), |letter| letter.offset.into()),
    (Column::text("reason", "reason"), |letter| letter.reason.as_str().into()),
    (Column::text("reason_today", "today"), |letter| reason_today(letter).into()),
    (Column::text("key", "key"), key),
    (Column::text("headers", "headers"), |letter| headers(&letter.original.headers).into()),
    (Column::text("value", "value"), |letter| letter.original.value.as_deref().map(text).into()),
];

async fn show(args: &ShowArgs, context: &Context) -> Result<Code> {
    let letter = find(args, context).await?;
    let output = &context.output;
    if args.raw {
        output.bytes(letter.original.value.as_deref().unwrap_or_default())?;
    } else if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        output.line(lines(&letter).join("\n"))?;
    } else {
        print(output, args.format, &SHOW, [letter])?;
    }
    Ok(Code::Done)
}

async fn find(args: &ShowArgs, context: &Context) -> Result<KeptLetter> {
    let ((partition, offset), source) = (args.place, &context.settings.topic);
    let topic = dead_letter_topic(source);
    let mut cluster = app::open_led_kafka(&context.settings, &[&topic], None, &context.output).await?;
    let offsets = Some(Stretch { partition, start: offset, end: offset.saturating_add(1) });
    let choice = Choice { offsets, ..Choice::default() };
    let mut letters = DeadLetters::open(&mut cluster, &topic, source, &choice).await?;
    if let Some(letter) = letters.next().await? {
        return Ok(letter);
    }
    Err(match letters.unfinished().first() {
        Some(Unfinished { found, parts, .. }) => DlqError::NotWhole { partition, offset, found: *found, parts: *parts },
        None => DlqError::NoLetter { partition, offset },
    })?
}

/// The code for which it would be refused now.
fn reason_today(letter: &KeptLetter) -> Option<&'static str> {
    pipeline::decode(&letter.original).err().map(|reject| reject.code())
}

/// For people: what is known of it, and under that the value. What could drive a terminal is made visible.
fn lines(letter: &KeptLetter) -> Vec<String> {
    let KeptLetter { reason, topic, partition, offset, original } = letter;
    let sent =
        message::sent(original.timestamp_ms).map_or_else(|| "at a time not known".to_owned(), |at| at.to_string());
    let mut lines = vec![
        format!("message   {partition}:{offset} of {topic}"),
        format!("sent      {sent}"),
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

/// When the message was sent, where that is known.
fn sent(letter: &KeptLetter) -> Value {
    message::sent(letter.original.timestamp_ms).map(|time| time.to_string()).into()
}

fn key(letter: &KeptLetter) -> Value {
    letter.original.key.as_deref().map(message::text).into()
}

fn size_bytes(letter: &KeptLetter) -> usize {
    letter.original.value.as_ref().map_or(0, Bytes::len)
}

/// `no dead letters`, `1 dead letter`, `2 dead letters`.
fn dead_letters(count: u64) -> String {
    if count == 0 { "no dead letters".to_owned() } else { counted(count, "dead letter") }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::record::Record;

    /// The letter of the message at 2:41.
    pub(super) fn letter(reason: &str, key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> KeptLetter {
        let original = Record {
            offset: 41,
            timestamp_ms: 1_761_474_615_123,
            key: key.map(Bytes::from_static),
            value: value.map(Bytes::from_static),
            headers: Vec::new(),
            fault: None,
        };
        KeptLetter { reason: reason.to_owned(), topic: "t".to_owned(), partition: 2, offset: 41, original }
    }

    #[test]
    fn what_is_not_known_to_be_sent_is_told_with_its_place() {
        let source = KafkaError::NoTopic { topic: "t".to_owned() };
        let error = DlqError::Broken { sent: 12, unsure: 3, partition: 2, offset: 41, source };
        assert_eq!(error.to_string(), "12 letters sent; of the next 3, from 2:41 on, it is not known");
    }

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
        assert_eq!(ndjson(&LIST, letters), expected);
    }

    #[test]
    fn people_see_what_is_known_and_the_value_below_it() {
        let shown = lines(&letter("sign_type", Some(b"P1"), Some(b"{\x1b\n\xff}")));
        let expected = [
            "message   2:41 of t",
            "sent      2025-10-26T10:30:15.123000+00:00",
            "refused   sign_type",
            "today     not_utf8",
            "key       P1",
            "value     5 bytes",
        ];
        assert_eq!(shown[..6], expected);
        assert_eq!(shown.len(), 8, "{shown:?}");
        assert!(!shown[6].contains('\x1b') && shown[7] == "\\xff}", "{shown:?}");
    }

    #[test]
    fn programs_get_the_reason_of_today_beside_the_old_one() {
        let value = br#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;
        let shown = ndjson(&SHOW, [letter("no_sign", None, Some(value))]);
        let shown: Json = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["reason"], &shown["reason_today"]), (&"no_sign".into(), &Json::Null));
        assert_eq!((&shown["key"], &shown["headers"]), (&Json::Null, &Json::Array(Vec::new())));
    }
}
