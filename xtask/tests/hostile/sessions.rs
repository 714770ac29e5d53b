//! Many sessions, some of them at the same time.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use tokio::time::timeout;

use super::client::{self, Outcome};
use super::proxy::{Direction, Proxy};

/// So many at a time: most of a session is waiting.
const AT_A_TIME: usize = 24;

/// No session takes longer on the busiest machine: each call has a limit of 5 s, and after one that was cut off the
/// connection takes no other.
const LIMIT: Duration = Duration::from_secs(90);

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    /// Those that go on for ever were cut off after their time.
    cut: usize,
    /// At least one frame was harmed.
    pub(crate) harmed: usize,
    frames: usize,
    longest: Duration,
    pub(crate) took: Duration,
}

impl Sessions {
    pub(crate) async fn run(broker: SocketAddr, topic: &'static str, direction: Direction, seeds: Range<u64>) -> Self {
        let begin = Instant::now();
        let mut ended =
            stream::iter(seeds).map(|seed| session(broker, topic, direction, seed)).buffer_unordered(AT_A_TIME);
        let mut sessions = Self::default();
        while let Some((outcome, frames, took)) = ended.next().await {
            match outcome {
                Outcome::Done => sessions.done += 1,
                Outcome::Failed => sessions.failed += 1,
                Outcome::Cut => sessions.cut += 1,
            }
            sessions.harmed += usize::from(frames > 0);
            sessions.frames += frames;
            sessions.longest = sessions.longest.max(took);
        }
        sessions.took = begin.elapsed();
        sessions
    }

    pub(crate) fn all(&self) -> usize {
        self.done + self.failed + self.cut
    }
}

async fn session(
    broker: SocketAddr,
    topic: &'static str,
    direction: Direction,
    seed: u64,
) -> (Outcome, usize, Duration) {
    let begin = Instant::now();
    let proxy = Proxy::start(broker, direction, seed).await;
    // A task of its own: what panics in it is told apart from what panics in the test.
    let brokers = proxy.brokers();
    let acting = tokio::spawn(async move { client::act(&brokers, topic, seed).await });
    let ended = timeout(LIMIT, acting).await.unwrap_or_else(|_| panic!("the session {seed} hangs ({direction:?})"));
    let outcome = ended.unwrap_or_else(|failed| panic!("the session {seed} ended with {failed} ({direction:?})"));
    (outcome, proxy.harmed(), begin.elapsed())
}
