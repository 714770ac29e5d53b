//! One connection: messages come in, and each is answered when Kafka has what is in it.
//!
//! Most senders wait for each answer. One that does not is served too: what is there already is judged and kept together,
//! and answered in its order. While that goes on, nothing more is read: who sends faster than Kafka takes it waits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::framing::{Frame, FramingError, Inbox};
use super::judge::{Judged, judge};
use super::lane::Parcel;
use super::listener::Hall;
use super::notice::Notice;
use super::refusal::{Refusal, Verdict};
use crate::kafka::producer::Outgoing;
use crate::pipeline::dead_letters::DeadLetter;
use crate::reading::PatientId;
use crate::reading::reject::Reject;
use crate::record::{Header, Record};
use crate::shutdown::Shutdown;

/// A connection on which nothing comes is closed: monitors send once a minute at least. Its place is for others.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Who has not sent a message by then is no monitor.
const STRANGER_LIMIT: Duration = Duration::from_secs(60);
/// A message that has begun ends within this.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);
/// Nobody waits longer for an answer: who sent the message sends it again, and a repeat changes nothing.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// An answer that nobody takes is for nobody.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// So many messages of one connection are kept together.
const MESSAGES_TOGETHER: usize = 64;
/// So much is read at once.
const READ_BYTES: usize = 8 * 1024;
/// So much may a connection hold of what it has sent without asking for room: most messages.
const FREE_BYTES: usize = 32 * 1024;
/// Room is counted in pieces of this.
const PIECE_BYTES: usize = 1024;
/// What all connections together hold beyond that.
pub(super) const ROOM_PIECES: usize = 64 * 1024;

/// What a letter has instead of a partition: its message never was in the topic.
const NO_PARTITION: i32 = -1;
const PLACE_HEADER: &str = "hl7.place";
const PROBLEM_HEADER: &str = "hl7.problem";

/// Why a connection ends.
enum End {
    /// Its peer went, or was told to.
    Gone,
    /// There is something to tell.
    Told(Notice),
    /// Nothing came, or nothing was taken.
    Slow,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub(super) struct Session<S> {
    stream: S,
    peer: SocketAddr,
    hall: Arc<Hall>,
    inbox: Inbox,
    /// What it holds beyond what is free.
    room: Option<OwnedSemaphorePermit>,
    /// When a message has begun.
    begun: Option<Instant>,
    is_known: bool,
}

/// What a message becomes, and how it is known that Kafka has it.
struct Answer {
    frames: Vec<u8>,
    verdict: Verdict,
    receipt: Option<oneshot::Receiver<()>>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Session<S> {
    pub(super) fn new(stream: S, peer: SocketAddr, hall: Arc<Hall>) -> Self {
        Self { stream, peer, hall, inbox: Inbox::default(), room: None, begun: None, is_known: false }
    }

    /// Serves until the peer goes, or somebody asks to stop.
    pub(super) async fn run(mut self, shutdown: &Shutdown) {
        match self.serve(shutdown).await {
            Ok(()) | Err(End::Gone) => return,
            Err(End::Told(notice)) => self.hall.notices.tell_at_times(notice),
            Err(End::Slow) => {}
        }
        self.hall.figures.dropped.fetch_add(1, Relaxed);
    }

    async fn serve(&mut self, shutdown: &Shutdown) -> Result<(), End> {
        while !shutdown.requested() {
            let frames = self.frames();
            match frames {
                Ok(frames) if frames.is_empty() => tokio::select! {
                    () = shutdown.wait() => break,
                    read = self.read() => if !read? { break },
                },
                Ok(frames) => self.answer(frames).await?,
                Err((frames, error)) => {
                    self.answer(frames).await?;
                    return Err(End::Told(Notice::Closed(self.peer, error)));
                }
            }
        }
        Ok(())
    }

    /// The frames that are there.
    fn frames(&mut self) -> Result<Vec<Frame>, (Vec<Frame>, FramingError)> {
        let mut frames = Vec::new();
        while frames.len() < MESSAGES_TOGETHER {
            match self.inbox.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return Err((frames, error)),
            }
        }
        Ok(frames)
    }

    /// Reads on; `false` where nothing comes any more.
    async fn read(&mut self) -> Result<bool, End> {
        self.make_room()?;
        let now = Instant::now();
        let is_open = self.inbox.is_open();
        let begun = self.begun.take().filter(|_| is_open).or(is_open.then_some(now));
        self.begun = begun;
        let (deadline, late) = match begun {
            Some(begun) => (begun + MESSAGE_LIMIT, End::Told(Notice::Endless(self.peer))),
            None if self.is_known => (now + IDLE_LIMIT, End::Slow),
            None => (now + STRANGER_LIMIT, End::Slow),
        };
        let read = timeout_at(deadline, self.stream.read_buf(&mut self.inbox.buffer)).await;
        Ok(read.map_err(|_| late)?? > 0)
    }

    /// Room for the next read, of which all connections together have so much.
    fn make_room(&mut self) -> Result<(), End> {
        let held = self.inbox.buffer.len();
        if held == 0 && (self.room.is_some() || self.inbox.buffer.capacity() > FREE_BYTES) {
            // What a large message took is given back.
            self.inbox.buffer = bytes::BytesMut::new();
            self.room = None;
        }
        let beyond = (held + READ_BYTES).saturating_sub(FREE_BYTES);
        let wanted = beyond.div_ceil(PIECE_BYTES);
        let more = wanted.saturating_sub(self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if more > 0 {
            let full = || End::Told(Notice::Full(self.peer));
            let more = u32::try_from(more).map_err(|_| full())?;
            let permit = Arc::clone(&self.hall.room).try_acquire_many_owned(more).map_err(|_| full())?;
            match &mut self.room {
                Some(room) => room.merge(permit),
                None => self.room = Some(permit),
            }
        }
        self.inbox.buffer.reserve(READ_BYTES);
        Ok(())
    }

    /// Answers messages in their order, each when it is kept.
    async fn answer(&mut self, frames: Vec<Frame>) -> Result<(), End> {
        let deadline = Instant::now() + ANSWER_LIMIT;
        let mut waiting = Vec::with_capacity(frames.len());
        for frame in frames {
            waiting.push(timeout_at(deadline, self.pass_on(&frame)).await.map_err(|_| End::Slow)??);
        }
        let (mut said, mut ended) = (Vec::new(), Ok(()));
        for Answer { frames, verdict, receipt } in waiting {
            if let Some(receipt) = receipt
                && !matches!(timeout_at(deadline, receipt).await, Ok(Ok(())))
            {
                // What was kept before is answered all the same.
                ended = Err(End::Slow);
                break;
            }
            self.hall.figures.judged(verdict);
            self.is_known |= verdict != Verdict::Reject;
            said.extend(frames);
        }
        timeout(WRITE_LIMIT, self.stream.write_all(&said)).await.map_err(|_| End::Slow)??;
        timeout(WRITE_LIMIT, self.stream.flush()).await.map_err(|_| End::Slow)??;
        ended
    }

    /// Judges a message and gives what it comes to to its lane.
    async fn pass_on(&self, frame: &Frame) -> Result<Answer, End> {
        let hall = &self.hall;
        let number = hall.numbers.take();
        let Judged { outcome, patient, answer: frames } = judge(frame, &hall.sender, Utc::now(), number.unsigned_abs());
        let (verdict, receipt) = match outcome {
            // Nothing was measured: there is nothing to keep.
            Ok(readings) if readings.is_empty() => (Verdict::Accept, None),
            Ok(readings) => {
                let (parcel, receipt) = Parcel::of(readings.iter().map(Outgoing::from).collect());
                hall.readings.send(parcel).await.map_err(|_| End::Gone)?;
                (Verdict::Accept, Some(receipt))
            }
            Err(refusal) => {
                hall.notices.tell_at_times(Notice::Refused(self.peer, refusal));
                let (parcel, receipt) = Parcel::of(vec![letter(frame.bytes(), refusal, patient.as_ref(), number)]);
                hall.letters.send(parcel).await.map_err(|_| End::Gone)?;
                (refusal.problem.verdict(), Some(receipt))
            }
        };
        Ok(Answer { frames, verdict, receipt })
    }
}

/// A refused message, whole, with where it is wrong. It has a number for an offset, by which `vitals dlq` finds it.
fn letter(message: &Bytes, refusal: Refusal, patient: Option<&PatientId>, number: i64) -> DeadLetter {
    let header = |key: &'static str, value: String| Header { key: key.into(), value: Some(value.into()) };
    let record = Record {
        offset: number,
        timestamp_ms: Utc::now().timestamp_millis(),
        key: patient.map(|patient| Bytes::copy_from_slice(patient.as_str().as_bytes())),
        // A copy: a slice would hold on to everything that was read with it.
        value: Some(Bytes::copy_from_slice(message)),
        headers: vec![
            header(PLACE_HEADER, refusal.place.to_string()),
            header(PROBLEM_HEADER, refusal.problem.to_string()),
        ],
        fault: None,
    };
    DeadLetter { partition: NO_PARTITION, record, reject: Reject::Hl7 }
}
