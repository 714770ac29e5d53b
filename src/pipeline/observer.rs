//! What the pipeline tells while it runs.

use super::source::Assigned;
use crate::alarm::Alert;
use crate::reading::Reading;
use crate::reading::reject::Reject;

/// How far the pipeline has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages taken up.
    pub messages: u64,
    /// Of these, readings that are stored.
    pub stored: u64,
    /// Of these, messages that are kept as dead letters.
    pub refused: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Messages between what can be committed and the ends of the partitions, as far as known.
    pub lag: i64,
}

/// Where a message stood, and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// By the sender's clock, in milliseconds since 1970; below zero where that is not known.
    pub sent_ms: i64,
}

/// Who is told. The pipeline waits while it is: it must never wait for anybody itself.
pub trait Observer: Send {
    /// These partitions are ours from now on.
    fn assigned(&mut self, partitions: &[Assigned]);

    /// The partitions are not ours any more.
    fn revoked(&mut self);

    /// A reading was taken up, and raised these alerts.
    fn reading(&mut self, origin: Origin, reading: &Reading, alerts: &[Alert]);

    /// A message was refused; it goes to the dead letters.
    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject);

    /// The first message without a key was seen: alarms need one partition per patient.
    fn unkeyed(&mut self, partition: i32, offset: i64);

    /// Something that needs no action yet: a server that is away, a gap in the log.
    fn trouble(&mut self, text: &str);

    /// Called now and then.
    fn progress(&mut self, progress: &Progress);
}
