//! What the pipeline tells while it runs.

use std::time::Duration;

use std::fmt;

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
    /// Of these, readings that were older than what is kept, and not stored.
    pub expired: u64,
    /// Of these, messages that are kept as dead letters.
    pub refused: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// Rows that were deleted beside all this, since they are older than what is kept.
    pub deleted: u64,
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
    /// The store tells which alarms a patient has, before its first reading is judged.
    Recall,
    /// The coordinator of the group answers its member.
    Coordinate,
    /// The coordinator takes a commit.
    Commit,
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
    Trouble(Trouble<'a>),
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

/// Something that needs no action yet. As text it is what a person is told.
#[derive(Debug, Clone, Copy)]
pub struct Trouble<'a> {
    /// What has happened.
    pub kind: TroubleKind,
    /// The same for a person.
    pub text: &'a str,
    /// How often it was tried in vain, where something is tried again.
    pub attempts: Option<u32>,
}

impl<'a> Trouble<'a> {
    /// Of which it is not known how often something was tried.
    #[must_use]
    pub fn of(kind: TroubleKind, text: &'a str) -> Self {
        Self { kind, text, attempts: None }
    }
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// What trouble is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// Readings could not be stored yet.
    WriteFailed,
    /// Alarms could not be stored yet.
    AlarmWriteFailed,
    /// The store refuses alarms for good.
    AlarmWriteRefused,
    /// What the readings of a minute come to could not be read or stored yet.
    MinutesFailed,
    /// The store refuses for good what the readings of some minutes come to.
    MinutesRefused,
    /// The store refuses rows for good.
    WriteRefused,
    /// Refused messages could not be kept yet.
    DeadLetterFailed,
    /// A refused message was too large to be kept in one piece.
    DeadLetterInParts,
    /// Alarms could not be announced yet, or not at all.
    AlarmsNotAnnounced,
    /// The store or a node of it was restarted or is away, and may have forgotten something.
    StoreRestarted,
    /// The store does not tell which alarms some patients have.
    AlarmsUnknown,
    /// The store does not tell which rules are in force.
    RulesUnknown,
    /// The store does not tell who has acknowledged alarms.
    AcknowledgementsUnknown,
    /// Another set of rules is in force.
    RulesTakenUp {
        /// Its version.
        version: i32,
    },
    /// A set of rules that was applied cannot be read here.
    RulesUnreadable {
        /// Its version.
        version: i32,
    },
    /// What has become of a patient cannot be read here.
    AdmissionUnreadable {
        /// The change's number in the patients' journal.
        version: i32,
    },
    /// One of two monitors of a patient has a fast clock.
    FastClock,
    /// Messages were gone from the log before they were read.
    Gap {
        /// Their partition.
        partition: i32,
        /// The first of them.
        offset: i64,
        /// How many they are.
        lost: i64,
    },
    /// A partition's log was made anew, or cut.
    LogCut {
        /// The partition.
        partition: i32,
        /// The offset that was to be read.
        offset: i64,
    },
    /// The offsets that are known belong to another topic of this name.
    TopicMadeAnew,
    /// All is read, and the last commit waits until what is stored is durable.
    LastCommitWaits,
    /// The group cannot be joined yet.
    GroupNotJoined,
    /// The committed offsets cannot be read yet.
    OffsetsUnread,
    /// Reading is held up.
    FetchHeldUp,
}

impl TroubleKind {
    /// Its name in a log: stable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WriteFailed => "write_failed",
            Self::AlarmWriteFailed => "alarm_write_failed",
            Self::AlarmWriteRefused => "alarm_write_refused",
            Self::MinutesFailed => "minutes_failed",
            Self::MinutesRefused => "minutes_refused",
            Self::WriteRefused => "write_refused",
            Self::DeadLetterFailed => "dead_letter_failed",
            Self::DeadLetterInParts => "dead_letter_in_parts",
            Self::AlarmsNotAnnounced => "alarms_not_announced",
            Self::StoreRestarted => "store_restarted",
            Self::AlarmsUnknown => "alarms_unknown",
            Self::RulesUnknown => "rules_unknown",
            Self::AcknowledgementsUnknown => "acknowledgements_unknown",
            Self::RulesTakenUp { .. } => "rules_taken_up",
            Self::RulesUnreadable { .. } => "rules_unreadable",
            Self::AdmissionUnreadable { .. } => "admission_unreadable",
            Self::FastClock => "fast_clock",
            Self::Gap { .. } => "gap",
            Self::LogCut { .. } => "log_cut",
            Self::TopicMadeAnew => "topic_made_anew",
            Self::LastCommitWaits => "last_commit_waits",
            Self::GroupNotJoined => "group_not_joined",
            Self::OffsetsUnread => "offsets_unread",
            Self::FetchHeldUp => "fetch_held_up",
        }
    }
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
