//! `vitals patient admit`, `set` and `discharge`.

use chrono::NaiveDate;
use color_eyre::eyre::Result;

use crate::admission::{Admission, OwnLimit};
use crate::advice::Code;
use crate::alarm::rules::RuleSet;
use crate::app;
use crate::app::author::{Author, line};
use crate::app::patient_change::{AdmissionError, change, who_is_in};
use crate::cmd::Context;
use crate::output::Output;
use crate::reading::PatientId;
use crate::score::Scale;

/// Whom to admit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
When no reading of the patient comes for 5 minutes (`silent` in a set of rules),
an alarm says so. A patient of under 16 years gets no alarms by NEWS2.

Examples:
  vitals patient admit P001 --name 'Ada Bell' --ward West --bed 3 --by Anna
  vitals patient admit P002 --birth-date 1948-05-03 --spo2-scale 2 --by Bo")]
pub(super) struct AdmitArgs {
    /// The patient's id, as readings have it
    #[arg(value_name = "ID", value_parser = PatientId::parse)]
    patient: PatientId,
    #[command(flatten)]
    known: KnownArgs,
    /// Who admits
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line, default_value = "admitted")]
    reason: String,
}

/// What to change.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A limit of the patient's own takes the place of that of one rule; the rule's
hysteresis, delay and priority stay. Consumers take it up within 5 s. It is named
as the rule is (`vitals rules show`), or by sign and side. One that could never
be crossed, or whose alarm could never end, is refused.
Scale 2 of NEWS2 is for patients in hypercapnic respiratory failure with a target
of 88 to 92 %, and only where a clinician has decided so.

Examples:
  vitals patient set P001 --limit heart_rate.high=130 --reason sepsis --by Bo
  vitals patient set P001 --limit heart_rate.high=none --reason over --by Bo
  vitals patient set P001 --spo2-scale 2 --reason COPD --by 'Dr. Lee'
  vitals patient set P001 --bed 7 --reason moved --by Anna")]
pub(super) struct SetArgs {
    /// The patient's id
    #[arg(value_name = "ID", value_parser = PatientId::parse)]
    patient: PatientId,
    #[command(flatten)]
    known: KnownArgs,
    /// A limit of the patient's own in the place of a rule's, or none to take it back
    #[arg(long = "limit", value_name = "RULE=VALUE", value_parser = parse_limit)]
    limits: Vec<(String, Option<f64>)>,
    /// Who changes
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line)]
    reason: String,
}

/// What is known of a patient; an empty text takes it back.
#[derive(Debug, clap::Args)]
struct KnownArgs {
    /// The patient's name
    #[arg(long, value_name = "NAME", value_parser = line_or_none)]
    name: Option<String>,
    /// The bed
    #[arg(long, value_name = "BED", value_parser = line_or_none)]
    bed: Option<String>,
    /// The ward
    #[arg(long, value_name = "WARD", value_parser = line_or_none)]
    ward: Option<String>,
    /// When the patient was born, as YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    birth_date: Option<String>,
    /// By which scale of NEWS2 the oxygen saturation counts
    #[arg(long, value_name = "1|2", value_parser = parse_scale)]
    spo2_scale: Option<Scale>,
}

/// Whom to discharge.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Readings that come all the same are stored, and judged by the rules for all.

Example:
  vitals patient discharge P001 --by Anna")]
pub(super) struct DischargeArgs {
    /// The patient's id
    #[arg(value_name = "ID", value_parser = PatientId::parse)]
    patient: PatientId,
    /// Who discharges
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line, default_value = "discharged")]
    reason: String,
}

fn line_or_none(typed: &str) -> Result<String, String> {
    if typed.is_empty() { Ok(String::new()) } else { line(typed) }
}

fn parse_date(typed: &str) -> Result<String, String> {
    if typed.is_empty() {
        return Ok(String::new());
    }
    let date = NaiveDate::parse_from_str(typed, "%Y-%m-%d").ok().filter(|_| typed.len() == "2000-01-01".len());
    date.map(|date| date.to_string()).ok_or_else(|| format!("'{typed}' is no day: write it as 1950-12-31"))
}

fn parse_scale(typed: &str) -> Result<Scale, String> {
    let scale = typed.parse().ok().and_then(Scale::of_number);
    scale.ok_or_else(|| "there are scale 1 and scale 2".to_owned())
}

fn parse_limit(typed: &str) -> Result<(String, Option<f64>), String> {
    let fault = || format!("'{typed}' is no limit: write RULE=VALUE, as in heart_rate.high=130, or RULE=none");
    let (name, value) = typed.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(fault)?;
    if value == "none" {
        return Ok((name.to_owned(), None));
    }
    let value = value.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(fault)?;
    Ok((name.to_owned(), Some(value)))
}

impl KnownArgs {
    fn apply(&self, admission: &mut Admission) {
        let fields = [
            (&self.name, &mut admission.name),
            (&self.bed, &mut admission.bed),
            (&self.ward, &mut admission.ward),
            (&self.birth_date, &mut admission.birth_date),
        ];
        for (typed, known) in fields {
            if let Some(typed) = typed {
                *known = Some(typed.clone()).filter(|typed| !typed.is_empty());
            }
        }
        admission.spo2_scale = self.spo2_scale.unwrap_or(admission.spo2_scale);
    }

    fn is_empty(&self) -> bool {
        let Self { name, bed, ward, birth_date, spo2_scale } = self;
        [name, bed, ward, birth_date].iter().all(|text| text.is_none()) && spo2_scale.is_none()
    }
}

pub(super) async fn admit(args: &AdmitArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    let author = Author::now(&args.by, &args.reason)?;
    let admitted = change(&store, &args.patient, &author, |admissions| {
        let before = admissions.patients.get(args.patient.as_str());
        if let Some(in_already) = before.filter(|before| before.is_in()) {
            let (patient, since) = (args.patient.to_string(), in_already.admitted_at.clone());
            return Err(AdmissionError::IsIn { patient, since }.into());
        }
        // What was a patient's own at an earlier stay does not hold for this one.
        let mut admission = Admission { admitted_at: author.at.to_string(), ..Admission::default() };
        args.known.apply(&mut admission);
        Ok(admission)
    });
    let admission = admitted.await?;
    told(output, &args.patient, "admitted", &admission);
    Ok(Code::Done)
}

pub(super) async fn set(args: &SetArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    if args.known.is_empty() && args.limits.is_empty() {
        return Err(NothingToSet.into());
    }
    let store = app::open_store_to_change(settings, output).await?;
    let rules = app::rules_in_force(&store, settings).await?;
    let author = Author::now(&args.by, &args.reason)?;
    let changed = change(&store, &args.patient, &author, |admissions| {
        let mut admission = who_is_in(admissions, &args.patient)?;
        args.known.apply(&mut admission);
        if !args.limits.is_empty() {
            set_limits(&args.limits, &mut admission, &rules, &author)?;
        }
        Ok(admission)
    });
    let admission = changed.await?;
    told(output, &args.patient, "changed", &admission);
    Ok(Code::Done)
}

fn set_limits(
    limits: &[(String, Option<f64>)],
    admission: &mut Admission,
    rules: &RuleSet,
    Author { by, reason, at }: &Author<'_>,
) -> Result<()> {
    for (name, value) in limits {
        let Some(value) = *value else {
            admission.limits.remove(&name.replace('.', "_"));
            continue;
        };
        let rule = rules.limited(name)?;
        let (by, at, reason) = ((*by).to_owned(), at.to_string(), (*reason).to_owned());
        admission.limits.insert(rule.name.to_string(), OwnLimit { value, by, at, reason });
    }
    Ok(rules.check_own(admission)?)
}

pub(super) async fn discharge(args: &DischargeArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    let author = Author::now(&args.by, &args.reason)?;
    let discharged = change(&store, &args.patient, &author, |admissions| {
        let admission = who_is_in(admissions, &args.patient)?;
        Ok(Admission { discharged_at: Some(author.at.to_string()), pause: None, ..admission })
    });
    discharged.await?;
    output.note(format_args!("{}: discharged", args.patient));
    Ok(Code::Done)
}

fn told(output: &Output, patient: &PatientId, what: &str, admission: &Admission) {
    let words = admission.in_words();
    output.note(format_args!("{patient}: {what}{}{words}", if words.is_empty() { "" } else { ", " }));
}

/// Nothing was named that is to change.
#[derive(Debug, thiserror::Error)]
#[error("nothing to set")]
pub struct NothingToSet;

impl crate::advice::Advice for NothingToSet {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            "name what is to change: --limit RULE=VALUE, --spo2-scale, --name, --bed, --ward or --birth-date"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    #[test]
    fn a_change_needs_who_and_why() {
        for line in ["P001", "P001 --by Anna", "P001 --reason x", "--by Anna --reason x"] {
            assert!(parsed::<SetArgs>(line).is_err(), "{line}");
        }
        assert!(parsed::<AdmitArgs>("P001 --by Anna").is_ok());
    }

    #[test]
    fn a_limit_has_a_rule_and_a_number_or_none() {
        assert_eq!(parse_limit("heart_rate.high=130"), Ok(("heart_rate.high".to_owned(), Some(130.0))));
        assert_eq!(parse_limit("spo2_low=none"), Ok(("spo2_low".to_owned(), None)));
        for wrong in ["", "a", "=1", "a=", "a=x", "a=nan", "a=inf"] {
            assert!(parse_limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert_eq!(parse_date("1950-12-31"), Ok("1950-12-31".to_owned()));
        assert_eq!(parse_date(""), Ok(String::new()));
        for wrong in ["1950-13-01", "1950-02-30", "31.12.1950", "50-1-1", "+1950-1-1"] {
            assert!(parse_date(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_text_takes_back_what_was_known() {
        let known = |line: &str| parsed::<SetArgs>(&format!("P001 --by A --reason r {line}")).unwrap().known;
        let mut admission = Admission::default();
        known("--bed 3 --spo2-scale 2").apply(&mut admission);
        assert_eq!((admission.bed.as_deref(), admission.spo2_scale), (Some("3"), Scale::Two));
        known("--bed=").apply(&mut admission);
        assert_eq!((admission.bed, admission.spo2_scale), (None, Scale::Two));
    }
}
