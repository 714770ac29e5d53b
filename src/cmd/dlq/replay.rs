//! `vitals dlq replay`: what was refused goes to the topic of the readings again.
//!
//! Each letter is sent once at most: what Kafka does not acknowledge is not tried again, but reported.

use chrono::Utc;
use color_eyre::eyre::Result;

use super::letters::{Choice, DeadLetters};
use super::{DlqError, dead_letters, key, reason_today};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, Table};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::append::append;
use crate::kafka::cluster::{Cluster, Leaders};
use crate::kafka::dead_letter::KeptLetter;
use crate::output::{Column, FormatArgs, Output};
use crate::reading::reject::UNDECODABLE_BATCH;
use crate::record::Record;
use crate::record::murmur2::partition_of;

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
    #[arg(long = "dry-run")]
    dry_run: bool,
    /// Send also what would be refused again
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    format: FormatArgs,
}

const FIELDS: [Field<Replayed>; 7] = [
    (Column::number("partition", "PARTITION"), |of| of.letter.partition.into()),
    (Column::number("offset", "OFFSET"), |of| of.letter.offset.into()),
    (Column::text("reason", "REASON"), |of| of.letter.reason.as_str().into()),
    (Column::text("key", "KEY"), |of| key(&of.letter)),
    (Column::text("action", "ACTION"), |of| of.action.into()),
    (Column::number("to_partition", "TO"), |of| of.to.into()),
    (Column::text("reason_today", "TODAY"), |of| of.reason_today.into()),
];

/// What became of a letter.
struct Replayed {
    letter: KeptLetter,
    action: &'static str,
    to: Option<i32>,
    reason_today: Option<&'static str>,
}

/// A batch is sent when it has so many letters.
const BATCH_LETTERS: usize = 500;
/// A batch is sent before it is larger; a larger letter goes alone.
const BATCH_BYTES: usize = 256 * 1024;

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let mut replay = Replay::new(args, &context.output);
    let ended = tokio::select! {
        ended = send(args, context, &mut replay) => Some(ended),
        () = context.shutdown.wait() => None,
    };
    match ended {
        Some(Ok(left_out)) => replay.finish(left_out).map(|()| Code::Done),
        Some(Err(error)) => {
            replay.table.flush()?;
            Err(error)
        }
        None => replay.cut_short().map(|()| Code::CutShort),
    }
}

/// Sends what can be sent; returns what to say of letters that are not whole.
async fn send(args: &Args, context: &Context, replay: &mut Replay<'_>) -> Result<Option<String>> {
    let source = &context.settings.topic;
    let topic = dead_letter_topic(source);
    let mut reading = app::open_led_kafka(&context.settings, &[source, &topic], None, &context.output).await?;
    let mut sending = Cluster::connect(app::kafka_config(&context.settings)?).await?;
    let leaders = sending.leaders(source).await?;
    let mut letters = DeadLetters::open(&mut reading, &topic, source, &args.choice).await?;
    let mut batch = Batch::default();
    while let Some(letter) = letters.next().await? {
        if letters.is_unsure {
            return Err(DlqError::TooMany.into());
        }
        if is_held_back(&letter, args.force) {
            replay.hold_back(letter)?;
            continue;
        }
        let to = target(&letter, &leaders);
        if !batch.has_room(to, &letter) {
            replay.deliver(std::mem::take(&mut batch), &mut sending, &leaders, source).await?;
        }
        batch.add(to, letter);
    }
    let left_out = letters.left_out();
    replay.deliver(batch, &mut sending, &leaders, source).await?;
    Ok(left_out)
}

/// A whole batch that could not be opened is no message that could be sent; anything else is what it was.
fn is_held_back(letter: &KeptLetter, force: bool) -> bool {
    is_whole_batch(letter) || (!force && reason_today(letter).is_some())
}

fn is_whole_batch(letter: &KeptLetter) -> bool {
    letter.reason == UNDECODABLE_BATCH
}

/// Where its patient's readings are; what has no key goes back to where it came from.
fn target(letter: &KeptLetter, leaders: &Leaders) -> i32 {
    let count = i32::try_from(leaders.count()).unwrap_or(i32::MAX).max(1);
    match &letter.original.key {
        Some(key) => partition_of(key, count),
        None => letter.partition.rem_euclid(count),
    }
}

/// Letters that are sent in one record batch.
#[derive(Debug, Default)]
struct Batch {
    to: i32,
    letters: Vec<KeptLetter>,
    size_bytes: usize,
}

impl Batch {
    fn has_room(&self, to: i32, letter: &KeptLetter) -> bool {
        let fits = self.letters.len() < BATCH_LETTERS && self.size_bytes + letter.original.size_bytes() <= BATCH_BYTES;
        self.letters.is_empty() || (self.to == to && fits)
    }

    fn add(&mut self, to: i32, letter: KeptLetter) {
        self.to = to;
        self.size_bytes += letter.original.size_bytes();
        self.letters.push(letter);
    }
}

struct Replay<'a> {
    output: &'a Output,
    table: Table<'a, Replayed>,
    dry_run: bool,
    sent: u64,
    held_back: u64,
    /// Those that hold a whole batch.
    whole_batches: u64,
    /// How many are with Kafka and not acknowledged.
    in_flight: usize,
}

impl<'a> Replay<'a> {
    fn new(args: &Args, output: &'a Output) -> Self {
        let table = Table::new(output, args.format, &FIELDS);
        Self { output, table, dry_run: args.dry_run, sent: 0, held_back: 0, whole_batches: 0, in_flight: 0 }
    }

    fn hold_back(&mut self, letter: KeptLetter) -> Result<()> {
        let reason_today = if is_whole_batch(&letter) {
            self.whole_batches += 1;
            Some(UNDECODABLE_BATCH)
        } else {
            self.held_back += 1;
            reason_today(&letter)
        };
        Ok(self.table.push(&Replayed { letter, action: "held_back", to: None, reason_today })?)
    }

    async fn deliver(&mut self, batch: Batch, cluster: &mut Cluster, leaders: &Leaders, topic: &str) -> Result<()> {
        let Some(first) = batch.letters.first() else { return Ok(()) };
        if !self.dry_run {
            let now = Utc::now().timestamp_millis();
            let record = |letter: &KeptLetter| Record { timestamp_ms: now, ..letter.original.clone() };
            let records: Vec<_> = batch.letters.iter().map(record).collect();
            self.in_flight = records.len();
            let appended = append(cluster, leaders, topic, batch.to, &records, "a letter").await;
            self.in_flight = 0;
            appended.map_err(|source| DlqError::Broken {
                sent: self.sent,
                unsure: batch.letters.len(),
                partition: first.partition,
                offset: first.offset,
                source,
            })?;
        }
        let action = if self.dry_run { "would_send" } else { "sent" };
        for letter in batch.letters {
            self.sent += 1;
            let reason_today = reason_today(&letter);
            self.table.push(&Replayed { letter, action, to: Some(batch.to), reason_today })?;
        }
        Ok(())
    }

    fn finish(self, left_out: Option<String>) -> Result<()> {
        self.table.finish()?;
        let did = if self.dry_run { "dry run, nothing was sent; to send:" } else { "sent again:" };
        self.output.note(format_args!("{did} {}", dead_letters(self.sent)));
        if self.held_back > 0 {
            let held_back = self.held_back;
            self.output.note(format_args!("held back, since they would be refused again: {held_back} (see --force)"));
        }
        if self.whole_batches > 0 {
            self.output.note(format_args!("held back, since a whole batch is no message: {}", self.whole_batches));
        }
        if let Some(left_out) = left_out {
            self.output.note(left_out);
        }
        Ok(())
    }

    fn cut_short(mut self) -> Result<()> {
        self.table.flush()?;
        self.output.note(format_args!("cut short; sent again so far: {}", dead_letters(self.sent)));
        if self.in_flight > 0 {
            self.output.note(format_args!("of {} more it is not known", self.in_flight));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::cmd::dlq::tests::letter;

    const READING: &[u8] = br#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97}"#;

    #[test]
    fn what_would_be_refused_again_is_sent_only_by_force_and_a_whole_batch_never() {
        for (reason, value, force, held_back) in [
            ("no_sign", READING, false, false),
            ("not_json", b"{", false, true),
            ("not_json", b"{", true, false),
            ("undecodable_batch", READING, true, true),
        ] {
            assert_eq!(is_held_back(&letter(reason, None, Some(value)), force), held_back, "{reason} {force}");
        }
    }

    #[test]
    fn a_letter_goes_where_its_patient_is_and_without_a_key_to_where_it_was() {
        let leaders = |count| Leaders((0..count).map(|partition| (partition, Some(1))).collect());
        assert_eq!(target(&letter("no_sign", Some(b"P001"), None), &leaders(6)), partition_of(b"P001", 6));
        assert_eq!(target(&letter("no_sign", None, None), &leaders(6)), 2);
        assert_eq!(target(&letter("no_sign", None, None), &leaders(1)), 0);
    }

    #[test]
    fn a_batch_has_one_target_and_a_limit() {
        let mut batch = Batch::default();
        let small = || letter("no_sign", None, Some(READING));
        batch.add(3, small());
        assert!(batch.has_room(3, &small()) && !batch.has_room(4, &small()));
        batch.size_bytes = BATCH_BYTES;
        assert!(!batch.has_room(3, &small()));
    }

    #[test]
    fn programs_get_what_became_of_each_letter() {
        let letter = letter("no_sign", Some(b"P1"), Some(READING));
        let expected = concat!(
            r#"{"partition":2,"offset":41,"reason":"no_sign","key":"P1","action":"sent","to_partition":5,"#,
            r#""reason_today":null}"#,
            "\n"
        );
        assert_eq!(ndjson(&FIELDS, [Replayed { letter, action: "sent", to: Some(5), reason_today: None }]), expected);
    }
}
