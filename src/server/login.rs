//! How a browser shows a token: once, in a form, and from then on in a cookie that no script can read.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::json;

use super::Shared;
use super::access::{Access, Refused, Session};
use super::audit::{Asker, Told};
use super::page;
use super::parameters::Query;
use super::problem::Problem;
use super::tokens::Role;
use crate::http::Peer;

/// Where a browser shows a token.
pub(super) const LOGIN: &str = "/login";
/// Where it lets go of it.
pub(super) const LOGOUT: &str = "/logout";

/// A screen that hangs on a wall is logged in as often as it is cleaned.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// What a browser asks for it.
pub(super) fn paths() -> Router<Arc<Shared>> {
    Router::new().route(LOGIN, get(form).post(log_in)).route(LOGOUT, post(log_out))
}

async fn form(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match *shared.access {
        // Nobody need show anything.
        Access::Local => leading_to("/", None),
        Access::Tokens(_) => page::answer("login.html", &headers),
    }
}

async fn log_in(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(cookie_name) = shared.access.cookie() else { return leading_to("/", None) };
    let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !content.starts_with(b"application/x-www-form-urlencoded") {
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is what the form at /login sends")
            .hint("a program shows its token in each request: Authorization: Bearer TOKEN")
            .into_response();
    }
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "token").map(|(_, token)| token);
    let token = token.as_deref().unwrap_or_default().trim();
    let peer = peer.map(|Extension(peer)| peer);
    let entered = match shared.access.typed(token, peer) {
        // A device sees nothing of the page.
        Ok(session) if session.role == Role::Device => Err(Refused::Unknown),
        entered => entered,
    };
    let name = entered.as_ref().ok().and_then(|session| session.name.clone());
    let asker = name.clone().map_or_else(|| Asker::From(peer.map(Peer::network)), Asker::Named);
    // Who comes again and again fills no disk.
    if let Some(untold) = shared.logins.take(asker) {
        Told::login(name.as_deref(), untold).write(&shared, entered.is_ok());
    }
    match entered {
        Ok(_) => leading_to("/", cookie(cookie_name, token, COOKIE_SECONDS)),
        Err(Refused::Crowded | Refused::TooFast) => leading_to("/login?crowded", None),
        Err(Refused::Nobody | Refused::Unknown) => leading_to("/login?refused", None),
        Err(Refused::NotKnownYet) => leading_to("/login?away", None),
    }
}

async fn log_out(State(shared): State<Arc<Shared>>) -> Response {
    leading_to(LOGIN, shared.access.cookie().and_then(|name| cookie(name, "", 0)))
}

/// Who asks, and what they may do.
pub(super) async fn session(Extension(session): Extension<Session>, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let body = json!({ "name": session.name.as_deref(), "role": session.role });
    Ok(([(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

fn cookie(name: &str, token: &str, seconds: u32) -> Option<HeaderValue> {
    // `Lax`: whoever follows a link of the hospital's own pages to the ward is in. What changes something asks for more.
    let text = format!("{name}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).ok()
}

/// Has the browser ask for another path.
pub(super) fn leading_to(path: &'static str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
