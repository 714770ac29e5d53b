//! A body into messages of the topic, and what is refused.

use std::fmt;

use axum::http::StatusCode;
use bytes::Bytes;

use crate::kafka::producer::Outgoing;
use crate::reading::reject::Reject;
use crate::reading::{decode, document};
use crate::server::problem::Problem;

/// The most readings of one request.
pub(in crate::server) const MAX_READINGS: usize = 10_000;

/// How readings stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Form {
    /// One reading, or a list of them.
    Json,
    /// A reading a line.
    Ndjson,
}

/// Where a reading stands in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Place {
    /// Its index in the list, from 0.
    Index(usize),
    /// Its line, from 1.
    Line(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "index {index}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// What cannot be used, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Refused {
    pub(in crate::server) place: Place,
    pub(in crate::server) message: Bytes,
    pub(in crate::server) reject: Reject,
}

/// What a body comes to.
#[derive(Debug, Default)]
pub(in crate::server) struct Sorted {
    /// Messages as they came, each under the patient's id.
    pub(in crate::server) readings: Vec<Outgoing>,
    /// Where each of them stands.
    pub(in crate::server) places: Vec<Place>,
    pub(in crate::server) refused: Vec<Refused>,
}

/// Judges what is in a body, as a consumer judges the messages of the topic.
///
/// # Errors
/// It is no JSON, or has too many readings: nothing of it is taken.
pub(in crate::server) fn sort(body: &Bytes, form: Form) -> Result<Sorted, Problem> {
    match form {
        Form::Json => {
            let broken = |reject: Reject| Problem::bad_request(format!("nothing was taken: {reject}"));
            let items = document::items(body).map_err(broken)?;
            judge(body, (0..).map(Place::Index).zip(items))
        }
        Form::Ndjson => judge(body, document::lines(body).map(|(line, message)| (Place::Line(line), message))),
    }
}

fn judge<'a>(body: &Bytes, messages: impl Iterator<Item = (Place, &'a [u8])>) -> Result<Sorted, Problem> {
    let mut sorted = Sorted::default();
    for (place, message) in messages {
        if sorted.readings.len() + sorted.refused.len() == MAX_READINGS {
            let detail = format!("nothing was taken: there are more than {MAX_READINGS} readings");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).hint("send them in several requests"));
        }
        // It is a part of the body.
        let message = body.slice_ref(message);
        match decode(&message) {
            // As it came: other programs that read the topic may know keys that are passed over here.
            Ok(reading) => {
                let key = Bytes::copy_from_slice(reading.patient().as_str().as_bytes());
                sorted.readings.push(Outgoing { key, value: message });
                sorted.places.push(place);
            }
            Err(reject) => sorted.refused.push(Refused { place, message, reject }),
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","spo2":97,"ours":[1]}"#;

    fn sorted(body: &str, form: Form) -> Sorted {
        sort(&Bytes::copy_from_slice(body.as_bytes()), form).expect("it can be read")
    }

    fn refused(sorted: &Sorted) -> Vec<(String, &'static str)> {
        sorted.refused.iter().map(|refused| (refused.place.to_string(), refused.reject.code())).collect()
    }

    #[test]
    fn what_is_a_reading_goes_as_it_came_under_its_patient() {
        for (body, form) in [
            (GOOD.to_owned(), Form::Json),
            (format!("[ {GOOD} ]"), Form::Json),
            (format!("\n{GOOD}\r\n"), Form::Ndjson),
        ] {
            let sorted = sorted(&body, form);
            assert_eq!(sorted.readings, [Outgoing { key: "P1".into(), value: GOOD.into() }], "{body}");
            assert!(sorted.refused.is_empty());
        }
        assert!(sorted("[]", Form::Json).readings.is_empty());
    }

    #[test]
    fn what_is_none_is_refused_with_its_place_and_blocks_no_other() {
        let list = sorted(&format!("[5, {GOOD}, {{\"patient_id\":\"P1\"}}]"), Form::Json);
        assert_eq!(list.readings.len(), 1);
        assert_eq!(refused(&list), [("index 0".to_owned(), "not_an_object"), ("index 2".to_owned(), "timestamp")]);
        assert_eq!(list.refused[1].message, "{\"patient_id\":\"P1\"}");
        let lines = sorted(&format!("{GOOD}\n\n{{\n{GOOD}"), Form::Ndjson);
        assert_eq!((lines.readings.len(), refused(&lines)), (2, vec![("line 3".to_owned(), "not_json")]));
    }

    #[test]
    fn of_a_broken_list_and_of_one_that_is_too_long_nothing_is_taken() {
        let problem = |body: String| sort(&body.into(), Form::Json).expect_err("refused").in_words();
        let (status, detail) = problem(format!("[{GOOD},"));
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(detail.starts_with("nothing was taken: the message is not JSON (near line 1"), "{detail}");
        let long = |count| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(problem(long(MAX_READINGS + 1)).0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(sorted(&long(MAX_READINGS), Form::Json).refused.len(), MAX_READINGS);
    }
}
