//! The same rules for one patient: limits of their own, the scale of their oxygen saturation, no scores of adults for
//! children.

use super::measure::points;
use super::{Condition, Form, Limit, Measure, Quantity, Rule, RuleSet, Side, place_of_silence};
use crate::admission::Admission;
use crate::advice::{Advice, Code};
use crate::alarm::plausible::range;
use crate::score::Scale;
use crate::suggestion::nearest;

/// What an early warning is called after the rule that it warns of.
const EARLY: &str = "_early";

/// Why a patient cannot have a limit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each has its text")]
pub enum OwnLimitError {
    #[error("there is no rule {name} in {set}")]
    NoRule { name: String, set: String, nearest: Option<String> },
    #[error("the rule {name} has no limit of one value")]
    NoLimit { name: String },
    /// It is out of the range of what is believed, or of what a score can be.
    #[error("the limit {limit} of {name} would never be crossed")]
    Never { name: String, limit: f64, low: f64, high: f64 },
    /// With the hysteresis it leaves no value that is back.
    #[error("an alarm of {name} with the limit {limit} would never end")]
    Endless { name: String, limit: f64, back: f64, low: f64, high: f64 },
    /// It leaves no value between them.
    #[error("the limit {limit} of {name} leaves nothing between it and {other} ({other_limit})")]
    Crossed { name: String, limit: f64, other: String, other_limit: f64 },
}

impl OwnLimitError {
    /// The rule whose limit it is.
    pub fn name(&self) -> &str {
        match self {
            Self::NoRule { name, .. }
            | Self::NoLimit { name }
            | Self::Never { name, .. }
            | Self::Endless { name, .. }
            | Self::Crossed { name, .. } => name,
        }
    }
}

impl Advice for OwnLimitError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRule { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::NoRule { .. } | Self::NoLimit { .. } => {
                "`vitals rules show` lists the rules with their limits; heart_rate.high is the rule heart_rate_high"
                    .to_owned()
            }
            Self::Never { low, high, .. } => format!("values are {low} to {high}: choose a limit within"),
            Self::Endless { back, low, high, .. } => {
                format!("it ends at {back} with the rule's hysteresis, and values are {low} to {high}")
            }
            Self::Crossed { .. } => "set both limits in one command, the lower one below the upper one".to_owned(),
        })
    }
}

impl RuleSet {
    /// The same rules with what is different about a patient.
    #[must_use]
    pub fn for_patient(&self, admission: &Admission) -> Self {
        let mut set = self.clone();
        for rule in &mut set.rules {
            let name = rule.name.strip_suffix(EARLY).unwrap_or(&rule.name);
            let own = admission.limits.get(&*rule.name).or_else(|| admission.limits.get(name));
            if let (Condition::Limit(limit), Some(own)) = (&mut rule.condition, own)
                && matches!(limit.measure.form, Form::Value | Form::Early(_))
            {
                limit.value = own.value;
            }
            if admission.spo2_scale == Scale::Two {
                rule.condition.put_on_scale_2();
            }
        }
        if admission.is_child() {
            let own = set.rules.drain(..set.own).filter(|rule| !rule.is_of_score()).collect::<Vec<_>>();
            set.own = own.len();
            set.rules.splice(..0, own);
            set.silence = place_of_silence(&set.rules);
        }
        if !admission.limits.is_empty() {
            set.label = format!("{}, own limits", self.label).into();
        }
        set
    }

    /// The rule of this name, where the patient's own limit can take the place of its: `heart_rate.high` is that of
    /// `heart_rate_high`.
    ///
    /// # Errors
    /// There is none, or it has no limit of one value.
    pub fn limited(&self, name: &str) -> Result<&Rule, OwnLimitError> {
        let stable = name.replace('.', "_");
        let no_rule = || {
            let names: Vec<_> = self.own().map(|rule| &*rule.name).collect();
            let nearest = nearest(&stable, names).map(str::to_owned);
            OwnLimitError::NoRule { name: name.to_owned(), set: self.name.clone(), nearest }
        };
        let rule = self.own().find(|rule| *rule.name == *stable).ok_or_else(no_rule)?;
        match &rule.condition {
            Condition::Limit(Limit { measure: Measure { form: Form::Value, .. }, .. }) => Ok(rule),
            _ => Err(OwnLimitError::NoLimit { name: stable }),
        }
    }

    /// Makes sure that each limit of the patient's own can be crossed, that an alarm with it can end, and that something
    /// is left between the limits of both sides.
    ///
    /// # Errors
    /// The first one that is impossible.
    pub fn check_own(&self, admission: &Admission) -> Result<(), OwnLimitError> {
        let set = self.for_patient(admission);
        for name in admission.limits.keys() {
            // One that was set under other rules has no effect under these.
            let Ok(rule) = set.limited(name) else { continue };
            let Condition::Limit(limit) = &rule.condition else { continue };
            let (low, high) = bounds(limit.measure.quantity);
            let (name, value) = (name.clone(), limit.value);
            let (is_crossed, back, ends) = match limit.side {
                Side::Above => (value < high, value - limit.hysteresis, value - limit.hysteresis >= low),
                Side::Below => (value > low, value + limit.hysteresis, value + limit.hysteresis <= high),
            };
            if !is_crossed || !(low..=high).contains(&value) {
                return Err(OwnLimitError::Never { name, limit: value, low, high });
            }
            if !ends {
                return Err(OwnLimitError::Endless { name, limit: value, back, low, high });
            }
            if let Some((other, other_limit)) = set.crossed(limit) {
                return Err(OwnLimitError::Crossed { name, limit: value, other, other_limit });
            }
        }
        Ok(())
    }

    /// The rule about the same quantity whose limit, on the other side, leaves nothing in between.
    fn crossed(&self, one: &Limit) -> Option<(String, f64)> {
        self.own().find_map(|rule| {
            let Condition::Limit(other) = &rule.condition else { return None };
            let is_opposite = other.measure.form == Form::Value
                && other.side != one.side
                && other.measure.quantity.is_same(one.measure.quantity);
            let (low, high) = if one.side == Side::Below { (one.value, other.value) } else { (other.value, one.value) };
            (is_opposite && low > high).then(|| (rule.name.to_string(), other.value))
        })
    }
}

impl Condition {
    fn put_on_scale_2(&mut self) {
        let limits = match self {
            Self::Limit(limit) => std::slice::from_mut(limit),
            Self::All(limits) | Self::Any(limits) => limits.as_mut_slice(),
            Self::Flat(_) | Self::Doubt(_) | Self::Silence => return,
        };
        for limit in limits {
            if let Quantity::Score { scale, .. } = &mut limit.measure.quantity {
                *scale = Scale::Two;
            }
        }
    }
}

impl Rule {
    fn is_of_score(&self) -> bool {
        self.condition.limits().iter().any(|limit| matches!(limit.measure.quantity, Quantity::Score { .. }))
    }
}

/// Between which values the quantity can be.
fn bounds(quantity: Quantity) -> (f64, f64) {
    match quantity {
        Quantity::Sign(sign) => range(sign),
        Quantity::Derived(_) => (0.0, f64::MAX),
        Quantity::Score { chart, item, .. } => {
            let [least, most] = points(chart, item);
            (f64::from(least), f64::from(most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::OwnLimit;

    fn patient(limits: &[(&str, f64)]) -> Admission {
        let limit = |value| OwnLimit { value, by: String::new(), at: String::new(), reason: String::new() };
        Admission {
            limits: limits.iter().map(|(name, value)| ((*name).to_owned(), limit(*value))).collect(),
            admitted_at: "2025-10-26T10:00:00+00:00".to_owned(),
            ..Admission::default()
        }
    }

    fn ward() -> RuleSet {
        RuleSet::built_in("ward").unwrap()
    }

    #[test]
    fn a_limit_of_a_patients_own_takes_the_place_of_the_rules_and_of_no_other() {
        let own = ward().for_patient(&patient(&[("heart_rate_high", 140.0)]));
        assert_eq!(own.rule("heart_rate_high").unwrap().limit(), Some(140.0));
        assert_eq!(own.rule("heart_rate_low"), ward().rule("heart_rate_low"));
        assert_eq!(&*own.label, "ward, own limits");
        let early = "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelow = 92\nearly = \"30m\"\n";
        let own = RuleSet::parse("mine", early).unwrap().for_patient(&patient(&[("a", 88.0)]));
        assert_eq!(own.rule("a_early").unwrap().limit(), Some(88.0));
    }

    #[test]
    fn a_patient_on_scale_2_is_scored_by_it_and_a_child_not_at_all() {
        let scales = |set: &RuleSet| {
            let of = |limit: &Limit| match limit.measure.quantity {
                Quantity::Score { scale, .. } => Some(scale),
                _ => None,
            };
            set.rules.iter().flat_map(|rule| rule.condition.limits()).filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(scales(&ward()), [Scale::One; 3]);
        let second = Admission { spo2_scale: Scale::Two, ..patient(&[]) };
        assert_eq!(scales(&ward().for_patient(&second)), [Scale::Two; 3]);
        let child = Admission { birth_date: Some("2015-01-01".to_owned()), ..patient(&[]) };
        let set = ward().for_patient(&child);
        assert!(scales(&set).is_empty() && set.rules.len() + 3 == ward().rules.len());
        assert_eq!(set.silence().map(|(_, rule)| &*rule.name), Some("no_data"));
        assert!(set.own().all(|rule| ward().rule(&rule.name) == Some(rule)));
    }

    #[test]
    fn what_can_never_be_crossed_or_never_end_is_refused() {
        let refused = |name: &str, value| ward().check_own(&patient(&[(name, value)])).unwrap_err();
        for (name, value) in [
            ("heart_rate_high", 350.0),
            ("spo2_low", 0.5),
            ("spo2_low", 1.0),
            ("spo2_low", 101.0),
            ("news2_high", 20.0),
        ] {
            assert!(matches!(refused(name, value), OwnLimitError::Never { .. }), "{name} {value}");
        }
        assert_eq!(refused("spo2_low", 99.0).to_string(), "an alarm of spo2_low with the limit 99 would never end");
        for (name, value, back) in [("spo2_low", 99.0, "101"), ("heart_rate_high", 5.0, "0")] {
            let hint = refused(name, value).hint().unwrap();
            assert!(hint.starts_with(&format!("it ends at {back} with the rule's hysteresis")), "{hint}");
        }
        assert!(matches!(refused("heart_rate_low", 131.0), OwnLimitError::Crossed { .. }));
        assert_eq!(ward().check_own(&patient(&[("heart_rate_low", 130.0)])), Ok(()), "both are exclusive");
        assert_eq!(ward().check_own(&patient(&[("heart_rate_low", 131.0), ("heart_rate_high", 150.0)])), Ok(()));
        assert_eq!(ward().check_own(&patient(&[("spo2_low", 98.0), ("of_another_set", 1.0)])), Ok(()));
    }

    #[test]
    fn a_limit_is_named_by_its_rule_or_by_sign_and_side() {
        assert_eq!(&*ward().limited("heart_rate.high").unwrap().name, "heart_rate_high");
        let error = ward().limited("heart_rate_hihg").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean heart_rate_high?");
        let flat = RuleSet::parse("mine", "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nflat = \"10m\"\n").unwrap();
        assert_eq!(flat.limited("a"), Err(OwnLimitError::NoLimit { name: "a".to_owned() }));
    }
}
