//! The way of a reading: fetched, decoded, judged, stored, and only then committed.
//!
//! Nothing is committed before it is stored, or kept as a dead letter: that order is the promise. The
//! [ledger](crate::ledger) keeps it for each partition, whatever order the answers come in.
//!
//! This file is the loop: what comes is taken up, and what is ready goes on. Each part that it holds has one business:
//! `judging` what becomes of alarms with a reading (`memory`: what waits until the store has told of its patient),
//! `minutes` what is kept of each minute, `delivery` what is on its way to the store and the dead letters (`refusals`: rows that the store will not have),
//! `commits` what may be committed and when, `report` what the listeners hear, `state` what the loop is about and how
//! it ends. What they stand on are small traits: [`Source`], [`Store`], [`DeadLetters`], [`Rules`] and [`Listener`]; before a store
//! may stand [`announcing`], which tells others of alarms first.
//!
//! One task runs this loop. It holds no more bytes of messages than it is [allowed](Options::max_in_flight_bytes);
//! beyond that it reads on only when the store has taken some.

pub mod announcing;
mod commits;
pub mod dead_letters;
mod delivery;
pub mod events;
mod judging;
mod memory;
mod minutes;
mod refusals;
mod report;
pub mod rules;
pub mod source;
mod state;
pub mod store;
pub mod write_queue;

use chrono::Utc;
use futures::stream::StreamExt;
use tokio::time::{Instant, sleep_until};

pub use self::commits::Durability;
use self::commits::{COMMIT_PAUSE, Commits};
use self::dead_letters::DeadLetters;
use self::delivery::Delivery;
pub(crate) use self::delivery::MAX_WRITES_IN_FLIGHT;
use self::events::{Listener, Origin, PipelineEvent, Progress, Task, TroubleKind};
use self::judging::Judging;
use self::memory::Heard;
use self::minutes::Minutes;
use self::report::Report;
use self::rules::Rules;
use self::source::{Assigned, Chunk, Event, Fetched, Gap, MembershipEvent, Source};
use self::state::State;
use self::store::Store;
use crate::output::counted;
use crate::reading::reject::Reject;
use crate::reading::{self, Reading};
use crate::record::Record;
use crate::shutdown::Shutdown;

/// How many bytes of messages may be taken up and not yet acknowledged, unless something else is said.
pub const MAX_IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;

/// How many records may be taken up and not yet committable, most of them acknowledged behind one that is not.
pub const MAX_OPEN_RECORDS: usize = 1_000_000;

/// When the pipeline ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Until {
    /// After so many messages.
    pub max_messages: Option<u64>,
    /// At the end that the partitions had when they were assigned.
    pub end: bool,
}

/// How the pipeline works.
#[derive(Debug, Clone)]
pub struct Options {
    /// When it ends by itself.
    pub until: Until,
    /// How long what is stored waits for its commit.
    pub durability: Durability,
    /// How many bytes of messages it may hold that are taken up and not acknowledged, before it reads on.
    pub max_in_flight_bytes: usize,
    /// How many readings a batch has at most; `None` for as many as the store likes best.
    pub max_batch_rows: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            until: Until::default(),
            durability: Durability::default(),
            max_in_flight_bytes: MAX_IN_FLIGHT_BYTES,
            max_batch_rows: None,
        }
    }
}

/// How the pipeline ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Whether everything taken up is acknowledged and committed; what is not is read again, by this group's next
    /// member.
    pub is_clean: bool,
    /// Whether everything stored is committed, because the store cannot forget it any more; what is not is written
    /// again by this group's next member.
    pub is_durable: bool,
}

/// Everything that a run holds.
pub struct Pipeline<'a, S, T: Store, D: DeadLetters, R, L> {
    source: &'a mut S,
    until: Until,
    max_in_flight_bytes: usize,
    state: State,
    judging: Judging<'a, T, R>,
    delivery: Delivery<'a, T, D>,
    minutes: Minutes<'a, T>,
    commits: Commits<'a, T>,
    report: Report<'a, L>,
}

impl<'a, S: Source, T: Store, D: DeadLetters, R: Rules, L: Listener> Pipeline<'a, S, T, D, R, L> {
    /// Puts a run together.
    pub fn new(
        source: &'a mut S,
        store: &'a T,
        dead_letters: &'a D,
        rules: &'a mut R,
        listener: &'a mut L,
        options: Options,
    ) -> Self {
        Self {
            source,
            until: options.until,
            max_in_flight_bytes: options.max_in_flight_bytes,
            state: State::Reading,
            judging: Judging::new(rules, store),
            delivery: Delivery::new(store, dead_letters, options.max_batch_rows),
            minutes: Minutes::new(store),
            commits: Commits::new(store, options.durability),
            report: Report::new(listener),
        }
    }

    /// Runs until the end that was asked for, a shutdown, or an error of the source, which ended for good. What was not
    /// committed is read again by the next member.
    pub async fn run(mut self, shutdown: &Shutdown) -> Result<Summary, S::Error> {
        loop {
            if let Some(summary) = self.advance().await {
                return Ok(summary);
            }
            self.judging.ask();
            self.delivery.send_what_is_ready();
            self.minutes.tick(&self.delivery.write_queue);
            self.minutes.go_on();
            let (room, deadline) = (self.has_room(), self.state.deadline().unwrap_or(self.report.due));
            let (ask_again, minutes_due) = (self.judging.memory.due(), self.minutes.due());
            tokio::select! {
                // Finished writes come first: they free memory and slots before more is read.
                biased;
                () = shutdown.wait(), if !self.state.is_stopping() => self.stop(),
                Some(written) = self.delivery.writes.next() => match written {
                    Some(written) => {
                        let ledger = &mut self.commits.ledger;
                        let needs = self.delivery.written(written, ledger, self.judging.rules, &mut self.report);
                        self.begin_minutes(needs);
                    }
                    None => self.stop(),
                },
                Some(kept) = self.delivery.dead_letter_writes.next() => match kept {
                    Some(kept) => self.delivery.kept(kept, &mut self.commits.ledger, &mut self.report),
                    None => self.stop(),
                },
                Some(read) = self.commits.generation_reads.next() => if self.commits.has_forgotten(read, &mut self.report) {
                    self.read_again().await;
                },
                Some(read) = self.judging.rules_reads.next() => self.take_rules(read),
                Some(read) = self.judging.acknowledgement_reads.next() => self.take_acknowledgements(read),
                () = sleep_until(self.judging.rules_due), if self.judging.rules_reads.is_empty() => {}
                Some(told) = self.judging.memory.questions.next() => self.remember(told),
                Some(read) = self.minutes.reads.next() => match read {
                    Some(read) => self.minutes_read(read),
                    None => self.stop(),
                },
                Some(written) = self.minutes.writes.next() => match written {
                    Some(written) => self.minutes_written(written),
                    None => self.stop(),
                },
                Some(listed) = self.minutes.lists.next() => match listed {
                    Some(listed) => self.minutes.listed(listed),
                    None => self.stop(),
                },
                () = sleep_until(ask_again.unwrap_or(deadline)), if ask_again.is_some() => {}
                event = self.source.next(room) => match event? {
                    Event::Membership(event) => self.membership_changed(event),
                    Event::Fetched(fetched) => self.take_fetched(fetched),
                },
                () = sleep_until(minutes_due) => {}
                () = sleep_until(self.commits.due) => self.commit().await,
                () = sleep_until(self.report.due) => {
                    self.report.tell_progress(&self.commits.ledger, self.delivery.in_flight_bytes);
                }
                () = sleep_until(deadline) => {}
            }
        }
    }

    fn membership_changed(&mut self, event: MembershipEvent) {
        match event {
            MembershipEvent::Assigned { assignment, partitions, is_again, topic_partitions, is_another_topic } => {
                if is_another_topic {
                    self.forget_rules();
                    self.commits.ledger.forget_seen();
                    self.delivery.refusals.clear();
                    self.state.read_on();
                }
                self.judging.topic_partitions = topic_partitions;
                self.assigned(assignment, &partitions, is_again);
            }
            MembershipEvent::Release => self.state.release(),
            MembershipEvent::Lost => self.revoked(),
            MembershipEvent::Committed(positions) => {
                self.report.outcome(Task::Commit, true);
                // What was acknowledged meanwhile needs a commit of its own, which must not be late.
                self.commits.answered(self.state.is_last_commit().then(Instant::now));
                for position in positions {
                    let (partition, offset) = (position.partition, position.offset);
                    tracing::debug!(event = "committed", partition, offset, "offsets are committed");
                    self.delivery.refusals.committed(&position);
                    self.judging.rules.committed(position.partition, position.offset);
                    self.commits.ledger.committed(position);
                }
            }
            MembershipEvent::Reached(is_reached) => self.report.outcome(Task::Coordinate, is_reached),
            MembershipEvent::CommitRefused { by_coordinator } => {
                if by_coordinator {
                    self.report.outcome(Task::Commit, false);
                }
                self.commits.answered(Some(Instant::now() + COMMIT_PAUSE));
            }
            MembershipEvent::Trouble(kind, text) => self.report.trouble(kind, &text),
        }
    }

    fn assigned(&mut self, assignment: u64, partitions: &[Assigned], is_again: bool) {
        self.commits.ledger.assign(assignment);
        let numbers = partitions.iter().map(|assigned| assigned.partition).collect();
        self.minutes.assigned(numbers, self.judging.topic_partitions);
        self.report.nothing_behind();
        self.judging.history.clear();
        // Who ends at the ends that the partitions have now knows all that was in them.
        let now = Utc::now().timestamp_micros();
        self.judging.read_as_of = partitions.iter().map(|assigned| (assigned.partition, now)).collect();
        for Assigned { partition, history_offset, start_offset, end_offset } in partitions.iter().copied() {
            self.commits.ledger.add(partition, start_offset, end_offset);
            if history_offset < start_offset {
                self.judging.history.insert(partition, start_offset);
            }
            self.report.behind(partition, start_offset, end_offset, None);
        }
        // To who looks on, nothing has changed.
        if !is_again {
            self.report.tell(PipelineEvent::Assigned(partitions));
        }
    }

    fn take_fetched(&mut self, fetched: Fetched) {
        if self.commits.ledger.partitions().next().is_none() && matches!(fetched, Fetched::Trouble(_)) {
            // Of partitions that were taken away: nobody would ever say that it is over.
            return;
        }
        self.report.outcome(Task::Read, !matches!(fetched, Fetched::Trouble(_)));
        match fetched {
            Fetched::Chunk(chunk) => self.take_chunk(chunk),
            Fetched::Gap(gap) => self.gap(gap),
            Fetched::End(end) => self.read_to_end(end),
            Fetched::Trouble(text) => self.report.trouble(TroubleKind::FetchHeldUp, &text),
        }
    }

    fn take_chunk(&mut self, chunk: Chunk) {
        let Chunk { assignment, partition, records, next_offset, end_offset } = chunk;
        if !self.commits.ledger.holds(assignment, partition) {
            return;
        }
        let start = self.judging.history.get(&partition).copied().unwrap_or(i64::MIN);
        let last_sent_ms = records.last().map(|record| record.timestamp_ms);
        for record in records {
            if record.offset < start {
                self.hear_again(partition, &record);
                continue;
            }
            if self.is_enough() && !self.commits.ledger.has_seen(partition, record.offset) {
                return;
            }
            self.take_record(partition, &record);
        }
        self.heard_to(partition, next_offset);
        self.commits.ledger.skip_to(partition, next_offset);
        self.report.behind(partition, next_offset, end_offset, last_sent_ms);
    }

    /// The one place where a record is understood and judged, those that come again included.
    fn take_record(&mut self, partition: i32, record: &Record) {
        let Some(in_flight) = self.commits.ledger.admit(partition, record.offset) else { return };
        let (offset, size_bytes) = (record.offset, record.size_bytes());
        self.delivery.in_flight_bytes += size_bytes;
        // Nobody is told twice of what was taken up before its partition was taken away.
        let is_news = !in_flight.is_again;
        if is_news {
            self.report.taken_up(partition, record);
        }
        match decode(record) {
            Ok(reading) => {
                let sent_ms = record.timestamp_ms;
                if is_news {
                    let alerts = self.judging.rules.alerts(&reading);
                    self.report.reading(Origin { partition, offset, sent_ms }, &reading, &alerts);
                }
                let mut heard =
                    Heard { partition, offset, sent_ms, reading, size_bytes, in_flight: Some(in_flight), is_news };
                if let Some(is_told) = self.delivery.refusals.is_told(&in_flight) {
                    if !is_told {
                        self.report.tell(PipelineEvent::Refused { partition, offset, reject: &Reject::Store });
                    }
                    self.delivery.keep(partition, record, Reject::Store, in_flight);
                    self.delivery.in_flight_bytes += size_bytes;
                    heard.in_flight = None;
                }
                self.judge(heard);
            }
            Err(reject) => {
                if is_news {
                    self.report.tell(PipelineEvent::Refused { partition, offset, reject: &reject });
                }
                self.delivery.keep(partition, record, reject, in_flight);
            }
        }
    }

    /// Whether nothing is under way any more. What is open all the same has been lost to a panic.
    fn is_at_rest(&self) -> bool {
        let is_waiting = !self.judging.memory.is_idle() || !self.delivery.write_queue.is_empty();
        !is_waiting && self.delivery.is_at_rest() && self.minutes.is_idle()
    }

    /// Whether nothing is on its way to the store, alarms of no record included.
    fn is_all_stored(&self) -> bool {
        self.judging.memory.is_idle() && self.delivery.is_all_written() && self.minutes.is_idle()
    }

    fn gap(&mut self, Gap { assignment, partition, wanted, found, end_offset }: Gap) {
        let ledger = &mut self.commits.ledger;
        if !ledger.holds(assignment, partition) {
            return;
        }
        // What is gone of what would only be heard again is no loss.
        let wanted = match self.judging.history.get(&partition) {
            Some(start) if found <= *start && found > wanted => return self.heard_to(partition, found),
            Some(start) if found > wanted => wanted.max(*start),
            _ => wanted,
        };
        self.judging.history.remove(&partition);
        let (kind, text) = if found > wanted {
            ledger.skip_to(partition, found);
            let lost = found.saturating_sub(wanted);
            let kind = TroubleKind::Gap { partition, offset: wanted, lost };
            let (lost, are) = (counted(lost, "message"), if lost == 1 { "is" } else { "are" });
            let text = format!(
                "partition {partition}: {lost} from offset {wanted} on {are} gone from the log; reading on at {found}"
            );
            (kind, text)
        } else {
            ledger.jump_to(partition, found, end_offset);
            self.delivery.refusals.clear();
            self.judging.rules.forget(partition);
            let text = format!(
                "partition {partition}: the log was made anew or cut, offset {wanted} is not what it was; reading on at {found}"
            );
            (TroubleKind::LogCut { partition, offset: wanted }, text)
        };
        self.report.trouble(kind, &text);
    }

    /// The partitions are somebody else's.
    fn revoked(&mut self) {
        self.take_away();
        self.state.revoked();
        self.report.tell(PipelineEvent::Revoked);
    }

    /// Begins again from what is committed: what was taken up since has to be stored once more. An end that was reached
    /// is reached again when everything is stored and committed.
    async fn read_again(&mut self) {
        self.take_away();
        self.state.read_on();
        self.source.rewind(self.commits.ledger.assignment()).await;
    }

    /// Drops what has not gone out yet: who gets the partitions next reads it again, and that may be us.
    fn take_away(&mut self) {
        self.forget_rules();
        self.judging.history.clear();
        self.commits.take_away();
        self.delivery.in_flight_bytes = self.delivery.in_flight_bytes.saturating_sub(self.judging.memory.clear());
        self.delivery.take_away();
        self.minutes.take_away();
        self.report.nothing_behind();
    }

    fn forget_rules(&mut self) {
        self.commits.ledger.partitions().for_each(|partition| self.judging.rules.forget(partition));
    }

    async fn commit(&mut self) {
        self.commits.mark_durable();
        if self.delivery.refusals.take_due() {
            return self.read_again().await;
        }
        if let Some(mut positions) = self.commits.next() {
            for position in &mut positions {
                position.history = self.judging.rules.history(position.partition, position.offset);
            }
            self.source.commit(self.commits.ledger.assignment(), positions).await;
        }
    }

    /// Whether the end that was asked for is reached.
    fn is_done(&self) -> bool {
        let ledger = &self.commits.ledger;
        let is_at_end = self.until.end && ledger.is_at_end();
        let is_at_end = is_at_end && self.judging.history.is_empty();
        ledger.is_assigned() && (self.is_enough() || is_at_end) && ledger.has_caught_up()
    }

    fn is_enough(&self) -> bool {
        self.until.max_messages.is_some_and(|max| self.report.progress.messages >= max)
    }

    fn has_room(&self) -> bool {
        self.state == State::Reading
            && self.delivery.in_flight_bytes < self.max_in_flight_bytes
            && self.commits.ledger.open_records() < MAX_OPEN_RECORDS
    }
}

/// What a record says, or why it is refused.
pub fn decode(record: &Record) -> Result<Reading, Reject> {
    match (&record.fault, &record.value) {
        (Some(fault), _) => Err(Reject::Batch(*fault)),
        (None, None) => Err(Reject::NullValue),
        (None, Some(value)) => reading::decode(value),
    }
}

#[cfg(test)]
mod tests;
