//! The readings of a patient: each, or the least, the greatest and the mean of spans; for programs, or as a file.

use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use std::sync::Arc;

use super::patients::known_id;
use super::{Answer, JSON, Seen, typed};
use crate::server::access::Session;
use crate::server::audit::Told;
use crate::server::hub::now;
use crate::server::parameters::Query;
use crate::server::problem::Problem;
use crate::server::records::{self, Shape, Wanted};

/// How many are given where nobody says, and at most: a day of one reading a second.
const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 100_000;
/// A file is taken as a whole, where nobody says.
const MAX_LINES: u32 = 10_000_000;

/// The shortest and the longest span of one value.
const SHORTEST_SPAN: Duration = Duration::from_secs(1);
const LONGEST_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn answer(
    State(shared): Seen,
    Extension(session): Extension<Session>,
    Path(patient): Path<String>,
    query: Query,
) -> Answer {
    let parameters = query.only(&["since", "until", "limit", "cursor", "every", "format"])?;
    let id = known_id(&patient)?;
    let every = parameters.span("every", SHORTEST_SPAN..=LONGEST_SPAN)?;
    let shape = match (parameters.text("format"), every) {
        (None | Some("json"), None) => Shape::Rows,
        (None | Some("json"), Some(every)) => Shape::Buckets(every),
        (Some("csv"), None) => Shape::Csv,
        (Some("csv"), Some(every)) => Shape::CsvOfBuckets(every),
        (Some(_), _) => return Err(Problem::bad_request("'format' has to be json or csv")),
    };
    let is_file = matches!(shape, Shape::Csv | Shape::CsvOfBuckets(_));
    let default = if is_file { MAX_LINES } else { DEFAULT_LIMIT };
    let limit = parameters.number("limit", default, 1..=MAX_LIMIT)?;
    let now = now();
    let (since, until) = (parameters.time("since", now)?, parameters.time("until", now)?);
    let wanted = Wanted { patient: id.to_string(), since: parameters.cursor()?.or(since), until, limit };
    let store = Arc::clone(shared.store()?);
    let access = Arc::clone(&shared.access);
    let may_go_on = move || access.holds(&session);
    let body = records::answer(store, wanted, shape, (shared.download().await?, may_go_on)).await;
    Told::query("readings", id.as_str()).write(&shared, body.is_ok());
    if !is_file {
        return Ok(typed(JSON, body?));
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        // Not the patient's id: what a browser keeps names nobody.
        (CONTENT_DISPOSITION, "attachment; filename=\"readings.csv\""),
    ];
    Ok((headers, body?).into_response())
}
