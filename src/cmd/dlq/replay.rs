//! `vitals dlq replay`: what was refused goes to the topic of the readings again.
//!
//! Each letter is sent once at most: what Kafka does not acknowledge is not tried again, but told.

use chrono::Utc;
use color_eyre::eyre::Result;

use super::letters::{Choice, Letters};
use super::show::reason_today;
use super::{DlqError, connect};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::escaped::text;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::append::append;
use crate::kafka::cluster::{Cluster, Leaders};
use crate::kafka::dead_letter::KeptLetter;
use crate::kafka::murmur2::partition_of;
use crate::output::{Cell, Column, FormatArgs, Output, Rows, Value};
use crate::record::Record;

/// Which letters.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For after a rule or a program was mended: key, value and headers go to the topic
of the readings again, each letter once. What would be refused again is held
back and shown with today's reason, unless you add --force. The letters stay
where they are, so that a second replay sends them a second time; the same
reading twice changes nothing.

Examples:
  vitals dlq replay --dry-run
  vitals dlq replay --reason sign_type
  vitals dlq replay --offsets 2:0-99 --force")]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Send also what would be refused again
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    format: FormatArgs,
}

const COLUMNS: [Column; 7] = [
    Column::number("partition", "PARTITION"),
    Column::number("offset", "OFFSET"),
    Column::text("reason", "REASON"),
    Column::text("key", "KEY"),
    Column::text("action", "ACTION"),
    Column::number("to_partition", "TO"),
    Column::text("reason_today", "TODAY"),
];

/// A parcel goes out when it has so many letters.
const PARCEL_LETTERS: usize = 500;
/// A parcel goes out before it is larger; a larger letter goes alone.
const PARCEL_BYTES: usize = 256 * 1024;

/// What becomes of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Send,
    HeldBack,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let mut replay = Replay::new(args, &context.output);
    let ended = tokio::select! {
        ended = send(args, context, &mut replay) => Some(ended),
        () = context.shutdown.wait() => None,
    };
    match ended {
        Some(Ok(())) => replay.finish().map(|()| Code::Done),
        Some(Err(error)) => {
            replay.rows.flush()?;
            Err(error)
        }
        None => replay.cut_short().map(|()| Code::CutShort),
    }
}

async fn send(args: &Args, context: &Context, replay: &mut Replay<'_>) -> Result<()> {
    let source = &context.settings.topic;
    let topic = dead_letter_topic(source);
    let mut reading = connect(context).await?;
    let mut sending = Cluster::connect(&app::kafka_config(&context.settings)).await?;
    let leaders = sending.leaders(source).await?;
    let mut letters = Letters::open(&mut reading, &topic, source, &args.choice).await?;
    let mut parcel = Parcel::default();
    while let Some(letter) = letters.next_for_sure().await? {
        let to = target(&letter, &leaders);
        if fate(&letter, args.force) == Fate::HeldBack {
            replay.held_back(&letter)?;
            continue;
        }
        if !parcel.takes(to, &letter) {
            replay.deliver(std::mem::take(&mut parcel), &mut sending, &leaders, source).await?;
        }
        parcel.add(to, letter);
    }
    replay.left_out = letters.left_out();
    replay.deliver(parcel, &mut sending, &leaders, source).await
}

/// A whole batch that could not be opened is no message that could be sent; anything else is what it was.
fn fate(letter: &KeptLetter, force: bool) -> Fate {
    let can_be_sent = letter.reason != UNDECODABLE_BATCH;
    let is_wanted = force || reason_today(letter).is_none();
    if can_be_sent && is_wanted { Fate::Send } else { Fate::HeldBack }
}

/// The code of letters that hold a whole batch.
const UNDECODABLE_BATCH: &str = "undecodable_batch";

/// Where its patient's readings are; what has no key goes back to where it came from.
fn target(letter: &KeptLetter, leaders: &Leaders) -> i32 {
    let count = i32::try_from(leaders.count()).unwrap_or(i32::MAX).max(1);
    match &letter.original.key {
        Some(key) => partition_of(key, count),
        None => letter.partition.rem_euclid(count),
    }
}

/// Letters that go out in one batch.
#[derive(Debug, Default)]
struct Parcel {
    to: i32,
    letters: Vec<KeptLetter>,
    size_bytes: usize,
}

impl Parcel {
    fn takes(&self, to: i32, letter: &KeptLetter) -> bool {
        let has_room =
            self.letters.len() < PARCEL_LETTERS && self.size_bytes + letter.original.size_bytes() <= PARCEL_BYTES;
        self.letters.is_empty() || (self.to == to && has_room)
    }

    fn add(&mut self, to: i32, letter: KeptLetter) {
        self.to = to;
        self.size_bytes += letter.original.size_bytes();
        self.letters.push(letter);
    }
}

/// A replay on its way.
struct Replay<'a> {
    output: &'a Output,
    rows: Rows<'a>,
    dry_run: bool,
    sent: u64,
    held_back: u64,
    /// Those that hold a whole batch.
    batches: u64,
    /// What to say of those that are not whole.
    left_out: Option<String>,
    /// How many are with Kafka and not acknowledged.
    on_their_way: usize,
}

impl<'a> Replay<'a> {
    fn new(args: &Args, output: &'a Output) -> Self {
        let rows = output.rows(args.format, &COLUMNS);
        Self { output, rows, dry_run: args.dry_run, sent: 0, held_back: 0, batches: 0, left_out: None, on_their_way: 0 }
    }

    fn held_back(&mut self, letter: &KeptLetter) -> Result<()> {
        if letter.reason == UNDECODABLE_BATCH {
            self.batches += 1;
            return Ok(self.rows.push(row(letter, "held_back", None, Some(UNDECODABLE_BATCH)))?);
        }
        self.held_back += 1;
        Ok(self.rows.push(row(letter, "held_back", None, reason_today(letter)))?)
    }

    async fn deliver(&mut self, parcel: Parcel, cluster: &mut Cluster, leaders: &Leaders, topic: &str) -> Result<()> {
        let Some(first) = parcel.letters.first() else { return Ok(()) };
        if !self.dry_run {
            let now = Utc::now().timestamp_millis();
            let record = |letter: &KeptLetter| Record { timestamp_ms: now, ..letter.original.clone() };
            let records: Vec<_> = parcel.letters.iter().map(record).collect();
            self.on_their_way = records.len();
            let appended = append(cluster, leaders, topic, parcel.to, &records, "a letter").await;
            self.on_their_way = 0;
            appended.map_err(|source| DlqError::Broken {
                sent: self.sent,
                unsure: parcel.letters.len(),
                partition: first.partition,
                offset: first.offset,
                source,
            })?;
        }
        let action = if self.dry_run { "would_send" } else { "sent" };
        for letter in &parcel.letters {
            self.sent += 1;
            self.rows.push(row(letter, action, Some(parcel.to), reason_today(letter)))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let Self { sent, held_back, batches, left_out, .. } = self;
        self.rows.finish()?;
        let did = if self.dry_run { "dry run, nothing was sent; to send:" } else { "sent again:" };
        self.output.note(format_args!("{did} {}", super::counted(sent)));
        if held_back > 0 {
            self.output.note(format_args!("held back, since they would be refused again: {held_back} (see --force)"));
        }
        if batches > 0 {
            self.output.note(format_args!("held back, since a whole batch is no message: {batches}"));
        }
        if let Some(left_out) = left_out {
            self.output.note(left_out);
        }
        Ok(())
    }

    fn cut_short(mut self) -> Result<()> {
        self.rows.flush()?;
        self.output.note(format_args!("cut short; sent again so far: {}", super::counted(self.sent)));
        if self.on_their_way > 0 {
            self.output.note(format_args!("of {} more it is not known", self.on_their_way));
        }
        Ok(())
    }
}

fn row(letter: &KeptLetter, action: &str, to: Option<i32>, today: Option<&str>) -> Vec<Cell> {
    let values: [Value; 7] = [
        letter.partition.into(),
        letter.offset.into(),
        letter.reason.as_str().into(),
        letter.original.key.as_deref().map(text).into(),
        action.into(),
        to.into(),
        today.into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::dlq::tests::letter;

    const READING: &[u8] = br#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;

    #[test]
    fn what_is_a_reading_today_is_sent() {
        assert_eq!(fate(&letter("no_sign", None, Some(READING)), false), Fate::Send);
    }

    #[test]
    fn what_would_be_refused_again_is_sent_only_by_force() {
        let broken = letter("not_json", None, Some(b"{"));
        assert_eq!((fate(&broken, false), fate(&broken, true)), (Fate::HeldBack, Fate::Send));
    }

    #[test]
    fn a_whole_batch_is_never_sent() {
        assert_eq!(fate(&letter("undecodable_batch", None, Some(READING)), true), Fate::HeldBack);
    }

    #[test]
    fn a_letter_goes_where_its_patient_is_and_without_a_key_to_where_it_was() {
        let leaders = Leaders((0..6).map(|partition| (partition, Some(1))).collect());
        assert_eq!(target(&letter("no_sign", Some(b"P001"), None), &leaders), partition_of(b"P001", 6));
        assert_eq!(target(&letter("no_sign", None, None), &leaders), 2);
        assert_eq!(target(&letter("no_sign", None, None), &Leaders(vec![(0, Some(1))])), 0);
    }

    #[test]
    fn a_parcel_has_one_target_and_a_limit() {
        let mut parcel = Parcel::default();
        let small = || letter("no_sign", None, Some(READING));
        parcel.add(3, small());
        assert!(parcel.takes(3, &small()) && !parcel.takes(4, &small()));
        parcel.size_bytes = PARCEL_BYTES;
        assert!(!parcel.takes(3, &small()));
    }

    #[test]
    fn programs_get_what_became_of_each_letter() {
        let (output, memory) = Output::into_memory();
        let format = FormatArgs { format: Some(crate::output::Format::Ndjson) };
        let mut rows = output.rows(format, &COLUMNS);
        rows.push(row(&letter("no_sign", Some(b"P1"), Some(READING)), "sent", Some(5), None)).unwrap();
        rows.finish().unwrap();
        let expected = concat!(
            r#"{"partition":2,"offset":41,"reason":"no_sign","key":"P1","action":"sent","to_partition":5,"#,
            r#""reason_today":null}"#,
            "\n"
        );
        assert_eq!(memory.stdout(), expected);
    }
}
