//! What the broker tells whoever runs it.

use tokio::sync::mpsc;

/// So many wait to be told; what does not fit is dropped, since telling never holds up serving.
const WAITING_LIMIT: usize = 64;

/// One thing to know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// Offsets were set back when the folder was opened.
    #[error(
        "{count} committed offsets may not belong to the records that are here: their groups read again what may be unread"
    )]
    SetBack {
        /// How many.
        count: usize,
    },
}

/// Takes notices.
#[derive(Debug, Clone)]
pub(super) struct Notices(mpsc::Sender<Notice>);

impl Notices {
    pub(super) fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
        (Self(sender), receiver)
    }

    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.0.try_send(notice);
    }
}
