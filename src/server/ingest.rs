//! Readings that programs bring over HTTP: into the topic, and what cannot be used whole to the dead letters.
//!
//! - `sort`: a body into messages of the topic, and what is refused
//! - [`Ingest`]: who is let in, and for how long somebody waits
//! - `lane`: what many requests bring at the same time goes out together, by one producer
//! - `figures`: what is counted
//!
//! What was answered as accepted is in the topic: all in-sync replicas have it. A request that was not answered, or told to
//! come again, may be sent again as it was: patient and time are the key of a row.

mod figures;
mod lane;
mod sort;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::timeout;

pub(super) use self::figures::Figures;
use self::lane::{Lane, Outcome, Parcel};
pub(super) use self::sort::{Form, MAX_READINGS, Place, Refused, Sorted, sort};
use super::TURN_LIMIT;
use super::audit::asker;
use super::places::{Held, Places};
use super::problem::Problem;
use crate::app;
use crate::kafka::dead_letters::{DeadLetterTopic, NotKept, Numbers};
use crate::kafka::error::KafkaError;
use crate::kafka::producer::Outgoing;
use crate::pipeline::dead_letters::{DeadLetter, DeadLetters as _};
use crate::reading::patient_of;
use crate::record::{Header, Record};
use crate::settings::Settings;

/// Requests that are read or wait at the same time. Who finds no place comes again.
const PLACES: usize = 256;
/// Room is counted in pieces of this.
const PIECE_BYTES: usize = 1024;
/// What bodies and what is made of them take together: 64 MiB.
const ROOM_PIECES: usize = 64 * 1024;
/// What a reading takes in memory beside its text, about, and what a refused one does, with its letter.
const READING_BYTES: usize = 256;
const REFUSED_BYTES: usize = 1024;

/// How long a request waits until everything is kept. Whoever sends is told within 10 s that it was not.
const KEEP_LIMIT: Duration = Duration::from_secs(9);

/// What a letter has instead of a partition: its message never was in the topic. Refused HL7 has another, so that the
/// numbers of both never meet.
const NO_PARTITION: i32 = -2;
const PLACE_HEADER: &str = "http.place";
const PROBLEM_HEADER: &str = "http.problem";

/// The way in, which all requests share.
#[derive(Debug)]
pub(super) struct Ingest {
    settings: Settings,
    places: Places,
    room: Places,
    parcels: mpsc::Sender<Parcel>,
    letters: OnceCell<DeadLetterTopic>,
    numbers: Numbers,
    pub(super) figures: Arc<Figures>,
}

/// Somebody who was let in, until this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    _place: Held,
    room: Held,
}

impl Ingest {
    /// The way in, and its lane, which has to be run. Nothing is asked of the brokers before the first reading.
    pub(super) fn of(settings: &Settings) -> (Self, Lane) {
        let (parcels, arriving) = mpsc::channel(PLACES);
        let figures = Arc::new(Figures::default());
        let lane = Lane::new(settings.clone(), arriving, Arc::clone(&figures));
        let ingest = Self {
            settings: settings.clone(),
            // Whoever lets bodies trickle in, or has them lie, leaves half to others.
            places: Places::new(PLACES, PLACES / 2),
            room: Places::new(ROOM_PIECES, ROOM_PIECES / 2),
            parcels,
            letters: OnceCell::new(),
            numbers: Numbers::of_process(),
            figures,
        };
        (ingest, lane)
    }

    /// A place, and room for a body of so many bytes.
    pub(super) async fn admit(&self, bytes: usize) -> Result<Admitted, Problem> {
        let place = self.places.try_take(asker(), 1).ok_or_else(crowded)?;
        let room = timeout(TURN_LIMIT, self.room.take(asker(), pieces(bytes))).await;
        let room = room.ok().flatten().ok_or_else(crowded)?;
        Ok(Admitted { _place: place, room })
    }

    /// Keeps everything: `Ok` means that the topic has the readings, and the dead letters what was refused. What is given is
    /// which of the readings the topic does not have, since it takes none so large. After a problem any part of it may be
    /// there.
    pub(super) async fn keep(
        &self,
        readings: Vec<Outgoing>,
        refused: &[Refused],
        admitted: Admitted,
    ) -> Result<Vec<usize>, Problem> {
        let Admitted { _place, mut room } = admitted;
        let more = pieces(READING_BYTES * readings.len() + REFUSED_BYTES * refused.len());
        room.merge(self.room.try_take(asker(), more).ok_or_else(crowded)?);
        // Nobody may wait any more for what is still in the lane, which has its room until then.
        let room = Arc::new(room);
        let kept = async {
            // Only then, so that who has to send all of it again does not fill the dead letters by that.
            let too_large = self.send(readings, &room).await?;
            self.keep_letters(refused).await?;
            Ok(too_large)
        };
        let late = |_| Problem::away(format!("the brokers have not kept it within {} s", KEEP_LIMIT.as_secs()));
        timeout(KEEP_LIMIT, kept).await.map_err(late)?
    }

    async fn send(&self, readings: Vec<Outgoing>, room: &Arc<Held>) -> Outcome {
        if readings.is_empty() {
            return Ok(Vec::new());
        }
        let (parcel, told) = Parcel::of(readings, Arc::clone(room));
        let ending = || Problem::away("the server is ending");
        self.parcels.send(parcel).await.map_err(|_| ending())?;
        told.await.map_err(|_| ending())?
    }

    async fn keep_letters(&self, refused: &[Refused]) -> Result<(), Problem> {
        if refused.is_empty() {
            return Ok(());
        }
        let Self { settings, letters, .. } = self;
        let open = async || app::kafka_config(settings).map(|kafka| DeadLetterTopic::of(&settings.topic, kafka));
        let topic = letters.get_or_try_init(open).await?;
        let refused: Vec<_> = refused.iter().map(|refused| letter(refused, self.numbers.take())).collect();
        let not_kept =
            |error| Problem::away(format!("what cannot be used could not be kept as a dead letter: {error}"));
        let kept = match topic.keep(&refused).await {
            // Nobody has sent a good reading yet: its topic is made for the first.
            Err(NotKept(KafkaError::NoTopic { .. })) => {
                lane::opened(settings).await?;
                topic.keep(&refused).await
            }
            // The connection may have ended since the letters before, or their topic may have gone.
            Err(NotKept(error)) if !matches!(error, KafkaError::TimedOut { .. } | KafkaError::Unreachable { .. }) => {
                topic.keep(&refused).await
            }
            kept => kept,
        };
        kept.map_err(not_kept)?;
        for letter in &refused {
            self.figures.note_refused(&letter.reject);
        }
        Ok(())
    }
}

fn crowded() -> Problem {
    Problem::crowded("too many send readings at the same time")
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX)
}

/// What was refused, whole, with where it stood and what is wrong. It has a number for an offset, by which `vitals dlq`
/// finds it, and the key that it would have had.
fn letter(refused: &Refused, number: i64) -> DeadLetter {
    let Refused { place, message, reject } = refused;
    let header = |key: &'static str, value: String| Header { key: key.into(), value: Some(value.into()) };
    let record = Record {
        offset: number,
        timestamp_ms: Utc::now().timestamp_millis(),
        key: patient_of(message).map(|patient| patient.as_str().to_owned().into()),
        value: Some(message.clone()),
        headers: vec![header(PLACE_HEADER, place.to_string()), header(PROBLEM_HEADER, reject.to_string())],
        fault: None,
    };
    DeadLetter { partition: NO_PARTITION, record, reject: reject.clone() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reading::reject::Reject;
    use crate::server::audit::TOKEN;
    use crate::settings::{Environment, Flags, resolve};

    fn ingest() -> (Ingest, Lane) {
        Ingest::of(&resolve(&Flags::default(), &Environment::default()).expect("the defaults"))
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_let_in_and_so_much_and_whoever_comes_then_comes_again() {
        let (ingest, _lane) = ingest();
        let large = ROOM_PIECES * PIECE_BYTES;
        let all = ingest.admit(large).await.expect("there is room");
        assert!(ingest.admit(1).await.is_err(), "no room");
        drop(all);
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(ingest.admit(1).await.expect("a place"));
        }
        assert!(ingest.admit(0).await.is_err(), "no place");
        places.pop();
        assert!(ingest.admit(0).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_token_has_half_of_the_places_and_of_the_room() {
        let (ingest, _lane) = ingest();
        let by = |name: &str, bytes: usize| TOKEN.scope(Some(name.into()), ingest.admit(bytes));
        let mut places = Vec::new();
        for _ in 0..PLACES / 2 {
            places.push(by("one", 0).await.expect("a place"));
        }
        assert!(by("one", 0).await.is_err());
        assert!(by("another", 0).await.is_ok());
        places.clear();
        let half = by("one", ROOM_PIECES * PIECE_BYTES / 2).await.expect("room");
        assert!(by("one", 1).await.is_err());
        assert!(by("another", ROOM_PIECES * PIECE_BYTES / 2).await.is_ok());
        drop(half);
        assert!(by("one", 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_sends_is_told_in_time_and_keeps_its_room_until_the_lane_lets_it_go() {
        let (ingest, lane) = ingest();
        let admitted = ingest.admit(1024).await.expect("there is room");
        let reading = Outgoing { key: Bytes::new(), value: Bytes::new() };
        let begun = tokio::time::Instant::now();
        let problem = ingest.keep(vec![reading], &[], admitted).await.expect_err("nobody sends it");
        assert_eq!((problem.in_words().0.as_u16(), begun.elapsed()), (503, KEEP_LIMIT));
        assert_eq!(ingest.room.free(), ROOM_PIECES - 2);
        drop(lane);
        assert_eq!(ingest.room.free(), ROOM_PIECES);
    }

    #[test]
    fn a_letter_has_the_whole_message_its_place_and_the_key_it_would_have_had() {
        let message = Bytes::from_static(br#"{"patient_id":"P1","heart_rate":"95"}"#);
        let refused = Refused { place: Place::Line(4), message: message.clone(), reject: Reject::Timestamp };
        let DeadLetter { partition, record, reject } = letter(&refused, 7);
        assert_eq!((partition, record.offset, reject.code()), (-2, 7, "timestamp"));
        assert_eq!((record.key.as_deref(), record.value), (Some(&b"P1"[..]), Some(message)));
        let headers: Vec<_> = record.headers.iter().filter_map(|header| header.value.as_deref()).collect();
        assert_eq!(headers[0], b"line 4");
        assert!(headers[1].starts_with(b"timestamp is missing"));
    }
}
