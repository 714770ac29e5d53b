//! Who is let in. On this machine alone everybody is; where others can come, whoever has a token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, Method};
use tokio::time::sleep;

use super::feeds::{Opened, within};
use super::hub::{Hub, Part};
use super::rates::{Rate, Rates};
use super::tokens::{Digest, Role, Tokens, digest};
use crate::http::Peer;

/// How often it is looked who was given a token, or has none any more.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// What a browser keeps the token in begins so: that has it come from here alone, and over TLS alone.
const COOKIE_NAME: &str = "__Host-vitals";
/// The port that is in no address, and in no name of a cookie.
const USUAL_PORT: u16 = 443;

/// A screen asks twenty times when it begins, and a program that reads page by page some ten times a second.
const OF_ONE: Rate = Rate { burst: 400, every: Duration::from_millis(5) };

/// Whoever types a token anew is faster than this only if it is no person.
const WRONG: Rate = Rate { burst: 10, every: Duration::from_secs(6) };

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Whose token was shown; `None` where nobody has to show one.
    pub(super) name: Option<Arc<str>>,
    pub(super) role: Role,
    digest: Option<Digest>,
}

impl Session {
    /// Of one who comes from this machine.
    pub(super) const LOCAL: Self = Self { name: None, role: Role::Admin, digest: None };
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nothing was shown.
    Nobody,
    /// What was shown is no token that holds.
    Unknown,
    /// Such were typed too often.
    Crowded,
    /// There was no store yet to ask whose it is.
    NotKnownYet,
    /// The token holds, and asks too often.
    TooFast,
}

/// Who is let in.
#[derive(Debug)]
pub(super) enum Access {
    /// Whoever comes from this machine.
    Local,
    /// Whoever has a token.
    Tokens(Box<Doors>),
}

/// What is known of those who come.
#[derive(Debug)]
pub(super) struct Doors {
    /// `None` until the store has told.
    tokens: RwLock<Option<Tokens>>,
    asked: Mutex<Rates<Arc<str>>>,
    /// By [network](Peer::network).
    wrong: Mutex<Rates<IpAddr>>,
    cookie: String,
}

impl Access {
    /// For whoever has a token and comes to this port.
    pub(super) fn by_token(port: u16) -> Self {
        let (asked, wrong) = (Mutex::new(Rates::new(OF_ONE)), Mutex::new(Rates::new(WRONG)));
        // A browser shows a cookie at every port of a host, where another server may have given one of its own.
        let cookie = if port == USUAL_PORT { COOKIE_NAME.to_owned() } else { format!("{COOKIE_NAME}-{port}") };
        Self::Tokens(Box::new(Doors { tokens: RwLock::new(None), asked, wrong, cookie }))
    }

    /// The name of what a browser keeps the token in; `None` where it need not have one.
    pub(super) fn cookie(&self) -> Option<&str> {
        match self {
            Self::Local => None,
            Self::Tokens(doors) => Some(&doors.cookie),
        }
    }

    /// Who shows these headers.
    pub(super) fn enter(&self, headers: &HeaderMap) -> Result<Session, Refused> {
        let Self::Tokens(doors) = self else { return Ok(Session::LOCAL) };
        let session = doors.recognise(shown(headers, &doors.cookie).ok_or(Refused::Nobody)?)?;
        if session.role == Role::Device {
            // A gateway sends for a whole hospital; what is on its way is bounded instead.
            return Ok(session);
        }
        let name = session.name.clone().unwrap_or_default();
        let is_free = doors.asked.lock().unwrap_or_else(PoisonError::into_inner).take(name);
        if is_free { Ok(session) } else { Err(Refused::TooFast) }
    }

    /// Whose token this is that somebody there has typed. What was one once, and is shown on and on by a screen that
    /// nobody looks after, is no guess: that does not come by here.
    pub(super) fn typed(&self, token: &str, peer: Option<Peer>) -> Result<Session, Refused> {
        let Self::Tokens(doors) = self else { return Ok(Session::LOCAL) };
        let found = doors.recognise(token);
        if let (Err(Refused::Unknown), Some(peer)) = (&found, peer)
            && !doors.wrong.lock().unwrap_or_else(PoisonError::into_inner).take(peer.network())
        {
            return Err(Refused::Crowded);
        }
        found
    }

    /// Whether who has come in still may be here.
    pub(super) fn holds(&self, session: &Session) -> bool {
        let (Self::Tokens(doors), Some(digest)) = (self, &session.digest) else { return true };
        let tokens = doors.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.as_ref().is_some_and(|tokens| tokens.find(digest).is_some_and(|given| given.role == session.role))
    }

    /// Follows what the store has, until it is dropped. While that is away, what is known holds.
    pub(super) async fn follow(self: Arc<Self>, store: Arc<Opened>, hub: Arc<Hub>) {
        let Self::Tokens(doors) = &*self else { return };
        let mut tokens = Tokens::default();
        loop {
            if let Some(store) = store.get() {
                let followed = within(store.follow(&mut tokens)).await;
                // Of one that broke off nothing is told: who was let in by the first page may be revoked on the next.
                if followed.is_ok() {
                    doors.tell(&tokens);
                }
                hub.tell(Part::Tokens, followed.err());
            }
            sleep(FOLLOW_INTERVAL).await;
        }
    }
}

impl Doors {
    fn recognise(&self, token: &str) -> Result<Session, Refused> {
        let shown = digest(token);
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = &*tokens else { return Err(Refused::NotKnownYet) };
        if let Some(given) = known.find(&shown) {
            return Ok(Session { name: Some(given.name.as_str().into()), role: given.role, digest: Some(shown) });
        }
        Err(Refused::Unknown)
    }

    fn tell(&self, tokens: &Tokens) {
        let mut known = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| !known.is_as(tokens)) {
            *known = Some(tokens.clone());
        }
    }
}

impl Role {
    /// Whether this is for it.
    pub(super) fn may(self, method: &Method, path: &str) -> bool {
        let is_question = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Admin => true,
            Self::Viewer => is_question,
            Self::Nurse => is_question || path != "/api/v1/readings",
            Self::Device => path == if is_question { "/api/v1/session" } else { "/api/v1/readings" },
        }
    }
}

/// The token that is shown: a program's, or that of a browser in the cookie of this name.
fn shown<'a>(headers: &'a HeaderMap, cookie: &str) -> Option<&'a str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(authorization) = text(AUTHORIZATION) {
        let (scheme, token) = authorization.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    let mut cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.find_map(|cookies| {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == cookie).map(|(_, token)| token)
    })
}

#[cfg(test)]
impl Access {
    /// One that lets these in, by name and role; their tokens are their names.
    pub(super) fn of(people: &[(&str, Role)]) -> Self {
        let access = Self::by_token(USUAL_PORT);
        if let Self::Tokens(doors) = &access {
            doors.tell(&Tokens::of(people));
        }
        access
    }

    pub(super) fn change(&self, people: &[(&str, Role)]) {
        if let Self::Tokens(doors) = self {
            doors.tell(&Tokens::of(people));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in of {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_token_is_shown_by_a_program_or_a_browser() {
        for (given, wanted) in [
            (&[("authorization", "Bearer abc")][..], Some("abc")),
            (&[("authorization", "bearer abc"), ("cookie", "__Host-vitals=def")], Some("abc")),
            (&[("authorization", "Basic abc"), ("cookie", "__Host-vitals=def")], None),
            (&[("authorization", "abc")], None),
            (&[("cookie", "a=b; __Host-vitals=def; c=d")], Some("def")),
            (&[("cookie", "a=b"), ("cookie", "__Host-vitals=def")], Some("def")),
            (&[("cookie", "vitals=def; x__Host-vitals=def")], None),
            (&[], None),
        ] {
            assert_eq!(shown(&headers(given), COOKIE_NAME), wanted, "{given:?}");
        }
    }

    #[test]
    fn servers_on_one_host_have_cookies_of_their_own() {
        let both = headers(&[("cookie", "__Host-vitals=usual; __Host-vitals-8443=other")]);
        for (port, wanted) in [(443, Some("usual")), (8443, Some("other")), (8444, None)] {
            assert_eq!(shown(&both, Access::by_token(port).cookie().expect("tokens")), wanted, "{port}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_a_token_is_let_in_until_it_is_taken_back() {
        let access = Access::by_token(USUAL_PORT);
        let bearer = headers(&[("authorization", "Bearer Anna")]);
        assert_eq!(access.enter(&bearer).err(), Some(Refused::NotKnownYet));
        access.change(&[("Anna", Role::Nurse), ("West", Role::Viewer)]);
        let session = access.enter(&bearer).expect("Anna");
        assert_eq!((session.name.as_deref(), session.role), (Some("Anna"), Role::Nurse));
        assert_eq!(access.enter(&headers(&[])).err(), Some(Refused::Nobody));
        assert!(access.holds(&session));
        access.change(&[("West", Role::Viewer)]);
        assert!(!access.holds(&session));
        assert_eq!(access.enter(&bearer).err(), Some(Refused::Unknown));
        access.change(&[("Anna", Role::Viewer)]);
        assert!(!access.holds(&session), "what was begun as a nurse is not gone on with as a viewer");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_guesses_is_told_to_wait_and_keeps_nobody_out() {
        let access = Access::of(&[("Anna", Role::Nurse)]);
        let (here, there) = (Some(Peer([10, 0, 0, 1].into())), Some(Peer([10, 0, 0, 2].into())));
        for _ in 0..WRONG.burst {
            assert_eq!(access.typed("guess", here).err(), Some(Refused::Unknown));
        }
        assert_eq!(access.typed("guess", here).err(), Some(Refused::Crowded));
        assert_eq!(access.typed("guess", there).err(), Some(Refused::Unknown));
        assert!(access.typed("Anna", here).is_ok());
        let neighbour = |number: u16| Some(Peer([0x2001, 0xdb8, 0, 0, 0, 0, 0, number].into()));
        for number in 0..10 {
            assert_eq!(access.typed("guess", neighbour(number)).err(), Some(Refused::Unknown));
        }
        assert_eq!(access.typed("guess", neighbour(10)).err(), Some(Refused::Crowded), "one machine has them all");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_often_waits() {
        let access = Access::of(&[("Anna", Role::Nurse)]);
        let bearer = headers(&[("authorization", "Bearer Anna")]);
        let answers: Vec<_> = (0..=OF_ONE.burst).map(|_| access.enter(&bearer).err()).collect();
        assert!(answers.iter().rev().skip(1).all(Option::is_none));
        assert_eq!(answers.last(), Some(&Some(Refused::TooFast)));
        tokio::time::advance(OF_ONE.every).await;
        assert!(access.enter(&bearer).is_ok());
    }

    #[test]
    fn each_role_may_do_its_own() {
        let (get, post) = (&Method::GET, &Method::POST);
        for (role, method, path, may) in [
            (Role::Viewer, get, "/api/v1/latest", true),
            (Role::Viewer, post, "/api/v1/alarms/acknowledge", false),
            (Role::Viewer, &Method::PUT, "/api/v1/latest", false),
            (Role::Nurse, post, "/api/v1/alarms/acknowledge", true),
            (Role::Nurse, post, "/api/v1/readings", false),
            (Role::Device, post, "/api/v1/readings", true),
            (Role::Device, get, "/api/v1/latest", false),
            (Role::Device, get, "/api/v1/session", true),
            (Role::Device, post, "/api/v1/alarms/acknowledge", false),
            (Role::Admin, post, "/api/v1/readings", true),
            (Role::Admin, get, "/metrics", true),
        ] {
            assert_eq!(role.may(method, path), may, "{role} {method} {path}");
        }
    }
}
