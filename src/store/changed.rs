//! What is written of an alarm.
//!
//! A row is written when its alarm is raised, and again when something becomes of it: only what has changed since. What
//! a missing value stands for is not written either, since every value that a row holds costs a server about as much as
//! one of a reading: a start at the onset, a peak that is the first value, a value that has not returned.

use std::fmt;

use crate::alarm::rules::Micros;
use crate::alarm::{AlarmRecord, Step};
use crate::reading::Timestamp;

/// The columns behind the key. What is `None` is left as it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed<'a> {
    pub(super) priority: Option<&'static str>,
    pub(super) value: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) peak: Option<f64>,
    pub(super) started: Option<Moment>,
    pub(super) returned: Option<Moment>,
    pub(super) ended: Option<Moment>,
    pub(super) message: Option<&'a str>,
    pub(super) rules: Option<&'a str>,
    /// By whom, and when: written by others, and taken back where the alarm has risen.
    pub(super) acknowledged: Option<&'static str>,
}

/// A time, or an empty text, which stands for none: a null would leave a mark that has to be read over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(Option<Timestamp>);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |time| time.fmt(f))
    }
}

impl<'a> Changed<'a> {
    pub(super) fn of(record: &'a AlarmRecord) -> Self {
        let AlarmRecord { alarm, steps, .. } = record;
        let (is_raised, has_risen) = (record.is_raised(), steps.have(&[Step::Rose]));
        // Of one that is raised anew the row may hold more than what is missing stands for.
        let is_again = steps.have(&[Step::Again]);
        // One that rises may have been back, and with its end the last word is said: whoever had its partition before may
        // have written late.
        let is_worse = has_risen || is_again || steps.have(&[Step::Worse]) || alarm.ended.is_some() && !is_raised;
        let is_other = is_raised || is_worse;
        let has_turned = has_risen || is_again || alarm.returned.is_some() || steps.have(&[Step::Returned]);
        Self {
            priority: is_other.then(|| alarm.priority.name()),
            value: is_raised.then_some(alarm.value),
            limit: record.limit,
            peak: Some(alarm.peak).filter(|peak| is_worse || is_raised && peak.to_bits() != alarm.value.to_bits()),
            started: moment(alarm.start).filter(|_| is_raised && (is_again || alarm.start != alarm.onset)),
            returned: has_turned.then(|| Moment(alarm.returned.and_then(Timestamp::from_micros))),
            ended: alarm.ended.and_then(moment).or((is_raised || has_risen).then_some(Moment(None))),
            message: is_other.then_some(&*record.text),
            rules: record.rules.as_deref(),
            acknowledged: has_risen.then_some(""),
        }
    }

    /// Whether nothing is written that most alarms do without.
    pub(super) fn is_usual(&self) -> bool {
        let Self { started, returned, acknowledged, .. } = self;
        (started, returned, acknowledged) == (&None, &None, &None)
    }
}

/// None where it is one that cannot be written.
fn moment(micros: Micros) -> Option<Moment> {
    Timestamp::from_micros(micros).map(|time| Moment(Some(time)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Alarm, Priority, Steps};
    use crate::reading::PatientId;

    const SECOND: Micros = 1_000_000;

    const NOTHING: Changed<'static> = Changed {
        priority: None,
        value: None,
        limit: None,
        peak: None,
        started: None,
        returned: None,
        ended: None,
        message: None,
        rules: None,
        acknowledged: None,
    };
    const WORSE: Changed<'static> =
        Changed { priority: Some("high"), peak: Some(85.0), message: Some("Low SpO2: 85"), ..NOTHING };

    fn alarm() -> Alarm {
        Alarm::on(0, Priority::High, 85.0)
    }

    fn record(steps: &[Step], alarm: Alarm) -> AlarmRecord {
        let is_raised = steps.contains(&Step::Raised);
        AlarmRecord {
            patient: PatientId::parse("P001").unwrap(),
            rule: "spo2_low".into(),
            text: "Low SpO2: 85".to_owned(),
            limit: is_raised.then_some(92.0),
            rules: is_raised.then(|| "ward version 3".into()),
            steps: steps.iter().fold(Steps::default(), |steps, step| steps.and(Steps::of(*step))),
            alarm,
        }
    }

    fn at(second: i64) -> Option<Moment> {
        moment(second * SECOND)
    }

    #[test]
    fn of_one_that_is_raised_all_is_written_that_its_onset_and_its_value_do_not_tell() {
        let raised = Changed {
            value: Some(85.0),
            limit: Some(92.0),
            peak: None,
            ended: Some(Moment(None)),
            rules: Some("ward version 3"),
            ..WORSE
        };
        assert_eq!(Changed::of(&record(&[Step::Raised], alarm())), raised);
        let later = Alarm { start: 60 * SECOND, value: 90.0, ..alarm() };
        let raised_later = Changed { value: Some(90.0), peak: Some(85.0), started: at(60), ..raised.clone() };
        assert_eq!(Changed::of(&record(&[Step::Raised], later)), raised_later);
        let over = Alarm { ended: Some(9 * SECOND), ..alarm() };
        let ended = Changed { ended: at(9), ..raised.clone() };
        assert_eq!(Changed::of(&record(&[Step::Raised, Step::Ended], over)), ended);
        let whole = Changed { peak: Some(85.0), started: at(0), returned: Some(Moment(None)), ..raised };
        assert_eq!(Changed::of(&record(&[Step::Raised, Step::Again], alarm())), whole, "what the row may hold");
    }

    #[test]
    fn of_one_that_was_written_only_what_has_changed_is_written() {
        assert_eq!(Changed::of(&record(&[Step::Worse], alarm())), WORSE);
        let risen =
            Changed { returned: Some(Moment(None)), ended: Some(Moment(None)), acknowledged: Some(""), ..WORSE };
        assert_eq!(Changed::of(&record(&[Step::Rose], alarm())), risen);
        let again = Changed { returned: Some(Moment(None)), ..WORSE };
        assert_eq!(Changed::of(&record(&[Step::Returned, Step::Again], alarm())), again);
        let returned = Alarm { returned: Some(5 * SECOND), ..alarm() };
        assert_eq!(Changed::of(&record(&[Step::Returned], returned)), Changed { returned: at(5), ..NOTHING });
        let over = Alarm { ended: Some(9 * SECOND), ..alarm() };
        assert_eq!(Changed::of(&record(&[Step::Ended], over)), Changed { ended: at(9), ..WORSE });
        let over = Alarm { ended: Some(9 * SECOND), ..returned };
        let both = Changed { returned: at(5), ended: at(9), ..WORSE };
        assert_eq!(Changed::of(&record(&[Step::Ended], over)), both);
    }

    #[test]
    fn no_time_is_an_empty_text() {
        assert_eq!(Moment(None).to_string(), "");
        assert_eq!(at(1).unwrap().to_string(), "1970-01-01T00:00:01+00:00");
    }
}
