//! The moment of a reading.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Serialize, Serializer};

use crate::reading::reject::Reject;

/// When a reading was taken: a moment of UTC to the microsecond, within the years 1 to 9999.
///
/// Its text is what Python's `datetime.isoformat()` prints: `2025-10-26T10:30:15.123456+00:00`, six decimals, none when
/// they are zero. These texts sort as the moments do, because `+` sorts before `.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    micros: i64,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self { micros: 0 };

    /// Takes any RFC 3339 text with an offset, also with a space for its `T`. More than six decimals are cut; a leap
    /// second counts as the second after it, as Unix time does.
    ///
    /// # Errors
    /// [`Reject::Timestamp`] where the text is anything else, or the moment lies outside the years 1 to 9999 of UTC. A
    /// second of 60 is one only at the end of a day of UTC.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        // The parser takes the sign that typesetters write for a minus, too.
        let ascii = Some(text).filter(|text| text.is_ascii()).ok_or(Reject::Timestamp)?;
        let utc = DateTime::parse_from_rfc3339(ascii).map_err(|_| Reject::Timestamp)?.to_utc();
        // And it takes a second of 60 in any minute, as one of 59 with too many nanoseconds.
        if utc.nanosecond() >= 1_000_000_000 && (utc.hour(), utc.minute()) != (23, 59) {
            return Err(Reject::Timestamp);
        }
        Self::from_utc(utc)
    }

    /// The moment `utc`, cut to the microsecond.
    pub fn from_utc(utc: DateTime<Utc>) -> Result<Self, Reject> {
        let micros = utc.timestamp_micros();
        let moment = DateTime::from_timestamp_micros(micros).ok_or(Reject::Timestamp)?;
        if (1..=9999).contains(&moment.year()) { Ok(Self { micros }) } else { Err(Reject::Timestamp) }
    }

    /// The moment that lies so many microseconds after 1970-01-01T00:00:00Z.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).and_then(|utc| Self::from_utc(utc).ok())
    }

    /// The moment as microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.micros
    }
}

/// Digit by digit, since it is written for every reading and every alert.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The range was checked when this was made, so the fallback is never taken.
        let utc = DateTime::from_timestamp_micros(self.micros).unwrap_or_default().naive_utc();
        let mut text = *b"0000-00-00T00:00:00.000000+00:00";
        let (whole, rest) = text.split_at_mut(WHOLE_LENGTH);
        let places = [
            (0..4, u32::try_from(utc.year()).unwrap_or_default()),
            (5..7, utc.month()),
            (8..10, utc.day()),
            (11..13, utc.hour()),
            (14..16, utc.minute()),
            (17..19, utc.second()),
        ];
        for (place, number) in places {
            put(whole.get_mut(place), number);
        }
        let micros = utc.nanosecond() / 1000;
        let parts: &[&[u8]] = if micros == 0 {
            &[whole, OFFSET]
        } else {
            put(rest.get_mut(1..7), micros);
            &[whole, rest]
        };
        parts.iter().try_for_each(|part| f.write_str(std::str::from_utf8(part).unwrap_or_default()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How long a timestamp is without its decimals and its offset.
const WHOLE_LENGTH: usize = 19;
const OFFSET: &[u8] = b"+00:00";

/// Writes a number into its place, from the right.
fn put(place: Option<&mut [u8]>, mut number: u32) {
    for digit in place.into_iter().flatten().rev() {
        // One digit is less than ten.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}
