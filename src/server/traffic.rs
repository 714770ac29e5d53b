//! What is asked of the server, and how that went: by path and status, how long it took, and bytes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::time::Instant;

use crate::health::{Exposition, Histogram, Kind};
use crate::http::Connections;

/// What stands for all paths that there are not: what somebody types is no label.
const NO_PATH: &str = "none";

/// Where readings come in. Its answers are told from the start, so that the first of a kind is seen as a change.
const READINGS: &str = "/api/v1/readings";
const OF_READINGS: [StatusCode; 8] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Counted from the server's start.
#[derive(Debug)]
pub(super) struct Traffic {
    /// By path, as it is written in the description: whose it is stays out of it.
    answers: Mutex<BTreeMap<String, Answers>>,
    pub(super) connections: Arc<Connections>,
}

#[derive(Debug, Clone, Default)]
struct Answers {
    statuses: BTreeMap<u16, u64>,
    took: Histogram,
}

impl Default for Traffic {
    fn default() -> Self {
        let statuses = OF_READINGS.iter().map(|status| (status.as_u16(), 0)).collect();
        let of_readings = Answers { statuses, took: Histogram::default() };
        Self { answers: Mutex::new(BTreeMap::from([(READINGS.to_owned(), of_readings)])), connections: Arc::default() }
    }
}

impl Traffic {
    fn note(&self, path: &str, status: StatusCode, took: Duration) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if !answers.contains_key(path) {
            answers.insert(path.to_owned(), Answers::default());
        }
        if let Some(of_path) = answers.get_mut(path) {
            *of_path.statuses.entry(status.as_u16()).or_default() += 1;
            of_path.took.add(took);
        }
    }

    pub(super) fn show(&self, to: &mut Exposition) {
        let Self { answers, connections } = self;
        let answers = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let help = "Requests, by the path as it is described and the status of the answer.";
        let mut family = to.family("vitals_http_requests_total", Kind::Counter, help);
        for (path, of_path) in &answers {
            for (status, count) in &of_path.statuses {
                family.sample(&[("path", path), ("status", &status.to_string())], count);
            }
        }
        let help = "From a request to the head of its answer.";
        let took = answers.iter().map(|(path, of_path)| (path.as_str(), &of_path.took));
        to.histograms("vitals_http_request_duration_seconds", help, "path", took);
        to.family("vitals_http_connections", Kind::Gauge, "Connections that are open.")
            .sample(&[], connections.open.load(Relaxed));
        for (name, help, count) in [
            (
                "vitals_http_connections_refused_total",
                "Connections that there was no place for.",
                &connections.turned_away,
            ),
            (
                "vitals_http_received_bytes_total",
                "Bytes that were received, inside TLS where there is.",
                &connections.received_bytes,
            ),
            (
                "vitals_http_sent_bytes_total",
                "Bytes that were sent, inside TLS where there is.",
                &connections.sent_bytes,
            ),
        ] {
            to.family(name, Kind::Counter, help).sample(&[], count.load(Relaxed));
        }
    }
}

/// The paths, each request to which is counted.
pub(super) fn counted(paths: Router, traffic: Arc<Traffic>) -> Router {
    paths.layer(middleware::from_fn_with_state(traffic, count))
}

async fn count(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    traffic.note(path.as_ref().map_or(NO_PATH, MatchedPath::as_str), response.status(), begun.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::util::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn requests_are_counted_by_the_path_that_is_described_and_nobodys_id_is_told() {
        let traffic = Arc::new(Traffic::default());
        let paths = Router::new().route("/patients/{patient}", get(async || "x"));
        let paths = counted(paths.fallback(async || StatusCode::NOT_FOUND), Arc::clone(&traffic));
        for path in ["/patients/SECRET-1", "/patients/SECRET-2", "/SECRET-3"] {
            let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
            paths.clone().oneshot(request).await.expect("an answer");
        }
        let open = traffic.connections.enter();
        let mut metrics = Exposition::default();
        traffic.show(&mut metrics);
        drop(open);
        let text = metrics.into_text();
        for line in [
            "vitals_http_requests_total{path=\"/patients/{patient}\",status=\"200\"} 2",
            "vitals_http_requests_total{path=\"none\",status=\"404\"} 1",
            "vitals_http_requests_total{path=\"/api/v1/readings\",status=\"422\"} 0",
            "vitals_http_request_duration_seconds_count{path=\"/patients/{patient}\"} 2",
            "vitals_http_request_duration_seconds_bucket{path=\"none\",le=\"+Inf\"} 1",
            "vitals_http_connections 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("SECRET"), "{text}");
        assert_eq!(traffic.connections.open.load(Relaxed), 0);
    }
}
