//! Times as HL7 writes them: digits from the year on, with or without an offset.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::message::Part;
use super::zone::Zone;

/// A time as it stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrittenTime {
    /// What the clock shows.
    local: NaiveDateTime,
    /// How far it is ahead of UTC, where that is written.
    pub(super) offset: Option<FixedOffset>,
}

impl WrittenTime {
    /// Reads `YYYYMMDDHHMM[SS[.SSSSSS]][+HHMM]`. A time to the day or the hour is none of a measurement.
    pub(super) fn read(field: Part<'_>) -> Option<Self> {
        let text = field.component(1).text();
        let text = text.trim();
        let (clock, offset) = match text.find(['+', '-']) {
            Some(at) => {
                let (clock, offset) = text.split_at_checked(at)?;
                (clock, Some(read_offset(offset)?))
            }
            None => (text, None),
        };
        let (digits, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let number = |from: usize, to: usize| digits.get(from..to).filter(|part| are_digits(part))?.parse::<u32>().ok();
        let seconds = match digits.len() {
            12 => 0,
            14 => number(12, 14)?,
            _ => return None,
        };
        let year = i32::try_from(number(0, 4)?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(4, 6)?, number(6, 8)?)?;
        let local = date.and_hms_opt(number(8, 10)?, number(10, 12)?, seconds)?;
        Some(Self { local: local.checked_add_signed(micros(fraction)?)?, offset })
    }

    /// The moment: by its own offset, else that of the message, else by the zone of the sender. `None` where there is
    /// none of them.
    pub(super) fn moment(
        self,
        of_message: Option<FixedOffset>,
        zone: Option<Zone>,
        near: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self.offset.or(of_message) {
            Some(offset) => Some(self.local.checked_sub_offset(offset)?.and_utc()),
            None => zone?.moment(self.local, near),
        }
    }
}

/// `+HHMM`. Both `-0000` and `+0000` are UTC; the sign of `-0330` is that of its minutes too.
fn read_offset(text: &str) -> Option<FixedOffset> {
    let (is_west, digits) = (text.starts_with('-'), text.get(1..)?);
    if digits.len() != 4 || !are_digits(digits) {
        return None;
    }
    let number = |part: Option<&str>| part?.parse::<i32>().ok();
    let (hours, minutes) = (number(digits.get(..2))?, number(digits.get(2..))?);
    let seconds = (hours * 60 + minutes) * 60;
    if hours > 14 || minutes > 59 {
        return None;
    }
    if is_west { FixedOffset::west_opt(seconds) } else { FixedOffset::east_opt(seconds) }
}

/// What the digits behind a point are; those behind the sixth are cut.
fn micros(fraction: &str) -> Option<TimeDelta> {
    if !are_digits(fraction) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    digits.parse().ok().map(TimeDelta::microseconds)
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::*;

    fn read(text: &str) -> Option<WrittenTime> {
        let line = format!("MSH|^~\\&|{text}");
        let message = Message::of(&line).unwrap();
        message.segments().next().and_then(|segment| WrittenTime::read(segment.fields().field(3)))
    }

    fn moment(text: &str, of_message: Option<i32>, zone: Option<i32>) -> Option<String> {
        let offset = |hours: i32| FixedOffset::east_opt(hours * 3600).unwrap();
        let zone = zone.map(|hours| Zone { offset: offset(hours), summer: None });
        let moment = read(text)?.moment(of_message.map(offset), zone, DateTime::UNIX_EPOCH)?;
        Some(moment.format("%FT%T%.6f").to_string())
    }

    #[test]
    fn a_time_has_its_own_offset_else_the_messages_else_the_senders_zone() {
        let expected = |text: &str| Some(format!("2025-10-26T{text}.000000"));
        assert_eq!(moment("20251026103015+0200", Some(5), Some(7)), expected("08:30:15"));
        assert_eq!(moment("20251026103015", Some(5), Some(7)), expected("05:30:15"));
        assert_eq!(moment("20251026103015", None, Some(7)), expected("03:30:15"));
        assert_eq!(moment("20251026103015", None, None), None, "never silently UTC");
    }

    #[test]
    fn offsets_west_have_minutes_too_and_zero_has_two_signs() {
        for (text, expected) in [
            ("20251026103015-0330", "2025-10-26T14:00:15.000000"),
            ("20251026103015-0000", "2025-10-26T10:30:15.000000"),
            ("20251026103015+0000", "2025-10-26T10:30:15.000000"),
            ("20251026103015.1234+0545", "2025-10-26T04:45:15.123400"),
            ("202510261030+0000", "2025-10-26T10:30:00.000000"),
            ("20251026103015.12345678+0000^S", "2025-10-26T10:30:15.123456"),
        ] {
            assert_eq!(moment(text, None, None).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_to_the_minute_is_none() {
        for text in [
            "",
            "\"\"",
            "2025",
            "20251026",
            "2025102610",
            "20251326103015",
            "20250230103015",
            "20251026106015",
            "2025102610301",
            "20251026103015+",
            "20251026103015+02",
            "20251026103015+0260",
            "20251026103015+1500",
            "2025-10-26T10:30",
            "20251026103015.x",
            "20251026+10301",
            "2025١026103015",
            "today",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
