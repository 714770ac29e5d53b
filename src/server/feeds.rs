//! What tells the hub: a task that reads the topic of readings, one that reads the topic of alarms, one that asks the
//! store. None is in a group, and nothing is committed. Whatever is away is asked again for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::sync::OnceCell;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::hub::{Hub, Part, now};
use super::ward::{Ward, parse_alarm};
use crate::admission::Admission;
use crate::app;
use crate::app::looking_on::{self, Backlog};
use crate::kafka::error::KafkaError;
use crate::kafka::live::Live;
use crate::kafka::offsets::Place;
use crate::pipeline;
use crate::pipeline::source::Fetched;
use crate::pipeline::store::Entry;
use crate::reading::{PatientId, Reading, Signs, Timestamp};
use crate::settings::Settings;
use crate::store::{Admissions, AnyStore, StoreError, StoredAlarm};

/// What is shown at the beginning was sent no longer ago.
const LOOKS_BACK: TimeDelta = TimeDelta::minutes(15);

/// How often what has changed is told: a tenth of the time that a screen has to show it.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(50);

/// So often a stream tells that it goes on.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the store is asked, and how long until what could not be opened is tried again.
const ASK_INTERVAL: Duration = Duration::from_secs(2);
const REOPEN_INTERVAL: Duration = Duration::from_secs(2);

/// How long the store may take for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Patients in one question for alarms, and the alarms of one that are looked through for those that are on.
const PATIENTS_AT_ONCE: usize = 25;
const ALARMS_OF_ONE: u16 = 50;

/// Of so many patients the alarms are compared in one round.
const COMPARED_IN_TURN: usize = 500;

/// A reading that is further ahead of the clock tells nothing: its time is wrong.
const LARGEST_CLOCK_ERROR: TimeDelta = TimeDelta::minutes(5);

/// How often it is looked whether a topic has more partitions.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// That reading is held up is told about every half minute while it lasts.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The store, once it could be opened.
pub(super) type Opened = OnceCell<Arc<AnyStore>>;

/// Reads the topic of readings.
pub(super) async fn read_readings(settings: Settings, hub: Arc<Hub>) {
    let topic = &settings.topic;
    loop {
        let since = Timestamp::from_utc(Utc::now() - LOOKS_BACK).unwrap_or(Timestamp::EPOCH);
        let (mut live, mut backlog) = opened(&settings, topic, Place::Time(since), (&hub, Part::Brokers)).await;
        hub.at_end(backlog.is_read());
        let mut follower = Follower::of(&backlog);
        while let Some(event) = follower.next(&mut live, &settings, topic).await {
            follower.tell(&event, &hub, Part::Brokers);
            let Fetched::Chunk(chunk) = event else { continue };
            let read: Vec<Result<Reading, _>> = chunk.records.iter().map(pipeline::decode).collect();
            let refused = read.iter().filter(|reading| reading.is_err()).count();
            hub.hear(read.iter().flatten());
            hub.refuse(u64::try_from(refused).unwrap_or(u64::MAX));
            backlog.read_to(chunk.partition, chunk.next_offset, chunk.end_offset);
            hub.at_end(backlog.is_read());
        }
    }
}

/// Reads the topic of alarms, where there is to be one.
pub(super) async fn read_alarms(settings: Settings, hub: Arc<Hub>) {
    let Some(topic) = &settings.alarms_topic else { return };
    loop {
        let (mut live, backlog) = opened(&settings, topic, Place::Latest, (&hub, Part::Alarms)).await;
        let mut follower = Follower::of(&backlog);
        while let Some(event) = follower.next(&mut live, &settings, topic).await {
            follower.tell(&event, &hub, Part::Alarms);
            let Fetched::Chunk(chunk) = event else { continue };
            // Who sends something else there is nobody whom this concerns.
            let values = chunk.records.iter().filter_map(|record| record.value.as_deref());
            let alarms: Vec<StoredAlarm> = values.filter_map(parse_alarm).collect();
            hub.change(|ward, now| alarms.into_iter().for_each(|alarm| ward.hear_alarm(alarm, now)));
        }
    }
}

/// One who follows a topic.
struct Follower {
    reach: Reach,
    partitions: usize,
    /// When it is looked next whether partitions have come.
    look_at: Instant,
}

impl Follower {
    fn of(backlog: &Backlog) -> Self {
        let partitions = backlog.partitions().count();
        Self { reach: Reach::of(backlog), partitions, look_at: Instant::now() + LOOK_INTERVAL }
    }

    /// The next event; `None` where the topic has to be opened anew, because partitions have come or it has none.
    async fn next(&mut self, live: &mut Live, settings: &Settings, topic: &str) -> Option<Fetched> {
        loop {
            tokio::select! {
                event = live.next() => {
                    if event.is_none() {
                        sleep(REOPEN_INTERVAL).await;
                    }
                    return event;
                }
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + LOOK_INTERVAL;
                    // Where that is not known the reading tells of it.
                    let count = looking_on::count_partitions(settings, topic).await;
                    if count.is_ok_and(|count| count > self.partitions) {
                        return None;
                    }
                }
            }
        }
    }

    /// Tells whether reading goes on.
    fn tell(&mut self, event: &Fetched, hub: &Hub, part: Part) {
        if let Fetched::Trouble(text) = event {
            hub.tell(part, Some(text.clone()));
        }
        if self.reach.hear(event) {
            hub.tell(part, None);
        }
    }
}

/// Which partitions have told nothing since reading was held up: it is over when all of them have.
struct Reach {
    all: BTreeSet<i32>,
    silent: BTreeSet<i32>,
    /// When it was held up last.
    held_up: Option<Instant>,
}

impl Reach {
    fn of(backlog: &Backlog) -> Self {
        Self { all: backlog.partitions().collect(), silent: BTreeSet::new(), held_up: None }
    }

    /// Whether by this event it is over that reading was held up.
    fn hear(&mut self, event: &Fetched) -> bool {
        let partition = match event {
            Fetched::Trouble(_) => {
                (self.silent, self.held_up) = (self.all.clone(), Some(Instant::now()));
                return false;
            }
            Fetched::Chunk(chunk) => chunk.partition,
            Fetched::End(end) => end.partition,
            Fetched::Gap(gap) => gap.partition,
        };
        self.silent.remove(&partition);
        // One of a topic that was made anew may be gone for good; whatever lasts is told again.
        let is_over = |held_up: &mut Instant| self.silent.is_empty() || held_up.elapsed() >= FORGOTTEN_AFTER;
        self.held_up.take_if(is_over).is_some()
    }
}

/// Opens it, however long that takes. A topic that is missing may come.
async fn opened(settings: &Settings, topic: &str, place: Place, (hub, part): (&Hub, Part)) -> (Live, Backlog) {
    loop {
        match looking_on::open(settings, topic, place).await {
            Ok(opened) => {
                hub.tell(part, None);
                return opened;
            }
            // It comes into being with the first alarm; until then the store is asked.
            Err(KafkaError::NoTopic { .. }) if part == Part::Alarms => hub.tell(part, None),
            Err(error) => hub.tell(part, Some(error.to_string())),
        }
        sleep(REOPEN_INTERVAL).await;
    }
}

/// Follows what the store knows of patients, rules and alarms.
pub(super) async fn ask_store(settings: Settings, hub: Arc<Hub>, place: Arc<Opened>) {
    let store = loop {
        match app::open_store(&settings).await {
            Ok(store) => break Arc::new(store),
            Err(error) => hub.tell(Part::Store, Some(error.to_string())),
        }
        sleep(REOPEN_INTERVAL).await;
    };
    let _ = place.set(Arc::clone(&store));
    let mut asking = Asking::of(settings, store, hub);
    let mut rounds = interval(ASK_INTERVAL);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let answered = asking.ask().await;
        asking.hub.tell(Part::Store, answered.err());
    }
}

/// One who asks the store. Whatever breaks off is taken up in the next round.
struct Asking {
    settings: Settings,
    store: Arc<AnyStore>,
    hub: Arc<Hub>,
    /// As far as the journal was read.
    admissions: Admissions,
    /// As the hub knows them.
    told: BTreeMap<String, Admission>,
    /// Who is in, and of whom the newest reading was not looked up yet.
    unread: BTreeSet<String>,
    /// The version of the rules that were told.
    rules: Option<Entry>,
    /// Behind this patient the next round of comparing begins.
    from: Option<String>,
}

impl Asking {
    fn of(settings: Settings, store: Arc<AnyStore>, hub: Arc<Hub>) -> Self {
        let (told, unread) = (BTreeMap::new(), BTreeSet::new());
        Self { settings, store, hub, admissions: Admissions::default(), told, unread, rules: None, from: None }
    }

    async fn ask(&mut self) -> Result<(), String> {
        let followed = within(self.store.follow(&mut self.admissions)).await;
        // What was read by then counts.
        self.tell_admissions();
        followed?;
        self.tell_newest().await?;
        let rules = looking_on::rules_since(&self.store, &mut self.rules, self.settings.limits).await;
        self.hub.tell(Part::Rules, rules.as_ref().err().cloned());
        if let Ok(Some(set)) = rules {
            self.hub.change(|ward, _| ward.change_set(set));
        }
        self.compare_alarms().await
    }

    fn tell_admissions(&mut self) {
        let (known, unread) = (&mut self.told, &mut self.unread);
        let changed = self.admissions.patients.iter().filter(|(id, admission)| known.get(*id) != Some(*admission));
        let changed: Vec<_> = changed.map(|(id, admission)| (id.clone(), admission.clone())).collect();
        self.hub.change(|ward, now| {
            for (id, admission) in changed {
                if ward.admit(&id, &admission, now) {
                    if admission.is_in() {
                        unread.insert(id.clone());
                    }
                    known.insert(id, admission);
                }
            }
        });
    }

    /// What the store has of patients of whom nothing need come any more.
    async fn tell_newest(&mut self) -> Result<(), String> {
        let until = Timestamp::from_utc(Utc::now() + LARGEST_CLOCK_ERROR).unwrap_or_else(|_| now());
        for _ in 0..COMPARED_IN_TURN / PATIENTS_AT_ONCE {
            let patients: Vec<_> = self.unread.iter().take(PATIENTS_AT_ONCE).cloned().collect();
            if patients.is_empty() {
                break;
            }
            let ids: Vec<_> = patients.iter().map(String::as_str).collect();
            let newest = within(self.store.newest_readings(&ids, until)).await?;
            let readings = newest.iter().filter_map(|row| reading(&row.patient_id, &row.timestamp, row.signs));
            let readings: Vec<_> = readings.collect();
            self.hub.change(|ward, now| readings.iter().for_each(|reading| ward.hear(reading, now)));
            for patient in &patients {
                self.unread.remove(patient);
            }
        }
        Ok(())
    }

    /// Compares the alarms that are shown with those that the store has, of so many patients in turn.
    async fn compare_alarms(&mut self) -> Result<(), String> {
        let from = self.from.clone().unwrap_or_default();
        let patients: Vec<String> = self.hub.look(|ward, _| {
            let behind = ward.beds().map(|(id, _)| id.to_owned()).filter(|id| *id > from);
            behind.take(COMPARED_IN_TURN).collect()
        });
        for some in patients.chunks(PATIENTS_AT_ONCE) {
            self.compare_alarms_of(some).await?;
            self.from = some.last().cloned();
        }
        if patients.len() < COMPARED_IN_TURN {
            self.from = None;
        }
        Ok(())
    }

    async fn compare_alarms_of(&self, patients: &[String]) -> Result<(), String> {
        let asked_at = now().as_micros();
        let ids: Vec<_> = patients.iter().map(String::as_str).collect();
        let mut of: BTreeMap<String, Vec<StoredAlarm>> = BTreeMap::new();
        for alarm in within(self.store.alarms_of(&ids, ALARMS_OF_ONE)).await? {
            of.entry(alarm.patient_id.clone()).or_default().push(alarm);
        }
        let is_full = |alarms: &Vec<StoredAlarm>| alarms.len() >= usize::from(ALARMS_OF_ONE);
        let full: Vec<_> = of.iter().filter(|(_, alarms)| is_full(alarms)).map(|(id, _)| id.clone()).collect();
        for patient in full {
            // One that is on may be further back.
            let open = within(self.store.open_alarms(&patient)).await?;
            of.insert(patient, open);
        }
        self.hub.change(|ward, _| {
            for patient in ids {
                let open = of.remove(patient).unwrap_or_default();
                let open = open.into_iter().filter(|alarm| alarm.state().is_on()).collect();
                ward.compare_alarms(patient, open, asked_at);
            }
        });
        Ok(())
    }
}

/// An answer of the store, which may take so long and no longer.
pub(super) async fn within<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    let late = |_| format!("no answer within {} s", ANSWER_LIMIT.as_secs());
    timeout(ANSWER_LIMIT, answer).await.map_err(late)?.map_err(|error| error.to_string())
}

/// The reading of a row that is as we write it.
fn reading(patient: &str, time: &str, signs: Signs) -> Option<Reading> {
    Reading::new(PatientId::parse(patient).ok()?, Timestamp::parse(time).ok()?, signs).ok()
}

/// Tells those who look on, as long as somebody may.
pub(super) async fn publish(hub: Arc<Hub>) {
    let mut rounds = interval(PUBLISH_INTERVAL);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = interval(TICK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => hub.publish(),
            _ = ticks.tick() => {
                hub.change(Ward::tidy);
                hub.tick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::source::ReadToEnd;

    #[tokio::test(start_paused = true)]
    async fn reading_goes_on_when_all_partitions_have_told_something_or_nobody_repeats_that_it_does_not() {
        let end = |partition| Fetched::End(ReadToEnd { assignment: 0, partition, as_of: 0 });
        let held_up = Fetched::Trouble("away".to_owned());
        let mut reach = Reach::of(&Backlog::unread_in([0, 1]));
        assert!(!reach.hear(&end(0)), "nothing was wrong");
        reach.hear(&held_up);
        assert!(!reach.hear(&end(0)));
        assert!(reach.hear(&end(1)));
        assert!(!reach.hear(&end(1)), "it is said once");
        reach.hear(&held_up);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert!(reach.hear(&end(0)));
    }
}
