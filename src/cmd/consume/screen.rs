//! What `vitals consume` shows: on standard output what the coursework consumer showed, on standard error the rest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::Alerts;
use crate::alarm::{self, AlarmChange, Alert};
use crate::cmd::common::age;
use crate::cmd::common::line::{ChangeLine, Line};
use crate::output::{Feed, LogLevel, Output, OutputError, Progress as Live, Shown, Text, Tone, counted};
use crate::pipeline::Summary;
use crate::pipeline::events::{Listener, Origin, PipelineEvent, Progress};
use crate::pipeline::source::Assigned;
use crate::reading::Reading;
use crate::reading::reject::Reject;
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// Over how long the rate is taken: long enough to see a ward that sends once a second.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// An alert whose message was sent longer ago than this says so: it stood behind a backlog.
const LATE_MICROS: i64 = 10 * 1_000_000;

/// The consumer's screen.
pub(super) struct Screen<'a> {
    output: &'a Output,
    settings: &'a Settings,
    quiet: bool,
    alerts: Alerts,
    messages: u64,
    feed: Feed,
    live: Option<Live>,
    /// How many messages there were at the times of the last [`RATE_WINDOW`], oldest first.
    recent: VecDeque<(Instant, u64)>,
    began: Instant,
}

impl<'a> Screen<'a> {
    pub(super) fn new(output: &'a Output, settings: &'a Settings, quiet: bool, alerts: Alerts) -> Self {
        let began = Instant::now();
        let recent = VecDeque::from([(began, 0)]);
        Self { output, settings, quiet, alerts, messages: 0, feed: output.feed(), live: None, recent, began }
    }

    /// Says what is read.
    pub(super) fn started(&mut self) {
        let Settings { topic, brokers, group, .. } = self.settings;
        self.print(format!(
            "Consumer started, listening to '{topic}'\nBootstrap servers: {brokers}\nConsumer group: {group}\n\
             Waiting for partition assignment..."
        ));
    }

    /// Says how it ended, after what still waits to be shown; that gets a time that is short where the user has asked
    /// to stop.
    pub(super) async fn ended(mut self, summary: &Summary, shutdown: &Shutdown) -> Result<(), OutputError> {
        let Shown { left_out, failed } = self.feed.end(shutdown.patience()).await;
        self.live = None;
        let Progress { messages, stored, expired, refused, alarms, deleted, .. } = summary.progress;
        let seconds = self.began.elapsed().as_secs_f64();
        let expired = if expired > 0 { format!(", {expired} expired") } else { String::new() };
        self.output.tell_person(format_args!(
            "{} in {seconds:.1} s: {} stored{expired}, {refused} refused, {}",
            counted(messages, "message"),
            counted(stored, "reading"),
            counted(alarms, "alarm")
        ));
        if deleted > 0 {
            let rows = counted(deleted, "row");
            self.output.tell_person(format_args!("{rows} deleted, as older than what is kept"));
        }
        if left_out > 0 {
            let text = format!("{left_out} not shown: standard output was not read");
            self.output.tell(LogLevel::Warn, "stdout_not_read", text);
        }
        if !summary.is_clean {
            self.output.tell_person("cut short: what is not stored and committed is read again by the next consumer");
        }
        if summary.is_clean && !summary.is_durable {
            self.output.tell_person(
                "what was stored last is not durable yet: the next consumer writes it again, which changes nothing",
            );
        }
        failed.map_or(Ok(()), Err)
    }

    /// Messages per second over the last seconds.
    fn rate(&mut self, messages: u64) -> f64 {
        while self.recent.len() > 1 && self.recent.front().is_some_and(|(when, _)| when.elapsed() > RATE_WINDOW) {
            self.recent.pop_front();
        }
        let (when, before) = self.recent.front().copied().unwrap_or((self.began, 0));
        self.recent.push_back((Instant::now(), messages));
        let new = u32::try_from(messages.saturating_sub(before)).unwrap_or(u32::MAX);
        f64::from(new) / when.elapsed().as_secs_f64().max(f64::EPSILON)
    }

    fn print(&mut self, lines: impl Into<Text>) {
        if !self.quiet {
            self.feed.line(lines);
        }
    }
}

impl Listener for Screen<'_> {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(partitions) => self.assigned(partitions),
            PipelineEvent::Revoked => self.print("Waiting for partition assignment..."),
            PipelineEvent::Reading { origin, reading, alerts } => self.reading(origin, reading, alerts),
            PipelineEvent::Alarm(change) => self.alarm(change),
            PipelineEvent::Refused { partition, offset, reject } => self.refused(partition, offset, reject),
            PipelineEvent::Stored { .. } | PipelineEvent::Outcome { .. } | PipelineEvent::Standing { .. } => {}
            PipelineEvent::Unkeyed { partition, offset } => self.output.tell_person(format_args!(
                "note: messages without a key (first at partition {partition}, offset {offset}): a patient's readings \
                 may be spread over partitions and come out of order\nhint: let the producer send patient_id as the \
                 key, as `vitals produce` does"
            )),
            PipelineEvent::Stray => self.output.tell_person(
                "note: the readings of a patient come in two partitions: its alarms may be raised twice, or late\n\
                 hint: let the producer send patient_id as the key, as `vitals produce` does",
            ),
            PipelineEvent::Trouble(trouble) => self.output.tell_person(format_args!("note: {trouble}")),
            PipelineEvent::Progress(progress) => self.progress(&progress),
        }
    }
}

impl Screen<'_> {
    fn assigned(&mut self, partitions: &[Assigned]) {
        let topic = &self.settings.topic;
        let names = partitions.iter().map(|of| format!("TopicPartition(topic='{topic}', partition={})", of.partition));
        let names = names.collect::<Vec<_>>().join(", ");
        self.print(format!("Partitions assigned: {{{names}}}\nListening for messages... (Press Ctrl+C to stop)"));
    }

    fn reading(&mut self, origin: Origin, reading: &Reading, alerts: &[Alert]) {
        self.messages += 1;
        if self.quiet || self.alerts == Alerts::Changes || self.feed.has_failed() {
            return;
        }
        let mut lines = self.heading(origin.partition, origin.offset).plain(Line(reading));
        if !alerts.is_empty() {
            let late = late(origin.sent_ms, Utc::now());
            lines = lines.plain('\n').toned(Tone::Alert, format_args!("{}{late}", alarm::line_of(alerts)));
        }
        self.print(lines);
    }

    fn alarm(&mut self, change: &AlarmChange) {
        if self.alerts == Alerts::Changes && !change.is_covered {
            self.print(ChangeLine(change).text());
        }
    }

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        self.messages += 1;
        if self.alerts == Alerts::Changes {
            return;
        }
        let lines = self.heading(partition, offset).toned(Tone::Doubt, format_args!("  >>> REFUSED: {reject}"));
        self.print(lines);
    }

    fn heading(&self, partition: i32, offset: i64) -> Text {
        let (messages, topic) = (self.messages, &self.settings.topic);
        Text::from(format!("--- Message #{messages} ---\nTopic: {topic}, Partition: {partition}, Offset: {offset}\n"))
    }

    fn progress(&mut self, progress: &Progress) {
        let rate = self.rate(progress.messages);
        let live = self.live.get_or_insert_with(|| self.output.progress(None));
        if live.is_live() {
            live.message(format_args!(
                "{rate:.1} messages/s, lag {}, stored {}, refused {}, alarms {}",
                progress.lag, progress.stored, progress.refused, progress.alarms
            ));
        }
    }
}

/// How late an alert is shown, where it is late.
fn late(sent_ms: i64, now: DateTime<Utc>) -> String {
    let micros = now.timestamp_millis().saturating_sub(sent_ms).saturating_mul(1_000);
    if sent_ms < 0 || micros < LATE_MICROS { String::new() } else { format!(" (late: sent {} ago)", age::age(micros)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_comes_late_says_how_late() {
        let now = DateTime::from_timestamp(1_761_474_615, 0).expect("a time");
        let after = |seconds: i64| late(now.timestamp_millis() - seconds * 1_000, now);
        assert_eq!([after(0), after(9), after(-100)], ["", "", ""]);
        assert_eq!([after(10), after(300)], [" (late: sent 10s ago)", " (late: sent 5m ago)"]);
        assert_eq!(late(-1, now), "", "no one knows when it was sent");
    }
}
