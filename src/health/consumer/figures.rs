//! What is counted of a pipeline, and what it says about the consumer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::alarm::{AlarmChange, Priority, Step};
use crate::health::exposition::{Exposition, Histogram, Kind};
use crate::pipeline::events::{PipelineEvent, Progress, Standing, Task};
use crate::reading::reject;

/// A rebalance is no fault: partitions are waited for so long, as long as a silent member keeps them by default.
const REBALANCE_TIME: Duration = Duration::from_secs(10);
/// The pipeline tells twice a second how things are. Where it has not for so long, it is stuck.
const STILL_LIMIT: Duration = Duration::from_secs(10);
/// Rules come and go with the sets that are applied; alarms of more than so many are counted together,
const MAX_RULES: usize = 200;
/// under this name.
const OTHER_RULES: &str = "other";

/// Every task, with what to say where it is not done and what its failures are counted as.
const TASKS: [(Task, &str, &str); 7] = [
    (Task::Write, "store: writes fail", "store_write"),
    (Task::Ask, "store: it does not tell which rules are in force", "store_read"),
    (Task::Recall, "store: it does not tell which alarms patients have", "alarms_read"),
    (Task::Coordinate, "broker: the group cannot be reached", "group"),
    (Task::Commit, "broker: commits are refused", "commit"),
    (Task::Read, "broker: reading is held up", "fetch"),
    (Task::KeepLetter, "broker: dead letters cannot be kept", "dead_letter"),
];

/// What the consumer has of its group.
#[derive(Debug, Clone, Copy)]
enum Share {
    /// Nothing yet.
    Joining,
    /// Nothing, since then.
    Lost(Instant),
    /// Partitions, or none where others have them all.
    Assigned,
}

/// What was counted, and how things were when they were told last.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    share: Share,
    assignments: u64,
    progress: Progress,
    /// By code.
    refused: BTreeMap<&'static str, u64>,
    /// By rule and name of priority.
    alarms: BTreeMap<(String, &'static str), u64>,
    writes: Histogram,
    /// By [task](TASKS): how often it was not done, and since when it is not.
    undone: [(u64, Option<Instant>); TASKS.len()],
    in_flight_bytes: usize,
    partitions: Vec<Standing>,
    told_at: Option<Instant>,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            share: Share::Joining,
            assignments: 0,
            progress: Progress::default(),
            // A counter that is there from the start shows its first count as a rise.
            refused: reject::CODES.into_iter().map(|code| (code, 0)).collect(),
            alarms: BTreeMap::new(),
            writes: Histogram::default(),
            undone: Default::default(),
            in_flight_bytes: 0,
            partitions: Vec::new(),
            told_at: None,
        }
    }

    pub(super) fn note(&mut self, event: PipelineEvent<'_>, now: Instant) {
        match event {
            PipelineEvent::Assigned(_) => {
                self.share = Share::Assigned;
                self.assignments += 1;
                // It begins to tell.
                self.told_at = Some(now);
            }
            PipelineEvent::Revoked => {
                // Who had none yet is still starting.
                if matches!(self.share, Share::Assigned) {
                    self.share = Share::Lost(now);
                }
                self.partitions.clear();
            }
            PipelineEvent::Alarm(change) => self.alarm(change),
            PipelineEvent::Refused { reject, .. } => *self.refused.entry(reject.code()).or_default() += 1,
            PipelineEvent::Stored { took, .. } => self.writes.add(took),
            PipelineEvent::Outcome { task, is_done } => {
                let mut tasks = TASKS.iter().zip(&mut self.undone);
                if let Some((_, (count, since))) = tasks.find(|((other, ..), _)| *other == task) {
                    *count += u64::from(!is_done);
                    *since = if is_done { None } else { since.or(Some(now)) };
                }
            }
            PipelineEvent::Progress(progress) => self.progress = progress,
            PipelineEvent::Standing { in_flight_bytes, partitions } => {
                self.in_flight_bytes = in_flight_bytes;
                self.partitions.clear();
                self.partitions.extend_from_slice(partitions);
                self.told_at = Some(now);
            }
            PipelineEvent::Reading { .. }
            | PipelineEvent::Unkeyed { .. }
            | PipelineEvent::Stray
            | PipelineEvent::Trouble(_) => {}
        }
    }

    fn alarm(&mut self, change: &AlarmChange) {
        if change.step != Step::Raised {
            return;
        }
        let priority = change.record.alarm.priority.name();
        let key = (change.record.rule.to_string(), priority);
        let is_known = self.alarms.contains_key(&key) || self.alarms.len() < MAX_RULES * Priority::ALL.len();
        let key = if is_known { key } else { (OTHER_RULES.to_owned(), priority) };
        *self.alarms.entry(key).or_default() += 1;
    }

    pub(super) fn reasons(&self, now: Instant) -> Vec<String> {
        let since = |begin: Instant| format!("since {} s", now.saturating_duration_since(begin).as_secs());
        let mut reasons = Vec::new();
        match self.share {
            Share::Joining => reasons.push("starting".to_owned()),
            Share::Lost(begin) if now.saturating_duration_since(begin) >= REBALANCE_TIME => {
                reasons.push(format!("group: no partitions {}", since(begin)));
            }
            Share::Lost(_) | Share::Assigned => {}
        }
        for ((_, what, _), (_, begin)) in TASKS.iter().zip(self.undone) {
            reasons.extend(begin.map(|begin| format!("{what} {}", since(begin))));
        }
        let still = self.told_at.filter(|told_at| now.saturating_duration_since(*told_at) >= STILL_LIMIT);
        reasons.extend(still.map(|told_at| format!("pipeline: it stands still {}", since(told_at))));
        reasons
    }

    /// Adds the metrics as they are at `now_ms`, in milliseconds since 1970.
    pub(super) fn show(&self, to: &mut Exposition, topic: &str, now_ms: i64) {
        let Progress { messages, stored, expired, refused, deleted, .. } = self.progress;
        for (name, help, count) in [
            ("vitals_messages_total", "Messages that were taken up, refused ones included.", messages),
            ("vitals_readings_total", "Readings that the store has acknowledged.", stored),
            ("vitals_expired_total", "Readings that were older than what is kept, and not stored.", expired),
            ("vitals_deleted_rows_total", "Rows that were deleted as older than what is kept; SQLite alone.", deleted),
            ("vitals_dead_letters_total", "Refused messages that are kept as dead letters.", refused),
            ("vitals_assignments_total", "How often the group gave partitions to this consumer.", self.assignments),
        ] {
            to.family(name, Kind::Counter, help).sample(&[], count);
        }
        let mut family = to.family("vitals_refused_total", Kind::Counter, "Messages that were refused, by reason.");
        for (reason, count) in &self.refused {
            family.sample(&[("reason", reason)], count);
        }
        let help = "Alarms that were raised, by rule and by priority when raised.";
        let mut family = to.family("vitals_alarms_total", Kind::Counter, help);
        for ((rule, priority), count) in &self.alarms {
            family.sample(&[("rule", rule), ("priority", priority)], count);
        }
        let help = "Failures of a server that were told, by task; it is asked again.";
        let mut family = to.family("vitals_failures_total", Kind::Counter, help);
        for ((.., task), (count, _)) in TASKS.iter().zip(self.undone) {
            family.sample(&[("task", task)], count);
        }
        let help = "How long the store took to acknowledge a batch, announcing its alarms included.";
        to.histogram("vitals_write_duration_seconds", help, &self.writes);
        let help = "What messages take in memory that are taken up and neither stored nor kept.";
        to.family("vitals_in_flight_bytes", Kind::Gauge, help).sample(&[], self.in_flight_bytes);
        self.show_partitions(to, topic, now_ms);
    }

    fn show_partitions(&self, to: &mut Exposition, topic: &str, now_ms: i64) {
        let help = "Partitions that this consumer has.";
        to.family("vitals_partitions", Kind::Gauge, help).sample(&[("topic", topic)], self.partitions.len());
        let mut each = |name: &str, help: &str, value: &dyn Fn(&Standing) -> Option<String>| {
            let mut family = to.family(name, Kind::Gauge, help);
            for standing in &self.partitions {
                if let Some(value) = value(standing) {
                    family.sample(&[("topic", topic), ("partition", &standing.partition.to_string())], value);
                }
            }
        };
        let lag = |of: &Standing| of.end.saturating_sub(of.stored).max(0);
        each("vitals_lag_records", "Records in the partition, as it was read last, that are not stored.", &|of| {
            Some(lag(of).to_string())
        });
        let help = "How long ago the last record was sent that was read of a partition; 0 where all is stored.";
        each("vitals_lag_seconds", help, &|of| match (lag(of), of.sent_ms) {
            (0, _) => Some("0".to_owned()),
            // A sender whose clock is ahead has not waited a negative time.
            (_, Some(sent_ms)) => {
                let waited = u64::try_from(now_ms.saturating_sub(sent_ms)).unwrap_or(0);
                Some(Duration::from_millis(waited).as_secs_f64().to_string())
            }
            (_, None) => None,
        });
        each("vitals_end_offset", "Behind the last record of the partition, as it was read last.", &|of| {
            Some(of.end.to_string())
        });
        each("vitals_stored_offset", "Everything below is stored, or kept as a dead letter.", &|of| {
            Some(of.stored.to_string())
        });
        each("vitals_committed_offset", "What the group has committed.", &|of| {
            of.committed.map(|committed| committed.to_string())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::store::Batch;
    use crate::reading::reject::Reject;

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    fn assigned(now: Instant) -> Figures {
        let mut figures = Figures::new();
        figures.note(PipelineEvent::Assigned(&[]), now);
        figures
    }

    fn shown(figures: &Figures) -> String {
        let mut exposition = Exposition::default();
        figures.show(&mut exposition, "patient.vitals", 20_500);
        exposition.into_text()
    }

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }

    #[test]
    fn a_consumer_is_ready_as_soon_as_it_is_a_member_also_where_others_have_all_partitions() {
        let now = Instant::now();
        assert_eq!(Figures::new().reasons(now), ["starting"]);
        assert_eq!(assigned(now).reasons(now), Vec::<String>::new());
    }

    #[test]
    fn a_rebalance_is_no_fault_unless_it_lasts() {
        let begin = Instant::now();
        let mut figures = assigned(begin);
        figures.note(PipelineEvent::Revoked, begin);
        let at = |figures: &mut Figures, seconds| {
            let now = after(begin, seconds);
            figures.note(PipelineEvent::Standing { in_flight_bytes: 0, partitions: &[] }, now);
            figures.reasons(now)
        };
        assert_eq!(at(&mut figures, 9), Vec::<String>::new());
        assert_eq!(at(&mut figures, 10), ["group: no partitions since 10 s"]);
    }

    #[test]
    fn what_is_not_done_is_a_reason_from_its_first_failure_until_it_is_done() {
        let begin = Instant::now();
        let mut figures = assigned(begin);
        let tell = |figures: &mut Figures, task, is_done, seconds| {
            figures.note(PipelineEvent::Outcome { task, is_done }, after(begin, seconds));
        };
        tell(&mut figures, Task::Write, false, 1);
        tell(&mut figures, Task::Write, false, 3);
        tell(&mut figures, Task::Coordinate, false, 4);
        assert_eq!(
            figures.reasons(after(begin, 5)),
            ["store: writes fail since 4 s", "broker: the group cannot be reached since 1 s"]
        );
        has(&shown(&figures), "vitals_failures_total{task=\"store_write\"} 2");
        tell(&mut figures, Task::Write, true, 6);
        tell(&mut figures, Task::Coordinate, true, 6);
        assert_eq!(figures.reasons(after(begin, 6)), Vec::<String>::new());
        has(&shown(&figures), "vitals_failures_total{task=\"store_write\"} 2");
    }

    #[test]
    fn a_pipeline_that_tells_nothing_stands_still() {
        let begin = Instant::now();
        let figures = assigned(begin);
        assert_eq!(figures.reasons(after(begin, 9)), Vec::<String>::new());
        assert_eq!(figures.reasons(after(begin, 12)), ["pipeline: it stands still since 12 s"]);
    }

    #[test]
    fn what_is_told_is_shown_with_bounded_labels_and_units() {
        let now = Instant::now();
        let mut figures = assigned(now);
        let standing =
            |partition, stored, end, sent_ms| Standing { partition, stored, committed: Some(1), end, sent_ms };
        let partitions = [standing(0, 7, 10, Some(20_000)), standing(1, 4, 4, Some(0)), standing(2, 0, 1, None)];
        for event in [
            PipelineEvent::Progress(Progress {
                messages: 12,
                stored: 8,
                expired: 1,
                refused: 2,
                alarms: 1,
                deleted: 70,
                lag: 4,
            }),
            PipelineEvent::Standing { in_flight_bytes: 812, partitions: &partitions },
            PipelineEvent::Refused { partition: 0, offset: 3, reject: &Reject::NotUtf8 },
            PipelineEvent::Refused { partition: 0, offset: 4, reject: &Reject::Utf16 },
            PipelineEvent::Stored { batch: &Batch::default(), took: Duration::from_millis(3) },
        ] {
            figures.note(event, now);
        }
        let text = shown(&figures);
        for line in [
            "vitals_messages_total 12",
            "vitals_readings_total 8",
            "vitals_expired_total 1",
            "vitals_deleted_rows_total 70",
            "vitals_dead_letters_total 2",
            "vitals_refused_total{reason=\"not_utf8\"} 2",
            "vitals_refused_total{reason=\"not_json\"} 0",
            "vitals_in_flight_bytes 812",
            "vitals_partitions{topic=\"patient.vitals\"} 3",
            "vitals_lag_records{topic=\"patient.vitals\",partition=\"0\"} 3",
            "vitals_lag_seconds{topic=\"patient.vitals\",partition=\"0\"} 0.5",
            "vitals_lag_seconds{topic=\"patient.vitals\",partition=\"1\"} 0",
            "vitals_stored_offset{topic=\"patient.vitals\",partition=\"0\"} 7",
            "vitals_committed_offset{topic=\"patient.vitals\",partition=\"0\"} 1",
            "vitals_write_duration_seconds_bucket{le=\"0.005\"} 1",
        ] {
            has(&text, line);
        }
        assert!(!text.contains("vitals_lag_seconds{topic=\"patient.vitals\",partition=\"2\"}"), "nobody knows: {text}");
        figures.note(PipelineEvent::Revoked, now);
        assert!(!shown(&figures).contains("partition=\""), "they are somebody else's");
    }
}
