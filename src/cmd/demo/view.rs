//! What the demo shows: on a terminal the ward as it is now, elsewhere a line per reading.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Args;
use crate::alarm::{self, Alert};
use crate::cmd::common::line::{Line, stars};
use crate::loadtest::meter::Meter;
use crate::output::{Feed, Output, Shown, Text, counted};
use crate::pipeline::events::{Listener, PipelineEvent, Progress};
use crate::reading::{PatientId, Reading};
use crate::shutdown::Shutdown;

/// The screen is drawn so often at most.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);

/// So many patients fit on a screen of 24 lines, with what stands around them.
const SHOWN_PATIENTS: usize = 12;

/// So many alerts are shown, the latest first.
const SHOWN_ALERTS: usize = 5;

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
    alerts: VecDeque<Alert>,
    progress: Progress,
    feed: Feed,
}

impl View {
    pub(super) fn new(output: Output, meter: Arc<Meter>, silent: bool, args: &Args, broker: SocketAddr) -> Self {
        let live = output.stdout_is_screen() && !silent;
        Self {
            feed: output.feed(),
            output,
            meter,
            silent,
            live,
            title: format!(
                "vitals demo: {}, {} readings/s, broker on {broker}",
                counted(args.patients, "patient"),
                args.rate
            ),
            length: args.length,
            began: Instant::now(),
            drawn: None,
            latest: BTreeMap::new(),
            alerts: VecDeque::new(),
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
            let lines: Vec<_> = self.lines().into_iter().map(Text::from).collect();
            self.feed.screen(&lines);
        }
    }

    fn lines(&self) -> Vec<String> {
        let elapsed = self.began.elapsed().as_secs();
        let time = if self.length.is_zero() {
            format!("{elapsed} s, until Ctrl+C")
        } else {
            format!("{elapsed} s of {} s", self.length.as_secs())
        };
        let mut lines = vec![format!("{} ({time})", self.title), String::new()];
        lines.extend(self.latest.values().take(SHOWN_PATIENTS).map(|reading| Line(reading).to_string()));
        if self.latest.len() > SHOWN_PATIENTS {
            lines.push(format!("and {} more", counted(self.latest.len() - SHOWN_PATIENTS, "patient")));
        }
        let (sent, stored, (p50, p99)) = {
            let measured = self.meter.measured();
            (measured.sent, measured.stored, measured.latencies_ms())
        };
        let Progress { alerts, lag, .. } = self.progress;
        lines.push(String::new());
        lines.push(format!(
            "sent {sent}, stored {stored}, lag {lag}, alerts {alerts}; device to row p50 {p50:.1} ms, p99 {p99:.1} ms"
        ));
        lines.extend(self.alerts.iter().map(|alert| format!("{:<3} {} {alert}", stars(alert.priority), alert.patient)));
        lines
    }

    fn print(&mut self, text: String) {
        if !self.silent && !self.live {
            self.feed.line(text);
        }
    }
}

impl Listener for View {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(_) => {
                self.began = Instant::now();
                self.draw();
            }
            PipelineEvent::Reading { reading, alerts, .. } => self.reading(reading, alerts),
            PipelineEvent::Refused { partition, offset, reject } => {
                self.output.note(format_args!("note: partition {partition}, offset {offset}: {reject}"));
            }
            PipelineEvent::Trouble(text) => self.output.note(format_args!("note: {text}")),
            PipelineEvent::Progress(progress) => {
                self.progress = progress;
                self.draw();
            }
            PipelineEvent::Revoked | PipelineEvent::Stored(_) | PipelineEvent::Unkeyed { .. } => {}
        }
    }
}

impl View {
    fn reading(&mut self, reading: &Reading, alerts: &[Alert]) {
        self.latest.insert(reading.patient().clone(), reading.clone());
        for alert in alerts {
            self.alerts.push_front(alert.clone());
        }
        self.alerts.truncate(SHOWN_ALERTS);
        self.print(Line(reading).to_string());
        if !alerts.is_empty() {
            self.print(alarm::line_of(alerts));
        }
        self.draw();
    }
}
