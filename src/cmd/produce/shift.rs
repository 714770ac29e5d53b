//! Has messages made, sends them, and says so. While some are sent, the next are made on another thread.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::{Numbers, ProduceError};
use super::maker::{Made, Maker};
use crate::intake::source::Source;
use crate::kafka::producer::{Cluster, Delivery, Outgoing, Producer};
use crate::output::{Feed, Output, counted};
use crate::shutdown::{DRAIN_LIMIT, Shutdown};

/// How long messages in flight are waited for after the user's request to stop. The program ends after 5 s, come what
/// may, and has to say before which of them were not acknowledged.
const FLUSH_LIMIT: Duration = DRAIN_LIMIT;

/// Acknowledgements that take longer than this are worth a word.
const QUIET_WAIT: Duration = Duration::from_secs(2);

/// One run of `vitals produce`.
pub(super) struct Shift<C: Cluster> {
    maker: Arc<Mutex<Maker>>,
    producer: Producer<C>,
    begun: Instant,
    sent: u64,
    /// Whether it goes on when the reader of what it prints has gone.
    goes_on_unseen: bool,
}

impl<C: Cluster> Shift<C> {
    pub(super) fn new(source: Source, producer: Producer<C>, interval: Duration, count: Option<u64>) -> Self {
        let maker = Arc::new(Mutex::new(Maker::new(source, interval, count)));
        Self { maker, producer, begun: Instant::now(), sent: 0, goes_on_unseen: false }
    }

    /// Goes on, if so, when the reader of what it prints has gone.
    pub(super) fn unseen(mut self, goes_on: bool) -> Self {
        self.goes_on_unseen = goes_on;
        self
    }

    /// Sends until the count is reached, the source ends, standard output takes nothing any more, or `shutdown` asks to
    /// stop. What was made ahead by then is not sent, and not counted.
    pub(super) async fn work(&mut self, output: &Output, shutdown: &Shutdown) -> Result<()> {
        let mut feed = output.feed();
        let outcome = self.send_all(&mut feed, output, shutdown).await;
        let shown = feed.end(shutdown.patience()).await;
        if shown.left_out > 0 {
            output.note("standard output was not read: the lines of what was sent last are missing");
        }
        outcome?;
        Ok(shown.failed.map_or(Ok(()), Err)?)
    }

    async fn send_all(&mut self, feed: &mut Feed, output: &Output, shutdown: &Shutdown) -> Result<()> {
        let mut ahead = None;
        while let Some(made) = self.next(ahead.take(), shutdown).await {
            let Made { messages, first, is_last } = made;
            let next = matches!(is_last, Ok(false)).then(|| self.make_aside());
            self.send(messages, first, (feed, output), shutdown).await?;
            let is_seen = !feed.has_failed() || self.goes_on_unseen && feed.is_closed();
            if is_last? || !is_seen {
                break;
            }
            if let Some(next) = next {
                ahead = Some(next.await?);
            }
        }
        Ok(())
    }

    /// What was made ahead, or what is made when it is due; `None` where the user says stop before.
    async fn next(&self, ahead: Option<Made>, shutdown: &Shutdown) -> Option<Made> {
        if shutdown.requested() {
            return None;
        }
        if let Some(made) = ahead.filter(|made| !made.messages.is_empty() || !matches!(made.is_last, Ok(false))) {
            return Some(made);
        }
        let due = lock(&self.maker).next_due();
        tokio::select! {
            biased;
            () = shutdown.wait() => None,
            () = sleep_until(due) => Some(lock(&self.maker).make()),
        }
    }

    fn make_aside(&self) -> tokio::task::JoinHandle<Made> {
        let maker = Arc::clone(&self.maker);
        spawn_blocking(move || lock(&maker).make())
    }

    /// What was sent, and what was passed over.
    pub(super) fn summary(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = self.sent as f64 / seconds.max(f64::EPSILON);
        let passed_over = lock(&self.maker).passed_over();
        let sent = counted(self.sent, "message");
        let mut summary = format!("sent {sent} in {seconds:.1} s ({rate:.1} per second)");
        for (rows, kind) in [(passed_over.without_sign, "without any sign"), (passed_over.malformed, "malformed")] {
            if rows > 0 {
                summary.extend(["; passed over ", &counted(rows, "row"), " ", kind]);
            }
        }
        summary
    }

    /// Sends what there is, of which the `first` has this number, and waits until what was acknowledged is printed: what
    /// goes out and what is told stay together.
    async fn send(
        &mut self,
        messages: Vec<Outgoing>,
        first: u64,
        (feed, output): (&mut Feed, &Output),
        shutdown: &Shutdown,
    ) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut delivery = Delivery::new(messages);
        let outcome = {
            let sending = self.producer.send(&mut delivery);
            tokio::pin!(sending);
            let telling = async {
                sleep(QUIET_WAIT).await;
                output.note(format_args!("waiting for Kafka to acknowledge, from message {first} on"));
                pending().await
            };
            tokio::select! {
                outcome = &mut sending => Some(outcome),
                () = shutdown.wait() => timeout(FLUSH_LIMIT, sending).await.ok(),
                outcome = telling => outcome,
            }
        };
        self.sent = self.sent.saturating_add(delivery.acknowledged().map(|_| 1).sum());
        feed.bytes(lines(&delivery));
        tokio::select! {
            () = feed.settled() => {}
            () = shutdown.wait() => {}
        }
        let outstanding = || Numbers::new(delivery.outstanding().map(|index| number(first, index)));
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(source)) => Err(ProduceError::Undelivered { numbers: outstanding(), source }.into()),
            None => Err(ProduceError::CutShort { numbers: outstanding(), limit: FLUSH_LIMIT }.into()),
        }
    }
}

/// A line for each message that was acknowledged.
fn lines(delivery: &Delivery) -> Vec<u8> {
    let (before, after) = (b"SENT ", b"\n");
    let length = |message: &Outgoing| before.len() + message.value.len() + after.len();
    let mut lines = Vec::with_capacity(delivery.acknowledged().map(length).sum());
    for message in delivery.acknowledged() {
        for part in [before.as_slice(), &message.value, after] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

/// Nothing that is half done can be seen by who comes after a panic: it ends the run.
fn lock(maker: &Mutex<Maker>) -> MutexGuard<'_, Maker> {
    maker.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(first: u64, index: usize) -> u64 {
    u64::try_from(index).map_or(u64::MAX, |index| first.saturating_add(index))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;
    use crate::intake::patients::Patients;
    use crate::intake::simulator::{Scenario, Ward};
    use crate::kafka::error::KafkaError;
    use crate::kafka::producer::{Link, Patience, ProducerError};
    use crate::output::Memory;
    use crate::record::Record;
    use crate::shutdown;

    /// Takes so many requests; the next one never answers, or fails for good.
    #[derive(Debug, Clone)]
    struct Broker {
        takes: usize,
        then: Option<ResponseError>,
        taken: Arc<Mutex<Vec<Vec<u8>>>>,
        requests: Arc<Mutex<usize>>,
    }

    impl Broker {
        fn taking(takes: usize, then: Option<ResponseError>) -> Self {
            Self { takes, then, taken: Arc::default(), requests: Arc::default() }
        }
    }

    impl Cluster for Broker {
        type Link = Self;

        fn name(&self) -> String {
            "double".to_owned()
        }

        async fn connect(&self, _topic: &str) -> Result<Self, KafkaError> {
            Ok(self.clone())
        }
    }

    impl Link for Broker {
        fn partitions(&self) -> i32 {
            1
        }

        async fn produce(&self, _partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
            let number = {
                let mut requests = self.requests.lock().expect("lock");
                *requests += 1;
                *requests
            };
            if number > self.takes {
                return match &self.then {
                    Some(code) => Err(KafkaError::refused("messages", *code)),
                    None => std::future::pending().await,
                };
            }
            let values = records.into_iter().filter_map(|record| record.value).map(Vec::from);
            self.taken.lock().expect("lock").extend(values);
            Ok(())
        }
    }

    async fn shift(broker: &Broker, interval: Duration, count: u64) -> Shift<Broker> {
        let source = Source::ward(Ward::new(&Patients::default(), Scenario::Stable, 1));
        let producer = Producer::over(broker.clone(), "t", Patience::default()).await.expect("connected");
        Shift::new(source, producer, interval, Some(count))
    }

    fn sent(memory: &Memory) -> Vec<Vec<u8>> {
        memory.stdout().lines().filter_map(|line| line.strip_prefix("SENT ")).map(Into::into).collect()
    }

    #[tokio::test]
    async fn every_message_is_printed_as_it_was_taken_and_the_count_is_kept() {
        let broker = Broker::taking(usize::MAX, None);
        let (output, memory) = Output::into_memory();
        let (_trigger, shutdown) = shutdown::channel();
        let mut shift = shift(&broker, Duration::ZERO, 2500).await;
        shift.work(&output, &shutdown).await.expect("sent");
        assert_eq!(sent(&memory).len(), 2500);
        assert_eq!(sent(&memory), *broker.taken.lock().expect("lock"));
        assert!(shift.summary().starts_with("sent 2500 messages in "), "{}", shift.summary());
    }

    #[tokio::test]
    async fn what_was_not_acknowledged_is_named_by_its_number_and_not_printed() {
        let broker = Broker::taking(2, Some(ResponseError::MessageTooLarge));
        let (output, memory) = Output::into_memory();
        let (_trigger, shutdown) = shutdown::channel();
        let report =
            shift(&broker, Duration::from_millis(5), 10).await.work(&output, &shutdown).await.expect_err("fails");
        let error = report.downcast_ref::<ProduceError>().expect("ours");
        let Some(first) = u64::try_from(sent(&memory).len()).ok().and_then(|count| count.checked_add(1)) else {
            panic!("few messages")
        };
        assert!(error.to_string().starts_with(&format!("not acknowledged: message {first}")), "{error}");
        assert!(matches!(error, ProduceError::Undelivered { source: ProducerError::Refused { .. }, .. }));
        assert_eq!(sent(&memory), *broker.taken.lock().expect("lock"));
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_the_waiting_without_an_error() {
        let broker = Broker::taking(usize::MAX, None);
        let (output, memory) = Output::into_memory();
        let (trigger, shutdown) = shutdown::channel();
        let mut shift = shift(&broker, Duration::from_secs(3600), 10).await;
        let work = shift.work(&output, &shutdown);
        let stop = async {
            while sent(&memory).is_empty() {
                tokio::task::yield_now().await;
            }
            trigger.pull();
        };
        let (outcome, ()) = tokio::join!(work, stop);
        outcome.expect("a clean end");
        assert_eq!(sent(&memory).len(), 1);
    }

    #[tokio::test]
    async fn a_silent_broker_does_not_hold_up_the_end() {
        let broker = Broker::taking(0, None);
        let (output, memory) = Output::into_memory();
        let (trigger, shutdown) = shutdown::channel();
        trigger.pull();
        let mut shift = shift(&broker, Duration::ZERO, 10).await;
        let mut feed = output.feed();
        let message = Outgoing { key: "P001".into(), value: "{}".into() };
        let ending = shift.send(vec![message], 7, (&mut feed, &output), &shutdown);
        let report = timeout(Duration::from_secs(5), ending).await.expect("in time").expect_err("not acknowledged");
        assert!(report.to_string().ends_with("message 7 of this run"), "{report}");
        assert_eq!(sent(&memory), Vec::<Vec<u8>>::new());
    }
}
