//! Readings come in: a body is read as far as there is room for it, judged, kept, and answered.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Answer, JSON, Seen, json};
use crate::server::Shared;
use crate::server::ingest::{Form, MAX_READINGS, Place, Refused, Sorted, sort};
use crate::server::parameters::Query;
use crate::server::problem::Problem;

/// The largest body: some 5,000 readings.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long a body may take to come: one that comes slowly has a place that others wait for.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// What is read and dropped of a body that is refused before its end: who is still sending may not hear the answer else.
const MAX_DROPPED_BYTES: usize = 8 * 1024 * 1024;
const DROPPING_LIMIT: Duration = Duration::from_secs(2);
/// So many of those that cannot be used are named.
const MAX_NAMED: usize = 100;

/// The code of a reading that the topic does not take, as of one that is too large for every topic.
const TOO_LARGE: &str = "too_large";

const NDJSON: &str = "application/x-ndjson";

/// All of them are in the topic.
#[derive(Serialize)]
struct Accepted {
    accepted: usize,
}

/// Takes readings: answered when the brokers have all of them.
pub(super) async fn answer(State(shared): Seen, query: Query, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut body = body.into_data_stream();
    match take(&shared, &query, &head.headers, &mut body).await {
        Ok(response) => response,
        Err(problem) => {
            // Who waits to be asked for the body has sent nothing of it.
            if !head.headers.contains_key(EXPECT) {
                drop_rest(&mut body).await;
            }
            problem.into_response()
        }
    }
}

async fn take(shared: &Shared, query: &Query, headers: &HeaderMap, body: &mut BodyDataStream) -> Answer {
    query.only(&[])?;
    let form = form(headers)?;
    let length = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(MAX_BODY_BYTES);
    if length > MAX_BODY_BYTES {
        return Err(too_large());
    }
    let admitted = shared.ingest.admit(length).await?;
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body has not come to its end in time");
    let body = timeout(BODY_LIMIT, whole(body, length)).await.map_err(late)??;
    let Sorted { readings, places, refused } = sort(&body, form)?;
    let too_large = shared.ingest.keep(readings, &refused, admitted).await?;
    let accepted = places.len() - too_large.len();
    let too_large: Vec<_> = too_large.iter().filter_map(|at| places.get(*at)).collect();
    match (refused.len(), too_large.len()) {
        (0, 0) => json(&Accepted { accepted }),
        (_, 0) => Err(unusable(accepted, &refused)),
        _ => Err(too_large_for_the_topic(accepted, &too_large, &refused)),
    }
}

/// How the readings stand in the body. It has to be said: a form of another page could not.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let refused = |detail: String| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    if text(headers, CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(refused("the body has to come as it is, without a Content-Encoding".to_owned()));
    }
    let kind = text(headers, CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match kind {
        kind if kind.eq_ignore_ascii_case(JSON) => Ok(Form::Json),
        kind if kind.eq_ignore_ascii_case(NDJSON) => Ok(Form::Ndjson),
        _ => Err(refused(format!("the Content-Type has to be {JSON} or {NDJSON}"))),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn too_large() -> Problem {
    let detail = format!("nothing was taken: the body has more than {MAX_BODY_BYTES} bytes");
    let hint = format!("send them in several requests, each of up to {MAX_READINGS} readings");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).hint(hint)
}

async fn whole(body: &mut BodyDataStream, length: usize) -> Result<Bytes, Problem> {
    let mut whole = BytesMut::with_capacity(length);
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| Problem::bad_request("the body broke off"))?;
        if whole.len() + part.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

async fn drop_rest(body: &mut BodyDataStream) {
    let dropping = async {
        let mut dropped = 0;
        while dropped < MAX_DROPPED_BYTES
            && let Some(Ok(part)) = body.next().await
        {
            dropped += part.len();
        }
    };
    // Who goes on sending after that loses the answer.
    let _ = timeout(DROPPING_LIMIT, dropping).await;
}

/// Some cannot be used, and all others are in the topic.
fn unusable(accepted: usize, refused: &[Refused]) -> Problem {
    let (count, total) = (refused.len(), accepted + refused.len());
    let detail = format!("of {total} readings {count} cannot be used; they are kept as dead letters");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        .hint("what is wrong stands in 'errors'; the others are taken and need not be sent again")
        .with(outcome(accepted, &[], refused))
}

/// The topic takes none as large as some of them, which are nowhere.
fn too_large_for_the_topic(accepted: usize, too_large: &[&Place], refused: &[Refused]) -> Problem {
    let (count, total) = (too_large.len(), accepted + too_large.len() + refused.len());
    let detail =
        format!("of {total} readings {count} are larger than a message of the topic may be, and were not kept");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        .hint("which stands in 'errors'; whoever runs the brokers can raise max.message.bytes of the topic")
        .with(outcome(accepted, too_large, refused))
}

/// What became of a body of which not all was taken, with the first that were not.
fn outcome(accepted: usize, too_large: &[&Place], refused: &[Refused]) -> Value {
    let of_topic =
        (too_large.iter()).map(|place| error(place, TOO_LARGE, "the topic takes no message as large as this"));
    let others = refused.iter().map(|Refused { place, reject, .. }| error(place, reject.code(), &reject.to_string()));
    let errors: Vec<_> = of_topic.chain(others).take(MAX_NAMED).collect();
    json!({"accepted": accepted, "refused": too_large.len() + refused.len(), "errors": errors})
}

fn error(place: &Place, code: &str, detail: &str) -> Value {
    let (name, number) = match place {
        Place::Index(index) => ("index", index),
        Place::Line(line) => ("line", line),
    };
    json!({name: number, "code": code, "detail": detail})
}
