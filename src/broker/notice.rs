//! What the broker tells whoever runs it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::sync::mpsc;

use super::state::lock;

/// So many wait to be told; what does not fit is dropped, since telling never holds up serving.
const WAITING_LIMIT: usize = 64;

/// So many are told once each: a client that makes up new ones must not fill the memory, nor the screen.
const TOLD_LIMIT: usize = 1_000;

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Notice {
    /// Offsets were set back when the folder was opened.
    #[error(
        "{0} committed offsets may not belong to the records that are here: their groups read again what may be unread"
    )]
    SetBack(usize),
    /// No connection can be taken: what the system said.
    #[error(
        "no connection can be taken ({0}); those that come wait until others end\nhint: allow this process more open files (ulimit -n), or have fewer clients"
    )]
    Crowded(String),
    /// Connections are taken again.
    #[error("connections are taken again")]
    Roomy,
    /// A client asked for something that is not answered here: the request's name, where it has one, with its number and
    /// version.
    #[error("a client asked for {0}, which this broker does not answer: its connection was closed")]
    Unanswered(String),
    /// Something could not be brought to the disk.
    #[error(
        "the disk has failed under {what} ({why}): nobody knows what of it is kept, so no more is taken\nhint: look after the disk, then start the broker again"
    )]
    Disk {
        /// What was to be kept.
        what: String,
        /// What the system said.
        why: String,
    },
}

impl Notice {
    /// Its name in a log: stable.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SetBack(_) => "offsets_set_back",
            Self::Crowded(_) => "connections_refused",
            Self::Roomy => "connections_taken_again",
            Self::Unanswered(_) => "request_unanswered",
            Self::Disk { .. } => "disk_failed",
        }
    }
}

/// Takes notices.
#[derive(Debug)]
pub(super) struct Notices {
    sender: mpsc::Sender<Notice>,
    told: Mutex<BTreeSet<Notice>>,
}

impl Notices {
    pub(super) fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
        (Self { sender, told: Mutex::default() }, receiver)
    }

    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.sender.try_send(notice);
    }

    /// Tells what would be told again and again.
    pub(super) fn tell_once(&self, notice: Notice) {
        let mut told = lock(&self.told);
        let is_many = told.len() >= TOLD_LIMIT && matches!(notice, Notice::Unanswered(_));
        // What did not fit is told the next time.
        if !is_many && !told.contains(&notice) && self.sender.try_send(notice.clone()).is_ok() {
            told.insert(notice);
        }
    }
}
