//! The way of all readings into the topic: what many requests bring at the same time goes out together, and each is told what
//! became of what it brought.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use color_eyre::eyre::Report;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::figures::Figures;
use crate::advice::Advice as _;
use crate::app;
use crate::app::cluster_check::WrongCluster;
use crate::kafka::error::KafkaError;
use crate::kafka::producer::{Cluster, Codec, Delivery, Outgoing, Patience, Producer, ProducerError};
use crate::server::places::Held;
use crate::server::problem::Problem;
use crate::settings::Settings;

/// What goes out together: some of the largest bodies. Who is among the first need not wait for all that wait.
const ROUND_BYTES: usize = 4 * 1024 * 1024;

/// How long one round may take, and why it failed be told before nobody waits any more.
const ROUND_LIMIT: Duration = Duration::from_secs(8);

/// A request that gets no answer is not waited for as long as by `produce`: whoever sends is told, and sends again.
const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(4), request: Duration::from_secs(6), delivery: Duration::from_secs(7) };

/// How long it is looked for what is too large among what one request brings.
const SEARCH_LIMIT: Duration = Duration::from_secs(3);

/// That the topic has readings: which of them it does not have, since it takes none so large.
pub(super) type Outcome = Result<Vec<usize>, Problem>;

/// What one request brings, and who is told what became of it.
#[derive(Debug)]
pub(super) struct Parcel {
    readings: Vec<Outgoing>,
    /// It takes this as long as it is here, whether somebody waits for it or not.
    _room: Arc<Held>,
    told: oneshot::Sender<Outcome>,
}

impl Parcel {
    /// A parcel, and where it is told what became of it.
    pub(super) fn of(readings: Vec<Outgoing>, room: Arc<Held>) -> (Self, oneshot::Receiver<Outcome>) {
        let (told, outcome) = oneshot::channel();
        (Self { readings, _room: room, told }, outcome)
    }

    fn bytes(&self) -> usize {
        self.readings.iter().map(|reading| reading.value.len()).sum()
    }

    fn tell(self, outcome: Outcome) {
        // Nobody may wait any more.
        let _ = self.told.send(outcome);
    }
}

/// Sends what arrives.
#[derive(Debug)]
pub(in crate::server) struct Lane {
    settings: Settings,
    arriving: mpsc::Receiver<Parcel>,
    figures: Arc<Figures>,
}

impl Lane {
    pub(super) fn new(settings: Settings, arriving: mpsc::Receiver<Parcel>, figures: Arc<Figures>) -> Self {
        Self { settings, arriving, figures }
    }

    /// Sends until nobody can bring anything any more. The producer is opened for the first that comes, and again after
    /// trouble: the topic may have gone meanwhile.
    pub(in crate::server) async fn run(mut self) {
        let mut open: Option<Producer> = None;
        while let Some(first) = self.arriving.recv().await {
            let parcels = self.with_those_that_wait(first);
            let producer = match open.take() {
                Some(producer) => Ok(producer),
                None => opened(&self.settings).await,
            };
            match producer {
                Ok(mut producer) => {
                    if deliver(&mut producer, parcels, &self.figures).await.is_ok() {
                        open = Some(producer);
                    }
                }
                Err(problem) => tell_all(parcels, &problem),
            }
        }
    }

    /// As many as go out together. Who was told that it took too long, or has gone, sends again.
    fn with_those_that_wait(&mut self, first: Parcel) -> Vec<Parcel> {
        let (mut bytes, mut parcels) = (first.bytes(), vec![first]);
        while bytes < ROUND_BYTES
            && let Ok(next) = self.arriving.try_recv()
        {
            bytes += next.bytes();
            parcels.push(next);
        }
        parcels.retain(|parcel| !parcel.told.is_closed());
        parcels
    }
}

pub(super) async fn opened(settings: &Settings) -> Result<Producer, Problem> {
    let made = |topic: &str| tracing::info!(event = "topic_made", topic, "made the topic of readings");
    let opening = app::open_patient_producer(settings, Codec::None, PATIENCE, made);
    timeout(ROUND_LIMIT, opening).await.map_err(|_| late())?.map_err(|report| away(&report))
}

fn late() -> Problem {
    Problem::away(format!("the brokers have not acknowledged it within {} s", ROUND_LIMIT.as_secs()))
}

fn away(report: &Report) -> Problem {
    let hint = match (report.downcast_ref::<ProducerError>(), report.downcast_ref::<KafkaError>()) {
        (Some(error), _) => error.hint(),
        (_, Some(error)) => error.hint(),
        _ => report.downcast_ref::<WrongCluster>().and_then(WrongCluster::hint),
    };
    let problem = Problem::away(report.to_string());
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Why parcels are not in the topic, or not all of them.
#[derive(Debug)]
struct Failure {
    problem: Problem,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Nobody takes anything now.
    Away,
    /// The brokers will not take something of it.
    Refused,
    /// Something of it is too large, or all of it together.
    TooLarge,
}

impl From<ProducerError> for Failure {
    fn from(error: ProducerError) -> Self {
        let why = match error {
            ProducerError::TooLarge { .. } => Why::TooLarge,
            ProducerError::Refused { .. } => Why::Refused,
            _ => Why::Away,
        };
        Self { problem: away(&error.into()), why }
    }
}

/// Sends parcels, and tells each what became of it. What is refused is tried parcel by parcel then, so that one that the
/// topic does not take keeps out no other.
async fn deliver<C: Cluster>(
    producer: &mut Producer<C>,
    parcels: Vec<Parcel>,
    figures: &Figures,
) -> Result<(), Failure> {
    let Err((left, mut failure)) = attempt(producer, parcels, figures).await else { return Ok(()) };
    let several = left.len() > 1;
    let mut left = left.into_iter();
    // Who goes away in between keeps nobody waiting once for each.
    while (failure.why == Why::TooLarge || (several && failure.why == Why::Refused))
        && let Some(parcel) = left.next()
    {
        if let Err(reason) = deliver_alone(producer, parcel, figures).await {
            failure = reason;
        }
    }
    tell_all(left, &failure.problem);
    Err(failure)
}

/// Sends one parcel, and what of it is too large together in halves, until it is known which readings are.
async fn deliver_alone<C: Cluster>(
    producer: &mut Producer<C>,
    parcel: Parcel,
    figures: &Figures,
) -> Result<(), Failure> {
    let search = timeout(SEARCH_LIMIT, send_in_halves(producer, &parcel.readings)).await;
    let outcome = search.unwrap_or_else(|_| {
        let detail = "the topic takes less at once than these readings are together, and some may be too large alone";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).hint("send fewer in one request");
        Err(Failure { problem, why: Why::TooLarge })
    });
    match outcome {
        Ok(too_large) => {
            figures.note_sent(parcel.readings.len() - too_large.len());
            parcel.tell(Ok(too_large));
            Ok(())
        }
        Err(failure) => {
            parcel.tell(Err(failure.problem.clone()));
            Err(failure)
        }
    }
}

/// Gives which are too large, in their order. The others are in the topic, those of each patient in their order.
async fn send_in_halves<C: Cluster>(producer: &mut Producer<C>, readings: &[Outgoing]) -> Result<Vec<usize>, Failure> {
    let (mut waiting, mut too_large) = (vec![(0..readings.len()).collect::<Vec<_>>()], Vec::new());
    while let Some(some) = waiting.pop() {
        let mut delivery = Delivery::new(some.iter().filter_map(|at| readings.get(*at)).cloned().collect());
        match producer.send(&mut delivery).await.map_err(Failure::from) {
            Ok(()) => continue,
            Err(failure) if failure.why == Why::TooLarge => {}
            Err(failure) => return Err(failure),
        }
        let left: Vec<_> = delivery.outstanding().filter_map(|at| some.get(at)).copied().collect();
        match left.as_slice() {
            // Whatever else was with it is there.
            [one] => too_large.push(*one),
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                waiting.extend([second, first].map(<[usize]>::to_vec));
            }
        }
    }
    Ok(too_large)
}

fn tell_all(parcels: impl IntoIterator<Item = Parcel>, problem: &Problem) {
    for parcel in parcels {
        parcel.tell(Err(problem.clone()));
    }
}

/// Sends parcels together, and gives those back that are not in the topic as a whole.
async fn attempt<C: Cluster>(
    producer: &mut Producer<C>,
    parcels: Vec<Parcel>,
    figures: &Figures,
) -> Result<(), (Vec<Parcel>, Failure)> {
    let mut delivery = Delivery::new(parcels.iter().flat_map(|parcel| parcel.readings.iter().cloned()).collect());
    let failure = match timeout(ROUND_LIMIT, producer.send(&mut delivery)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.into()),
        Err(_) => Some(Failure { problem: late(), why: Why::Away }),
    };
    let mut outstanding = delivery.outstanding().peekable();
    let (mut end, mut left) = (0, Vec::new());
    for parcel in parcels {
        end += parcel.readings.len();
        if outstanding.peek().is_none_or(|at| *at >= end) {
            figures.note_sent(parcel.readings.len());
            parcel.tell(Ok(Vec::new()));
            continue;
        }
        while outstanding.next_if(|at| *at < end).is_some() {}
        left.push(parcel);
    }
    failure.map_or(Ok(()), |failure| Err((left, failure)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::ResponseError;

    use super::*;
    use crate::kafka::producer::Link;
    use crate::record::Record;
    use crate::server::places::Places;

    /// A broker that takes no batch of more bytes than this, none with a message that says `foreign`, and nothing when it is
    /// away.
    #[derive(Debug, Clone, Copy)]
    struct Picky {
        is_away: bool,
        takes: usize,
        answers_after: Duration,
    }

    const HERE: Picky = Picky { is_away: false, takes: 8, answers_after: Duration::ZERO };
    const AWAY: Picky = Picky { is_away: true, ..HERE };

    impl Cluster for Picky {
        type Link = Self;

        fn name(&self) -> String {
            "picky:9092".to_owned()
        }

        async fn connect(&self, _topic: &str) -> Result<Self, KafkaError> {
            Ok(*self)
        }
    }

    impl Link for Picky {
        fn partitions(&self) -> i32 {
            2
        }

        async fn produce(&self, _partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
            if self.is_away {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.answers_after).await;
            let values: Vec<_> = records.iter().filter_map(|record| record.value.as_deref()).collect();
            let code = match values.iter().map(|value| value.len()).sum::<usize>() {
                _ if values.contains(&&b"foreign"[..]) => ResponseError::InvalidRecord,
                bytes if bytes > self.takes => ResponseError::MessageTooLarge,
                _ => return Ok(()),
            };
            Err(KafkaError::refused("messages", code))
        }
    }

    fn parcel(values: &[&'static str]) -> (Parcel, oneshot::Receiver<Outcome>) {
        let room = Places::new(1, 1).try_take(None, 1).expect("room");
        let outgoing = |value: &&'static str| Outgoing { key: Bytes::from_static(b"P1"), value: (*value).into() };
        Parcel::of(values.iter().map(outgoing).collect(), Arc::new(room))
    }

    async fn delivered(broker: Picky, parcels: &[&[&'static str]]) -> (bool, Vec<Outcome>) {
        let mut producer = Producer::over(broker, "t", PATIENCE).await.expect("contact");
        let (parcels, told): (Vec<_>, Vec<_>) = parcels.iter().map(|values| parcel(values)).unzip();
        let outcome = deliver(&mut producer, parcels, &Figures::default()).await;
        let mut heard = Vec::new();
        for told in told {
            heard.push(told.await.expect("each is told"));
        }
        (outcome.is_ok(), heard)
    }

    #[tokio::test]
    async fn what_the_topic_does_not_take_keeps_out_no_other() {
        let (_, heard) = delivered(HERE, &[&["a", "b"], &["c", "foreign"], &["d"]]).await;
        assert_eq!(heard.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        let (status, detail) = heard[1].as_ref().expect_err("refused").in_words();
        assert_eq!(status.as_u16(), 503);
        assert!(detail.contains("refuses messages for the topic t"), "{detail}");
        assert_eq!(delivered(HERE, &[&["a"], &["b"]]).await, (true, vec![Ok(vec![]), Ok(vec![])]));
    }

    #[tokio::test]
    async fn of_what_is_too_large_together_only_what_is_so_alone_is_left_out() {
        let (_, heard) =
            delivered(HERE, &[&["aaa", "bbb", "ccc"], &["d", "too large alone", "e"], &["also too large"]]).await;
        assert_eq!(heard, [Ok(vec![]), Ok(vec![1]), Ok(vec![0])]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_search_for_what_is_too_large_ends() {
        let begun = tokio::time::Instant::now();
        let slow = Picky { answers_after: Duration::from_millis(5), ..HERE };
        let (_, heard) = delivered(slow, &[&vec!["too large alone"; 10_000]]).await;
        let (status, detail) = heard[0].as_ref().expect_err("too many").in_words();
        assert!(status.as_u16() == 413 && detail.contains("send fewer"), "{detail}");
        assert!(begun.elapsed() < SEARCH_LIMIT + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_says_nothing_is_told_to_all_before_nobody_waits_any_more() {
        let begun = tokio::time::Instant::now();
        let (is_ok, heard) = delivered(AWAY, &[&["a"], &["b"]]).await;
        assert!(!is_ok && heard.iter().all(Result::is_err));
        assert!(begun.elapsed() <= ROUND_LIMIT, "{:?}", begun.elapsed());
    }
}
