//! The score of a patient along a span of time: each time that it, or one of its parts, has changed.

use axum::extract::{Path, State};
use serde::Serialize;

use super::patients::known_id;
use super::{Answer, Seen, json};
use crate::alarm::{MAX_SCORED_AGE, RunningScore};
use crate::reading::Timestamp;
use crate::score::Score;
use crate::server::audit::Told;
use crate::server::hub::now;
use crate::server::parameters::Query;
use crate::server::ward::SCORE;
use crate::store::{AnyStore, Order, Selection, StoreError};

/// How many are given where nobody says, and at most.
const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 10_000;

/// Readings that are looked at: a day of one a second.
const MAX_READINGS: u32 = 100_000;

#[derive(Serialize)]
struct Along {
    name: &'static str,
    /// What the parts are of, in their order.
    items: Vec<String>,
    scores: Vec<Shown>,
    /// Whether there are later ones.
    truncated: bool,
}

#[derive(Serialize)]
struct Shown {
    time: Timestamp,
    total: u8,
    level: &'static str,
    is_partial: bool,
    /// `null` is a part that has no points.
    parts: Vec<Option<u8>>,
}

pub(super) async fn answer(State(shared): Seen, Path(patient): Path<String>, query: Query) -> Answer {
    let parameters = query.only(&["since", "until", "limit"])?;
    let id = known_id(&patient)?;
    let limit = parameters.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let now = now();
    let (since, until) = (parameters.time("since", now)?, parameters.time("until", now)?);
    let (is_child, spo2_scale) = shared.hub.look(|ward, _| {
        let admission = ward.bed(id.as_str()).and_then(|bed| bed.admission.as_ref());
        admission.map(|admission| (admission.is_child(), admission.spo2_scale)).unwrap_or_default()
    });
    let items: Vec<_> = SCORE.chart().items().iter().map(|item| item.name().to_owned()).collect();
    let mut answer = Along { name: SCORE.name(), items, scores: Vec::new(), truncated: false };
    // The charts of adults do not fit a child.
    if !is_child {
        let store = shared.store()?;
        let running = RunningScore::of(SCORE, spo2_scale);
        let asked = shared.ask(along(store, id.as_str(), (since, until), running, limit)).await;
        Told::query("scores", id.as_str()).write(&shared, asked.is_ok());
        (answer.scores, answer.truncated) = asked?;
    }
    json(&answer)
}

async fn along(
    rows: &AnyStore,
    patient: &str,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    mut running: RunningScore,
    limit: u32,
) -> Result<(Vec<Shown>, bool), StoreError> {
    // What was measured shortly before counts at the beginning.
    let from = since.and_then(|since| Timestamp::from_micros(since.as_micros().saturating_sub(MAX_SCORED_AGE)));
    let selection = Selection::Patient { id: patient.to_owned(), since: from, until, order: Order::OldestFirst };
    let mut readings = rows.readings(&selection, MAX_READINGS);
    let (mut found, mut last, mut seen) = (Vec::new(), None, 0_u32);
    let items = SCORE.chart().items().len();
    while let Some(page) = readings.next_page().await? {
        for row in page {
            seen += 1;
            let Ok(time) = Timestamp::parse(&row.timestamp) else { continue };
            let Some((score, _)) = running.take(time.as_micros(), &row.signs) else { continue };
            if since.is_some_and(|since| time < since) || last == Some(score) {
                continue;
            }
            if u32::try_from(found.len()).is_ok_and(|count| count >= limit) {
                return Ok((found, true));
            }
            last = Some(score);
            found.push(shown(time, score, items));
        }
    }
    Ok((found, seen >= MAX_READINGS))
}

fn shown(time: Timestamp, score: Score, items: usize) -> Shown {
    let parts = score.parts.into_iter().take(items).collect();
    Shown { time, total: score.total, level: score.level.name(), is_partial: score.is_partial, parts }
}
