//! Who may ask what: pages of other origins may not, nor whoever is not let in; and no answer runs what a patient's name
//! says.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::access::{Access, Refused, Session};
use super::audit::TOKEN;
use super::login::{LOGIN, LOGOUT, leading_to};
use super::problem::Problem;
use crate::address::host_of;

/// Nothing but our own files, and no script in a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The names of this machine for itself. A page of another name that leads here would be another origin that reads ours.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a request may say beside its head, and the form in which a token is typed.
const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_TOKEN_BYTES: usize = 4 * 1024;
/// How long that may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);

/// The paths, for those alone who may ask.
pub(super) fn around(paths: Router, access: Arc<Access>) -> Router {
    paths
        .fallback(async || {
            Problem::not_found("there is no such path").hint("/ is the ward, /openapi.json lists the others")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path is not asked in this way")
                .hint("/openapi.json tells how")
        })
        .layer(middleware::from_fn_with_state(access, guard))
}

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let entered = match admit(&access, &request) {
        Ok(session) => {
            heard(request).await.map(|request| (session, request)).map_err(|problem| Box::new(problem.into_response()))
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = match entered {
        Ok((session, mut request)) => {
            let name = session.as_ref().and_then(|session| session.name.clone());
            if let Some(session) = session {
                request.extensions_mut().insert(session);
            }
            TOKEN.scope(name, next.run(request)).await
        }
        Err(refusal) => *refusal,
    };
    harden(&mut response);
    response
}

/// The request with all that it says, in time: who is let in with nothing may hold neither memory nor a place.
async fn heard(request: Request) -> Result<Request, Problem> {
    let most = match request.uri().path() {
        // It reads by itself, with bounds of its own.
        "/api/v1/readings" => return Ok(request),
        LOGIN | LOGOUT => MAX_TOKEN_BYTES,
        _ => MAX_BODY_BYTES,
    };
    let (head, body) = request.into_parts();
    let late = |_| {
        let detail = format!("the body did not come within {} s", BODY_LIMIT.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    };
    let too_large =
        |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {most} bytes, or broke off"));
    let body = timeout(BODY_LIMIT, to_bytes(body, most)).await.map_err(late)?.map_err(too_large)?;
    Ok(Request::from_parts(head, Body::from(body)))
}

/// Who asks, where that has to be known for it.
fn admit(access: &Access, request: &Request) -> Result<Option<Session>, Box<Response>> {
    let (method, headers, path) = (request.method(), request.headers(), request.uri().path());
    let refuse = |problem: Problem| Box::new(problem.into_response());
    if let Some(problem) = refusal(matches!(access, Access::Local), method, headers) {
        return Err(refuse(problem));
    }
    if matches!(access, Access::Tokens(_)) && is_for_everybody(path) {
        return Ok(None);
    }
    let session = match access.enter(headers) {
        Ok(session) => session,
        Err(Refused::Nobody | Refused::Unknown) if *method == Method::GET && path == "/" => {
            return Err(Box::new(leading_to(LOGIN, None)));
        }
        Err(refused) => return Err(Box::new(turned_away(refused))),
    };
    if session.role.may(method, path) {
        return Ok(Some(session));
    }
    let whose = session.name.unwrap_or_default();
    let problem =
        Problem::new(StatusCode::FORBIDDEN, format!("'{whose}' is a {}, and this is for others", session.role));
    Err(refuse(problem.hint("whoever runs the server gives tokens: vitals serve token create --help")))
}

/// What shows nothing of anybody: the page before it is filled, the way in and out, and that the process lives.
fn is_for_everybody(path: &str) -> bool {
    matches!(path, LOGIN | LOGOUT | "/livez") || path.starts_with("/assets/")
}

fn turned_away(refused: Refused) -> Response {
    let unauthorized = |detail| {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, detail)
            .hint("a browser logs in at /login, a program sends Authorization: Bearer TOKEN");
        ([(WWW_AUTHENTICATE, "Bearer")], problem).into_response()
    };
    match refused {
        Refused::Nobody => unauthorized("who asks has to show a token"),
        Refused::Unknown => unauthorized("this token is not known, or was taken back"),
        Refused::Crowded | Refused::TooFast => {
            Problem::crowded("too many requests came with this token").into_response()
        }
        Refused::NotKnownYet => Problem::not_known_yet().into_response(),
    }
}

fn refusal(is_local: bool, method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host_of(host);
    // Where a token has to be shown, a page of another name has none.
    if is_local && !OWN_NAMES.contains(&name) {
        let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "this server is not known by that name");
        return Some(problem.hint("come to it as http://127.0.0.1 or http://localhost, with its port"));
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    if let Some(origin) = headers.get(ORIGIN)
        && origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_none_or(|(_, from)| from != host)
    {
        return Some(Problem::new(StatusCode::FORBIDDEN, "a page of another server asks for this"));
    }
    None
}

fn harden(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let always =
        [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "no-referrer")];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Vital signs are never kept on the way.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let response = refusal(true, method, &map)?.into_response();
        Some(response.status().as_u16())
    }

    #[test]
    fn only_a_name_of_this_machine_is_answered() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"] {
            assert_eq!(asked(&Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example:8080", "127.0.0.1.evil.example", "", "localhost.evil.example:8080"] {
            assert_eq!(asked(&Method::GET, &[("host", host)]), Some(421), "{host}");
        }
        assert_eq!(asked(&Method::GET, &[]), Some(421));
    }

    #[test]
    fn a_page_of_another_server_changes_nothing() {
        let host = ("host", "localhost:8080");
        let own = [host, ("origin", "http://localhost:8080")];
        assert_eq!(asked(&Method::POST, &own), None);
        assert_eq!(asked(&Method::POST, &[host]), None, "a program has no origin");
        assert_eq!(asked(&Method::POST, &[host, ("origin", "http://localhost:9999")]), Some(403));
        assert_eq!(asked(&Method::POST, &[host, ("origin", "null")]), Some(403));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_or_is_too_large_holds_nothing() {
        let saying = |body: Body| {
            let request = Request::builder().method("POST").uri(LOGIN).body(body).expect("a request");
            async { heard(request).await.map(drop).map_err(|problem| problem.in_words().0.as_u16()) }
        };
        let never = futures::stream::pending::<Result<bytes::Bytes, std::convert::Infallible>>();
        assert_eq!(saying(Body::from_stream(never)).await, Err(408));
        assert_eq!(saying(Body::from(vec![b'x'; MAX_TOKEN_BYTES + 1])).await, Err(413));
        assert_eq!(saying(Body::from("token=x")).await, Ok(()));
    }
}
