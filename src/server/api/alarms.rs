//! Alarms: those that are on, those of a patient, and that somebody acknowledges one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::patients::{known_id, named};
use super::{Answer, Seen, json, said, to_the_end};
use crate::app::acknowledged;
use crate::server::Shared;
use crate::server::audit::Told;
use crate::server::hub::{Part, now};
use crate::server::parameters::Query;
use crate::server::problem::Problem;
use crate::server::ward::ShownAlarm;
use crate::store::{Acknowledged, AlarmId, AlarmState, StoreError, StoredAlarm};

/// How many of a patient's alarms are given where nobody says, and at most.
const DEFAULT_LIMIT: u16 = 100;
const MAX_LIMIT: u16 = 1_000;

#[derive(Serialize)]
struct Alarms<'a> {
    alarms: Vec<ShownAlarm<'a>>,
}

#[derive(Serialize)]
struct AlarmsOfPatient<'a> {
    alarms: Vec<ShownAlarm<'a>>,
    /// Whether there are older ones.
    truncated: bool,
}

/// The alarms that are on, the most pressing first.
pub(super) async fn list(State(shared): Seen, query: Query) -> Answer {
    let parameters = query.only(&["ward"])?;
    Told::query_of_all("alarms").write(&shared, true);
    let wanted = parameters.text("ward");
    shared.hub.look(|ward, _| {
        let beds = ward.beds().map(|(_, bed)| bed);
        let mut alarms: Vec<_> = beds
            .filter(|bed| wanted.is_none() || bed.ward() == wanted)
            .flat_map(|bed| bed.alarms(ward.set()))
            .collect();
        ShownAlarm::sort(&mut alarms);
        json(&Alarms { alarms })
    })
}

/// The alarms of one patient, the newest first, whether they are on or over.
pub(super) async fn of_patient(State(shared): Seen, Path(patient): Path<String>, query: Query) -> Answer {
    let parameters = query.only(&["limit", "since", "until"])?;
    let id = known_id(&patient)?;
    let limit = parameters.number("limit", DEFAULT_LIMIT.into(), 1..=MAX_LIMIT.into())?;
    let limit = u16::try_from(limit).unwrap_or(MAX_LIMIT);
    let now = now();
    let (since, until) = (parameters.time("since", now)?, parameters.time("until", now)?);
    let store = shared.store()?;
    let found = shared.ask(store.alarms_of(&[id.as_str()], MAX_LIMIT)).await;
    Told::query("patient.alarms", id.as_str()).write(&shared, found.is_ok());
    let (since, until) = (since.map(|since| since.to_string()), until.map(|until| until.to_string()));
    let is_wanted = |alarm: &StoredAlarm| {
        alarm.state() != AlarmState::Line
            && until.as_ref().is_none_or(|until| alarm.onset < *until)
            // One that goes on reaches into the time that is asked for.
            && since.as_deref().is_none_or(|since| alarm.end().is_none_or(|end| end >= since))
    };
    let found = found?;
    let is_full = found.len() >= usize::from(MAX_LIMIT);
    let mut wanted: Vec<_> = found.into_iter().filter(is_wanted).collect();
    let truncated = is_full || wanted.len() > usize::from(limit);
    wanted.truncate(limit.into());
    let set = shared.hub.look(|ward, _| Arc::clone(ward.set()));
    json(&AlarmsOfPatient { alarms: wanted.iter().map(|alarm| ShownAlarm::of(alarm, &set)).collect(), truncated })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledging {
    id: String,
    by: String,
}

/// Somebody has seen an alarm, and acts.
pub(super) async fn acknowledge(State(shared): Seen, headers: HeaderMap, query: Query, body: Bytes) -> Answer {
    query.only(&[])?;
    let Acknowledging { id: text, by } = said(&headers, &body)?;
    let by = named("by", &by)?;
    let id = AlarmId::parse(&text).ok_or_else(|| {
        Problem::bad_request("'id' is no id of an alarm").hint("it is PATIENT/RULE/ONSET, as lists have it")
    })?;
    let told = Told::change("acknowledge", "alarm", &text, &by);
    let own = Arc::clone(&shared);
    // It is done to the end, also where who asked is gone by then.
    let done = to_the_end(async move {
        let done = try_acknowledge(&own, &id, &by).await;
        told.write(&own, done.is_ok());
        let alarm = done?;
        own.hub.change(|ward, now| ward.hear_alarm(alarm.clone(), now));
        // Who has changed it sees it at once.
        own.hub.publish();
        announce(&own, alarm.clone());
        Ok(alarm)
    });
    let alarm = done.await?;
    let set = shared.hub.look(|ward, _| Arc::clone(ward.set()));
    json(&ShownAlarm::of(&alarm, &set))
}

async fn try_acknowledge(shared: &Arc<Shared>, id: &AlarmId, by: &str) -> Result<StoredAlarm, Problem> {
    let store = shared.store()?;
    let outcome = shared.ask(async {
        store.refuse_newer().await?;
        let Some(found) = acknowledged::find(store, id).await? else {
            return Ok::<_, StoreError>(Acknowledged::NoAlarm);
        };
        store.acknowledge(&found.id(), by, now()).await
    });
    match outcome.await? {
        Acknowledged::Now(alarm) => Ok(alarm),
        Acknowledged::Before(alarm) => {
            let (by, at) = (alarm.acknowledged_by.unwrap_or_default(), alarm.acknowledged_at.unwrap_or_default());
            Err(Problem::new(StatusCode::CONFLICT, format!("it was acknowledged before, by {by} at {at}")))
        }
        Acknowledged::NoAlarm => Err(Problem::not_found("there is no such alarm")),
    }
}

/// Tells other programs, and nobody waits for that: the store has it.
fn announce(shared: &Arc<Shared>, alarm: StoredAlarm) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let Ok(store) = shared.store() else { return };
        let announced = acknowledged::announce(store, vec![alarm], &shared.settings).await;
        shared.hub.tell(Part::Announcements, announced.err());
    });
}
