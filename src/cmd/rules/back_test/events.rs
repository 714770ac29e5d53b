//! Every alarm as a row.

use super::trial::{Alarms, Trial};
use crate::alarm::Alarm;
use crate::alarm::rules::{Micros, Rule};
use crate::cmd::common::number::general_value;
use crate::cmd::common::table::{Field, print as print_rows};
use crate::output::{Column, FormatArgs, Output, OutputError, Value};
use crate::reading::Timestamp;

/// An alarm, with its patient and its rule.
type Event<'a> = (&'a str, &'a Rule, &'a Alarm);

fn fields<'a>() -> [Field<Event<'a>>; 7] {
    [
        (Column::text("patient_id", "PATIENT"), |(patient, _, _)| (*patient).into()),
        (Column::text("rule", "RULE"), |(_, rule, _)| (*rule.name).into()),
        (Column::text("onset", "ONSET"), |(_, _, alarm)| moment(alarm.onset)),
        (Column::text("start", "START"), |(_, _, alarm)| moment(alarm.start)),
        (Column::text("end", "END"), |(_, _, alarm)| alarm.ended.map_or(Value::Missing, moment)),
        (Column::number("peak", "PEAK"), |(_, _, alarm)| general_value(alarm.peak)),
        (Column::number("limit", "LIMIT"), |(_, rule, _)| rule.limit().map_or(Value::Missing, general_value)),
    ]
}

/// Prints the alarms of each patient, rule by rule.
pub(super) fn print<'a>(
    trial: &'a Trial,
    patients: &'a [(String, Alarms)],
    format: FormatArgs,
    output: &Output,
) -> Result<(), OutputError> {
    let events = patients.iter().flat_map(|(patient, alarms)| {
        let of_rules = trial.rules().zip(alarms);
        of_rules.flat_map(move |(rule, alarms)| alarms.iter().map(move |alarm| -> Event<'a> { (patient, rule, alarm) }))
    });
    print_rows(output, format, &fields(), events)
}

/// As Python's `isoformat()` prints it, with `Z`; nothing beyond the year 9999, where a delay may end.
fn moment(micros: Micros) -> Value {
    Timestamp::from_micros(micros).map(|time| time.to_string().replace("+00:00", "Z")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::{RuleSet, SECOND};
    use crate::cmd::rules::back_test::history::tests::course;
    use crate::output::Format;

    #[test]
    fn an_event_is_a_row_of_plain_texts_and_numbers() {
        let text = "[[rule]]\nname = \"heart_rate_high\"\nsign = \"heart_rate\"\nabove = 110\ndelay = \"1.5s\"\n\
                    [[rule]]\nname = \"hung\"\nsign = \"heart_rate\"\nflat = 60\n";
        let trial = Trial::new(RuleSet::parse("test", text).unwrap(), None);
        let start = 1_767_225_600;
        let heart_rates = [(0, 111), (60, 120), (120, 90), (180, 90), (240, 112)];
        let course = course(&heart_rates.map(|(second, value)| (start + second, Some(value))));
        let printed = |format| {
            let (output, memory) = Output::into_memory();
            let patients = [("P1".to_owned(), trial.alarms(&course))];
            print(&trial, &patients, FormatArgs { format: Some(format) }, &output).unwrap();
            memory.stdout()
        };
        let expected = "patient_id,rule,onset,start,end,peak,limit\n\
                        P1,heart_rate_high,2026-01-01T00:00:00Z,2026-01-01T00:00:01.500000Z,2026-01-01T00:02:00Z,120,110\n\
                        P1,heart_rate_high,2026-01-01T00:04:00Z,2026-01-01T00:04:01.500000Z,,112,110\n";
        assert_eq!(printed(Format::Csv), expected);
        let last = printed(Format::Ndjson).lines().last().unwrap().to_owned();
        assert!(last.ends_with(r#""end":null,"peak":112,"limit":110}"#), "{last}");
    }

    #[test]
    fn a_moment_has_six_decimals_or_none() {
        assert_eq!(moment(1), Value::Text("1970-01-01T00:00:00.000001Z".to_owned()));
        assert_eq!(moment(-62_135_596_800 * SECOND), Value::Text("0001-01-01T00:00:00Z".to_owned()));
        assert_eq!(moment(253_402_300_800 * SECOND), Value::Missing);
        assert_eq!(moment(Micros::MAX), Value::Missing);
    }
}
