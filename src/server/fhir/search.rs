//! What a search for observations asks for.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use form_urlencoded::Serializer;

use crate::alarm::rules::{Micros, SECOND};
use crate::fhir::observation::Kind;
use crate::reading::Timestamp;
use crate::server::problem::Problem;
use crate::store::StoredReading;

/// How many are given where nobody says, and at most.
const DEFAULT_COUNT: usize = 100;
const MAX_COUNT: usize = 1_000;

const DAY: Micros = 24 * 60 * 60 * SECOND;

/// A search for observations of one patient.
#[derive(Debug, PartialEq)]
pub(super) struct Search {
    /// The patient's id, as FHIR has it.
    pub(super) patient: String,
    kinds: Vec<Kind>,
    since: Option<Timestamp>,
    /// Before this.
    pub(super) until: Option<Timestamp>,
    /// How many at most.
    pub(super) count: usize,
    /// Where an earlier answer was cut off.
    cursor: Option<(Timestamp, u8)>,
    /// What was asked for, without the cursor: of that the links are made.
    asked: Vec<(String, String)>,
}

impl Search {
    pub(super) const KNOWN: &'static [&'static str] =
        &["patient", "subject", "code", "category", "date", "_count", "_cursor", "_format"];

    /// Of the parameters of a request, all of which are known.
    pub(super) fn parse(parameters: &[(String, String)]) -> Result<Self, Problem> {
        let mut search = Self {
            patient: String::new(),
            kinds: Kind::ALL.to_vec(),
            since: None,
            until: None,
            count: DEFAULT_COUNT,
            cursor: None,
            asked: Vec::new(),
        };
        for (name, value) in parameters {
            match name.as_str() {
                "patient" | "subject" => {
                    value.trim_start_matches("Patient/").clone_into(&mut search.patient);
                }
                "code" => search.kinds.retain(|kind| value.split(',').any(|code| is_of(*kind, code))),
                "category" => {
                    search.kinds.retain(|kind| value.split(',').any(|token| is_in_category(*kind, token)));
                }
                "date" => search.limit(value)?,
                "_count" => search.count = count(value)?,
                "_cursor" => search.cursor = Some(cursor(value)?),
                _ => {}
            }
            if name != "_cursor" {
                search.asked.push((name.clone(), value.clone()));
            }
        }
        if search.patient.is_empty() {
            return Err(Problem::bad_request("'patient' is missing").hint("name one: patient=P001"));
        }
        Ok(search)
    }

    /// Not before this.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.cursor.map(|(time, _)| time).max(self.since)
    }

    /// What of this row is wanted and was not given yet.
    pub(super) fn kinds_of(&self, row: &StoredReading) -> Vec<Kind> {
        let begun = self.cursor.filter(|(time, _)| Timestamp::parse(&row.timestamp) == Ok(*time));
        let first = begun.map_or(0, |(_, first)| first);
        let is_left = |kind: &Kind| place(*kind) >= first && self.kinds.contains(kind);
        Kind::ALL.into_iter().filter(is_left).collect()
    }

    /// Where the next answer begins that begins with this.
    pub(super) fn behind(row: &StoredReading, kind: Kind) -> Option<String> {
        let time = Timestamp::parse(&row.timestamp).ok()?;
        let mut bytes = time.as_micros().to_be_bytes().to_vec();
        bytes.push(place(kind));
        Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The same behind all of this row.
    pub(super) fn behind_row(row: &StoredReading) -> Option<String> {
        let time = Timestamp::parse(&row.timestamp).ok()?;
        let mut bytes = time.as_micros().saturating_add(1).to_be_bytes().to_vec();
        bytes.push(0);
        Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The address of this search, or of its rest.
    pub(super) fn url(&self, base: &str, cursor: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.asked);
        if let Some(cursor) = cursor {
            query.append_pair("_cursor", cursor);
        }
        format!("{base}/Observation?{}", query.finish())
    }

    /// Takes a date with what stands before it.
    fn limit(&mut self, text: &str) -> Result<(), Problem> {
        let (prefix, date) = match text.get(..2) {
            Some(prefix @ ("eq" | "ge" | "gt" | "le" | "lt")) => (prefix, text.get(2..).unwrap_or_default()),
            _ => ("eq", text),
        };
        let problem = || {
            Problem::bad_request("'date' is none that is known here")
                .hint("write it as ge2025-10-26 or lt2025-10-26T10:30:15Z; eq, ge, gt, le and lt may stand before it")
        };
        let (begin, end) = span(date).ok_or_else(problem)?;
        if matches!(prefix, "eq" | "ge") {
            self.since = self.since.max(Some(begin));
        }
        if prefix == "gt" {
            self.since = self.since.max(Some(end));
        }
        let until = match prefix {
            "eq" | "le" => Some(end),
            "lt" => Some(begin),
            _ => None,
        };
        self.until = match (self.until, until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        };
        Ok(())
    }
}

/// When what is written begins, and behind its end: a day of UTC, a second, or a moment.
fn span(text: &str) -> Option<(Timestamp, Timestamp)> {
    let behind = |begin: Timestamp, length: Micros| Timestamp::from_micros(begin.as_micros().checked_add(length)?);
    if let Ok(day) = text.parse::<NaiveDate>() {
        let begin = Timestamp::from_utc(day.and_hms_opt(0, 0, 0)?.and_utc()).ok()?;
        return Some((begin, behind(begin, DAY)?));
    }
    let begin = Timestamp::parse(text).ok()?;
    let length = if text.contains('.') { 1 } else { SECOND };
    Some((begin, behind(begin, length)?))
}

fn count(text: &str) -> Result<usize, Problem> {
    let count = text.parse().ok().filter(|count| *count > 0);
    // As FHIR says, a server may give fewer.
    count
        .map(|count: usize| count.min(MAX_COUNT))
        .ok_or_else(|| Problem::bad_request("'_count' has to be a number from 1"))
}

fn cursor(text: &str) -> Result<(Timestamp, u8), Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 9]>::try_from(bytes).ok());
    let found = bytes.and_then(|bytes| {
        let (time, place) = bytes.split_at(8);
        Some((Timestamp::from_micros(i64::from_be_bytes(time.try_into().ok()?))?, *place.first()?))
    });
    found.ok_or_else(|| Problem::bad_request("'_cursor' is none of ours").hint("follow the link 'next'"))
}

/// `code`, or `system|code`.
fn is_of(kind: Kind, token: &str) -> bool {
    let (system, code) = token.split_once('|').map_or((None, token), |(system, code)| (Some(system), code));
    kind.codes().any(|(of, known)| known == code && system.is_none_or(|system| system == of))
}

fn is_in_category(kind: Kind, token: &str) -> bool {
    token.rsplit('|').next() == Some(kind.category())
}

/// The place of a kind in a reading.
fn place(kind: Kind) -> u8 {
    let place = Kind::ALL.into_iter().position(|other| other == kind);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Signs;

    fn parsed(query: &str) -> Result<Search, Problem> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Search::parse(&pairs)
    }

    fn search(query: &str) -> Search {
        parsed(query).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn codes_have_a_system_or_none_and_another_system_finds_nothing() {
        assert_eq!(search("patient=Patient/P1&code=8867-4").kinds, [Kind::HeartRate]);
        assert_eq!(search("patient=P1&code=http://loinc.org|59408-5,8310-5").kinds.len(), 2);
        assert!(search("patient=P1&code=urn:x|8867-4").kinds.is_empty());
        assert!(search("patient=P1&category=laboratory").kinds.is_empty());
        assert_eq!(search("subject=Patient/P1&category=vital-signs").kinds.len(), 5);
        let observed = [Kind::SupplementalOxygen, Kind::Consciousness];
        assert_eq!(search("patient=P1&category=exam").kinds, observed);
        assert_eq!(search("patient=P1&category=exam,vital-signs").kinds.len(), Kind::ALL.len());
        assert_eq!(search("patient=P1&code=http://snomed.info/sct|371825009,67775-7").kinds, observed);
        assert!(search("patient=P1&code=http://loinc.org|371825009").kinds.is_empty());
        assert!(parsed("code=8867-4").is_err());
    }

    #[test]
    fn dates_bound_a_span_whatever_their_precision() {
        let bounds = |query: &str| {
            let search = search(&format!("patient=P1&{query}"));
            (search.since(), search.until)
        };
        let (day, next) = (Some(at("2025-10-26T00:00:00Z")), Some(at("2025-10-27T00:00:00Z")));
        assert_eq!(bounds("date=2025-10-26"), (day, next));
        assert_eq!(bounds("date=gt2025-10-26"), (next, None));
        assert_eq!(bounds("date=le2025-10-26"), (None, next));
        assert_eq!(bounds("date=ge2025-10-26&date=lt2025-10-27"), (day, next));
        assert_eq!(bounds("date=ge2025-10-26T02:00:00%2B02:00"), (day, None));
        assert_eq!(bounds("date=2025-10-26T00:00:00Z").1, Some(at("2025-10-26T00:00:01Z")));
        for wrong in ["2025", "x", "sa2025-10-26", "2025-10-26T10:30:15"] {
            assert!(parsed(&format!("patient=P1&date={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rest_begins_within_a_row_where_the_answer_was_cut_off() {
        let time = "2025-10-26T10:30:15+00:00";
        let row = StoredReading { patient_id: "P1".to_owned(), timestamp: time.to_owned(), signs: Signs::default() };
        let first = search("patient=P1&_count=2&code=8867-4,8310-5,9279-1");
        let cursor = Search::behind(&row, Kind::RespiratoryRate).expect("a cursor");
        let url = first.url("http://localhost/fhir", Some(&cursor));
        let rest = search(url.split_once('?').expect("a query").1);
        assert_eq!(rest.kinds_of(&row), [Kind::RespiratoryRate, Kind::BodyTemperature]);
        assert_eq!((rest.since(), rest.count), (Some(at(time)), 2));
        let later = StoredReading { timestamp: "2025-10-26T10:30:16+00:00".to_owned(), ..row };
        assert_eq!(rest.kinds_of(&later).len(), 3);
        assert!(parsed("patient=P1&_cursor=AAAA").is_err());
    }
}
