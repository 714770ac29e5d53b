//! What the demo shows: on a terminal the ward as it is now, elsewhere a line per reading.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::Args;
use crate::admission::Admission;
use crate::alarm::rules::Micros;
use crate::alarm::{AlarmChange, AlarmKey, AlarmRecord, Step};
use crate::cmd::common::line::{AlarmLine, ChangeLine, EndedLine, Line, SignsLine};
use crate::loadtest::meter::Meter;
use crate::output::{Feed, Output, Shown, Text, counted};
use crate::pipeline::events::{Listener, PipelineEvent, Progress};
use crate::reading::{Consciousness, Observed, PatientId, Reading, Signs};
use crate::shutdown::Shutdown;

/// The screen is drawn so often at most.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);

/// So many patients fit on a screen of 24 lines, with what stands around them.
const SHOWN_PATIENTS: usize = 10;

/// How wide the screen is, and what a reading of a patient who is alert and breathes air takes of that at most.
const SCREEN_CHARS: usize = 80;
const LINE_CHARS: usize = 57;

/// So many alarms are shown, the most pressing first.
const SHOWN_ALARMS: usize = 5;

/// So many that are over, the last first.
const SHOWN_ENDED: usize = 2;

/// What the demo shows.
pub(super) struct View {
    output: Output,
    meter: Arc<Meter>,
    silent: bool,
    live: bool,
    title: String,
    length: Duration,
    began: Instant,
    drawn: Option<Instant>,
    latest: BTreeMap<PatientId, Reading>,
    admissions: BTreeMap<PatientId, Admission>,
    alarms: BTreeMap<AlarmKey, AlarmRecord>,
    /// Those that ended last, the last first.
    ended: VecDeque<AlarmRecord>,
    progress: Progress,
    feed: Feed,
}

impl View {
    pub(super) fn new(
        output: Output,
        meter: Arc<Meter>,
        silent: bool,
        (args, admissions): (&Args, BTreeMap<PatientId, Admission>),
        (broker, web): (SocketAddr, Option<SocketAddr>),
    ) -> Self {
        let web = web.map(|web| format!("; the ward: http://{web}")).unwrap_or_default();
        let live = output.stdout_is_screen() && !silent;
        Self {
            feed: output.feed(),
            output,
            meter,
            silent,
            live,
            title: format!(
                "vitals demo: {}, {} readings/s, broker {broker}{web}",
                counted(args.patients, "patient"),
                args.rate
            ),
            length: args.length,
            began: Instant::now(),
            drawn: None,
            latest: BTreeMap::new(),
            admissions,
            alarms: BTreeMap::new(),
            ended: VecDeque::new(),
            progress: Progress::default(),
        }
    }

    /// Draws the last state, and gives what still waits to be shown a time that is short where the user has asked to
    /// stop.
    pub(super) async fn end(mut self, shutdown: &Shutdown) -> Shown {
        self.drawn = None;
        self.draw();
        self.feed.end(shutdown.patience()).await
    }

    fn draw(&mut self) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_INTERVAL);
        if self.live && due {
            self.drawn = Some(Instant::now());
            let lines = self.lines(Utc::now().timestamp_micros());
            self.feed.screen(&lines);
        }
    }

    fn lines(&self, now: Micros) -> Vec<Text> {
        let elapsed = self.began.elapsed().as_secs();
        let time = if self.length.is_zero() {
            format!("{elapsed} s, until Ctrl+C")
        } else {
            format!("{elapsed} s of {} s", self.length.as_secs())
        };
        let mut lines = vec![format!("{} ({time})", self.title).into(), Text::default()];
        lines.extend(self.latest.values().take(SHOWN_PATIENTS).map(|reading| self.ward_line(reading).into()));
        lines.extend(more(self.latest.len(), SHOWN_PATIENTS, "patient"));
        let (sent, stored, (p50, p99)) = {
            let measured = self.meter.measured();
            (measured.sent, measured.stored, measured.latencies_ms())
        };
        let Progress { alarms, lag, .. } = self.progress;
        lines.push(Text::default());
        lines.push(Text::from(format!(
            "sent {sent}, stored {stored}, lag {lag}, alarms {alarms}; device to row p50 {p50:.1} ms, p99 {p99:.1} ms"
        )));
        lines.extend(self.alarm_lines(now));
        lines
    }

    /// The alarms that are on, the most pressing first, and below them those that ended last.
    fn alarm_lines(&self, now: Micros) -> Vec<Text> {
        let mut active: Vec<_> = self.alarms.values().collect();
        active.sort_by_key(|record| (Reverse(record.alarm.priority), record.alarm.onset));
        let mut lines: Vec<_> = active.iter().take(SHOWN_ALARMS).map(|record| AlarmLine(record, now).text()).collect();
        lines.extend(more(active.len(), SHOWN_ALARMS, "alarm"));
        lines.extend(self.ended.iter().map(|record| EndedLine(record, now).into()));
        lines
    }

    fn ward_line(&self, reading: &Reading) -> String {
        let name = self.admissions.get(reading.patient()).and_then(|admission| admission.name.as_deref());
        ward_line(reading, name.unwrap_or_default())
    }

    fn print(&mut self, text: impl Into<Text>) {
        if !self.silent && !self.live {
            self.feed.line(text);
        }
    }
}

/// A reading on the screen, which has 80 columns: today is known, and that a patient breathes air and is alert goes without
/// saying.
fn ward_line(reading: &Reading, name: &str) -> String {
    let time = reading.time().to_string();
    let clock = time.get(11..19).unwrap_or(&time);
    let Observed { supplemental_oxygen, consciousness } = reading.signs().observed;
    let observed = Observed {
        supplemental_oxygen: supplemental_oxygen.filter(|is_given| *is_given),
        consciousness: consciousness.filter(|state| *state != Consciousness::Alert),
    };
    let signs = Signs { observed, ..*reading.signs() };
    let line = format!("{clock} {} -> {}", reading.patient(), SignsLine(&signs));
    let room = SCREEN_CHARS.saturating_sub(line.chars().count().max(LINE_CHARS) + 1);
    let name: String = name.chars().take(room).collect();
    format!("{line:<LINE_CHARS$} {name}").trim_end().to_owned()
}

/// How many there are beyond those that are shown.
fn more(count: usize, shown: usize, noun: &str) -> Option<Text> {
    (count > shown).then(|| format!("and {} more", counted(count - shown, noun)).into())
}

impl Listener for View {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(_) => {
                self.began = Instant::now();
                self.draw();
            }
            PipelineEvent::Reading { reading, .. } => self.reading(reading),
            PipelineEvent::Alarm(change) => self.alarm(change),
            PipelineEvent::Refused { partition, offset, reject } => {
                self.output.note(format_args!("note: partition {partition}, offset {offset}: {reject}"));
            }
            PipelineEvent::Trouble(text) => self.output.note(format_args!("note: {text}")),
            PipelineEvent::Progress(progress) => {
                self.progress = progress;
                self.draw();
            }
            PipelineEvent::Revoked
            | PipelineEvent::Stored { .. }
            | PipelineEvent::Outcome { .. }
            | PipelineEvent::Standing { .. }
            | PipelineEvent::Unkeyed { .. }
            | PipelineEvent::Stray => {}
        }
    }
}

impl View {
    fn reading(&mut self, reading: &Reading) {
        self.latest.insert(reading.patient().clone(), reading.clone());
        self.print(Line(reading).to_string());
        self.draw();
    }

    fn alarm(&mut self, change: &AlarmChange) {
        let key = change.record.key();
        match change.step {
            Step::Ended => {
                self.alarms.remove(&key);
                self.ended.push_front(change.record.clone());
                self.ended.truncate(SHOWN_ENDED);
            }
            _ => drop(self.alarms.insert(key, change.record.clone())),
        }
        if change.step != Step::Worse && !change.is_covered {
            self.print(ChangeLine(change).text());
        }
        self.draw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Timestamp;

    #[test]
    fn a_line_of_the_ward_has_the_time_of_day_and_fits_on_a_screen() {
        let signs = Signs {
            heart_rate: Some(180),
            spo2: Some(100),
            systolic: Some(220),
            diastolic: Some(120),
            respiratory_rate: Some(30),
            temperature: Some(38.7),
            ..Signs::default()
        };
        let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").expect("a time");
        let reading = Reading::new(PatientId::parse("P001").expect("an id"), time, signs).expect("a reading");
        let line = "10:30:15 P001 -> HR:180 SpO2:100 BP:220/120 RR:30 T:38.7";
        assert_eq!(ward_line(&reading, ""), line);
        assert_eq!(ward_line(&reading, "Ada Bell"), format!("{line}  Ada Bell"));
        assert_eq!(ward_line(&reading, &"x".repeat(99)).chars().count(), 80);
        let observed = |given, state| {
            let observed = Observed { supplemental_oxygen: Some(given), consciousness: Some(state) };
            let signs = Signs { observed, ..signs };
            let reading = Reading::new(PatientId::parse("P001").expect("an id"), time, signs).expect("a reading");
            ward_line(&reading, "Ada Bell of the other ward")
        };
        assert_eq!(observed(false, Consciousness::Alert), format!("{line}  Ada Bell of the other"));
        assert_eq!(observed(true, Consciousness::Confusion), format!("{line} O2:yes ACVPU:C Ada Bell"));
    }
}
