//! A member at work: does what the [membership](super::membership) decides, and holds the timers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt as _;
use kafka_protocol::ResponseError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::MemberConfig;
use super::assignor::{Counts, Subscriber, is_to_be_shared_anew};
use super::coordinator::{Beginnings, Coordinator, Shares};
use super::membership::{self, Membership, Step};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::KafkaConfig;
use crate::kafka::error::KafkaError;
use crate::kafka::fetch::{Ended, Fetcher};
use crate::kafka::offsets::Place;
use crate::kafka::right::Right;
use crate::ledger::Position;
use crate::pipeline::events::TroubleKind;
use crate::pipeline::source::{Fetched, MembershipEvent, RELEASE_LIMIT};
use crate::retry::Backoff;

/// How often the leader looks whether the topics of the group have other partitions.
const PARTITION_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What the pipeline asks of its member. Each names the assignment that it is about.
#[derive(Debug)]
pub(in crate::kafka) enum Command {
    Commit {
        assignment: u64,
        positions: Vec<Position>,
    },
    /// Read the partitions again from what is committed.
    Rewind {
        assignment: u64,
    },
    /// What was read is acknowledged: the partitions can be given away.
    Released {
        assignment: u64,
    },
    /// Leave the group and end.
    Leave,
}

/// The driver's ends of the channels to the pipeline.
pub(in crate::kafka) struct Channels {
    pub(in crate::kafka) commands: mpsc::Receiver<Command>,
    /// Assignments, releases, and the answers to commits.
    pub(in crate::kafka) events: mpsc::Sender<MembershipEvent>,
    /// What the fetcher reads.
    pub(in crate::kafka) records: mpsc::Sender<Fetched>,
}

/// A member at work.
pub(in crate::kafka) struct Driver {
    coordinator: Coordinator,
    membership: Membership,
    channels: Channels,
    /// How the fetcher reaches the cluster.
    kafka: KafkaConfig,
    /// Where to begin in partitions of which the group has committed nothing.
    from: Place,
    /// What the membership has decided and is not done yet.
    steps: VecDeque<Step>,
    /// The task that reads the partitions of the present assignment.
    fetcher: JoinSet<Ended>,
    assignment: u64,
    /// Whether the pipeline holds this assignment; else what it still says of it is late.
    held: bool,
    /// The topic that was read last: another one of the same name has other offsets.
    topic_id: Option<Uuid>,
    /// The partitions that are ours.
    partitions: Vec<i32>,
    /// Whether they are begun again, and not for the first time.
    rewinding: bool,
    /// As leader: how many partitions of each topic were shared out.
    shared_out: Counts,
    backoff: Backoff,
    due: Due,
    contact: Contact,
    ended: bool,
}

/// Whether the coordinator has answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Made,
    Lost,
}

/// When what is to be done next.
struct Due {
    heartbeat: Instant,
    partition_check: Instant,
    /// To look again for the offsets of partitions that are ours and not read yet.
    begin: Option<Instant>,
    /// By when a release has to be over.
    release: Option<Instant>,
}

impl Driver {
    /// A member that has not joined yet.
    pub(in crate::kafka) fn new(
        config: MemberConfig,
        from: Place,
        kafka: KafkaConfig,
        cluster: Cluster,
        channels: Channels,
    ) -> Self {
        let now = Instant::now();
        Self {
            coordinator: Coordinator::new(config, cluster),
            membership: Membership::new(),
            channels,
            kafka,
            from,
            steps: VecDeque::from([Step::Join]),
            fetcher: JoinSet::new(),
            assignment: 0,
            held: false,
            topic_id: None,
            partitions: Vec::new(),
            rewinding: false,
            shared_out: Counts::new(),
            backoff: Backoff::default(),
            due: Due { heartbeat: now, partition_check: now, begin: None, release: None },
            contact: Contact::Made,
            ended: false,
        }
    }

    /// Takes part in the group until it is told to leave, the pipeline is gone, or the group refuses for good.
    ///
    /// # Panics
    /// Where the work does; the group has been left then, so that its other members take over at once.
    pub(in crate::kafka) async fn run(mut self) -> Result<(), KafkaError> {
        match AssertUnwindSafe(self.work()).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.stop_reading();
                // Whatever was on its way there has no answer any more.
                self.coordinator.forget();
                self.coordinator.leave(&self.membership).await;
                resume_unwind(panic)
            }
        }
    }

    async fn work(&mut self) -> Result<(), KafkaError> {
        while !self.ended || !self.steps.is_empty() {
            match self.steps.pop_front() {
                Some(step) => self.take(step).await?,
                None => self.wait().await,
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: membership::Event) {
        self.steps.extend(self.membership.handle(event));
    }

    async fn take(&mut self, step: Step) -> Result<(), KafkaError> {
        match step {
            Step::Join => self.join().await?,
            Step::JoinLater => self.pause_before_join().await,
            Step::Sync { members } => self.sync(&members).await?,
            Step::Assign(partitions) => {
                self.partitions = partitions;
                self.rewinding = false;
                self.begin().await;
            }
            Step::Release => {
                self.stop_reading();
                self.due.release = Some(Instant::now() + RELEASE_LIMIT);
                self.tell(MembershipEvent::Release).await;
            }
            Step::Lose => self.lose().await,
            Step::FindCoordinator => self.coordinator.forget(),
            Step::Leave => {
                self.ended = true;
                self.coordinator.leave(&self.membership).await;
            }
            Step::Stop(code) => return Err(self.stopped(code)),
        }
        Ok(())
    }

    /// Waits for what comes next while the member has nothing to do.
    async fn wait(&mut self) {
        let Due { heartbeat, partition_check, .. } = self.due;
        let (begin, release) = (self.due.begin.unwrap_or(heartbeat), self.due.release.unwrap_or(heartbeat));
        tokio::select! {
            // Commands first: a commit that was asked for must not wait for a timer's request.
            biased;
            command = self.channels.commands.recv() => self.command(command).await,
            // One that panicked has asked the program to end, as any panic does: until then this goes on, since what
            // was read can still be committed.
            Some(ended) = self.fetcher.join_next() => if let Ok(Ended::AnotherTopic { assignment }) = ended {
                self.begin_anew(assignment).await;
            },
            () = sleep_until(release), if self.due.release.is_some() => {
                // The store did not acknowledge in time: the others must not wait for it.
                self.lose().await;
                self.handle(membership::Event::Released);
            }
            () = sleep_until(heartbeat) => self.heartbeat().await,
            () = sleep_until(begin), if self.due.begin.is_some() => self.begin().await,
            () = sleep_until(partition_check), if self.membership.leads() => self.check_partitions().await,
        }
    }

    async fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Commit { assignment, positions }) => self.commit(assignment, positions).await,
            Some(Command::Rewind { assignment }) => self.rewind(assignment).await,
            Some(Command::Released { assignment }) => {
                if assignment == self.assignment {
                    self.held = false;
                    self.due.release = None;
                    self.handle(membership::Event::Released);
                }
            }
            Some(Command::Leave) | None => self.leave(),
        }
    }

    // In and out of the group

    async fn join(&mut self) -> Result<(), KafkaError> {
        let Self { coordinator, membership, channels, .. } = self;
        let answer = {
            let asked = coordinator.join(membership);
            tokio::pin!(asked);
            loop {
                tokio::select! {
                    answer = &mut asked => break Some(answer?),
                    // The coordinator waits for all members, which can take long: a leave must not.
                    command = channels.commands.recv() => if refuse(command, &channels.events).await { break None },
                }
            }
        };
        match answer {
            Some(event) => {
                if let membership::Event::Joined { generation, .. } = event {
                    let group = &*self.coordinator.config().group;
                    tracing::info!(event = "joined", group, generation, "a member of the group");
                    self.backoff.reset();
                    self.note(Contact::Made).await;
                }
                self.handle(event);
            }
            None => self.leave(),
        }
        Ok(())
    }

    /// Waits before the next attempt, and takes a leave all the same.
    async fn pause_before_join(&mut self) {
        self.coordinator.forget();
        self.note(Contact::Lost).await;
        if self.backoff.is_worth_telling() {
            let group = &self.coordinator.config().group;
            let why = self.coordinator.refusal().map(|why| format!(" ({why})")).unwrap_or_default();
            let text = format!("the group '{group}' cannot be joined yet{why}; trying again");
            self.tell(MembershipEvent::Trouble(TroubleKind::GroupNotJoined, text)).await;
        }
        let until = Instant::now() + self.backoff.next_pause();
        let Channels { commands, events, .. } = &mut self.channels;
        loop {
            tokio::select! {
                () = sleep_until(until) => return self.steps.push_back(Step::Join),
                command = commands.recv() => if refuse(command, events).await { break },
            }
        }
        self.leave();
    }

    fn leave(&mut self) {
        self.stop_reading();
        self.ended = true;
        self.handle(membership::Event::Leave);
    }

    async fn sync(&mut self, members: &[Subscriber]) -> Result<(), KafkaError> {
        let event = match self.share_out(members).await {
            Ok(shares) => {
                let event = self.coordinator.sync(&self.membership, shares).await?;
                self.heartbeat_later();
                event
            }
            Err(error @ KafkaError::Refused { .. }) if !error.is_passing() => return Err(error),
            Err(error) => membership::Event::SyncRefused(self.coordinator.code_of(error)?),
        };
        self.handle(event);
        Ok(())
    }

    async fn share_out(&mut self, members: &[Subscriber]) -> Result<Shares, KafkaError> {
        if !self.membership.leads() {
            return Ok(Shares::default());
        }
        let counts = self.coordinator.count_partitions(self.membership.topics()).await?;
        let shares = self.coordinator.share_out(members, &counts)?;
        self.shared_out = counts;
        self.due.partition_check = Instant::now() + PARTITION_CHECK_INTERVAL;
        Ok(shares)
    }

    /// As leader: what has other partitions than were shared out has to be shared out anew.
    async fn check_partitions(&mut self) {
        self.due.partition_check = Instant::now() + PARTITION_CHECK_INTERVAL;
        if let Ok(counts) = self.coordinator.count_partitions(self.membership.topics()).await
            && is_to_be_shared_anew(&self.shared_out, &counts)
        {
            self.handle(membership::Event::PartitionsChanged);
        }
    }

    async fn lose(&mut self) {
        self.stop_reading();
        self.held = false;
        self.due.release = None;
        self.tell(MembershipEvent::Lost).await;
    }

    // While it is in the group

    async fn heartbeat(&mut self) {
        let answer = self.coordinator.heartbeat(&self.membership).await;
        self.heartbeat_later();
        let is_answered = matches!(answer, Ok(_) | Err(KafkaError::Refused { .. }));
        self.note(if is_answered { Contact::Made } else { Contact::Lost }).await;
        match answer {
            Ok(None) => {}
            Ok(Some(code)) | Err(KafkaError::Refused { code, .. }) => self.handle(membership::Event::Refused(code)),
            Err(_) => {
                // The session may outlive a short break, so the next attempt comes soon.
                self.due.heartbeat = Instant::now() + self.backoff.next_pause();
                self.coordinator.forget();
            }
        }
    }

    fn heartbeat_later(&mut self) {
        self.due.heartbeat = Instant::now() + self.coordinator.config().heartbeat_interval();
    }

    async fn commit(&mut self, assignment: u64, positions: Vec<Position>) {
        if !self.membership.may_commit() || !self.held || assignment != self.assignment {
            return self.tell(MembershipEvent::CommitRefused { by_coordinator: false }).await;
        }
        let topic_id = self.topic_id.unwrap_or_default();
        let Err(error) = self.coordinator.commit(&self.membership, topic_id, &positions).await else {
            return self.tell(MembershipEvent::Committed(positions)).await;
        };
        self.tell(MembershipEvent::CommitRefused { by_coordinator: true }).await;
        match error {
            KafkaError::Refused { code, .. } => self.handle(membership::Event::Refused(code)),
            _ => self.coordinator.forget(),
        }
    }

    /// Whether the pipeline holds this assignment. Where it is about to be given away, its next owner begins it.
    fn keeps(&self, assignment: u64) -> bool {
        self.held && assignment == self.assignment && self.due.release.is_none()
    }

    /// Begins the partitions again.
    async fn rewind(&mut self, assignment: u64) {
        if self.keeps(assignment) {
            self.stop_reading();
            self.rewinding = true;
            self.begin().await;
        }
    }

    /// The topic was made anew: its partitions begin at their starts, as another assignment, so that no commit takes an
    /// offset of the one for a place in the other.
    async fn begin_anew(&mut self, assignment: u64) {
        if self.keeps(assignment) {
            // It may have more partitions, or fewer.
            self.due.partition_check = Instant::now();
            self.begin().await;
        }
    }

    /// Begins to read the partitions that were assigned, once their offsets are known.
    async fn begin(&mut self) {
        let found = self.coordinator.find_offsets(&self.membership, &self.partitions, self.from, self.topic_id).await;
        self.due.begin = None;
        let Beginnings { topic_id, assigned, topic_partitions, anew } = match found {
            Ok(found) => found,
            Err(error) => {
                if self.backoff.is_worth_telling() {
                    let text = format!("cannot read the committed offsets ({error})");
                    self.tell(MembershipEvent::Trouble(TroubleKind::OffsetsUnread, text)).await;
                }
                self.coordinator.forget();
                self.due.begin = Some(Instant::now() + self.backoff.next_pause());
                return;
            }
        };
        self.backoff.reset();
        self.assignment += 1;
        self.held = true;
        let is_another_topic = self.topic_id.replace(topic_id).is_some_and(|before| before != topic_id);
        let fetcher = Fetcher {
            kafka: self.kafka.clone(),
            topic: self.coordinator.config().topic.clone(),
            assignment: self.assignment,
            events: self.channels.records.clone(),
            positions: assigned.iter().map(|assigned| (assigned.partition, assigned.history_offset)).collect(),
            topic_id,
            reads_on: false,
        };
        let is_again = std::mem::take(&mut self.rewinding);
        let (assignment, partitions) = (self.assignment, assigned);
        let assigned =
            MembershipEvent::Assigned { assignment, partitions, is_again, topic_partitions, is_another_topic };
        self.tell(assigned).await;
        if !anew.is_empty() {
            self.tell(MembershipEvent::Trouble(TroubleKind::TopicMadeAnew, made_anew(&anew))).await;
        }
        self.fetcher.spawn(fetcher.run());
    }

    fn stop_reading(&mut self) {
        self.fetcher.abort_all();
        self.due.begin = None;
    }

    async fn tell(&mut self, event: MembershipEvent) {
        // Without the pipeline there is nobody to read for.
        self.ended |= self.channels.events.send(event).await.is_err();
    }

    async fn note(&mut self, contact: Contact) {
        if std::mem::replace(&mut self.contact, contact) != contact {
            self.tell(MembershipEvent::Reached(contact == Contact::Made)).await;
        }
    }

    fn stopped(&self, code: ResponseError) -> KafkaError {
        let MemberConfig { group, topic, instance_id, .. } = self.coordinator.config().clone();
        if let (Some(instance_id), ResponseError::FencedInstanceId) = (instance_id, code) {
            return KafkaError::Fenced { group, instance_id };
        }
        let refused = KafkaError::refused(format!("membership of the group '{group}'"), code);
        refused.needing(Right::of_member(code, &group, &topic))
    }
}

fn made_anew(partitions: &[i32]) -> String {
    let numbers: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    format!(
        "the topic was made anew or cut: the offsets known of partition {} are not of this one; reading from the start",
        numbers.join(", ")
    )
}

/// Takes a command while no partitions are held, and says whether it is to leave.
async fn refuse(command: Option<Command>, events: &mpsc::Sender<MembershipEvent>) -> bool {
    match command {
        Some(Command::Commit { .. }) => {
            events.send(MembershipEvent::CommitRefused { by_coordinator: false }).await.is_err()
        }
        Some(Command::Released { .. } | Command::Rewind { .. }) => false,
        Some(Command::Leave) | None => true,
    }
}
