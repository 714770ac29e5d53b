//! Three paths over HTTP/1, one request a connection.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use tokio::net::TcpListener;

use super::Told;
use crate::http::{self, Limits};

/// A scraper and some probes need one connection each, for a moment.
const MAX_CONNECTIONS: usize = 64;
/// From the connection to the last byte of the answer. Who is slower is disconnected.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(5);

const LIMITS: Limits = Limits {
    connections: MAX_CONNECTIONS,
    of_one_machine: MAX_CONNECTIONS,
    head: EXCHANGE_LIMIT,
    write: EXCHANGE_LIMIT,
    exchange: Some(EXCHANGE_LIMIT),
    // A request has less than 1 KiB, and less than ten lines.
    buffer_bytes: 16 * 1024,
    headers: 64,
};

const PATHS: &str = "/livez    200 while the process answers
/readyz   200 when it is ready, else 503 with the reasons
/metrics  its metrics, for Prometheus
";

/// Answers until it is dropped, and everybody who has asked with it.
pub(super) async fn serve(listener: TcpListener, told: Arc<Told>) {
    http::serve(listener, None, &LIMITS, Arc::default(), paths(told)).await;
}

fn paths(told: Arc<Told>) -> Router {
    routes(told)
        .fallback(async || (StatusCode::NOT_FOUND, format!("there is no such path; there are:\n{PATHS}")))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n"))
}

pub(super) fn routes(told: Arc<Told>) -> Router {
    // Each answers HEAD as well.
    let paths = Router::new().route("/livez", get(async || "alive\n"));
    paths.route("/readyz", get(readyz)).route("/metrics", get(metrics)).with_state(told)
}

async fn readyz(State(told): State<Arc<Told>>) -> (StatusCode, String) {
    match told.reasons() {
        none if none.is_empty() => (StatusCode::OK, "ready\n".to_owned()),
        reasons => (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
    }
}

async fn metrics(State(told): State<Arc<Told>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], told.metrics())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::health::{Exposition, Health, Subject};
    use crate::shutdown::{self, Trigger};

    struct Fixed(&'static [&'static str]);

    impl Subject for Fixed {
        fn reasons(&self) -> Vec<String> {
            self.0.iter().map(|&reason| reason.to_owned()).collect()
        }

        fn metrics(&self, _to: &mut Exposition) {}
    }

    async fn started(reasons: &'static [&'static str]) -> (Health, Trigger) {
        let (trigger, shutdown) = shutdown::channel();
        let address = ([127, 0, 0, 1], 0).into();
        (Health::start(address, Arc::new(Fixed(reasons)), shutdown).await.unwrap(), trigger)
    }

    async fn connected(health: &Health) -> TcpStream {
        TcpStream::connect(health.address()).await.unwrap()
    }

    async fn answer(health: &Health, request: &str) -> String {
        let mut stream = connected(health).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Who is refused in the middle of what it says may see a reset behind the answer.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    async fn asked(health: &Health, line: &str) -> String {
        answer(health, &format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    #[tokio::test]
    async fn each_path_answers_get_and_head_and_tells_what_else_there_is() {
        let (health, _trigger) = started(&[]).await;
        for (line, status, text) in [
            ("GET /livez", "200 OK", "\r\n\r\nalive\n"),
            ("GET /readyz", "200 OK", "\r\n\r\nready\n"),
            ("GET /metrics", "200 OK", "\nvitals_ready 1\n"),
            ("GET /metrics", "200 OK", "content-type: text/plain; version=0.0.4; charset=utf-8"),
            ("GET /metrics?x=1", "200 OK", "vitals_build_info{version="),
            ("HEAD /metrics", "200 OK", "content-length: "),
            ("POST /livez", "405 Method Not Allowed", "allow: GET,HEAD"),
            ("DELETE /metrics", "405 Method Not Allowed", "only GET and HEAD"),
            ("GET /", "404 Not Found", "/readyz   200"),
            ("GET /metrics/", "404 Not Found", "/livez "),
        ] {
            let answer = asked(&health, line).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(text), "{line}: {answer}");
            assert!(answer.contains("connection: close"), "{line}: {answer}");
        }
        assert!(asked(&health, "HEAD /readyz").await.ends_with("\r\n\r\n"));
    }

    #[tokio::test]
    async fn who_is_not_ready_says_why_a_line_each_and_ends_first() {
        let (health, trigger) = started(&["starting", "store: away"]).await;
        let answer = asked(&health, "GET /readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nstarting\nstore: away\n"), "{answer}");
        trigger.pull();
        assert!(asked(&health, "GET /readyz").await.ends_with("\r\n\r\nending\nstarting\nstore: away\n"));
        assert!(asked(&health, "GET /livez").await.starts_with("HTTP/1.1 200 "), "it lives");
        assert!(asked(&health, "GET /metrics").await.contains("\nvitals_ready 0\n"));
    }

    #[tokio::test]
    async fn a_request_that_is_none_or_too_large_is_refused() {
        let (health, _trigger) = started(&[]).await;
        assert!(answer(&health, "hello\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
        let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 * LIMITS.buffer_bytes));
        assert!(answer(&health, &long).await.starts_with("HTTP/1.1 431 "));
        let many = "x: y\r\n".repeat(LIMITS.headers + 1);
        assert!(answer(&health, &format!("GET /livez HTTP/1.1\r\n{many}\r\n")).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_disconnected_in_time() {
        let (health, _trigger) = started(&[]).await;
        let mut stream = connected(&health).await;
        stream.write_all(b"GET /li").await.unwrap();
        let begin = Instant::now();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
        assert!(begin.elapsed() >= EXCHANGE_LIMIT && begin.elapsed() < 2 * EXCHANGE_LIMIT, "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn slow_clients_leave_room_for_others_up_to_the_limit() {
        let (health, _trigger) = started(&[]).await;
        let mut slow = Vec::new();
        for _ in 0..MAX_CONNECTIONS - 1 {
            slow.push(connected(&health).await);
        }
        assert!(asked(&health, "GET /livez").await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_and_a_dropped_server_lets_go_of_its_own() {
        let (health, _trigger) = started(&[]).await;
        let address = health.address();
        let (_, shutdown) = shutdown::channel();
        let taken = Health::start(address, Arc::new(Fixed(&[])), shutdown.clone()).await.unwrap_err();
        assert_eq!(taken.to_string(), format!("cannot tell of health on {address}"));
        drop(health);
        while Health::start(address, Arc::new(Fixed(&[])), shutdown.clone()).await.is_err() {
            sleep(Duration::from_millis(1)).await;
        }
    }
}
