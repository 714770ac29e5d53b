//! What the pipeline tells while it runs.

use std::time::Duration;

use super::source::Assigned;
use super::store::Batch;
use crate::alarm::{AlarmChange, Alert};
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
    /// Alarms raised.
    pub alarms: u64,
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

/// What the pipeline has a server do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The store takes a batch.
    Write,
    /// The store tells which rules are in force: asked every 2 s, also where nothing is to be written.
    Ask,
    /// The coordinator of the group answers its member.
    Coordinate,
    /// Partitions are read.
    Read,
    /// A refused message is kept as a dead letter.
    KeepLetter,
}

/// How far a partition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The partition.
    pub partition: i32,
    /// Everything below is stored, or kept as a dead letter.
    pub stored: i64,
    /// What the group has committed; `None` where that is not known.
    pub committed: Option<i64>,
    /// The partition's end when it was read last.
    pub end: i64,
    /// When the last record that was read of it was sent, in milliseconds since 1970; `None` before the first, and where
    /// that is not known.
    pub sent_ms: Option<i64>,
}

/// Something that has happened.
#[derive(Debug, Clone, Copy)]
pub enum PipelineEvent<'a> {
    /// These partitions are ours from now on.
    Assigned(&'a [Assigned]),
    /// The partitions are not ours any more.
    Revoked,
    /// A reading was taken up, and shows these by itself.
    Reading {
        /// Where it stood.
        origin: Origin,
        /// The reading.
        reading: &'a Reading,
        /// What is over its limit in it, or not believed.
        alerts: &'a [Alert],
    },
    /// An alarm was raised, has changed or ended.
    Alarm(&'a AlarmChange),
    /// A message was refused; it goes to the dead letters.
    Refused {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// Why.
        reject: &'a Reject,
    },
    /// The store has acknowledged readings and alarms.
    Stored {
        /// These.
        #[cfg_attr(not(test), allow(dead_code, reason = "the listeners of today are content that it is"))]
        batch: &'a Batch,
        /// How long it took over them, announcing the alarms included.
        took: Duration,
    },
    /// The first message without a key was seen: alarms need one partition per patient.
    Unkeyed {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
    },
    /// A patient's readings come in two partitions: alarms need one partition per patient.
    Stray,
    /// Something that needs no action yet: a server that is away, a gap in the log.
    Trouble(&'a str),
    /// A server has not done what it was asked for, which is told each time, or does it again.
    Outcome {
        /// What it was asked for.
        task: Task,
        /// Whether it was done.
        is_done: bool,
    },
    /// How far things are; told now and then.
    Progress(Progress),
    /// Where things stand; told as often.
    Standing {
        /// What the messages take in memory that are taken up and not acknowledged.
        in_flight_bytes: usize,
        /// The partitions that are ours.
        partitions: &'a [Standing],
    },
}

/// Who is told. The pipeline goes on when this returns: it must never wait for anybody itself.
pub trait Listener: Send {
    /// Takes note of what has happened.
    fn hear(&mut self, event: PipelineEvent<'_>);
}

/// A function is a listener.
impl<F: FnMut(PipelineEvent<'_>) + Send> Listener for F {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        self(event);
    }
}

/// Two listeners hear the same, one after the other; so do as many as are wanted, in pairs of pairs.
impl<A: Listener, B: Listener> Listener for (A, B) {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        self.0.hear(event);
        self.1.hear(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_functions_hears_everything_one_after_the_other() {
        let (told, heard) = std::sync::mpsc::sync_channel(2);
        let listener = |name: &'static str| {
            let told = told.clone();
            move |event: PipelineEvent<'_>| told.send((name, matches!(event, PipelineEvent::Stored { .. }))).unwrap()
        };
        let stored = PipelineEvent::Stored { batch: &Batch::default(), took: Duration::ZERO };
        (listener("first"), listener("second")).hear(stored);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [("first", true), ("second", true)]);
    }
}
