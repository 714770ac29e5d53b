//! The whole way in one process: a simulated ward produces, a consumer stores, a meter stands before the store.

pub(super) mod meter;

use std::time::Duration;

use color_eyre::eyre::{Report, Result};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use self::meter::{Figures, Meter};
use crate::alarm::{Alert, Limits};
use crate::intake::schedule::{MAX_BATCH, Schedule};
use crate::intake::simulator::Ward;
use crate::intake::stamp::Stamp;
use crate::kafka::consumer::Consumer;
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::kafka::producer::{Delivery, Outgoing, Producer};
use crate::pipeline::observer::{Observer, Origin, Progress};
use crate::pipeline::source::Assigned;
use crate::pipeline::{Pipeline, Until};
use crate::reading::{Reading, Timestamp, encode};
use crate::reject::Reject;
use crate::shutdown::{self, Shutdown};

/// How long rows may come in after the last reading was sent.
const TAIL_LIMIT: Duration = Duration::from_secs(60);

/// How long they may where the user said stop.
const STOPPED_TAIL_LIMIT: Duration = Duration::from_secs(2);

/// How often the lag is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

/// What runs, and where.
pub(super) struct Trial<'a> {
    /// The brokers.
    pub(super) brokers: &'a [String],
    /// The topic, which is the trial's own; the group has the same name.
    pub(super) topic: &'a str,
    /// The store.
    pub(super) meter: &'a Meter<'a>,
    /// The limits of the rules.
    pub(super) limits: Limits,
    /// The session time-out of the member.
    pub(super) session_timeout: Duration,
    /// Between two readings; zero sends as fast as they are taken.
    pub(super) interval: Duration,
    /// For how long; `None` until the user says stop.
    pub(super) length: Option<Duration>,
}

impl Trial<'_> {
    /// Runs for as long as it should, or until the user says stop, and then until every row is stored. `sent` is told of
    /// every reading that the broker has acknowledged.
    ///
    /// # Errors
    /// A server cannot be reached or refuses.
    pub(super) async fn run(
        &self,
        ward: Ward,
        observer: &mut impl Observer,
        sent: impl FnMut(&Reading) + Send,
        shutdown: &Shutdown,
    ) -> Result<Figures> {
        let config = MemberConfig {
            group: self.topic.to_owned(),
            topic: self.topic.to_owned(),
            instance_id: None,
            session_timeout: self.session_timeout,
        };
        let mut consumer = Consumer::join(self.brokers, config, Place::Earliest).await?;
        let dead_letters = DeadLetterTopic::of(self.topic, self.brokers);
        let (is_ready, mut ready) = watch::channel(false);
        let mut watched = Watched { observer, is_ready };
        // The pipeline stops when all is stored, which is not when the user says stop.
        let (stop, until_stored) = shutdown::channel();
        let pipeline =
            Pipeline::new(&mut consumer, self.meter, &dead_letters, &mut watched, self.limits, Until::default());
        let storing = async { Ok(pipeline.run(&until_stored).await?) };
        let sending = async {
            tokio::select! {
                _ = ready.wait_for(|assigned| *assigned) => {}
                () = shutdown.wait() => {}
            }
            self.send(ward, sent, shutdown).await?;
            self.wait_for_rows(shutdown).await;
            stop.pull();
            Ok::<_, Report>(())
        };
        let outcome = tokio::try_join!(storing, sending);
        consumer.leave().await;
        let (summary, ()) = outcome?;
        Ok(self.meter.figures(summary.progress.alerts))
    }

    /// Sends on schedule until the time is over or the user says stop.
    async fn send(&self, mut ward: Ward, mut sent: impl FnMut(&Reading) + Send, shutdown: &Shutdown) -> Result<()> {
        let mut producer = Producer::connect(self.brokers, self.topic).await?;
        let (mut schedule, mut stamp) = (Schedule::new(self.interval), Stamp::default());
        let (began, began_utc) = (Instant::now(), chrono::Utc::now());
        let length = self.length.unwrap_or(Duration::MAX);
        self.meter.begin();
        while began.elapsed() < length && !shutdown.requested() {
            let mut readings = Vec::new();
            let elapsed = began.elapsed();
            for _ in 0..MAX_BATCH {
                let due = schedule.next_due();
                if due >= length || schedule.take(elapsed, 1) == 0 {
                    break;
                }
                let time = if self.interval.is_zero() { stamp.now()? } else { Timestamp::from_utc(began_utc + due)? };
                readings.push(ward.next(time));
            }
            if readings.is_empty() {
                let next = schedule.next_due().min(length);
                tokio::select! {
                    () = sleep_until(began + next) => {}
                    () = shutdown.wait() => {}
                }
            } else {
                let message =
                    |reading: &Reading| Outgoing { key: reading.patient().as_str().into(), value: encode(reading) };
                producer.send(&mut Delivery::new(readings.iter().map(message).collect())).await?;
                self.meter.sent(readings.len());
                readings.iter().for_each(&mut sent);
            }
            self.meter.look();
        }
        Ok(())
    }

    /// Waits until every reading that was sent is stored, for a while.
    async fn wait_for_rows(&self, shutdown: &Shutdown) {
        let began = Instant::now();
        let limit = || if shutdown.requested() { STOPPED_TAIL_LIMIT } else { TAIL_LIMIT };
        while self.meter.outstanding() > 0 && began.elapsed() < limit() {
            sleep(SAMPLE_INTERVAL).await;
            self.meter.look();
        }
    }
}

/// Passes everything on, and says when the pipeline has its partitions.
struct Watched<'a, O> {
    observer: &'a mut O,
    is_ready: watch::Sender<bool>,
}

impl<O: Observer> Observer for Watched<'_, O> {
    fn assigned(&mut self, partitions: &[Assigned]) {
        self.is_ready.send_replace(true);
        self.observer.assigned(partitions);
    }

    fn revoked(&mut self) {
        self.observer.revoked();
    }

    fn reading(&mut self, origin: Origin, reading: &Reading, alerts: &[Alert]) {
        self.observer.reading(origin, reading, alerts);
    }

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        self.observer.refused(partition, offset, reject);
    }

    fn unkeyed(&mut self, partition: i32, offset: i64) {
        self.observer.unkeyed(partition, offset);
    }

    fn trouble(&mut self, text: &str) {
        self.observer.trouble(text);
    }

    fn progress(&mut self, progress: &Progress) {
        self.observer.progress(progress);
    }

    fn is_gone(&self) -> bool {
        self.observer.is_gone()
    }
}
