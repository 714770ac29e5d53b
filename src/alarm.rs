//! Readings in, alarms out: the [rules], and [`Watch`], which keeps the state of every patient's alarms by them.
//!
//! The limits of the physiological rules are in [`limits`], the ranges outside of which a value is not believed in
//! [`plausible`]. A value that is not believed raises a technical alert and feeds no physiological rule: silence would
//! be wrong (a heart rate of 0 is an asystole or a lead that fell off), and so would an alarm on a number that no
//! patient can have.

mod change;
pub mod limits;
mod machine;
pub mod message;
mod patient;
pub mod plausible;
pub mod rules;
mod running_score;
mod sample;
mod watch;
mod window;

use std::fmt;

pub use change::{AlarmChange, AlarmKey, AlarmRecord, KnownAlarm};
pub use limits::Limits;
pub use machine::{Alarm, Step, Steps};
pub use patient::{Change, Patient};
pub use plausible::{Implausible, implausible};
pub use running_score::{MAX_SCORED_AGE, RunningScore};
pub use sample::{Newest, believed};
pub use watch::{LATENESS, Silence, Watch};

use crate::reading::{PatientId, Reading, Sign, Timestamp};

/// How soon somebody has to act (IEC 60601-1-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Awareness is enough.
    Low,
    /// A prompt response.
    Medium,
    /// An immediate response.
    High,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// The name that `patient_alerts` holds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What raised an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The heart rate is above its limit.
    HighHeartRate,
    /// The oxygen saturation is below its limit.
    LowSpo2,
    /// Technical: a sign has a value that is not believed.
    Implausible(Implausible),
}

impl Rule {
    /// The stable name that `patient_alerts` holds.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HighHeartRate => "heart_rate_high",
            Self::LowSpo2 => "spo2_low",
            Self::Implausible(implausible) => implausible.rule_name(),
        }
    }
}

/// One alert about one reading. Its key is the patient, the onset and the rule, so that a repeat of the reading raises
/// the same alert and not a second one.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Whom it is about.
    pub patient: PatientId,
    /// The time of the reading that raised it.
    pub onset: Timestamp,
    /// What raised it.
    pub rule: Rule,
    /// How soon somebody has to act.
    pub priority: Priority,
    /// The value that raised it, in the sign's unit.
    pub value: f64,
    /// The limit that was in force; a technical alert has none.
    pub limit: Option<f64>,
}

/// The alert's text: `High heart rate: 115`.
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Rule::HighHeartRate => write!(f, "High heart rate: {}", self.value),
            Rule::LowSpo2 => write!(f, "Low SpO2: {}", self.value),
            Rule::Implausible(implausible) => implausible.fmt(f),
        }
    }
}

/// The line below a reading that raised these alerts, as the coursework consumer prints it too:
/// `  >>> ALERT: High heart rate: 115; Low SpO2: 85`.
pub fn line_of(alerts: &[Alert]) -> String {
    let texts: Vec<_> = alerts.iter().map(ToString::to_string).collect();
    format!("  >>> ALERT: {}", texts.join("; "))
}

/// Gives the alerts that `reading` raises, physiological ones first.
#[must_use]
pub fn judge(reading: &Reading, limits: Limits) -> Vec<Alert> {
    let doubts = implausible(reading.signs());
    let believed = |sign| reading.signs().get(sign).filter(|_| !doubts.iter().any(|doubt| doubt.concerns(sign)));
    let raise = |rule, priority, value, limit| Alert {
        patient: reading.patient().clone(),
        onset: reading.time(),
        rule,
        priority,
        value,
        limit,
    };
    let mut alerts = Vec::new();
    if let Some(value) = believed(Sign::HeartRate).filter(|value| *value > limits.heart_rate_high()) {
        alerts.push(raise(Rule::HighHeartRate, Priority::Medium, value, Some(limits.heart_rate_high())));
    }
    if let Some(value) = believed(Sign::Spo2).filter(|value| *value < limits.spo2_low()) {
        alerts.push(raise(Rule::LowSpo2, Priority::High, value, Some(limits.spo2_low())));
    }
    for doubt in doubts {
        alerts.push(raise(Rule::Implausible(doubt), doubt.priority(), doubt.value(), None));
    }
    // Many wait for the store, and a list makes room for four when it gets its first.
    alerts.shrink_to_fit();
    alerts
}

#[cfg(test)]
mod tests;
