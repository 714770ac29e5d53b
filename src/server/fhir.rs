//! The paths below `/fhir`: what is stored, as FHIR R4 has it, to be read.
//!
//! Only what the `CapabilityStatement` names is there. A parameter that is not known is refused, since a search that
//! leaves one out finds too much.

mod search;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::Utc;
use serde_json::{Value, json};

use self::search::Search;
use super::Shared;
use super::access::Access;
use super::audit::Told;
use super::parameters::Query;
use super::problem::Problem;
use crate::fhir::{self, MEDIA_TYPE, VERSION, id, issue, observation, patient};
use crate::store::{AlarmState, Order, Selection, StoreError};

/// How many of a patient's alarms are given.
const MAX_ALARMS: u16 = 1_000;

/// Rows that are looked through for one answer.
const MAX_ROWS: u32 = 100_000;

type Answer = Result<Response, Refused>;
type Seen = State<Arc<Shared>>;

/// All of them.
pub(super) fn paths() -> Router<Arc<Shared>> {
    Router::new()
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/Patient", get(patients))
        .route("/fhir/Patient/{id}", get(one_patient))
        .route("/fhir/Observation", get(observations))
        .route("/fhir/DetectedIssue", get(issues))
}

/// Why there is no answer, as an `OperationOutcome`.
struct Refused(Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = self.0.in_words();
        let code = match status {
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::BAD_REQUEST => "invalid",
            StatusCode::TOO_MANY_REQUESTS => "throttled",
            _ => "transient",
        };
        (status, typed(&fhir::outcome(code, &text))).into_response()
    }
}

fn typed(resource: &Value) -> Response {
    ([(axum::http::header::CONTENT_TYPE, MEDIA_TYPE)], resource.to_string()).into_response()
}

/// What somebody may look for, and why it is not there.
const LEFT_OUT: &str = "No Device: readings name none. No _lastUpdated: when a reading was stored is not kept; date asks \
                        by when it was measured.";

/// What there is.
async fn metadata(query: Query) -> Answer {
    query.only(&["mode", "_format"])?;
    let parameter = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
    let searched = |kind: &str, parameters: &[(&str, &str)], more: &[&str]| {
        let codes = more.iter().chain(&["search-type"]);
        json!({
            "type": kind,
            "interaction": codes.map(|code| json!({ "code": code })).collect::<Vec<_>>(),
            "searchParam": parameters.iter().copied().map(parameter).collect::<Vec<_>>(),
        })
    };
    let of_patient = [("patient", "reference"), ("subject", "reference")];
    let of_observation = [&of_patient[..], &[("code", "token"), ("category", "token"), ("date", "date")]].concat();
    Ok(typed(&json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": Utc::now().format("%Y-%m-%d").to_string(),
        "kind": "instance",
        "implementation": { "description": "vitals serve: vital signs and alarms, to be read" },
        "software": { "name": "vitals", "version": env!("CARGO_PKG_VERSION") },
        "fhirVersion": VERSION,
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "documentation": LEFT_OUT,
            "resource": [
                searched("Patient", &[("identifier", "token")], &["read"]),
                searched("Observation", &of_observation, &[]),
                searched("DetectedIssue", &of_patient[..1], &[]),
            ],
        }],
    })))
}

/// Everybody whose bed is shown, or the one of this identifier.
async fn patients(State(shared): Seen, headers: HeaderMap, query: Query) -> Answer {
    let parameters = query.only(&["identifier", "_format"])?;
    Told::query_of_all("fhir.patients").write(&shared, true);
    // What stands before the bar is a system, and ours have none.
    let wanted = parameters.text("identifier").map(|text| text.rsplit_once('|').map_or(text, |(_, value)| value));
    let base = base(&shared, &headers);
    let found = shared.hub.look(|ward, _| {
        let all = ward.beds().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id));
        all.map(|(id, bed)| patient::of(id, bed.admission.as_ref())).collect::<Vec<_>>()
    });
    Ok(typed(&bundle(&base, &found, &[("self", format!("{base}/Patient"))])))
}

async fn one_patient(State(shared): Seen, Path(id): Path<String>, query: Query) -> Answer {
    query.only(&["_format"])?;
    let ours = ours(&shared, &id)?;
    Told::query("fhir.patient", &ours).write(&shared, true);
    let found = shared.hub.look(|ward, _| Some(patient::of(&ours, ward.bed(&ours)?.admission.as_ref())));
    found.map(|patient| typed(&patient)).ok_or_else(|| Problem::not_found("nobody of this id is shown").into())
}

/// What was measured of a patient, the oldest first.
async fn observations(State(shared): Seen, headers: HeaderMap, query: Query) -> Answer {
    if query.names("_lastUpdated") {
        return Err(Problem::bad_request("'_lastUpdated' cannot be answered: when a reading was stored is not kept")
            .hint("'date' asks by when it was measured; readings may come late, and the same one has the same id again")
            .into());
    }
    let search = Search::parse(&query.each(Search::KNOWN)?)?;
    let ours = ours(&shared, &search.patient)?;
    let store = shared.store()?;
    let selection =
        Selection::Patient { id: ours.clone(), since: search.since(), until: search.until, order: Order::OldestFirst };
    let found = shared
        .ask(async {
            let (mut found, mut next, mut seen) = (Vec::new(), None::<String>, 0_u32);
            let mut readings = store.readings(&selection, MAX_ROWS);
            'rows: while let Some(page) = readings.next_page().await? {
                for row in page {
                    seen += 1;
                    for kind in search.kinds_of(&row) {
                        let Some(observation) = observation::of(&row, kind) else { continue };
                        if found.len() >= search.count {
                            next = Search::behind(&row, kind);
                            break 'rows;
                        }
                        found.push(observation);
                    }
                    if seen == MAX_ROWS {
                        next = Search::behind_row(&row);
                    }
                }
            }
            Ok::<(Vec<Value>, Option<String>), StoreError>((found, next))
        })
        .await;
    Told::query("fhir.observations", &ours).write(&shared, found.is_ok());
    let (found, next) = found?;
    let base = base(&shared, &headers);
    let mut links = vec![("self", search.url(&base, None))];
    links.extend(next.map(|cursor| ("next", search.url(&base, Some(&cursor)))));
    Ok(typed(&bundle(&base, &found, &links)))
}

/// The alarms of a patient, the newest first.
async fn issues(State(shared): Seen, headers: HeaderMap, query: Query) -> Answer {
    let parameters = query.only(&["patient", "_format"])?;
    let of = parameters.text("patient").ok_or_else(|| Problem::bad_request("'patient' is missing"))?;
    let ours = ours(&shared, of.trim_start_matches("Patient/"))?;
    let store = shared.store()?;
    let found = shared.ask(store.alarms_of(&[&ours], MAX_ALARMS)).await;
    Told::query("fhir.alarms", &ours).write(&shared, found.is_ok());
    let found = found?;
    let issues: Vec<_> = found.iter().filter(|alarm| alarm.state() != AlarmState::Line).filter_map(issue::of).collect();
    let base = base(&shared, &headers);
    Ok(typed(&bundle(&base, &issues, &[("self", format!("{base}/DetectedIssue?patient={of}"))])))
}

/// Whose id this is among ours.
fn ours(shared: &Shared, id: &str) -> Result<String, Problem> {
    let known = shared.hub.look(|ward, _| {
        let mut all = ward.beds().map(|(ours, _)| ours);
        all.find(|ours| id::of_patient(ours) == id).map(str::to_owned)
    });
    // Who is shown no more may have readings all the same; whose id had to be made cannot be found by it then.
    let plain = (id::of_patient(id) == id).then(|| id.to_owned());
    known.or(plain).ok_or_else(|| Problem::not_found("nobody of this id is known"))
}

/// Where the paths are, as who asks has come to them: by a name of this machine, which was looked at before.
fn base(shared: &Shared, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if matches!(*shared.access, Access::Local) { "http" } else { "https" };
    format!("{scheme}://{host}/fhir")
}

fn bundle(base: &str, resources: &[Value], links: &[(&str, String)]) -> Value {
    let entry = |resource: &Value| {
        let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
        let url = format!("{base}/{}/{}", kind.unwrap_or_default(), id.unwrap_or_default());
        json!({ "fullUrl": url, "resource": resource, "search": { "mode": "match" } })
    };
    let links: Vec<_> = links.iter().map(|(relation, url)| json!({ "relation": relation, "url": url })).collect();
    let mut bundle = json!({ "resourceType": "Bundle", "type": "searchset", "link": links });
    // A list of FHIR is never empty.
    if let (false, Some(members)) = (resources.is_empty(), bundle.as_object_mut()) {
        members.insert("entry".to_owned(), resources.iter().map(entry).collect());
    }
    bundle
}
