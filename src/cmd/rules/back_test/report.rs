//! What the rules came to, as rows.

use std::time::Duration;

use super::burden::{Burden, Judged};
use crate::alarm::rules::Micros;
use crate::cmd::common::number::{percent, rounded, seconds, short};
use crate::cmd::common::table::{Field, print as print_rows};
use crate::output::{Column, Format, FormatArgs, Output, OutputError, Value};

/// A row: the set, and what one of its rules came to.
type Line<'a> = (&'a str, &'a Burden);

/// For people, in eighty columns.
fn table<'a>() -> [Field<Line<'a>>; 8] {
    [
        (Column::text("rule", "RULE"), |(_, burden)| name(burden)),
        (Column::number("alarms", "ALARMS"), |(_, burden)| burden.alarms.into()),
        (Column::number("per_day", "A DAY"), |(_, burden)| burden.per_day.map(short).into()),
        (Column::number("interval", "95 %"), |(_, burden)| {
            burden.interval.map(|(low, high)| format!("{}-{}", shorter(low), shorter(high))).into()
        }),
        (Column::number("missed", "MISSED"), |(_, burden)| {
            judged(burden, |judged| format!("{}/{}", judged.missed, judged.episodes).into())
        }),
        (Column::number("delay", "DELAY"), |(_, burden)| {
            judged(burden, |judged| {
                judged.delay.map(|(median, p95)| format!("{}/{}", whole(median), whole(p95))).into()
            })
        }),
        (Column::number("noisiest_tenth", "TENTH"), |(_, burden)| burden.noisiest_tenth.map(percent).into()),
        (Column::number("of_lines", "LINES"), |(_, burden)| {
            judged(burden, |judged| judged.of_lines.map(percent).into())
        }),
    ]
}

/// For programs, each number by itself.
fn numbers<'a>() -> [Field<Line<'a>>; 12] {
    [
        (Column::text("rule", "RULE"), |(_, burden)| name(burden)),
        (Column::number("alarms", "ALARMS"), |(_, burden)| burden.alarms.into()),
        (Column::number("per_day", "A DAY"), |(_, burden)| burden.per_day.map(rounded).into()),
        (Column::number("per_day_low", "LOW"), |(_, burden)| burden.interval.map(|(low, _)| rounded(low)).into()),
        (Column::number("per_day_high", "HIGH"), |(_, burden)| burden.interval.map(|(_, high)| rounded(high)).into()),
        (Column::number("episodes", "EPISODES"), |(_, burden)| judged(burden, |judged| judged.episodes.into())),
        (Column::number("missed", "MISSED"), |(_, burden)| judged(burden, |judged| judged.missed.into())),
        (Column::number("delay_median_s", "DELAY"), |(_, burden)| {
            judged(burden, |judged| judged.delay.map_or(Value::Missing, |(median, _)| seconds(median)))
        }),
        (Column::number("delay_p95_s", "P95"), |(_, burden)| {
            judged(burden, |judged| judged.delay.map_or(Value::Missing, |(_, p95)| seconds(p95)))
        }),
        (Column::number("noisiest_tenth_percent", "NOISIEST"), |(_, burden)| {
            burden.noisiest_tenth.map(|part| rounded(part * 100.0)).into()
        }),
        (Column::number("lines", "LINES"), |(_, burden)| judged(burden, |judged| judged.lines.into())),
        (Column::number("of_lines_percent", "OF LINES"), |(_, burden)| {
            judged(burden, |judged| judged.of_lines.map(|part| rounded(part * 100.0)).into())
        }),
    ]
}

/// Prints the burdens of one set, or of two below each other: a table then leaves out what has no room.
pub(super) fn print(sets: &[(String, Vec<Burden>)], format: FormatArgs, output: &Output) -> Result<(), OutputError> {
    let set: Field<Line<'_>> = (Column::text("set", "SET"), |(set, _)| (*set).into());
    let only: Field<Line<'_>> = (Column::number("only_here", "ONLY"), |(_, burden)| burden.only_here.into());
    let is_table = format.choose(output.stdout_is_terminal()) == Format::Table;
    let fields = match (is_table, sets.len() > 1) {
        (true, false) => table().to_vec(),
        (true, true) => {
            let [rule, alarms, per_day, _, missed, delay, ..] = table();
            vec![set, rule, alarms, per_day, missed, delay, only]
        }
        (false, false) => numbers().to_vec(),
        (false, true) => [set].into_iter().chain(numbers()).chain([only]).collect(),
    };
    let lines = sets.iter().flat_map(|(set, burdens)| burdens.iter().map(move |burden| -> Line<'_> { (set, burden) }));
    print_rows(output, format, &fields, lines)
}

fn name(burden: &Burden) -> Value {
    burden.rule.as_deref().unwrap_or("all").into()
}

fn judged(burden: &Burden, value: impl Fn(&Judged) -> Value) -> Value {
    burden.judged.as_ref().map_or(Value::Missing, value)
}

/// Two digits, or one behind the point: the ends of an interval are known no better.
fn shorter(rate: f64) -> String {
    if rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// In whole seconds.
fn whole(span: Micros) -> u64 {
    Duration::from_micros(span.unsigned_abs()).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    fn burdens() -> Vec<Burden> {
        let judged = Judged {
            lines: 12_310,
            of_lines: Some(95.0 / 12_310.0),
            episodes: 2499,
            missed: 12,
            delay: Some((60 * SECOND, 90 * SECOND + SECOND / 2)),
        };
        let rule = Burden {
            rule: Some("respiratory_rate_high".to_owned()),
            alarms: 95,
            per_day: Some(14.0 / 3.0),
            interval: Some((3.127, 12.345)),
            noisiest_tenth: Some(0.41237),
            only_here: 7,
            judged: Some(judged),
        };
        let all = Burden {
            rule: None,
            alarms: 0,
            per_day: None,
            interval: None,
            noisiest_tenth: None,
            only_here: 0,
            judged: None,
        };
        vec![rule, all]
    }

    fn printed(sets: &[&str], format: Format) -> String {
        let (output, memory) = Output::into_memory();
        let sets: Vec<_> = sets.iter().map(|set| ((*set).to_owned(), burdens())).collect();
        print(&sets, FormatArgs { format: Some(format) }, &output).unwrap();
        memory.stdout()
    }

    #[test]
    fn people_get_what_fits_eighty_columns() {
        let expected = "\
RULE                   ALARMS  A DAY    95 %   MISSED  DELAY  TENTH  LINES
respiratory_rate_high      95   4.67  3.1-12  12/2499  60/90   41 %  0.8 %
all                         0      -       -        -      -      -      -
";
        assert_eq!(printed(&["ward"], Format::Table), expected);
    }

    #[test]
    fn programs_get_every_number_by_itself() {
        let json = printed(&["ward"], Format::Ndjson);
        let expected = concat!(
            r#"{"rule":"respiratory_rate_high","alarms":95,"per_day":4.66667,"per_day_low":3.127,"per_day_high":12.345,"#,
            r#""episodes":2499,"missed":12,"delay_median_s":60,"delay_p95_s":90.5,"noisiest_tenth_percent":41.237,"#,
            r#""lines":12310,"of_lines_percent":0.77173}"#
        );
        assert_eq!(json.lines().next(), Some(expected));
        assert!(json.lines().nth(1).unwrap().starts_with(r#"{"rule":"all","alarms":0,"per_day":null,"#), "{json}");
    }

    #[test]
    fn two_sets_stand_below_each_other_with_what_only_one_of_them_raises() {
        let csv = printed(&["ward", "mine.toml"], Format::Csv);
        let rows: Vec<_> =
            csv.lines().map(|line| (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap())).collect();
        assert_eq!(rows, [("set", "only_here"), ("ward", "7"), ("ward", "0"), ("mine.toml", "7"), ("mine.toml", "0")]);
        let table = printed(&["ward", "mine.toml"], Format::Table);
        assert!(
            table.starts_with("SET        RULE                   ALARMS  A DAY   MISSED  DELAY  ONLY\n"),
            "{table}"
        );
    }
}
