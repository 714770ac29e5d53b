//! A reading as one line to read.

use std::fmt;

use super::age;
use crate::alarm::rules::Micros;
use crate::alarm::{AlarmChange, AlarmRecord, Implausible, Priority, Step, implausible};
use crate::output::{MARK, Text, Tone};
use crate::reading::{Reading, Sign, Signs, Timestamp};

/// A reading on one line: `[2025-10-26T10:30:15.123456+00:00] P001 -> HR:95 SpO2:98 BP:120/80 RR:16 T:36.8`. A sign that
/// was not measured is `-`; one that is not believed is marked.
pub(in crate::cmd) struct Line<'a>(pub(in crate::cmd) &'a Reading);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} -> {}", self.0.time(), self.0.patient(), SignsLine(self.0.signs()))
    }
}

/// Its signs alone: `HR:95 SpO2:98 BP:120/80 RR:16 T:36.8`, and behind them what was observed: `O2:yes ACVPU:A`.
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
        write!(f, "T:{temperature}{}", mark(Sign::Temperature))?;
        if let Some(is_given) = signs.observed.supplemental_oxygen {
            write!(f, " O2:{}", if is_given { "yes" } else { "no" })?;
        }
        match signs.observed.consciousness {
            Some(state) => write!(f, " ACVPU:{}", state.name()),
            None => Ok(()),
        }
    }
}

/// What became of an alarm, on one line: `*** raised   P001 Low SpO2: 85 (onset 2025-10-26T10:30:15+00:00)`.
pub(in crate::cmd) struct ChangeLine<'a>(pub(in crate::cmd) &'a AlarmChange);

impl fmt::Display for ChangeLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AlarmChange { step, record, is_paused, .. } = self.0;
        let stars = stars(record.alarm.priority);
        write!(f, "{stars:<3} {:<8} {} {}", step.name(), record.patient, record.text)?;
        if let Some(onset) = Timestamp::from_micros(record.alarm.onset) {
            write!(f, " (onset {onset})")?;
        }
        f.write_str(if *is_paused { " (paused)" } else { "" })
    }
}

impl ChangeLine<'_> {
    /// The line in the colour of its priority; that an alarm is over needs none.
    pub(in crate::cmd) fn text(&self) -> Text {
        match self.0.step {
            Step::Ended => self.into(),
            _ => Text::default().toned(tone(self.0.record.alarm.priority), self),
        }
    }
}

/// An alarm that is on, on one line with its age at this time: `***  P001 Low SpO2: 85 (3m)`.
pub(in crate::cmd) struct AlarmLine<'a>(pub(in crate::cmd) &'a AlarmRecord, pub(in crate::cmd) Micros);

impl fmt::Display for AlarmLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(record, now) = self;
        let age = age::age(now.saturating_sub(record.alarm.onset));
        write!(f, "{:<3} {} {} ({age})", stars(record.alarm.priority), record.patient, record.text)
    }
}

impl AlarmLine<'_> {
    /// The line in the colour of its priority.
    pub(in crate::cmd) fn text(&self) -> Text {
        Text::default().toned(tone(self.0.alarm.priority), self)
    }
}

/// An alarm that is over, on one line that stands below those that are on: `    P001 Low SpO2: 85 (ended 4s ago, after 3m)`.
pub(in crate::cmd) struct EndedLine<'a>(pub(in crate::cmd) &'a AlarmRecord, pub(in crate::cmd) Micros);

impl fmt::Display for EndedLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(AlarmRecord { patient, text, alarm, .. }, now) = self;
        let ended = alarm.ended.unwrap_or(*now);
        let (ago, after) = (age::age(now.saturating_sub(ended)), age::age(ended.saturating_sub(alarm.onset)));
        write!(f, "{:<3} {patient} {text} (ended {ago} ago, after {after})", "")
    }
}

/// The colour of a priority, by IEC 60601-1-8: red, yellow, cyan.
pub(in crate::cmd) fn tone(priority: Priority) -> Tone {
    match priority {
        Priority::High => Tone::Alert,
        Priority::Medium => Tone::Doubt,
        Priority::Low => Tone::Notice,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alarm::rules::SECOND;
    use crate::alarm::{Alarm, Steps};
    use crate::reading::PatientId;

    /// 2025-10-26T10:30:15Z.
    const ONSET: Micros = 1_761_474_615 * SECOND;

    fn record(priority: Priority, ended: Option<Micros>) -> AlarmRecord {
        let alarm = Alarm {
            onset: ONSET,
            start: ONSET,
            value: 91.0,
            peak: 85.0,
            is_partial: false,
            priority,
            returned: None,
            acknowledged: None,
            ended,
        };
        AlarmRecord {
            patient: PatientId::parse("P001").expect("an id"),
            rule: Arc::from("spo2_low"),
            text: "Low SpO2: 85".to_owned(),
            limit: Some(92.0),
            rules: None,
            steps: Steps::of(Step::Raised),
            alarm,
        }
    }

    #[test]
    fn an_alarm_has_its_priority_without_colour_and_its_age() {
        let line = |priority| AlarmLine(&record(priority, None), ONSET + 200 * SECOND).to_string();
        assert_eq!(line(Priority::High), "*** P001 Low SpO2: 85 (3m)");
        assert_eq!(line(Priority::Medium), "**  P001 Low SpO2: 85 (3m)");
        assert_eq!(line(Priority::Low), "*   P001 Low SpO2: 85 (3m)");
    }

    #[test]
    fn one_that_is_over_says_since_when_and_how_long_it_was_on() {
        let record = record(Priority::High, Some(ONSET + 90 * SECOND));
        let line = EndedLine(&record, ONSET + 94 * SECOND).to_string();
        assert_eq!(line, "    P001 Low SpO2: 85 (ended 4s ago, after 1m)");
    }

    #[test]
    fn a_change_has_the_colour_of_its_priority_unless_it_is_the_end() {
        let change =
            |step| AlarmChange { step, record: record(Priority::Medium, None), is_covered: false, is_paused: false };
        let line = "**  raised   P001 Low SpO2: 85 (onset 2025-10-26T10:30:15+00:00)";
        assert_eq!(ChangeLine(&change(Step::Raised)).text(), Text::default().toned(Tone::Doubt, line));
        assert_eq!(ChangeLine(&change(Step::Ended)).text(), Text::from(line.replace("raised", "ended ")));
    }
}
