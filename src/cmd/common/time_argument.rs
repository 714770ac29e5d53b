//! Times as people type them.

use chrono::{DateTime, Days, Local, NaiveDate, NaiveTime, TimeZone};

use crate::kafka::offsets::Place;
use crate::reading::Timestamp;
use crate::span::parse_duration;

/// Every way to write a time, for error messages.
const FORMS: &str =
    "a time is written as 2025-10-26T10:30:15Z, 15m or -15m (before now), 'now', 'today 08:00' or 'yesterday 20:30'";

/// Parses a time, as a clap `value_parser`: RFC 3339 with an offset, a span before now (`15m`, `-15m`), `now`, or `today`
/// and `yesterday`, with a time of day or from their beginning, by the clock and the time zone of this machine.
pub(in crate::cmd) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, &Local::now())
}

/// Parses where to begin in a partition: `earliest`, `latest`, or a time.
pub(in crate::cmd) fn parse_place(text: &str) -> Result<Place, String> {
    match text {
        "earliest" => Ok(Place::Earliest),
        "latest" => Ok(Place::Latest),
        time => parse(time).map(Place::Time),
    }
}

fn parse_at<Zone: TimeZone>(text: &str, now: &DateTime<Zone>) -> Result<Timestamp, String> {
    let text = text.trim();
    let time = match text.split_once(char::is_whitespace).map_or((text, ""), |(day, time)| (day, time.trim())) {
        ("now", "") => now.clone(),
        ("today", time) => on_day(now.date_naive(), time, now)?,
        ("yesterday", time) => {
            let day = now.date_naive().checked_sub_days(Days::new(1)).ok_or(FORMS)?;
            on_day(day, time, now)?
        }
        (_, "") if text.starts_with('-') || is_span(text) => before(text, now).ok_or(FORMS)?,
        _ => return Timestamp::parse(text).map_err(|_| FORMS.to_owned()),
    };
    Timestamp::from_utc(time.to_utc()).map_err(|_| FORMS.to_owned())
}

/// Whether it is a span with its unit: a bare number could be meant as a time of other programs.
fn is_span(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_alphabetic()) && parse_duration(text).is_ok()
}

fn before<Zone: TimeZone>(text: &str, now: &DateTime<Zone>) -> Option<DateTime<Zone>> {
    let span = parse_duration(text.strip_prefix('-').unwrap_or(text)).ok()?;
    now.clone().checked_sub_signed(chrono::TimeDelta::from_std(span).ok()?)
}

/// The time of day `time`, or midnight where it is empty, on this day in the zone of `now`.
fn on_day<Zone: TimeZone>(day: NaiveDate, time: &str, now: &DateTime<Zone>) -> Result<DateTime<Zone>, String> {
    let time = match time {
        "" => NaiveTime::MIN,
        time => NaiveTime::parse_from_str(time, "%H:%M")
            .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M:%S"))
            .map_err(|_| FORMS)?,
    };
    // Where clocks are set back a time comes twice; the earlier one leaves no reading out.
    let on_day = now.timezone().from_local_datetime(&day.and_time(time)).earliest();
    on_day.ok_or_else(|| format!("there was no {time} on {day}: the clocks were set forward"))
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    fn at(text: &str) -> Result<String, String> {
        let zone = FixedOffset::east_opt(2 * 3600).expect("a zone");
        let now = zone.with_ymd_and_hms(2025, 10, 26, 1, 30, 0).single().expect("a time");
        parse_at(text, &now).map(|time| time.to_string())
    }

    #[test]
    fn each_form_is_understood() {
        for (text, time) in [
            ("2025-10-26T10:30:15+02:00", "2025-10-26T08:30:15+00:00"),
            ("-15m", "2025-10-25T23:15:00+00:00"),
            ("15m", "2025-10-25T23:15:00+00:00"),
            ("-1.5h", "2025-10-25T22:00:00+00:00"),
            ("-2d", "2025-10-23T23:30:00+00:00"),
            ("now", "2025-10-25T23:30:00+00:00"),
            ("today 08:00", "2025-10-26T06:00:00+00:00"),
            ("today", "2025-10-25T22:00:00+00:00"),
            ("yesterday 20:30:05", "2025-10-25T18:30:05+00:00"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(time), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_forms() {
        for text in ["", "-", "15", "tomorrow", "today 8 o'clock", "2025-10-26T10:30:15", "-999999999999h", "now 08:00"]
        {
            let refused = at(text);
            assert!(refused.as_ref().is_err_and(|error| error.contains("-15m")), "{text}: {refused:?}");
        }
    }
}
