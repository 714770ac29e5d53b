//! What stands behind the question mark of an address. Nothing is passed over: a parameter that is not known here, or is
//! there twice, is refused, since whoever typed it meant something by it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;

use super::problem::Problem;
use crate::reading::Timestamp;
use crate::span::parse_duration;
use crate::suggestion;

/// The query of a request, of which nobody has said yet what may be in it.
#[derive(Debug, Default)]
pub(super) struct Query(Option<String>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().map(str::to_owned)))
    }
}

impl Query {
    /// Its parameters, where all of them are `known`.
    ///
    /// # Errors
    /// Another one is there, or one twice.
    pub(super) fn only(&self, known: &[&str]) -> Result<Parameters, Problem> {
        Parameters::parse(self.0.as_deref(), known)
    }

    /// Whether a parameter of this name is there, with or without a modifier.
    pub(super) fn names(&self, name: &str) -> bool {
        let mut all = form_urlencoded::parse(self.0.as_deref().unwrap_or_default().as_bytes());
        all.any(|(found, _)| found.split(':').next() == Some(name))
    }

    /// The same, in order; each may be there several times.
    ///
    /// # Errors
    /// Another one is there.
    pub(super) fn each(&self, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
        let all = form_urlencoded::parse(self.0.as_deref().unwrap_or_default().as_bytes());
        let known_alone = all.map(|(name, value)| {
            let is_known = known.contains(&&*name);
            if is_known { Ok((name.into_owned(), value.into_owned())) } else { Err(unknown(&name, known)) }
        });
        known_alone.collect()
    }
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                return Err(unknown(&name, known));
            }
            if parameters.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Problem::bad_request(format!("the parameter '{name}' is there twice")));
            }
        }
        Ok(Self(parameters))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number, `default` where there is none.
    pub(super) fn number(&self, name: &str, default: u32, range: RangeInclusive<u32>) -> Result<u32, Problem> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (low, high) = range.into_inner();
        number.ok_or_else(|| Problem::bad_request(format!("'{name}' has to be a whole number from {low} to {high}")))
    }

    /// A time with an offset, or a span before `now`: `-6h`.
    pub(super) fn time(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = match text.strip_prefix('-') {
            Some(span) => parse_duration(span).ok().and_then(|span| before(now, span)),
            None => Timestamp::parse(text).ok(),
        };
        let problem = || {
            Problem::bad_request(format!("'{name}' is no time"))
                .hint("write it with an offset, as 2025-10-26T10:30:15Z (a + has to be written as %2B), or as -6h")
        };
        time.map(Some).ok_or_else(problem)
    }

    /// A span of time within these bounds.
    pub(super) fn span(&self, name: &str, range: RangeInclusive<Duration>) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let span = parse_duration(text).ok().filter(|span| range.contains(span));
        let (low, high) = range.into_inner();
        let problem =
            || Problem::bad_request(format!("'{name}' has to be a span from {low:?} to {high:?}, as 10s or 1m"));
        span.map(Some).ok_or_else(problem)
    }

    /// Where an earlier answer was cut off.
    pub(super) fn cursor(&self) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        let time = bytes.map(i64::from_be_bytes).and_then(Timestamp::from_micros);
        let problem =
            || Problem::bad_request("'cursor' is none of ours").hint("take it from 'next' of the answer before");
        time.map(Some).ok_or_else(problem)
    }
}

/// A cursor: the next answer begins at this time.
pub(super) fn cursor_of(next: Timestamp) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(next.as_micros().to_be_bytes())
}

fn before(now: Timestamp, span: Duration) -> Option<Timestamp> {
    let span = TimeDelta::from_std(span).ok()?.num_microseconds()?;
    Timestamp::from_micros(now.as_micros().checked_sub(span)?)
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let problem = Problem::bad_request(format!("there is no parameter '{name}' here"));
    match suggestion::nearest(name, known.iter().copied()) {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None if known.is_empty() => problem.hint("leave it out"),
        None => problem.hint(format!("there are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["since", "limit", "cursor", "every", "format"];

    fn of(query: &str) -> Parameters {
        Parameters::parse(Some(query), &KNOWN).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn what_is_not_known_or_there_twice_is_refused_with_what_was_probably_meant() {
        let refused = |query| format!("{:?}", Parameters::parse(Some(query), &KNOWN).unwrap_err());
        assert!(refused("sinse=1").contains("did you mean since?"), "{}", refused("sinse=1"));
        assert!(refused("x=1").contains("there are since, limit"), "{}", refused("x=1"));
        assert!(refused("limit=1&limit=2").contains("twice"));
        assert!(Parameters::parse(None, &[]).is_ok() && Parameters::parse(Some(""), &[]).is_ok());
    }

    #[test]
    fn a_time_has_an_offset_or_is_a_span_before_now() {
        let now = at("2025-10-26T10:30:15Z");
        let time = |query| of(query).time("since", now);
        assert_eq!(time(""), Ok(None));
        assert_eq!(time("since=2025-10-26T11:30:15%2B01:00"), Ok(Some(now)));
        assert_eq!(time("since=-6h"), Ok(Some(at("2025-10-26T04:30:15Z"))));
        for wrong in ["since=2025-10-26T11:30:15", "since=6h", "since=-x", "since=", "since=2025-10-26T11:30:15+01:00"]
        {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_and_spans_have_bounds() {
        assert_eq!(of("").number("limit", 100, 1..=1000), Ok(100));
        assert_eq!(of("limit=7").number("limit", 100, 1..=1000), Ok(7));
        let spans = Duration::from_secs(1)..=Duration::from_secs(60);
        assert_eq!(of("every=1m").span("every", spans.clone()), Ok(Some(Duration::from_secs(60))));
        for wrong in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit="] {
            assert!(of(wrong).number("limit", 100, 1..=1000).is_err(), "{wrong}");
        }
        assert!(of("every=2m").span("every", spans).is_err());
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given_and_nothing_else_is_one() {
        let time = at("2025-10-26T10:30:15.123456Z");
        assert_eq!(of(&format!("cursor={}", cursor_of(time))).cursor(), Ok(Some(time)));
        for wrong in ["cursor=", "cursor=AAAA", "cursor=%20", "cursor=f_________8"] {
            assert!(of(wrong).cursor().is_err(), "{wrong}");
        }
    }
}
