//! A reading as one line to read.

use std::fmt;

use crate::alarm::{Implausible, Priority, implausible};
use crate::output::MARK;
use crate::reading::{Reading, Sign, Signs};

/// A reading on one line: `[2025-10-26T10:30:15.123456+00:00] P001 -> HR:95 SpO2:98 BP:120/80 RR:16 T:36.8`. A sign that
/// was not measured is `-`; one that is not believed is marked.
pub(in crate::cmd) struct Line<'a>(pub(in crate::cmd) &'a Reading);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} -> {}", self.0.time(), self.0.patient(), SignsLine(self.0.signs()))
    }
}

/// Its signs alone: `HR:95 SpO2:98 BP:120/80 RR:16 T:36.8`.
pub(in crate::cmd) struct SignsLine<'a>(pub(in crate::cmd) &'a Signs);

impl fmt::Display for SignsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signs = self.0;
        let doubts = implausible(signs);
        let mark = |sign| if doubts.iter().any(|doubt: &Implausible| doubt.concerns(sign)) { MARK } else { "" };
        let whole = |value: Option<i32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        // Debug keeps the point of a whole number, as Python does: 37.0.
        let temperature = signs.temperature.map_or_else(|| "-".to_owned(), |degrees| format!("{degrees:?}"));
        write!(f, "HR:{}{} ", whole(signs.heart_rate), mark(Sign::HeartRate))?;
        write!(f, "SpO2:{}{} ", whole(signs.spo2), mark(Sign::Spo2))?;
        write!(f, "BP:{}{}/", whole(signs.systolic), mark(Sign::Systolic))?;
        write!(f, "{}{} ", whole(signs.diastolic), mark(Sign::Diastolic))?;
        write!(f, "RR:{}{} ", whole(signs.respiratory_rate), mark(Sign::RespiratoryRate))?;
        write!(f, "T:{temperature}{}", mark(Sign::Temperature))
    }
}

/// A priority without colour.
pub(in crate::cmd) fn stars(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "***",
        Priority::Medium => "**",
        Priority::Low => "*",
    }
}
