//! A member at work: speaks with the coordinator, and does what the [membership](super::membership) decides.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::assignor::{self, Subscriber};
use super::membership::{self, Membership, Step};
use super::subscription::{decode_assignment, decode_subscription, encode_assignment, encode_subscription};
use super::{ASSIGNOR, HEARTBEAT_INTERVAL, MemberConfig, PROTOCOL_TYPE, REBALANCE_LIMIT};
use crate::kafka::cluster::{Cluster, Leaders, NodeId, text};
use crate::kafka::connection::{Connection, REQUEST_LIMIT};
use crate::kafka::error::KafkaError;
use crate::kafka::fetch::Fetcher;
use crate::kafka::offsets::{self, Committer, Place};
use crate::pipeline::source::{Assigned, Event};
use crate::retry::Backoff;

/// How long saying good-bye may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// How often the leader looks whether the topic has more partitions.
const PARTITION_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What the pipeline asks of its member.
#[derive(Debug)]
pub(in crate::kafka) enum Command {
    /// Commit these offsets.
    Commit(Vec<(i32, i64)>),
    /// What was read is settled: the partitions can be given away.
    Released,
    /// Leave the group and end.
    Leave,
}

/// A member at work.
pub(in crate::kafka) struct Driver {
    config: MemberConfig,
    /// Where to begin in partitions of which the group has committed nothing.
    from: Place,
    seeds: Vec<String>,
    cluster: Cluster,
    coordinator: Option<NodeId>,
    membership: Membership,
    channels: Channels,
    /// The task that reads the partitions of the present assignment.
    fetcher: JoinSet<()>,
    assignment: u64,
    /// Partitions that are ours and not read yet, because their offsets could not be found.
    to_begin: Option<Vec<i32>>,
    backoff: Backoff,
    due: Due,
    partition_count: usize,
    ended: bool,
}

/// The driver's ends of the channels to the pipeline.
pub(in crate::kafka) struct Channels {
    /// What the pipeline wants.
    pub(in crate::kafka) commands: mpsc::Receiver<Command>,
    /// Assignments, releases, and the answers to commits.
    pub(in crate::kafka) events: mpsc::Sender<Event>,
    /// What the fetcher reads.
    pub(in crate::kafka) records: mpsc::Sender<Event>,
}

/// When what is to be done next.
struct Due {
    heartbeat: Instant,
    partition_check: Instant,
    begin: Instant,
    /// By when a release has to be over.
    release: Option<Instant>,
}

impl Driver {
    /// A member that has not joined yet.
    pub(in crate::kafka) fn new(
        config: MemberConfig,
        from: Place,
        seeds: Vec<String>,
        cluster: Cluster,
        channels: Channels,
    ) -> Self {
        let now = Instant::now();
        Self {
            config,
            from,
            seeds,
            cluster,
            coordinator: None,
            membership: Membership::new(),
            channels,
            fetcher: JoinSet::new(),
            assignment: 0,
            to_begin: None,
            backoff: Backoff::default(),
            due: Due { heartbeat: now, partition_check: now, begin: now, release: None },
            partition_count: 0,
            ended: false,
        }
    }

    /// Takes part in the group until it is told to leave, the pipeline is gone, or the group refuses for good.
    pub(in crate::kafka) async fn run(mut self) -> Result<(), KafkaError> {
        let mut steps = VecDeque::from([Step::Join]);
        while !self.ended {
            let more = match steps.pop_front() {
                Some(step) => self.take(step).await?,
                None => self.wait().await,
            };
            steps.extend(more);
        }
        // A leave that came in the middle of other steps.
        if steps.contains(&Step::Leave) {
            self.leave().await;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<Vec<Step>, KafkaError> {
        match step {
            Step::Join => return self.join().await,
            Step::JoinLater => {
                self.coordinator = None;
                return Ok(self.pause_before_join().await);
            }
            Step::Sync { members } => return self.sync(members).await,
            Step::Assign(partitions) => {
                self.to_begin = Some(partitions);
                self.begin().await;
            }
            Step::Release => {
                self.stop_reading();
                self.due.release = Some(Instant::now() + super::RELEASE_LIMIT);
                self.tell(Event::Release).await;
            }
            Step::Lose => {
                self.stop_reading();
                self.tell(Event::Lost).await;
            }
            Step::FindCoordinator => self.coordinator = None,
            Step::Leave => self.leave().await,
            Step::Stop(code) => return Err(self.stopped(code)),
        }
        Ok(Vec::new())
    }

    /// Waits for what comes next while the member has nothing to do.
    async fn wait(&mut self) -> Vec<Step> {
        let release = self.due.release.unwrap_or(self.due.heartbeat);
        tokio::select! {
            // Commands first: a commit that was asked for must not wait for a timer's request.
            biased;
            command = self.channels.commands.recv() => self.command(command).await,
            () = sleep_until(release), if self.due.release.is_some() => self.release_overdue().await,
            () = sleep_until(self.due.heartbeat) => self.heartbeat().await,
            () = sleep_until(self.due.begin), if self.to_begin.is_some() => {
                self.begin().await;
                Vec::new()
            }
            () = sleep_until(self.due.partition_check), if self.membership.leads() => self.check_partitions().await,
        }
    }

    async fn command(&mut self, command: Option<Command>) -> Vec<Step> {
        match command {
            Some(Command::Commit(offsets)) => self.commit(offsets).await,
            Some(Command::Released) => {
                self.due.release = None;
                self.membership.handle(membership::Event::Released)
            }
            Some(Command::Leave) | None => {
                self.stop_reading();
                self.ended = true;
                self.membership.handle(membership::Event::Leave)
            }
        }
    }

    /// The pipeline did not settle in time: the others must not wait for it.
    async fn release_overdue(&mut self) -> Vec<Step> {
        self.due.release = None;
        self.tell(Event::Lost).await;
        self.membership.handle(membership::Event::Released)
    }

    async fn join(&mut self) -> Result<Vec<Step>, KafkaError> {
        let request = self.join_request();
        let limit = REBALANCE_LIMIT + REQUEST_LIMIT;
        if let Err(error) = self.coordinator().await {
            return self.joined(Err(error));
        }
        let Some(node) = self.coordinator else { return Ok(vec![Step::JoinLater]) };
        let answer = {
            let Self { cluster, channels, .. } = self;
            let call = async { cluster.node(node).await?.call_within(&request, limit).await };
            tokio::pin!(call);
            loop {
                tokio::select! {
                    answer = &mut call => break Some(answer),
                    // The coordinator waits for all members, which can take long: a leave must not.
                    command = channels.commands.recv() => match command {
                        Some(Command::Commit(_)) => {
                            let _ = channels.events.send(Event::CommitRefused).await;
                        }
                        Some(Command::Released) => {}
                        Some(Command::Leave) | None => break None,
                    },
                }
            }
        };
        let Some(answer) = answer else { return Ok(self.command(None).await) };
        self.joined(answer.and_then(|answer| self.understand(answer)))
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text(ASSIGNOR))
            .with_metadata(encode_subscription(&self.config.topic));
        JoinGroupRequest::default()
            .with_group_id(GroupId(text(&self.config.group)))
            .with_session_timeout_ms(millis(self.config.session_timeout))
            .with_rebalance_timeout_ms(millis(REBALANCE_LIMIT))
            .with_member_id(text(self.membership.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text))
            .with_protocol_type(text(PROTOCOL_TYPE))
            .with_protocols(vec![protocol])
    }

    fn understand(&self, answer: kafka_protocol::messages::JoinGroupResponse) -> Result<membership::Event, KafkaError> {
        let member_id = answer.member_id.to_string();
        if let Some(code) = answer.error_code.err() {
            return Ok(membership::Event::JoinRefused { code, member_id });
        }
        let subscriber = |member: JoinGroupResponseMember| Subscriber {
            member_id: member.member_id.to_string(),
            instance_id: member.group_instance_id.map(|id| id.to_string()),
            topics: decode_subscription(member.metadata),
        };
        let leads = answer.leader == answer.member_id;
        let members = if leads { answer.members.into_iter().map(subscriber).collect() } else { Vec::new() };
        Ok(membership::Event::Joined { member_id, generation: answer.generation_id, members })
    }

    fn joined(&mut self, outcome: Result<membership::Event, KafkaError>) -> Result<Vec<Step>, KafkaError> {
        match outcome {
            Ok(event) => {
                if matches!(event, membership::Event::Joined { .. }) {
                    self.backoff.reset();
                }
                Ok(self.membership.handle(event))
            }
            Err(KafkaError::Refused { code, .. }) => {
                let member_id = self.membership.member_id().to_owned();
                Ok(self.membership.handle(membership::Event::JoinRefused { code, member_id }))
            }
            Err(error) if error.is_passing() => Ok(vec![Step::JoinLater]),
            Err(error) => Err(error),
        }
    }

    /// Waits before the next attempt, and takes a leave all the same.
    async fn pause_before_join(&mut self) -> Vec<Step> {
        if self.backoff.is_worth_telling() {
            let text = format!("the group '{}' cannot be joined yet; trying again", self.config.group);
            self.tell(Event::Trouble(text)).await;
        }
        let until = Instant::now() + self.backoff.next_pause();
        loop {
            tokio::select! {
                () = sleep_until(until) => return vec![Step::Join],
                command = self.channels.commands.recv() => match command {
                    Some(Command::Leave) | None => return self.command(None).await,
                    Some(Command::Commit(_)) => self.tell(Event::CommitRefused).await,
                    Some(Command::Released) => {}
                },
            }
        }
    }

    async fn sync(&mut self, members: Vec<Subscriber>) -> Result<Vec<Step>, KafkaError> {
        let assignments = match self.share_out(&members).await {
            Ok(assignments) => assignments,
            Err(error) if error.is_passing() => return Ok(self.refuse_sync(ResponseError::CoordinatorNotAvailable)),
            Err(error) => return Err(error),
        };
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(&self.config.group)))
            .with_generation_id(self.membership.generation())
            .with_member_id(text(self.membership.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text))
            .with_assignments(assignments);
        let answer = match self.coordinator().await {
            // The coordinator waits for the leader's shares.
            Ok(coordinator) => coordinator.call_within(&request, REBALANCE_LIMIT).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => match answer.error_code.err() {
                Some(code) => Ok(self.refuse_sync(code)),
                None => {
                    let partitions = decode_assignment(answer.assignment, &self.config.topic);
                    self.due.heartbeat = Instant::now() + HEARTBEAT_INTERVAL;
                    Ok(self.membership.handle(membership::Event::Synced(partitions)))
                }
            },
            Err(KafkaError::Refused { code, .. }) => Ok(self.refuse_sync(code)),
            Err(error) if error.is_passing() => Ok(self.refuse_sync(ResponseError::CoordinatorNotAvailable)),
            Err(error) => Err(error),
        }
    }

    fn refuse_sync(&mut self, code: ResponseError) -> Vec<Step> {
        self.membership.handle(membership::Event::SyncRefused(code))
    }

    /// As leader: every member's share, of every topic that any of them wants.
    async fn share_out(&mut self, members: &[Subscriber]) -> Result<Vec<SyncGroupRequestAssignment>, KafkaError> {
        let mut counts = BTreeMap::new();
        for topic in members.iter().flat_map(|member| &member.topics) {
            if !counts.contains_key(topic) {
                counts.insert(topic.clone(), self.count_partitions(topic).await?);
            }
        }
        if let Some(count) = counts.get(&self.config.topic) {
            self.partition_count = *count;
            self.due.partition_check = Instant::now() + PARTITION_CHECK_INTERVAL;
        }
        let share = |(member_id, assignment): (String, assignor::Assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(&member_id))
                .with_assignment(encode_assignment(&assignment))
        };
        Ok(assignor::range(members, &counts).into_iter().map(share).collect())
    }

    async fn count_partitions(&mut self, topic: &str) -> Result<usize, KafkaError> {
        match self.cluster.leaders(topic).await {
            Ok(leaders) => Ok(leaders.count()),
            // Somebody may wait for a topic that is still to come.
            Err(KafkaError::NoTopic { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn check_partitions(&mut self) -> Vec<Step> {
        self.due.partition_check = Instant::now() + PARTITION_CHECK_INTERVAL;
        let topic = self.config.topic.clone();
        match self.count_partitions(&topic).await {
            Ok(count) if count > self.partition_count => self.membership.handle(membership::Event::PartitionsChanged),
            _ => Vec::new(),
        }
    }

    async fn heartbeat(&mut self) -> Vec<Step> {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(&self.config.group)))
            .with_generation_id(self.membership.generation())
            .with_member_id(text(self.membership.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text));
        let answer = match self.coordinator().await {
            Ok(coordinator) => coordinator.call(&request).await,
            Err(error) => Err(error),
        };
        self.due.heartbeat = Instant::now() + HEARTBEAT_INTERVAL;
        match answer.map(|answer| answer.error_code.err()) {
            Ok(None) => Vec::new(),
            Ok(Some(code)) | Err(KafkaError::Refused { code, .. }) => self.refused(code),
            Err(_) => {
                // The session may outlive a short break, so the next attempt comes soon.
                self.coordinator = None;
                self.due.heartbeat = Instant::now() + self.backoff.next_pause();
                Vec::new()
            }
        }
    }

    async fn commit(&mut self, offsets: Vec<(i32, i64)>) -> Vec<Step> {
        if !self.membership.may_commit() {
            self.tell(Event::CommitRefused).await;
            return Vec::new();
        }
        let (member_id, generation) = (self.membership.member_id().to_owned(), self.membership.generation());
        let MemberConfig { group, topic, instance_id, .. } = self.config.clone();
        let committer =
            Committer { group: &group, generation, member_id: &member_id, instance_id: instance_id.as_deref() };
        let outcome = match self.coordinator().await {
            Ok(coordinator) => offsets::commit(coordinator, committer, &topic, &offsets).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.tell(Event::Committed(offsets)).await;
                Vec::new()
            }
            Err(error) => {
                self.tell(Event::CommitRefused).await;
                match error {
                    KafkaError::Refused { code, .. } => self.refused(code),
                    _ => vec![Step::FindCoordinator],
                }
            }
        }
    }

    fn refused(&mut self, code: ResponseError) -> Vec<Step> {
        self.membership.handle(membership::Event::Refused(code))
    }

    /// Begins to read the partitions that were assigned, once their offsets are known.
    async fn begin(&mut self) {
        let Some(partitions) = self.to_begin.clone() else { return };
        match self.find_offsets(&partitions).await {
            Ok(assigned) => {
                self.to_begin = None;
                self.backoff.reset();
                self.assignment += 1;
                let fetcher = Fetcher {
                    seeds: self.seeds.clone(),
                    topic: self.config.topic.clone(),
                    assignment: self.assignment,
                    events: self.channels.records.clone(),
                    positions: Fetcher::positions(&assigned),
                };
                self.tell(Event::Assigned { assignment: self.assignment, partitions: assigned }).await;
                self.fetcher.spawn(fetcher.run());
            }
            Err(error) => {
                if self.backoff.is_worth_telling() {
                    self.tell(Event::Trouble(format!("the offsets to begin from are not to be had ({error})"))).await;
                }
                self.coordinator = None;
                self.due.begin = Instant::now() + self.backoff.next_pause();
            }
        }
    }

    /// Where each partition begins for this group, and where it ends now.
    async fn find_offsets(&mut self, partitions: &[i32]) -> Result<Vec<Assigned>, KafkaError> {
        let MemberConfig { group, topic, .. } = self.config.clone();
        let committed = offsets::committed(self.coordinator().await?, &group, &topic, partitions).await?;
        let mut leaders = self.cluster.leaders(&topic).await?;
        leaders.0.retain(|(partition, _)| partitions.contains(partition));
        let ends = offsets::find(&mut self.cluster, &topic, &leaders, Place::Latest).await?;
        let mut fresh = Leaders(leaders.0.clone());
        fresh.0.retain(|(partition, _)| offset_of(&committed, *partition).is_none());
        let starts = offsets::find(&mut self.cluster, &topic, &fresh, self.from).await?;
        let begin = |partition: i32| {
            let start_offset = offset_of(&committed, partition).or_else(|| offset_of(&starts, partition))?;
            Some(Assigned { partition, start_offset, end_offset: offset_of(&ends, partition)? })
        };
        partitions.iter().map(|partition| begin(*partition)).collect::<Option<_>>().ok_or_else(|| {
            KafkaError::refused(format!("the offsets of the topic '{topic}'"), ResponseError::LeaderNotAvailable)
        })
    }

    fn stop_reading(&mut self) {
        self.fetcher.abort_all();
        self.to_begin = None;
    }

    async fn leave(&mut self) {
        self.ended = true;
        // A static member's partitions wait for its restart.
        if self.config.instance_id.is_some() {
            return;
        }
        let member = MemberIdentity::default().with_member_id(text(self.membership.member_id()));
        let request =
            LeaveGroupRequest::default().with_group_id(GroupId(text(&self.config.group))).with_members(vec![member]);
        let farewell = async { self.coordinator().await?.call(&request).await };
        // Where the coordinator does not hear it, the session's end has the same effect.
        let _ = timeout(LEAVE_LIMIT, farewell).await;
    }

    async fn coordinator(&mut self) -> Result<&mut Connection, KafkaError> {
        let node = match self.coordinator {
            Some(node) => node,
            None => self.cluster.coordinator(&self.config.group).await?,
        };
        self.coordinator = Some(node);
        self.cluster.node(node).await
    }

    async fn tell(&mut self, event: Event) {
        if self.channels.events.send(event).await.is_err() {
            self.ended = true;
        }
    }

    fn stopped(&self, code: ResponseError) -> KafkaError {
        let group = self.config.group.clone();
        match (&self.config.instance_id, code) {
            (Some(instance_id), ResponseError::FencedInstanceId) => {
                KafkaError::Fenced { group, instance_id: instance_id.clone() }
            }
            _ => KafkaError::refused(format!("membership of the group '{group}'"), code),
        }
    }
}

fn offset_of(offsets: &[(i32, i64)], partition: i32) -> Option<i64> {
    offsets.iter().find(|(of, _)| *of == partition).map(|(_, offset)| *offset)
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
