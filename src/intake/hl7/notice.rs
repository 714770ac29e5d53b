//! What a listener tells whoever runs it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::framing::FramingError;
use super::refusal::{Problem, Refusal};

/// So many wait to be told; what does not fit is dropped, since telling never holds up taking messages.
const WAITING_LIMIT: usize = 64;

/// The same trouble is told once in this time: a sender repeats what is refused.
const QUIET: Duration = Duration::from_secs(10);

/// One thing to know. None holds what a message said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// A message was refused and is among the dead letters: which peer, where in it, and why.
    #[error("a message of {0} is refused and kept as a dead letter: {1}")]
    Refused(SocketAddr, Refusal),
    /// A connection was closed for what came on it.
    #[error("the connection of {0} was closed: {1}")]
    Closed(SocketAddr, FramingError),
    /// A message has begun, and does not end.
    #[error("the connection of {0} was closed: a message has begun, and does not end")]
    Endless(SocketAddr),
    /// There are too many connections, or messages that have begun.
    #[error("a connection of {0} was closed: there is no room for more")]
    Full(SocketAddr),
    /// The system gives no connection.
    #[error(
        "no connection can be taken ({0}); those that come wait until others end\nhint: allow this process more open files (ulimit -n)"
    )]
    Crowded(String),
    /// Readings cannot be sent to Kafka now: nothing is acknowledged meanwhile.
    #[error("{0}; nothing is acknowledged until the topic takes readings again")]
    Away(String),
    /// Dead letters cannot be kept now.
    #[error("{0}; what is refused is not answered until it can be kept")]
    LettersAway(String),
    /// What was said of Kafka is over.
    #[error("Kafka takes messages again")]
    Back,
}

impl Notice {
    /// Its name in a log: stable.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused(..) => "message_refused",
            Self::Closed(..) => "stranger_disconnected",
            Self::Endless(_) => "message_endless",
            Self::Full(_) => "connection_refused",
            Self::Crowded(_) => "connections_refused",
            Self::Away(_) => "broker_away",
            Self::LettersAway(_) => "dead_letters_away",
            Self::Back => "broker_back",
        }
    }

    /// Whether it is trouble.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        !matches!(self, Self::Back)
    }

    fn kind(&self) -> (&'static str, Option<Problem>) {
        let problem = match self {
            Self::Refused(_, Refusal { problem, .. }) => Some(*problem),
            _ => None,
        };
        (self.name(), problem)
    }
}

/// Takes notices.
#[derive(Debug)]
pub(super) struct Notices {
    sender: mpsc::Sender<Notice>,
    told: Mutex<HashMap<(&'static str, Option<Problem>), Instant>>,
}

impl Notices {
    pub(super) fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
        (Self { sender, told: Mutex::default() }, receiver)
    }

    /// Tells it.
    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.sender.try_send(notice);
    }

    /// Tells it, unless the like was told just now.
    pub(super) fn tell_at_times(&self, notice: Notice) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = notice.kind();
        if told.get(&kind).is_none_or(|last| last.elapsed() >= QUIET) && self.sender.try_send(notice).is_ok() {
            told.insert(kind, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Place;
    use super::*;

    #[test]
    fn the_same_trouble_is_told_once_and_another_beside_it() {
        let (notices, mut told) = Notices::new();
        let peer = ([127, 0, 0, 1], 4711).into();
        let refused = |problem| Notice::Refused(peer, Refusal::new(Place::header(9), problem));
        for problem in [Problem::Time, Problem::Time, Problem::Unit] {
            notices.tell_at_times(refused(problem));
        }
        let texts: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).map(|notice| notice.to_string()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(
            texts[0].starts_with("a message of 127.0.0.1:4711 is refused and kept as a dead letter: MSH-9: no time")
        );
    }
}
