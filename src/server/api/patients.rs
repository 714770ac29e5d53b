//! Who is watched, and what is different about one; a pause of somebody's alarms.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Answer, Seen, json, said, to_the_end};
use crate::admission::{Admission, LONGEST_PAUSE, Pause};
use crate::alarm::rules::{Condition, Micros, Quantity, Rule, RuleSet, Side};
use crate::app::author::{Author, line};
use crate::app::patient_change::{self, who_is_in};
use crate::reading::{PatientId, Timestamp, number};
use crate::server::Shared;
use crate::server::audit::Told;
use crate::server::hub::now;
use crate::server::parameters::Query;
use crate::server::problem::Problem;
use crate::server::ward::{Bed, ShownBed};
use crate::store::{Order, Selection, StoreError};

#[derive(Serialize)]
struct Patients<'a> {
    patients: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    patient_id: &'a str,
    name: Option<&'a str>,
    ward: Option<&'a str>,
    bed: Option<&'a str>,
    is_admitted: bool,
}

/// Everybody whose bed is shown.
pub(super) async fn list(State(shared): Seen, query: Query) -> Answer {
    let parameters = query.only(&["ward"])?;
    Told::query_of_all("patients").write(&shared, true);
    shared.hub.look(|ward, _| {
        let all = ward.beds().map(|(patient_id, bed)| {
            let admission = bed.admission.as_ref();
            Listed {
                patient_id,
                name: admission.and_then(|admission| admission.name.as_deref()),
                ward: admission.and_then(|admission| admission.ward.as_deref()),
                bed: admission.and_then(|admission| admission.bed.as_deref()),
                is_admitted: bed.is_admitted(),
            }
        });
        let wanted = parameters.text("ward");
        json(&Patients { patients: all.filter(|listed| wanted.is_none() || listed.ward == wanted).collect() })
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    bed: ShownBed<'a>,
    birth_date: Option<&'a str>,
    spo2_scale: u8,
    admitted_at: Option<&'a str>,
    discharged_at: Option<&'a str>,
    pause: Option<&'a Pause>,
    limits: Vec<ShownLimit<'a>>,
}

/// A limit that a trend can be drawn against.
#[derive(Serialize)]
struct ShownLimit<'a> {
    rule: &'a str,
    sign: &'static str,
    side: &'static str,
    limit: f64,
    priority: &'static str,
    /// Whether it is this patient's alone.
    is_own: bool,
}

impl<'a> ShownLimit<'a> {
    fn of(rule: &'a Rule, admission: Option<&Admission>) -> Option<Self> {
        let Condition::Limit(limit) = &rule.condition else { return None };
        let Quantity::Sign(sign) = limit.measure.quantity else { return None };
        let side = match limit.side {
            Side::Above => "above",
            Side::Below => "below",
        };
        Some(Self {
            rule: &rule.name,
            sign: sign.name(),
            side,
            limit: limit.value,
            priority: rule.priority.name(),
            is_own: admission.is_some_and(|admission| admission.limits.contains_key(&*rule.name)),
        })
    }
}

/// One patient: the bed, what is known, and the limits in force.
pub(super) async fn show(State(shared): Seen, Path(patient): Path<String>, query: Query) -> Answer {
    query.only(&[])?;
    let id = known_id(&patient)?;
    Told::query("patient", id.as_str()).write(&shared, true);
    let known = shared.hub.look(|ward, now| Some(shown(ward.bed(id.as_str())?, id.as_str(), ward.set(), now)));
    if let Some(shown) = known {
        return shown;
    }
    // Who was discharged has a record all the same.
    let store = shared.store()?;
    let selection = Selection::Patient { id: id.to_string(), since: None, until: None, order: Order::NewestFirst };
    let (admissions, newest) = shared
        .ask(async {
            let admissions = store.admitted().await?;
            let newest = store.readings(&selection, 1).next_page().await?;
            Ok::<_, StoreError>((admissions, newest))
        })
        .await?;
    let admission = admissions.patients.get(id.as_str()).cloned();
    if admission.is_none() && newest.unwrap_or_default().is_empty() {
        return Err(Problem::not_found("nobody of this id is known"));
    }
    let bed = Bed::of(admission, 0);
    shared.hub.look(|ward, now| shown(&bed, id.as_str(), ward.set(), now))
}

fn shown(bed: &Bed, patient: &str, set: &RuleSet, now: Micros) -> Answer {
    let admission = bed.admission.as_ref();
    let own = admission.filter(|admission| admission.has_own_rules()).map(|admission| set.for_patient(admission));
    let rules = own.as_ref().unwrap_or(set);
    json(&Shown {
        bed: bed.show(patient, set, now),
        birth_date: admission.and_then(|admission| admission.birth_date.as_deref()),
        spo2_scale: admission.map(|admission| admission.spo2_scale).unwrap_or_default().number(),
        admitted_at: admission.map(|admission| admission.admitted_at.as_str()),
        discharged_at: admission.and_then(|admission| admission.discharged_at.as_deref()),
        pause: admission.filter(|admission| admission.is_in()).and_then(|admission| admission.pause.as_ref()),
        limits: rules.rules.iter().filter_map(|rule| ShownLimit::of(rule, admission)).collect(),
    })
}

/// The id that a path names.
pub(super) fn known_id(patient: &str) -> Result<PatientId, Problem> {
    PatientId::parse(patient).map_err(|_| Problem::not_found("no patient can have this id"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseWanted {
    #[serde(deserialize_with = "whole")]
    minutes: i32,
    by: String,
    reason: String,
}

/// 2, 2.0 and 2e0 are one number to JSON.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    number::whole(&number.to_string()).map_err(D::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeWanted {
    by: String,
}

#[derive(Serialize)]
struct Paused {
    paused_until: Option<Timestamp>,
}

/// For a while nobody need hear of the patient's alarms.
pub(super) async fn pause(
    State(shared): Seen,
    Path(patient): Path<String>,
    headers: HeaderMap,
    query: Query,
    body: Bytes,
) -> Answer {
    query.only(&[])?;
    let id = known_id(&patient)?;
    let PauseWanted { minutes, by, reason } = said(&headers, &body)?;
    let span = Duration::from_secs(60 * u64::try_from(minutes).unwrap_or_default());
    if span.is_zero() || span > LONGEST_PAUSE {
        let longest = LONGEST_PAUSE.as_secs() / 60;
        return Err(Problem::bad_request(format!("'minutes' has to be from 1 to {longest}")));
    }
    let (by, reason) = (named("by", &by)?, named("reason", &reason)?);
    let until = now().as_micros().saturating_add(i64::try_from(span.as_micros()).unwrap_or_default());
    let until = Timestamp::from_micros(until).unwrap_or_else(now);
    let pause = Pause { until: until.to_string(), by: by.clone(), reason: reason.clone() };
    put(&shared, &id, ("pause", by, reason), Some(pause)).await?;
    json(&Paused { paused_until: Some(until) })
}

/// Ends a pause before its time.
pub(super) async fn resume(
    State(shared): Seen,
    Path(patient): Path<String>,
    headers: HeaderMap,
    query: Query,
    body: Bytes,
) -> Answer {
    query.only(&[])?;
    let id = known_id(&patient)?;
    let ResumeWanted { by } = said(&headers, &body)?;
    put(&shared, &id, ("resume", named("by", &by)?, "the pause was ended".to_owned()), None).await?;
    json(&Paused { paused_until: None })
}

/// A name or a reason that somebody gives.
pub(super) fn named(what: &str, text: &str) -> Result<String, Problem> {
    line(text).map_err(|fault| Problem::bad_request(format!("'{what}': {fault}")))
}

async fn put(
    shared: &Arc<Shared>,
    patient: &PatientId,
    (act, by, reason): (&'static str, String, String),
    pause: Option<Pause>,
) -> Result<(), Problem> {
    let told = Told::change(act, "patient", patient.as_str(), &by);
    let (shared, patient) = (Arc::clone(shared), patient.clone());
    // It is done to the end, also where who asked is gone by then.
    to_the_end(async move { try_put(&shared, &patient, (told, by, reason), pause).await }).await
}

async fn try_put(
    shared: &Arc<Shared>,
    patient: &PatientId,
    (told, by, reason): (Told, String, String),
    pause: Option<Pause>,
) -> Result<(), Problem> {
    let store = shared.store()?;
    let author = Author { by: &by, reason: &reason, at: now() };
    let changed = shared
        .ask(async {
            store.refuse_newer().await?;
            patient_change::change(store, patient, &author, |admissions| {
                Ok(Admission { pause: pause.clone(), ..who_is_in(admissions, patient)? })
            })
            .await
        })
        .await;
    told.write(shared, changed.is_ok());
    let admission = changed?;
    shared.hub.change(|ward, now| {
        ward.admit(patient.as_str(), &admission, now);
    });
    // Who has changed it sees it at once.
    shared.hub.publish();
    Ok(())
}
