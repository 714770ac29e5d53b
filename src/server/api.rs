//! The paths below `/api/v1`. `openapi.json` describes each with its parameters; a test compares both.

mod alarms;
mod patients;
mod pipeline;
mod readings;
mod scores;
mod send;
mod stream;

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Shared;
use super::access::Access;
use super::audit::{Told, asker};
use super::encoding::takes_gzip;
use super::login;
use super::problem::Problem;

const JSON: &str = "application/json";

/// A request is answered, or there is a reason why not.
type Answer = Result<Response, Problem>;

/// What every request can see.
type Seen = State<Arc<Shared>>;

/// All of them.
pub(super) fn paths() -> Router<Arc<Shared>> {
    let mut paths = Router::new();
    for (path, answers) in all() {
        paths = paths.route(path, answers);
    }
    paths
}

fn all() -> [(&'static str, MethodRouter<Arc<Shared>>); 17] {
    [
        ("/openapi.json", get(description)),
        ("/api/v1/session", get(login::session)),
        ("/api/v1/latest", get(latest)),
        ("/api/v1/stream", get(stream::answer)),
        ("/api/v1/patients", get(patients::list)),
        ("/api/v1/patients/{patient}", get(patients::show)),
        ("/api/v1/patients/{patient}/readings", get(readings::answer)),
        ("/api/v1/patients/{patient}/alarms", get(alarms::of_patient)),
        ("/api/v1/patients/{patient}/scores", get(scores::answer)),
        ("/api/v1/patients/{patient}/pause", post(patients::pause)),
        ("/api/v1/patients/{patient}/resume", post(patients::resume)),
        ("/api/v1/readings", post(send::answer)),
        ("/api/v1/alarms", get(alarms::list)),
        ("/api/v1/alarms/acknowledge", post(alarms::acknowledge)),
        ("/api/v1/rules", get(pipeline::rules)),
        ("/api/v1/lag", get(pipeline::lag)),
        ("/api/v1/status", get(pipeline::status)),
    ]
}

/// All paths with their parameters. Where a token has to be shown, a program is not told that it may do without.
async fn description(State(shared): Seen) -> Answer {
    let text = include_str!("api/openapi.json");
    match &*shared.access {
        Access::Local => Ok(typed(JSON, text)),
        Access::Tokens(_) => Ok(typed(JSON, text.replacen(OR_NOBODY, "", 1))),
    }
}

/// In the description: nobody need say who they are.
const OR_NOBODY: &str = ", {}";

/// Everything that the ward shows. Who has it already is told that it is still so.
async fn latest(State(shared): Seen, headers: HeaderMap, parameters: super::parameters::Query) -> Answer {
    parameters.only(&[])?;
    note_look(&shared);
    let latest = shared.hub.latest();
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == latest.mark.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, latest.mark.clone())]).into_response());
    }
    let named = [(CONTENT_TYPE, JSON), (VARY, "accept-encoding"), (ETAG, latest.mark.as_str())];
    match takes_gzip(&headers).then(|| latest.gzip()).flatten() {
        Some(short) => Ok((named, [(CONTENT_ENCODING, "gzip")], Body::from(short)).into_response()),
        None => Ok((named, Body::from(latest.json.clone())).into_response()),
    }
}

/// Who asks for everything does so again and again: that is noted once a minute, of each.
fn note_look(shared: &Arc<Shared>) {
    let who = asker().unwrap_or_default();
    let is_news = shared.noted.lock().unwrap_or_else(PoisonError::into_inner).take(who);
    if is_news {
        Told::query_of_all("latest").write(shared, true);
    }
}

/// Does it whatever becomes of who has asked.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let broken = |_| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "it broke off"));
    tokio::spawn(work).await.unwrap_or_else(broken)
}

fn json(value: &impl Serialize) -> Answer {
    let broken = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written as JSON");
    let bytes = serde_json::to_vec(value).map_err(broken)?;
    Ok(typed(JSON, bytes))
}

fn typed(kind: &'static str, body: impl Into<Body>) -> Response {
    let kind: [(HeaderName, &'static str); 1] = [(CONTENT_TYPE, kind)];
    (kind, body.into()).into_response()
}

/// What a request says. It has to say as what: a form of another page could not.
fn said<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    let content = headers.get(CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    if content.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type has to be application/json"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("this cannot be read: {error}")))
}

#[cfg(test)]
mod tests;
