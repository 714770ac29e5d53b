//! `vitals audit`: whether every message is a row, a repeat or a dead letter.
//!
//! Reads the topic from outside of any group, partition by partition and window by window, so that memory is bounded
//! whatever its size. What a window alone cannot decide is remembered, and decided by reading the topic, or the dead
//! letters, once more.

mod datum;
mod pending;
mod report;
mod scope;
mod window;

use std::time::Duration;

use chrono::Utc;
use color_eyre::eyre::Result;

use self::pending::{ContentHash, Differing, DifferingMessage, MAX_DIFFERING, MAX_REFUSED, OtherMessage, Refused};
use self::report::{Discrepancy, Finding, Report};
use self::scope::Scope;
use self::window::{Judged, Verdict, Window};
use super::Context;
use super::common::progress_line::ProgressLine;
use super::common::{message, offset_argument, time_argument};
use super::query::QueryError;
use crate::advice::Code;
use crate::app;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letter::{Joiner, Piece};
use crate::kafka::error::KafkaError;
use crate::kafka::history::{self, History, Stretch};
use crate::output::{FormatArgs, Progress};
use crate::pipeline;
use crate::reading::Timestamp;
use crate::record::Record;
use crate::settings::Settings;
use crate::store::{AnyStore, Retention};

/// What to audit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every message below what the group has stored must be one of these:
  a row          its row in the table has every value that it carried
  a repeat       a later message of the same patient and time went over it
  a dead letter  it was refused, and lies in the dead-letter topic as it came
  expired        it is older than what is kept (`vitals retention show`)
What is none of them is listed, and the exit code is 1. The reasons:
  no_row, sign_missing, sign_differs, no_letter, letter_differs
Messages above what the group has stored are counted, and are no fault.
Nothing is changed: no group is joined, nothing is committed.

--since and --until are times of readings; of what is no reading, those of
sending. The whole topic is read for them.

Examples:
  vitals audit
  vitals audit --since 'today 08:00' -o ndjson
  vitals audit --offsets 2:0-99999")]
pub struct Args {
    /// Only readings of this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Only readings before this time (as --since)
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// Only these offsets, the last one included
    #[arg(long, value_name = "PARTITION:FIRST-LAST", value_parser = offset_argument::parse, conflicts_with_all = ["since", "until", "partition"])]
    offsets: Option<Stretch>,
    /// Only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Args {
    fn only_partition(&self) -> Option<i32> {
        self.offsets.map(|stretch| stretch.partition).or(self.partition)
    }
}

/// Audits.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let mut report = Report::new(args.format, &context.output);
    let ended = tokio::select! {
        ended = audit(&args, context, &mut report) => Some(ended),
        () = context.shutdown.wait() => None,
    };
    match ended {
        Some(Ok(scope)) => report.finish(&scope, &context.settings.group),
        Some(Err(error)) => {
            // What was found before the trouble is worth seeing.
            if report.counts != report::Counts::default() {
                report.break_off()?;
            }
            Err(error)
        }
        None => report.break_off().map(|()| Code::CutShort),
    }
}

async fn audit(args: &Args, context: &Context, report: &mut Report<'_>) -> Result<Scope> {
    let Context { settings, output, .. } = context;
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(QueryError::EmptyRange { since, until }.into());
    }
    let mut cluster = app::open_led_kafka(settings, &[&settings.topic], Some(&settings.group), output).await?;
    let store = app::open_store_to_read(settings, output).await?;
    let retention = store.retention().await?;
    let scope = scope::find(&mut cluster, settings, args).await?;
    let total = Some(scope.offsets());
    let mut audit = Audit {
        settings,
        store: &store,
        retention,
        scope: &scope,
        report,
        differing: Differing::default(),
        refused: Refused::default(),
        progress_line: ProgressLine::of(total).offsets(),
        progress: output.progress(total),
    };
    for stretch in &scope.stretches {
        audit.read(&mut cluster, *stretch).await?;
    }
    audit.decide().await?;
    Ok(scope)
}

/// By how much the clocks of those who wrote and of the store may differ from ours.
const CLOCKS: Duration = Duration::from_secs(60);

struct Audit<'a, 'output> {
    settings: &'a Settings,
    store: &'a AnyStore,
    retention: Retention,
    scope: &'a Scope,
    report: &'a mut Report<'output>,
    differing: Differing,
    refused: Refused,
    progress_line: ProgressLine,
    progress: Progress,
}

impl Audit<'_, '_> {
    /// Reads a part of a partition and holds it against the table, window by window.
    async fn read(&mut self, cluster: &mut Cluster, stretch: Stretch) -> Result<()> {
        let mut history = History::open(cluster, &self.settings.topic, &[stretch]).await?;
        let mut window = Window::default();
        let mut next = stretch.start;
        while let Some((partition, record)) = history.next().await? {
            self.take(&mut window, partition, &record);
            self.report_progress(&mut next, record.offset.saturating_add(1));
            if window.is_full() {
                self.judge(partition, std::mem::take(&mut window)).await?;
            }
            if self.differing.len() >= MAX_DIFFERING || self.refused.len() >= MAX_REFUSED {
                self.decide().await?;
            }
        }
        self.report_progress(&mut next, stretch.end);
        self.judge(stretch.partition, window).await
    }

    fn report_progress(&mut self, next: &mut i64, offset: i64) {
        let gone_by = u64::try_from(offset.saturating_sub(*next)).unwrap_or(0);
        *next = offset.max(*next);
        self.progress_line.add(gone_by, "auditing", &mut self.progress);
    }

    fn take(&mut self, window: &mut Window, partition: i32, record: &Record) {
        match pipeline::decode(record) {
            Ok(reading) if self.scope.is_meant(Some(reading.time())) => {
                window.add(record.offset, ContentHash::of(record), &reading);
            }
            Err(reject) if self.scope.is_meant(message::sent(record.timestamp_ms)) => {
                self.refused.add(partition, record, &reject);
            }
            _ => {}
        }
    }

    async fn judge(&mut self, partition: i32, window: Window) -> Result<()> {
        let rows = window.rows(self.store).await?;
        let now = Timestamp::from_utc(Utc::now())?;
        let may_be_over = |time| self.retention.may_be_over(time, now, CLOCKS);
        for Judged { offset, content, key, verdict } in window.judge(&rows, may_be_over) {
            match verdict {
                Verdict::Expired => self.report.counts.expired += 1,
                Verdict::Row => self.report.counts.rows += 1,
                Verdict::Repeat => self.report.counts.repeats += 1,
                Verdict::Wrong(Discrepancy::SignDiffers(differences)) => {
                    self.differing.add(key, DifferingMessage { partition, offset, content, differences });
                }
                Verdict::Wrong(discrepancy) => {
                    let (patient, time) = (Some(key.0.to_string()), Some(key.1));
                    self.refused.add_reading(content, Finding { partition, offset, patient, time, discrepancy });
                }
            }
        }
        Ok(())
    }

    async fn decide(&mut self) -> Result<()> {
        if self.differing.len() > 0 {
            self.say("asking the topic for later messages");
            self.explain_differences().await?;
            let (findings, repeats) = self.differing.decide();
            self.report.counts.repeats += repeats;
            for (content, finding) in findings {
                self.refused.add_reading(content, finding);
            }
        }
        if self.refused.len() > 0 {
            self.say("looking for dead letters");
            self.find_letters().await?;
            self.refused.decide().into_iter().try_for_each(|finding| self.report.add(finding))?;
        }
        Ok(())
    }

    fn say(&mut self, doing: &str) {
        if self.progress.is_live() {
            self.progress.message(doing);
        }
    }

    async fn explain_differences(&mut self) -> Result<(), KafkaError> {
        // A connection of its own: the other one is in the middle of a partition.
        let mut cluster = Cluster::connect(app::kafka_config(self.settings)?).await?;
        let topic = &self.settings.topic;
        let everything = history::everything(&mut cluster, topic).await?;
        let mut history = History::open(&mut cluster, topic, &everything).await?;
        while let Some((partition, record)) = history.next().await? {
            if let Ok(reading) = &pipeline::decode(&record) {
                let is_audited = self.scope.holds(partition, record.offset);
                self.differing.explain(OtherMessage { partition, offset: record.offset, reading, is_audited });
            }
        }
        Ok(())
    }

    async fn find_letters(&mut self) -> Result<(), KafkaError> {
        let mut cluster = Cluster::connect(app::kafka_config(self.settings)?).await?;
        let topic = dead_letter_topic(&self.settings.topic);
        let everything = match history::everything(&mut cluster, &topic).await {
            // There was never a letter, or somebody has deleted them all.
            Err(KafkaError::NoTopic { .. }) => return Ok(()),
            found => found?,
        };
        let mut history = History::open(&mut cluster, &topic, &everything).await?;
        let mut joiner = Joiner::default();
        while self.refused.len() > 0
            && let Some((_, record)) = history.next().await?
        {
            let piece = Piece::read(&record).filter(|piece| piece.letter().topic == self.settings.topic);
            let letter = piece.and_then(|piece| joiner.join(piece));
            self.report.counts.letters += letter.map_or(0, |letter| self.refused.found(&letter));
        }
        Ok(())
    }
}
