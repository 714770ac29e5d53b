//! A source and a store around the real ones, with the bug that is planted, that end the process where they are told
//! to.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use vitals::alarm::KnownAlarm;
use vitals::ledger::Position;
use vitals::minute::{Minute, PatientMinute, Summary};
use vitals::pipeline::source::{Assigned, Chunk, Event, Fetched, MembershipEvent, Source};
use vitals::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, WriteError, Written};
use vitals::reading::{PatientId, Signs, Timestamp};

use crate::death::{Death, Point};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bug {
    /// Commit what was fetched as soon as it was fetched
    // Killed before it is stored, it is nowhere.
    CommitBeforeStore,
    /// Commit what was taken up of partitions that were taken away since
    // The group takes such a commit from any member of its present generation, so that their new owner is overtaken:
    // what that one has not stored yet will be skipped by whoever begins there.
    ForgetsRevocation,
    /// Take a write that failed for a good one
    // Its readings are committed and nowhere.
    SkipsOnError,
    /// Read on, whether or not there is room
    // Memory grows with the backlog while the store is away.
    UnboundedQueue,
    /// Never notice that the store was restarted
    // What it has forgotten is not written again.
    NoRewind,
    /// Keep what the rules remember of partitions that were taken away
    // Nothing is heard again then: alarms that began with somebody else are lost, or begin late.
    KeepsState,
    /// Let readings that come again count as others
    // Their alarms are raised a second time.
    CountsTwice,
    /// Tell senders of HL7 that the topic has what is still on its way
    // Killed meanwhile, it is nowhere, and nobody sends it again.
    AcknowledgesEarly,
    /// Add what the readings of a minute come to to what was written of it before
    // A minute that is computed once more, as its readings come late or again, counts them twice.
    AddsUp,
}

pub(crate) struct TamperedSource<'a, S> {
    inner: &'a mut S,
    bug: Option<Bug>,
    death: &'a Death,
    /// By partition, where what was fetched ends.
    fetched: BTreeMap<i32, i64>,
    /// What was fetched and is not handed on yet, because its early commit has no answer.
    held: VecDeque<Event>,
    early: EarlyCommit,
    /// What is to be committed of partitions that are not ours, with the assignment to do it in.
    stale: Option<(u64, Vec<Position>)>,
}

/// The commit of what was fetched last.
#[derive(Debug, Clone, Copy)]
enum EarlyCommit {
    Nothing,
    ToAsk(u64, Position),
    Asked,
}

impl<'a, S: Source> TamperedSource<'a, S> {
    pub(crate) fn over(inner: &'a mut S, bug: Option<Bug>, death: &'a Death) -> Self {
        let (fetched, held, early) = (BTreeMap::new(), VecDeque::new(), EarlyCommit::Nothing);
        Self { inner, bug, death, fetched, held, early, stale: None }
    }

    /// The state is changed between two waits alone, so that no event is lost when one of them is dropped.
    async fn commit_before_store(&mut self, room: bool) -> Result<Event, S::Error> {
        loop {
            match self.early {
                EarlyCommit::Nothing => {
                    if let Some(event) = self.held.pop_front() {
                        return Ok(event);
                    }
                }
                EarlyCommit::ToAsk(assignment, position) => {
                    self.inner.commit(assignment, vec![position]).await;
                    self.early = EarlyCommit::Asked;
                }
                EarlyCommit::Asked => {}
            }
            let has_time = matches!(self.early, EarlyCommit::Nothing);
            match self.inner.next(room && has_time).await? {
                Event::Fetched(Fetched::Chunk(chunk)) => {
                    let Chunk { assignment, partition, next_offset, .. } = chunk;
                    self.fetched.insert(partition, next_offset);
                    self.held.push_back(Event::Fetched(Fetched::Chunk(chunk)));
                    self.early = EarlyCommit::ToAsk(assignment, Position::at(partition, next_offset));
                }
                event => {
                    match &event {
                        Event::Membership(MembershipEvent::Assigned { .. } | MembershipEvent::Lost) => {
                            self.fetched.clear();
                        }
                        Event::Membership(MembershipEvent::Committed(_) | MembershipEvent::CommitRefused { .. }) => {
                            self.early = EarlyCommit::Nothing;
                        }
                        _ => {}
                    }
                    return Ok(event);
                }
            }
        }
    }

    async fn forget_revocation(&mut self, room: bool) -> Result<Event, S::Error> {
        if let Some((assignment, positions)) = self.stale.clone() {
            self.inner.commit(assignment, positions).await;
            self.stale = None;
        }
        let event = self.inner.next(room).await?;
        match &event {
            Event::Fetched(Fetched::Chunk(chunk)) => _ = self.fetched.insert(chunk.partition, chunk.next_offset),
            Event::Membership(MembershipEvent::Assigned { assignment, partitions, .. }) => {
                self.remember_what_is_gone(*assignment, partitions);
            }
            _ => {}
        }
        Ok(event)
    }

    fn remember_what_is_gone(&mut self, assignment: u64, partitions: &[Assigned]) {
        let is_ours = |partition: &i32| partitions.iter().any(|assigned| assigned.partition == *partition);
        let gone = self.fetched.iter().filter(|(partition, _)| !is_ours(partition));
        let positions: Vec<_> = gone.map(|(partition, offset)| Position::at(*partition, *offset)).collect();
        self.stale = (!positions.is_empty()).then_some((assignment, positions));
    }
}

impl<S: Source + Send> Source for TamperedSource<'_, S> {
    type Error = S::Error;

    async fn next(&mut self, room: bool) -> Result<Event, S::Error> {
        let event = match self.bug {
            Some(Bug::CommitBeforeStore) => self.commit_before_store(room).await?,
            Some(Bug::ForgetsRevocation) => self.forget_revocation(room).await?,
            bug => self.inner.next(room || bug == Some(Bug::UnboundedQueue)).await?,
        };
        match &event {
            Event::Membership(MembershipEvent::Assigned { .. }) => self.death.pass(Point::Joining),
            Event::Fetched(Fetched::Chunk(_)) => self.death.pass(Point::Fetched),
            Event::Membership(MembershipEvent::Committed(_)) => self.death.pass(Point::AfterCommit),
            _ => {}
        }
        Ok(event)
    }

    async fn commit(&mut self, assignment: u64, mut positions: Vec<Position>) {
        self.death.pass(Point::BeforeCommit);
        if self.bug == Some(Bug::CommitBeforeStore) {
            // Never takes back what it has committed too early.
            for position in &mut positions {
                let fetched = self.fetched.get(&position.partition).copied().unwrap_or(position.offset);
                *position = Position::at(position.partition, position.offset.max(fetched));
            }
        }
        self.inner.commit(assignment, positions).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        self.inner.rewind(assignment).await;
    }

    async fn released(&mut self, assignment: u64) {
        self.inner.released(assignment).await;
    }
}

pub(crate) struct TamperedStore<'a, T> {
    pub(crate) inner: &'a T,
    pub(crate) bug: Option<Bug>,
    pub(crate) death: &'a Death,
    /// The node generation in which the first reading is written.
    pub(crate) first: NodeGeneration,
    /// What was written of each minute, for the bug that adds it up.
    pub(crate) minutes: Mutex<HashMap<(PatientId, Minute), Summary>>,
}

impl<T> TamperedStore<'_, T> {
    fn added_up(&self, batch: &Batch) -> Batch {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = batch.clone();
        for PatientMinute { patient, minute, summary } in &mut batch.minutes {
            let known = minutes.entry((patient.clone(), *minute)).or_default();
            known.join(summary);
            *summary = *known;
        }
        batch
    }
}

impl<T: Store> Store for TamperedStore<'_, T> {
    fn batch_limits(&self) -> BatchLimits {
        // One patient each, so that a death falls between the batches of what was fetched together.
        BatchLimits { patients: 1, ..self.inner.batch_limits() }
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        self.inner.alarms(patients).await
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        self.inner.newest(patients, until).await
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.inner.measured(patient, since, until).await
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        self.inner.known_patients().await
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        self.inner.admissions(behind).await
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        self.inner.rules().await
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        self.death.pass(Point::Decoded);
        let added_up = (self.bug == Some(Bug::AddsUp)).then(|| self.added_up(batch));
        let outcome = match self.inner.write(added_up.as_ref().unwrap_or(batch)).await {
            Err(_) if self.bug == Some(Bug::SkipsOnError) => Written::default(),
            outcome => outcome?,
        };
        self.death.pass(Point::Stored);
        Ok(outcome)
    }

    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        // While it is away it does not answer here either.
        let generation = self.inner.node_generation().await?;
        Ok(if self.bug == Some(Bug::NoRewind) { self.first.clone() } else { generation })
    }
}
