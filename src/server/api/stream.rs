//! What changes, as server-sent events: first the whole ward, then the beds that change.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures::stream;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Answer, Seen};
use crate::server::access::{Access, Session};
use crate::server::audit::{Told, asker};
use crate::server::hub::{Hub, event};
use crate::server::parameters::Query;
use crate::server::places::Held;
use crate::server::problem::Problem;

#[derive(Serialize)]
struct Nothing {}

/// One who looks on.
struct Watcher {
    /// Of those that are open at the same time.
    _place: Held,
    hub: Arc<Hub>,
    /// `None` before the first event.
    events: Option<Receiver<Bytes>>,
    /// Who it is, and who says whether they still may be here.
    session: Session,
    access: Arc<Access>,
}

pub(super) async fn answer(State(shared): Seen, Extension(session): Extension<Session>, query: Query) -> Answer {
    query.only(&[])?;
    let place =
        shared.streams.try_take(asker(), 1).ok_or_else(|| Problem::crowded("too many look on at the same time"))?;
    Told::query_of_all("stream").write(&shared, true);
    let (hub, access) = (Arc::clone(&shared.hub), Arc::clone(&shared.access));
    let watcher = Watcher { _place: place, hub, events: None, session, access };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        // A proxy that collects answers would hold them back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        // Who is left behind gets the whole ward again: only as long as they may.
        if !self.access.holds(&self.session) {
            return None;
        }
        let Some(events) = &mut self.events else {
            let (ward, events) = self.hub.watch();
            self.events = Some(events);
            return Some(ward);
        };
        match events.recv().await {
            // Something comes once a second at least.
            Ok(event) => self.access.holds(&self.session).then_some(event),
            // The whole ward follows, with what was left out.
            Err(RecvError::Lagged(count)) => {
                self.hub.skip(count);
                self.events = None;
                Some(event("skipped", &Nothing {}))
            }
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Limits;
    use crate::alarm::rules::RuleSet;
    use crate::reading::{PatientId, Reading, Signs, Timestamp};
    use crate::server::places::Places;
    use crate::server::tokens::Role;

    fn hub() -> Arc<Hub> {
        Arc::new(Hub::new(RuleSet::classic(Limits::default())))
    }

    fn reading(micros: i64) -> Reading {
        let signs = Signs { heart_rate: Some(80), ..Signs::default() };
        let time = Timestamp::from_micros(micros).expect("a time");
        Reading::new(PatientId::parse("P1").expect("an id"), time, signs).expect("a reading")
    }

    fn watching(hub: &Arc<Hub>, access: Access, session: Session) -> Watcher {
        let place = Places::new(1, 1).try_take(None, 1).expect("a place");
        Watcher { _place: place, hub: Arc::clone(hub), events: None, session, access: Arc::new(access) }
    }

    async fn name_of_next(watcher: &mut Watcher) -> String {
        let event = watcher.next().await.expect("an event");
        let text = String::from_utf8(event.to_vec()).expect("text");
        assert!(text.ends_with("\n\n") && text.matches('\n').count() == 3, "{text}");
        text.lines().next().unwrap_or_default().trim_start_matches("event: ").to_owned()
    }

    #[tokio::test]
    async fn first_comes_the_ward_then_what_changes() {
        let hub = hub();
        let mut watcher = watching(&hub, Access::Local, Session::LOCAL);
        assert_eq!(name_of_next(&mut watcher).await, "ward");
        hub.hear([reading(1)].iter());
        hub.publish();
        assert_eq!(name_of_next(&mut watcher).await, "beds");
        hub.at_end(true);
        hub.publish();
        hub.tick();
        assert_eq!(name_of_next(&mut watcher).await, "state");
        assert_eq!(name_of_next(&mut watcher).await, "tick");
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_and_gets_the_ward_again() {
        let hub = hub();
        let mut watcher = watching(&hub, Access::Local, Session::LOCAL);
        assert_eq!(name_of_next(&mut watcher).await, "ward");
        for micros in 0..1_000 {
            hub.hear([reading(micros)].iter());
            hub.publish();
        }
        assert_eq!(name_of_next(&mut watcher).await, "skipped");
        let ward = watcher.next().await.expect("an event");
        assert!(String::from_utf8_lossy(&ward).contains("00:00:00.000999"), "{ward:?}");
        hub.hear([reading(2_000)].iter());
        hub.publish();
        assert_eq!(name_of_next(&mut watcher).await, "beds");
    }

    #[tokio::test]
    async fn whose_token_is_taken_back_sees_nothing_more() {
        let hub = hub();
        let access = Access::of(&[("Anna", Role::Viewer)]);
        let session = access.typed("Anna", None).expect("Anna");
        let mut watcher = watching(&hub, access, session);
        assert_eq!(name_of_next(&mut watcher).await, "ward");
        hub.tick();
        assert_eq!(name_of_next(&mut watcher).await, "tick");
        hub.tick();
        watcher.access.change(&[]);
        assert!(watcher.next().await.is_none());
        watcher.events = None;
        assert!(watcher.next().await.is_none(), "nor by being left behind");
    }
}
