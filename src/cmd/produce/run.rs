//! Makes messages when they are due, sends them, and says so. While some are sent, the next are made on another thread.

use std::future::pending;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::{Numbers, ProduceError};
use crate::intake::schedule::Schedule;
use crate::intake::source::{PassedOver, Source, SourceError};
use crate::kafka::producer::{Cluster, Delivery, Outgoing, Producer};
use crate::output::{Feed, Output, counted};
use crate::shutdown::{DRAIN_LIMIT, Shutdown};

/// The most messages that are made, sent and acknowledged together: some 4 MB, so that each of six partitions, which
/// patients never fill evenly, mostly gets requests that are large enough not to be held back, also when they are
/// compressed.
const MAX_BATCH: usize = 20_000;

/// How long messages in flight are waited for after the user's request to stop. The program ends after 5 s, come what
/// may, and has to say before which of them were not acknowledged.
const FLUSH_LIMIT: Duration = DRAIN_LIMIT;

/// Acknowledgements that take longer than this are worth a word.
const QUIET_WAIT: Duration = Duration::from_secs(2);

/// Turns readings into messages, on a schedule and up to a count.
#[derive(Debug)]
pub(super) struct Maker {
    source: Source,
    schedule: Schedule,
    count: Option<u64>,
    begun: Instant,
    made: u64,
}

/// What was made in one go.
struct Made {
    /// None where none was due.
    messages: Vec<Outgoing>,
    /// The number of the first of them in this run, counted from 1.
    first: u64,
    /// What was passed over up to now.
    passed_over: PassedOver,
    /// Whether nothing comes after them, or why. They were made before that all the same.
    is_last: Result<bool, SourceError>,
}

impl Maker {
    /// Begins now.
    pub(super) fn new(source: Source, interval: Duration, count: Option<u64>) -> Self {
        Self { source, schedule: Schedule::new(interval), count, begun: Instant::now(), made: 0 }
    }

    fn next_due(&self) -> Instant {
        let due = self.begun.checked_add(self.schedule.next_due());
        // A schedule so slow that the clock does not reach it.
        due.unwrap_or_else(|| Instant::now() + Duration::from_secs(365 * 24 * 3600))
    }

    /// Makes the messages that are due.
    fn make(&mut self) -> Made {
        let (mut messages, first) = (Vec::new(), self.made.saturating_add(1));
        let is_last = self.fill(&mut messages);
        Made { messages, first, passed_over: self.source.passed_over(), is_last }
    }

    fn fill(&mut self, messages: &mut Vec<Outgoing>) -> Result<bool, SourceError> {
        let elapsed = self.begun.elapsed();
        while messages.len() < MAX_BATCH && !self.is_complete() && self.schedule.take(elapsed).is_some() {
            let Some(reading) = self.source.next_reading()? else { return Ok(true) };
            messages.push(Outgoing::from(&reading));
            self.made = self.made.saturating_add(1);
        }
        Ok(self.is_complete())
    }

    fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.made >= count)
    }
}

/// One run of `vitals produce`.
pub(super) struct Run<'a, C: Cluster> {
    producer: Producer<C>,
    output: &'a Output,
    begun: Instant,
    sent: u64,
    passed_over: PassedOver,
    /// Whether it goes on when the reader of what it prints has gone.
    goes_on_unseen: bool,
}

impl<'a, C: Cluster> Run<'a, C> {
    pub(super) fn new(producer: Producer<C>, output: &'a Output, goes_on_unseen: bool) -> Self {
        let begun = Instant::now();
        Self { producer, output, begun, sent: 0, passed_over: PassedOver::default(), goes_on_unseen }
    }

    /// Sends until the count is reached, the source ends, standard output takes nothing any more, or `shutdown` asks to
    /// stop, and says what was sent. What was made ahead by then is not sent, and not counted.
    pub(super) async fn work(&mut self, maker: Maker, shutdown: &Shutdown) -> Result<()> {
        let mut feed = self.output.feed();
        let outcome = self.send_all(maker, &mut feed, shutdown).await;
        let shown = feed.end(shutdown.patience()).await;
        if shown.left_out > 0 {
            self.output.note("standard output was not read: the lines of what was sent last are missing");
        }
        self.output.note(self.summary());
        outcome?;
        Ok(shown.failed.map_or(Ok(()), Err)?)
    }

    async fn send_all(&mut self, mut maker: Maker, feed: &mut Feed, shutdown: &Shutdown) -> Result<()> {
        let mut ahead: Option<Made> = None;
        while !shutdown.requested() {
            let made = match ahead.take() {
                Some(made) if !made.messages.is_empty() || !matches!(made.is_last, Ok(false)) => made,
                _ => tokio::select! {
                    biased;
                    () = shutdown.wait() => break,
                    () = sleep_until(maker.next_due()) => maker.make(),
                },
            };
            let Made { messages, first, passed_over, is_last } = made;
            self.passed_over = passed_over;
            if !matches!(is_last, Ok(false)) {
                self.send(messages, first, feed, shutdown).await?;
                is_last?;
                break;
            }
            let next = spawn_blocking(move || {
                let made = maker.make();
                (maker, made)
            });
            self.send(messages, first, feed, shutdown).await?;
            if feed.has_failed() && !(self.goes_on_unseen && feed.is_closed()) {
                break;
            }
            let made;
            (maker, made) = next.await?;
            ahead = Some(made);
        }
        Ok(())
    }

    /// What was sent, and what was passed over.
    fn summary(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = self.sent as f64 / seconds.max(f64::EPSILON);
        let PassedOver { without_sign, malformed } = self.passed_over;
        let mut summary = format!("sent {} in {seconds:.1} s ({rate:.1} per second)", counted(self.sent, "message"));
        for (rows, kind) in [(without_sign, "without any sign"), (malformed, "malformed")] {
            if rows > 0 {
                summary.extend(["; passed over ", &counted(rows, "row"), " ", kind]);
            }
        }
        summary
    }

    /// Sends what there is, of which the `first` has this number, and waits until what was acknowledged is printed:
    /// what goes out and what is told stay together.
    async fn send(&mut self, messages: Vec<Outgoing>, first: u64, feed: &mut Feed, shutdown: &Shutdown) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut delivery = Delivery::new(messages);
        let outcome = {
            let sending = self.producer.send(&mut delivery);
            tokio::pin!(sending);
            let telling = async {
                sleep(QUIET_WAIT).await;
                self.output.note(format_args!("waiting for Kafka to acknowledge, from message {first} on"));
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
            () = feed.printed() => {}
            () = shutdown.wait() => {}
        }
        let numbers = Numbers::new(delivery.outstanding().map(|index| number(first, index)));
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(source)) => Err(ProduceError::Undelivered { numbers, source }.into()),
            None => Err(ProduceError::CutShort { numbers, limit: FLUSH_LIMIT }.into()),
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

fn number(first: u64, index: usize) -> u64 {
    u64::try_from(index).map_or(u64::MAX, |index| first.saturating_add(index))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use kafka_protocol::ResponseError;

    use super::*;
    use crate::intake::patients::Patients;
    use crate::intake::simulator::{STEP, Scenario, Ward};
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

    fn maker(interval: Duration, count: Option<u64>) -> Maker {
        Maker::new(Source::ward(Ward::new(&Patients::default(), Scenario::Stable, 1, STEP)), interval, count)
    }

    async fn run<'a>(broker: &Broker, output: &'a Output) -> Run<'a, Broker> {
        let producer = Producer::over(broker.clone(), "t", Patience::default()).await.expect("connected");
        Run::new(producer, output, false)
    }

    fn sent(memory: &Memory) -> Vec<Vec<u8>> {
        memory.stdout().lines().filter_map(|line| line.strip_prefix("SENT ")).map(Into::into).collect()
    }

    #[tokio::test]
    async fn what_is_due_fills_whole_batches_up_to_the_count() {
        assert_eq!(maker(Duration::ZERO, None).make().messages.len(), MAX_BATCH);
        assert_eq!(maker(Duration::ZERO, Some(3)).make().messages.len(), 3);
        assert_eq!(maker(Duration::from_secs(3600), None).make().messages.len(), 1);
    }

    #[tokio::test]
    async fn every_message_is_printed_as_it_was_taken_and_the_count_is_kept() {
        let broker = Broker::taking(usize::MAX, None);
        let (output, memory) = Output::into_memory();
        let (_trigger, shutdown) = shutdown::channel();
        run(&broker, &output).await.work(maker(Duration::ZERO, Some(2500)), &shutdown).await.expect("sent");
        assert_eq!(sent(&memory).len(), 2500);
        assert_eq!(sent(&memory), *broker.taken.lock().expect("lock"));
        assert!(memory.stderr().starts_with("sent 2500 messages in "), "{}", memory.stderr());
    }

    #[tokio::test]
    async fn what_was_not_acknowledged_is_named_by_its_number_and_not_printed() {
        let broker = Broker::taking(2, Some(ResponseError::MessageTooLarge));
        let (output, memory) = Output::into_memory();
        let (_trigger, shutdown) = shutdown::channel();
        let maker = maker(Duration::from_millis(5), Some(10));
        let report = run(&broker, &output).await.work(maker, &shutdown).await.expect_err("fails");
        let error = report.downcast_ref::<ProduceError>().expect("ours");
        let Some(first) = u64::try_from(sent(&memory).len()).ok().and_then(|count| count.checked_add(1)) else {
            panic!("few messages")
        };
        assert!(error.to_string().starts_with(&format!("not acknowledged: message {first}")), "{error}");
        assert!(matches!(error, ProduceError::Undelivered { source: ProducerError::TooLarge { .. }, .. }));
        assert_eq!(sent(&memory), *broker.taken.lock().expect("lock"));
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_the_waiting_without_an_error() {
        let broker = Broker::taking(usize::MAX, None);
        let (output, memory) = Output::into_memory();
        let (trigger, shutdown) = shutdown::channel();
        let mut run = run(&broker, &output).await;
        let work = run.work(maker(Duration::from_secs(3600), Some(10)), &shutdown);
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
        let mut run = run(&broker, &output).await;
        let mut feed = output.feed();
        let message = Outgoing { key: "P001".into(), value: "{}".into() };
        let ending = run.send(vec![message], 7, &mut feed, &shutdown);
        let report = timeout(Duration::from_secs(5), ending).await.expect("in time").expect_err("not acknowledged");
        assert!(report.to_string().ends_with("message 7 of this run"), "{report}");
        assert_eq!(sent(&memory), Vec::<Vec<u8>>::new());
    }
}
