//! `vitals patient show`: all that is known of a patient, and the limits that hold.

use chrono::Utc;
use color_eyre::eyre::Result;

use crate::admission::{Admission, OwnLimit};
use crate::advice::Code;
use crate::alarm::rules::{Rule, RuleSet};
use crate::app;
use crate::app::patient_change::AdmissionError;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, print};
use crate::output::{Column, Format, FormatArgs, Output};
use crate::pipeline::store::Entry;
use crate::reading::{PatientId, Timestamp};
use crate::store::{AnyStore, Journal, StoreError};

/// Whom to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
BY, WHEN and WHY tell who gave the patient a limit in the place of the rule's.

Examples:
  vitals patient show P001
  vitals patient show P001 -o json")]
pub(super) struct Args {
    /// The patient's id
    #[arg(value_name = "ID", value_parser = PatientId::parse)]
    patient: PatientId,
    #[command(flatten)]
    format: FormatArgs,
}

/// A rule that has a limit, and the patient's own where there is one.
struct Limited {
    rule: Rule,
    of_all: Option<f64>,
    own: Option<OwnLimit>,
}

const LIMITS: [Field<Limited>; 7] = [
    (Column::text("rule", "RULE"), |limited| (*limited.rule.name).into()),
    (Column::number("limit", "LIMIT"), |limited| limited.rule.limit().into()),
    (Column::number("limit_of_all", "ALL"), |limited| limited.of_all.into()),
    (Column::text("priority", "PRIORITY"), |limited| limited.rule.priority.name().into()),
    (Column::text("by", "BY"), |limited| limited.own.as_ref().map(|own| own.by.as_str()).into()),
    (Column::text("at", "WHEN"), |limited| limited.own.as_ref().map(|own| own.at.as_str()).into()),
    (Column::text("reason", "WHY"), |limited| limited.own.as_ref().map(|own| own.reason.as_str()).into()),
];

const CHANGES: [Field<Entry>; 3] = [
    (Column::text("at", "CHANGED"), |entry| entry.at.as_str().into()),
    (Column::text("by", "BY"), |entry| entry.author.as_str().into()),
    (Column::text("reason", "WHY"), |entry| entry.reason.as_str().into()),
];

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let changes = changes_of(&store, &args.patient).await?;
    let admission = newest(&changes, &args.patient)?;
    let limits = limits(&app::rules_in_force(&store, settings).await?, &admission);
    if args.format.choose(output.stdout_is_terminal()) != Format::Table {
        print(output, args.format, &LIMITS, limits)?;
        return Ok(Code::Done);
    }
    head(output, &args.patient, &admission)?;
    output.line("")?;
    print(output, args.format, &LIMITS, limits)?;
    output.line("")?;
    print(output, args.format, &CHANGES, changes)?;
    Ok(Code::Done)
}

async fn changes_of(store: &AnyStore, patient: &PatientId) -> Result<Vec<Entry>, StoreError> {
    let (mut changes, mut behind) = (Vec::new(), 0);
    loop {
        let entries = store.entries_behind(Journal::Patients, behind).await?;
        let Some(last) = entries.last() else { return Ok(changes) };
        behind = last.version;
        changes.extend(entries.into_iter().filter(|entry| entry.name == patient.as_str()));
    }
}

/// What the last of a patient's changes says. Where that cannot be read, what was known before would be no answer.
fn newest(changes: &[Entry], patient: &PatientId) -> Result<Admission, AdmissionError> {
    let patient = patient.to_string();
    let Some(last) = changes.last() else { return Err(AdmissionError::NotIn { patient }) };
    Admission::parse(&last.content).map_err(|error| AdmissionError::Unreadable {
        patient,
        version: last.version,
        why: error.to_string(),
    })
}

/// The rules with a limit of one value, as they hold for the patient.
fn limits(rules: &RuleSet, admission: &Admission) -> Vec<Limited> {
    let of_patient = rules.for_patient(admission);
    let limited = |rule: &Rule| Limited {
        of_all: rules.own().find(|of_all| of_all.name == rule.name).and_then(Rule::limit),
        own: admission.limits.get(&*rule.name).cloned(),
        rule: rule.clone(),
    };
    of_patient.own().filter(|rule| rule.limit().is_some()).map(limited).collect()
}

fn head(output: &Output, patient: &PatientId, admission: &Admission) -> Result<()> {
    let now = Timestamp::from_utc(Utc::now())?;
    let pause = admission.pause.as_ref().filter(|_| admission.paused_until(now).is_some());
    let own_rules = match admission {
        admission if admission.is_child() => Some("under 16 at admission: no alarms by NEWS2".to_owned()),
        _ => None,
    };
    let known = [
        ("patient", Some(patient.to_string())),
        ("name", admission.name.clone()),
        ("ward", admission.ward.clone()),
        ("bed", admission.bed.clone()),
        ("born", admission.birth_date.clone()),
        ("SpO2 scale", Some(admission.spo2_scale.number().to_string())),
        ("scores", own_rules),
        ("admitted", Some(admission.admitted_at.clone())),
        ("discharged", admission.discharged_at.clone()),
        ("paused", pause.map(|pause| format!("until {}, by {}: {}", pause.until, pause.by, pause.reason))),
    ];
    for (name, value) in known.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        output.line(format_args!("{name:<12}{value}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Advice as _;

    #[test]
    fn of_a_change_that_cannot_be_read_it_is_said_what_is_wrong_and_what_mends_it() {
        let patient = PatientId::parse("P1").unwrap();
        let entry = |version, content: &str| Entry {
            version,
            name: "P1".to_owned(),
            author: "Anna".to_owned(),
            reason: "moved".to_owned(),
            at: "2026-11-30T10:00:00+00:00".to_owned(),
            content: content.to_owned(),
        };
        let known = entry(1, &Admission { bed: Some("3".to_owned()), ..Admission::default() }.content());
        assert_eq!(newest(std::slice::from_ref(&known), &patient).unwrap().bed.as_deref(), Some("3"));
        assert_eq!(newest(&[], &patient), Err(AdmissionError::NotIn { patient: "P1".to_owned() }));
        let error = newest(&[known, entry(2, "{\"spo2_scale\": 3}")], &patient).unwrap_err();
        assert!(error.to_string().starts_with("change 2 of P1 cannot be read here ("), "{error}");
        assert_eq!(error.code(), Code::BadData);
        assert!(error.hint().unwrap().contains("`vitals patient set P1` writes a new one"));
    }
}
