//! Makes messages when they are due, sends them, and says so.

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::{Instant, sleep, timeout};

use super::error::{Numbers, ProduceError};
use crate::intake::schedule::Schedule;
use crate::intake::source::{Source, SourceError};
use crate::kafka::producer::{Cluster, Delivery, Outgoing, Producer};
use crate::output::Output;
use crate::reading::encode;
use crate::shutdown::Shutdown;

/// How long messages in flight are waited for after the user's request to stop: the program has to end within 5 s.
const FLUSH_LIMIT: Duration = Duration::from_secs(4);

/// One run of `vitals produce`.
pub(super) struct Shift<C: Cluster> {
    source: Source,
    producer: Producer<C>,
    schedule: Schedule,
    count: Option<u64>,
    begun: Instant,
    made: u64,
    sent: u64,
}

impl<C: Cluster> Shift<C> {
    pub(super) fn new(source: Source, producer: Producer<C>, interval: Duration, count: Option<u64>) -> Self {
        let schedule = Schedule::new(interval);
        Self { source, producer, schedule, count, begun: Instant::now(), made: 0, sent: 0 }
    }

    /// Sends until the count is reached, the source ends, or `shutdown` asks to stop; what was made is sent then.
    pub(super) async fn work(&mut self, output: &Output, shutdown: &Shutdown) -> Result<()> {
        self.begun = Instant::now();
        while self.remaining() > 0 {
            let wait = self.schedule.next_due().saturating_sub(self.begun.elapsed());
            tokio::select! {
                // The request first: at an interval of zero the next message is always due.
                biased;
                () = shutdown.wait() => break,
                () = sleep(wait) => {}
            }
            let mut batch = Vec::new();
            let ended = self.fill(&mut batch);
            self.send(batch, output, shutdown).await?;
            if ended? {
                break;
            }
        }
        Ok(())
    }

    /// What was sent, and what was passed over.
    pub(super) fn summary(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = self.sent as f64 / seconds.max(f64::EPSILON);
        let passed_over = self.source.passed_over();
        let mut summary = format!("sent {} messages in {seconds:.1} s ({rate:.1} per second)", self.sent);
        for (rows, kind) in [(passed_over.without_sign, "without any sign"), (passed_over.malformed, "malformed")] {
            if rows > 0 {
                summary.extend(["; passed over ", &rows.to_string(), " rows ", kind]);
            }
        }
        summary
    }

    fn remaining(&self) -> u64 {
        self.count.map_or(u64::MAX, |count| count.saturating_sub(self.made))
    }

    /// Makes the messages that are due, and tells whether the source has ended. What was made before an error is in
    /// `batch`.
    fn fill(&mut self, batch: &mut Vec<Outgoing>) -> Result<bool, SourceError> {
        for _ in 0..self.schedule.take(self.begun.elapsed(), self.remaining()) {
            let Some(reading) = self.source.next_reading()? else { return Ok(true) };
            batch.push(Outgoing { key: reading.patient().as_str().into(), value: encode(&reading) });
            self.made += 1;
        }
        Ok(false)
    }

    async fn send(&mut self, batch: Vec<Outgoing>, output: &Output, shutdown: &Shutdown) -> Result<()> {
        let first = self.made.saturating_sub(u64::try_from(batch.len())?).saturating_add(1);
        let mut delivery = Delivery::new(batch);
        let outcome = {
            let sending = self.producer.send(&mut delivery);
            tokio::pin!(sending);
            tokio::select! {
                outcome = &mut sending => Some(outcome),
                () = shutdown.wait() => timeout(FLUSH_LIMIT, sending).await.ok(),
            }
        };
        let lines: Vec<_> = delivery.acknowledged().map(line).collect();
        self.sent = self.sent.saturating_add(u64::try_from(lines.len())?);
        if !lines.is_empty() {
            output.line(lines.join("\n"))?;
        }
        let outstanding = || Numbers::new(delivery.outstanding().map(|index| number(first, index)));
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(source)) => Err(ProduceError::Undelivered { numbers: outstanding(), source }.into()),
            None => Err(ProduceError::CutShort { numbers: outstanding(), limit: FLUSH_LIMIT }.into()),
        }
    }
}

fn number(first: u64, index: usize) -> u64 {
    u64::try_from(index).map_or(u64::MAX, |index| first.saturating_add(index))
}

fn line(message: &Outgoing) -> String {
    format!("SENT {}", String::from_utf8_lossy(&message.value))
}
