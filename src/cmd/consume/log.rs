//! What `vitals consume` logs as a service: events with names that are stable, and no patient data.
//!
//! Without `--log-format` nobody listens to these events, and the [screen](super::screen) talks to a person instead.
//! The guide lists them: `src/guide/operators.md`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::pipeline::Summary;
use crate::pipeline::events::{Listener, PipelineEvent, Progress, Trouble, TroubleKind};
use crate::reading::reject::Reject;
use crate::settings::Settings;

/// How often messages that are refused for one reason are logged: a device that sends nothing else must not fill it.
const REFUSED_AGAIN: Duration = Duration::from_secs(10);

/// How often it is logged how far things are, among the single steps.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Listens, and logs.
pub(super) struct Log<'a> {
    topic: &'a str,
    began: Instant,
    /// By the code of the reason: of a limited number, since these are.
    refused: BTreeMap<&'static str, Refused>,
    /// Since when the store has taken nothing, where that was logged.
    writes_failed: Option<Instant>,
    /// Since when nothing was read, where that was logged.
    fetch_held_up: Option<Instant>,
    progress: (Instant, Progress),
}

/// Messages that were refused for one reason.
struct Refused {
    logged: Instant,
    /// How many there were since.
    count: u64,
    /// Where the first of these stood, and why it was refused.
    first: Option<(i32, i64, String)>,
}

impl<'a> Log<'a> {
    /// Logs what begins.
    pub(super) fn started(settings: &'a Settings) -> Self {
        let Settings { topic, group, brokers, store, .. } = settings;
        tracing::info!(
            event = "started",
            version = env!("CARGO_PKG_VERSION"),
            %topic, %group, %brokers, %store,
            "consuming"
        );
        let now = Instant::now();
        Self {
            topic,
            began: now,
            refused: BTreeMap::new(),
            writes_failed: None,
            fetch_held_up: None,
            progress: (now, Progress::default()),
        }
    }

    /// Logs how it ended.
    pub(super) fn ended(mut self, summary: &Summary) {
        self.log_refused(Duration::ZERO);
        let Progress { messages, stored, expired, refused, alarms, deleted, .. } = summary.progress;
        let (topic, seconds, durable) = (self.topic, self.began.elapsed().as_secs_f64(), summary.is_durable);
        if summary.is_clean {
            let text = if summary.is_durable {
                "all that was taken up is stored and committed"
            } else {
                "all that was taken up is stored; the last of it is not committed, and is read again"
            };
            tracing::info!(
                event = "drained",
                topic,
                messages,
                stored,
                expired,
                refused,
                alarms,
                deleted,
                seconds,
                durable,
                "{text}"
            );
        } else {
            let text = "what is not stored and committed is read again by the next consumer";
            tracing::warn!(
                event = "cut_short",
                topic,
                messages,
                stored,
                expired,
                refused,
                alarms,
                deleted,
                seconds,
                durable,
                "{text}"
            );
        }
    }

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        let code = reject.code();
        if let Some(refused) = self.refused.get_mut(code) {
            refused.count += 1;
            refused.first.get_or_insert_with(|| (partition, offset, reject.to_string()));
        } else {
            log_refused(self.topic, code, 1, &(partition, offset, reject.to_string()));
            self.refused.insert(code, Refused { logged: Instant::now(), count: 0, first: None });
        }
    }

    /// Logs what was refused for the same reasons since, where that was logged so long ago.
    fn log_refused(&mut self, again: Duration) {
        let topic = self.topic;
        self.refused.retain(|code, refused| {
            if refused.logged.elapsed() < again {
                return true;
            }
            let Some(first) = refused.first.take() else { return false };
            log_refused(topic, code, refused.count, &first);
            *refused = Refused { logged: Instant::now(), count: 0, first: None };
            true
        });
    }

    fn trouble(&mut self, Trouble { kind, text, attempts }: Trouble<'_>) {
        let (topic, event, text) = (self.topic, kind.name(), own_words(kind, text, attempts));
        let began = match kind {
            TroubleKind::WriteFailed => Some(&mut self.writes_failed),
            TroubleKind::WriteRefused if attempts.is_some() => Some(&mut self.writes_failed),
            TroubleKind::FetchHeldUp => Some(&mut self.fetch_held_up),
            _ => None,
        };
        if let Some(began) = began {
            began.get_or_insert_with(Instant::now);
        }
        match kind {
            TroubleKind::Gap { partition, offset, lost } => {
                tracing::error!(event, topic, partition, offset, lost, "{text}");
            }
            TroubleKind::LogCut { partition, offset } => tracing::warn!(event, topic, partition, offset, "{text}"),
            TroubleKind::RulesTakenUp { version } => tracing::info!(event, version, "{text}"),
            TroubleKind::RulesUnreadable { version } | TroubleKind::AdmissionUnreadable { version } => {
                tracing::warn!(event, version, "{text}");
            }
            TroubleKind::LastCommitWaits => tracing::info!(event, topic, "{text}"),
            _ => tracing::warn!(event, topic, attempts, "{text}"),
        }
    }

    /// Something was read.
    fn read(&mut self) {
        if let Some(since) = self.fetch_held_up.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(event = "fetch_resumed", topic = self.topic, seconds, "messages are read again");
        }
    }

    fn progress(&mut self, now: Progress) {
        self.log_refused(REFUSED_AGAIN);
        let (logged, before) = self.progress;
        if now != before && logged.elapsed() >= PROGRESS_INTERVAL {
            self.progress = (Instant::now(), now);
            let (topic, Progress { messages, stored, expired, refused, alarms, deleted, lag }) = (self.topic, now);
            tracing::debug!(
                event = "progress",
                topic,
                messages,
                stored,
                expired,
                refused,
                alarms,
                deleted,
                lag,
                "how far it is"
            );
        }
    }
}

impl Listener for Log<'_> {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        let topic = self.topic;
        match event {
            PipelineEvent::Assigned(assigned) => {
                let numbers: Vec<_> = assigned.iter().map(|of| of.partition.to_string()).collect();
                let (count, partitions) = (numbers.len(), numbers.join(","));
                tracing::info!(event = "partitions_assigned", topic, count, partitions, "these are read from now on");
                for of in assigned {
                    let (partition, offset, end) = (of.partition, of.start_offset, of.end_offset);
                    tracing::debug!(event = "partition_begun", topic, partition, offset, end, "where it begins");
                }
            }
            PipelineEvent::Revoked => {
                tracing::info!(event = "partitions_revoked", topic, "the group shares them out anew");
            }
            // What patients have is for the screen, and figures are for metrics.
            PipelineEvent::Reading { .. } => self.read(),
            PipelineEvent::Alarm(_) | PipelineEvent::Outcome { .. } | PipelineEvent::Standing { .. } => {}
            PipelineEvent::Refused { partition, offset, reject } => {
                self.read();
                self.refused(partition, offset, reject);
            }
            PipelineEvent::Stored { batch, .. } => {
                if !batch.readings.is_empty()
                    && let Some(since) = self.writes_failed.take()
                {
                    let seconds = since.elapsed().as_secs_f64();
                    tracing::info!(event = "write_resumed", seconds, "the store takes readings again");
                }
            }
            PipelineEvent::Unkeyed { partition, offset } => tracing::warn!(
                event = "message_unkeyed",
                topic,
                partition,
                offset,
                hint = "let the producer send patient_id as the key, as `vitals produce` does",
                "messages without a key: a patient's readings may be spread over partitions and come out of order"
            ),
            PipelineEvent::Stray => tracing::warn!(
                event = "patient_in_two_partitions",
                topic,
                hint = "let the producer send patient_id as the key, as `vitals produce` does",
                "the readings of a patient come in two partitions: its alarms may be raised twice, or late"
            ),
            PipelineEvent::Trouble(trouble) => self.trouble(trouble),
            PipelineEvent::Progress(progress) => self.progress(progress),
        }
    }
}

fn log_refused(topic: &str, reason: &str, count: u64, (partition, offset, why): &(i32, i64, String)) {
    tracing::warn!(event = "reading_refused", topic, partition, offset, reason, count, "{why}");
}

/// The text of trouble, but for what others have written that may be about a patient: why a set of rules was applied, what
/// was entered for a patient, what a table's owner says of a row.
fn own_words(kind: TroubleKind, text: &str, attempts: Option<u32>) -> &str {
    match (kind, attempts) {
        (TroubleKind::RulesTakenUp { .. }, _) => "another set of rules is in force",
        (TroubleKind::AdmissionUnreadable { .. }, _) => {
            "what was entered for a patient cannot be read here; what was known of the patient stays in force"
        }
        (TroubleKind::MinutesFailed, _) => "what the readings of a minute come to could not be kept yet; trying again",
        (TroubleKind::MinutesRefused, _) => {
            "the store refuses what the readings of some minutes come to; `vitals retention minutes` makes them"
        }
        (TroubleKind::AlarmWriteRefused, _) => "the store refuses alarms; trying again to store them",
        (TroubleKind::WriteRefused, None) => "the store refuses rows for good; their messages go to the dead letters",
        (TroubleKind::WriteRefused, Some(_)) => {
            "the store refuses every row; trying again, nothing is committed meanwhile"
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::output::{LogFormat, LogLevel, logged};
    use crate::pipeline::source::Assigned;
    use crate::pipeline::store::Batch;
    use crate::settings::{self, Environment, Flags};

    /// What is logged at this level while a listener hears this.
    fn heard(level: LogLevel, work: impl FnOnce(&mut Log<'_>)) -> Vec<Value> {
        let settings = settings::resolve(&Flags::default(), &Environment::default()).unwrap();
        let lines = logged(LogFormat::Json, level, |_| work(&mut Log::started(&settings)));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn events(lines: &[Value]) -> Vec<&str> {
        lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
    }

    fn trouble(kind: TroubleKind, attempts: Option<u32>) -> PipelineEvent<'static> {
        PipelineEvent::Trouble(Trouble { kind, text: "of P001", attempts })
    }

    fn stored(batch: &Batch) -> PipelineEvent<'_> {
        PipelineEvent::Stored { batch, took: Duration::from_millis(1) }
    }

    #[test]
    fn what_was_away_is_logged_as_back_once() {
        let mut batch = Batch::default();
        batch.readings.push(crate::reading::decode(READING.as_bytes()).unwrap());
        let lines = heard(LogLevel::Info, |log| {
            log.hear(stored(&batch));
            log.hear(trouble(TroubleKind::WriteFailed, Some(4)));
            log.hear(stored(&Batch::default()));
            log.hear(stored(&batch));
            log.hear(stored(&batch));
            log.hear(trouble(TroubleKind::WriteRefused, None));
            log.hear(stored(&batch));
        });
        assert_eq!(events(&lines), ["started", "write_failed", "write_resumed", "write_refused"]);
        assert_eq!((&lines[1]["level"], &lines[1]["attempts"]), (&"warn".into(), &4.into()));
        assert!(lines[2]["seconds"].as_f64().is_some_and(|seconds| seconds < 60.0), "{lines:?}");
    }

    const READING: &str = r#"{"patient_id":"P001","timestamp":"2025-10-26T10:30:15Z","heart_rate":95}"#;

    #[test]
    fn a_device_that_sends_what_is_refused_does_not_fill_the_log_and_every_message_is_counted() {
        let lines = heard(LogLevel::Warn, |log| {
            for offset in 0..1_000 {
                log.hear(PipelineEvent::Refused { partition: 3, offset, reject: &Reject::NotUtf8 });
                log.hear(PipelineEvent::Progress(Progress { messages: 1, ..Progress::default() }));
            }
            log.hear(PipelineEvent::Refused { partition: 4, offset: 7, reject: &Reject::NoSign });
            log.log_refused(Duration::ZERO);
            log.log_refused(Duration::ZERO);
        });
        let shown: Vec<_> = lines
            .iter()
            .map(|line| {
                (
                    line["reason"].as_str().unwrap(),
                    line["partition"].clone(),
                    line["offset"].clone(),
                    line["count"].clone(),
                )
            })
            .collect();
        let expected = [("not_utf8", 3, 0, 1), ("no_sign", 4, 7, 1), ("not_utf8", 3, 1, 999)]
            .map(|(code, partition, offset, count)| (code, partition.into(), offset.into(), count.into()));
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_people_wrote_is_not_logged() {
        let lines = heard(LogLevel::Debug, |log| {
            log.hear(trouble(TroubleKind::RulesTakenUp { version: 3 }, None));
            log.hear(trouble(TroubleKind::AdmissionUnreadable { version: 4 }, None));
            log.hear(trouble(TroubleKind::WriteRefused, None));
            log.hear(trouble(TroubleKind::WriteRefused, Some(4)));
            log.hear(trouble(TroubleKind::AlarmWriteRefused, Some(4)));
        });
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| !line.to_string().contains("P001")), "{lines:?}");
        assert_eq!((&lines[1]["version"], &lines[1]["level"]), (&3.into(), &"info".into()));
    }

    #[test]
    fn lost_messages_are_an_error_with_their_place_and_partitions_come_as_one_line() {
        let lines = heard(LogLevel::Info, |log| {
            let of = |partition| Assigned { partition, history_offset: 0, start_offset: 0, end_offset: 9 };
            log.hear(PipelineEvent::Assigned(&[of(0), of(2)]));
            log.hear(trouble(TroubleKind::Gap { partition: 2, offset: 4, lost: 5 }, None));
            log.hear(PipelineEvent::Revoked);
        });
        assert_eq!(events(&lines), ["started", "partitions_assigned", "gap", "partitions_revoked"]);
        assert_eq!((&lines[1]["partitions"], &lines[1]["count"]), (&"0,2".into(), &2.into()));
        assert_eq!((&lines[2]["level"], &lines[2]["lost"]), (&"error".into(), &5.into()));
    }

    #[test]
    fn an_end_that_leaves_something_is_a_warning() {
        let summary = |is_clean| Summary { progress: Progress::default(), is_clean, is_durable: true };
        for (is_clean, end) in [(true, ("info", "drained")), (false, ("warn", "cut_short"))] {
            let settings = settings::resolve(&Flags::default(), &Environment::default()).unwrap();
            let lines = logged(LogFormat::Json, LogLevel::Info, |_| Log::started(&settings).ended(&summary(is_clean)));
            let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
            assert_eq!((last["level"].as_str().unwrap(), last["event"].as_str().unwrap()), end);
        }
    }
}
