//! `vitals query`: readings out of the store.

use color_eyre::eyre::Result;

use super::common::series::{self, SeriesPages};
use super::common::time_argument;
use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::alarm::{Implausible, implausible};
use crate::app;
use crate::minute::Every;
use crate::output::{Cell, Column, Format, FormatArgs, Output, Value};
use crate::reading::{Number, Observation, Observed, PatientId, Sign, Timestamp};
use crate::settings::Settings;
use crate::store::{Order, Selection, StoredReading, Stretch};

/// Which readings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A patient without readings is no error: there is only a note,
and the exit code is 0.

With --every each row is a minute, an hour or a day of UTC: how many readings,
and of each sign how many values that are believed, the least, the most, their
mean and sum, and the last; a table shows the mean with the least and the most.
The one that --since is in is there as a whole, and so is the one of --until.

Examples:
  vitals query
  vitals query --patient P001 --every 1h --since -2d
  vitals query --patient P001 --limit 5
  vitals query --patient P001 --since 2025-10-26T10:00:00Z -o csv")]
pub struct Args {
    /// Only this patient's readings, newest first; without it, the first rows of the table in its own order
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// At most this many readings
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MAX_LIMIT))]
    limit: u32,
    /// Only readings of this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", requires = "patient", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Only readings before this time (as --since)
    #[arg(long, value_name = "TIME", requires = "patient", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// Oldest first
    #[arg(long, requires = "patient")]
    oldest: bool,
    /// What the readings of each minute, hour or day come to
    #[arg(long, requires = "patient", value_parser = series::every())]
    every: Option<Every>,
    #[command(flatten)]
    format: FormatArgs,
}

/// What CQL can count to.
const MAX_LIMIT: i64 = 0x7fff_ffff;

/// The columns of the table, and behind the signs the names of those that are not believed.
fn columns() -> Vec<Column> {
    let key = [Column::text("patient_id", "PATIENT"), Column::text("timestamp", "TIME")];
    let signs = Sign::ALL.map(|sign| Column::number(sign.name(), sign.heading()));
    let observations = Observation::ALL.map(|of| Column::text(of.name(), of.heading()).where_known());
    key.into_iter().chain(signs).chain([Column::for_programs("implausible")]).chain(observations).collect()
}

/// Why there is nothing to ask the store for.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("no time lies between --since {since} and --until {until}")]
    EmptyRange { since: Timestamp, until: Timestamp },
}

impl Advice for QueryError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("--since has to be earlier than --until, which is itself not included".to_owned())
    }
}

/// Shows the readings.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, show(&args, &context.settings, &context.output)).await
}

async fn show(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    let selection = args.selection()?;
    if let (Some(every), Selection::Patient { id: patient, since, until, order }) = (args.every, &selection) {
        let stretch = Stretch { patient: patient.clone(), every, since: *since, until: *until, order: *order };
        return show_series(args, stretch, settings, output).await;
    }
    let store = app::open_store_to_read(settings, output).await?;
    let mut readings = store.readings(&selection, args.limit);
    let columns = columns();
    let mut rows = output.rows(args.format, &columns);
    let mut any = false;
    while let Some(page) = readings.next_page().await? {
        any |= !page.is_empty();
        page.iter().try_for_each(|reading| rows.push(row(reading)))?;
    }
    rows.finish()?;
    if !any {
        output.note(nothing_found(args));
    }
    Ok(Code::Done)
}

/// Minutes, hours or days.
async fn show_series(args: &Args, stretch: Stretch, settings: &Settings, output: &Output) -> Result<Code> {
    let store = app::open_store_to_read(settings, output).await?;
    let is_for_people = args.format.choose(output.stdout_is_terminal()) == Format::Table;
    let columns = if is_for_people { series::columns_for_people() } else { series::columns_for_programs() };
    let row = if is_for_people { series::row_for_people } else { series::row_for_programs };
    let patient = stretch.patient.clone();
    let mut pages = SeriesPages::of(&store, stretch);
    let mut rows = output.rows(args.format, &columns);
    let mut left = args.limit;
    while left > 0
        && let Some(page) = pages.next_page().await?
    {
        for (start, summary) in page.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            rows.push(row(&patient, *start, summary))?;
            left -= 1;
        }
    }
    rows.finish()?;
    if left == args.limit {
        output.note(nothing_found(args));
    }
    Ok(Code::Done)
}

impl Args {
    fn selection(&self) -> Result<Selection, QueryError> {
        let order = if self.oldest { Order::OldestFirst } else { Order::NewestFirst };
        select(self.patient.as_ref(), self.since, self.until, order)
    }
}

pub(super) fn select(
    patient: Option<&PatientId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    order: Order,
) -> Result<Selection, QueryError> {
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(QueryError::EmptyRange { since, until });
    }
    let of = |id: &PatientId| Selection::Patient { id: id.as_str().to_owned(), since, until, order };
    Ok(patient.map_or(Selection::Any, of))
}

fn nothing_found(args: &Args) -> String {
    match &args.patient {
        None => "the table has no readings".to_owned(),
        Some(patient) if args.since.is_none() && args.until.is_none() => format!("there are no readings of {patient}"),
        Some(patient) => format!("there are no readings of {patient} in that time"),
    }
}

fn row(reading: &StoredReading) -> Vec<Cell> {
    let doubts = implausible(&reading.signs);
    let doubted = |sign: Sign| doubts.iter().any(|doubt: &Implausible| doubt.concerns(sign));
    let head = [reading.patient_id.as_str().into(), reading.timestamp.as_str().into()];
    let signs =
        Sign::ALL.into_iter().map(|sign| Cell::from(Value::from(reading.signs.number(sign))).marked(doubted(sign)));
    let names: Vec<_> = Sign::ALL.into_iter().filter(|sign| doubted(*sign)).map(|sign| sign.to_string()).collect();
    let observed = Observation::ALL.map(|of| observation(reading.signs.observed, of).into());
    head.into_iter().chain(signs).chain([names.into()]).chain(observed).collect()
}

fn observation(observed: Observed, of: Observation) -> Value {
    match of {
        Observation::SupplementalOxygen => observed.supplemental_oxygen.into(),
        Observation::Consciousness => observed.text(of).into(),
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Whole(number) => number.into(),
            Number::Decimal(number) => number.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cmd::{Command, CommandLine};
    use crate::reading::{Consciousness, Signs};

    fn typed(line: &str) -> Result<Args, clap::Error> {
        let words = ["vitals", "query"].into_iter().chain(line.split_whitespace());
        let command = CommandLine::try_parse_from(words)?.command;
        let Command::Query(args) = command else { panic!("{command:?}") };
        Ok(args)
    }

    fn printed(format: &str, signs: Signs) -> (String, String) {
        let (output, memory) = Output::into_memory();
        let format = typed(&format!("-o {format}")).unwrap().format;
        let columns = columns();
        let mut rows = output.rows(format, &columns);
        let timestamp = "2025-10-26T10:30:15+00:00".to_owned();
        rows.push(row(&StoredReading { patient_id: "P001".to_owned(), timestamp, signs })).unwrap();
        rows.finish().unwrap();
        (memory.stdout(), memory.stderr())
    }

    const FAHRENHEIT: Signs = Signs {
        heart_rate: Some(95),
        spo2: Some(98),
        systolic: Some(80),
        diastolic: Some(80),
        respiratory_rate: None,
        temperature: Some(97.2),
        observed: Observed::NOTHING,
    };

    #[test]
    fn programs_get_the_stored_values_and_the_names_of_those_not_believed() {
        let (json, _) = printed("ndjson", FAHRENHEIT);
        let expected = concat!(
            r#"{"patient_id":"P001","timestamp":"2025-10-26T10:30:15+00:00","heart_rate":95,"spo2":98,"#,
            r#""systolic":80,"diastolic":80,"respiratory_rate":null,"temperature":97.2,"#,
            r#""implausible":["systolic","diastolic","temperature"],"#,
            r#""supplemental_oxygen":null,"consciousness":null}"#,
            "\n"
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn observations_are_told_and_people_get_a_column_where_there_is_one() {
        let observed = Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Voice) };
        let signs = Signs { observed, ..FAHRENHEIT };
        let (json, _) = printed("ndjson", signs);
        assert!(json.ends_with(",\"supplemental_oxygen\":true,\"consciousness\":\"V\"}\n"), "{json}");
        let (table, _) = printed("table", signs);
        assert_eq!(
            table.lines().next().unwrap().split_whitespace().skip(7).collect::<Vec<_>>(),
            ["TEMP", "O2", "ACVPU"]
        );
        assert!(table.trim_end().ends_with("97.2 !  yes  V"), "{table}");
        let (table, _) = printed("table", Signs { observed: Observed { consciousness: None, ..observed }, ..signs });
        assert!(table.contains("O2") && !table.contains("ACVPU"), "{table}");
    }

    #[test]
    fn people_get_a_mark_behind_what_is_not_believed() {
        let (table, talk) = printed("table", FAHRENHEIT);
        let expected = "PATIENT  TIME                       HR  SPO2  SYS    DIA    RR  TEMP\n\
                        P001     2025-10-26T10:30:15+00:00  95    98   80 !   80 !   -  97.2 !\n";
        assert_eq!(table, expected);
        assert!(talk.starts_with("! marks a value that is not believed"), "{talk}");
    }

    #[test]
    fn a_plausible_temperature_is_shown_as_it_was_sent_and_without_a_mark() {
        let (csv, talk) = printed("csv", Signs { temperature: Some(36.8), ..Signs::default() });
        assert_eq!(csv.lines().nth(1), Some("P001,2025-10-26T10:30:15+00:00,,,,,,36.8,,,"));
        assert_eq!(talk, "");
    }

    #[test]
    fn a_patient_s_readings_come_newest_first_and_without_a_patient_the_first_ten_rows() {
        for (line, expected) in
            [("--patient P001", Order::NewestFirst), ("--patient P001 --oldest", Order::OldestFirst)]
        {
            let selection = typed(line).unwrap().selection().unwrap();
            assert!(matches!(selection, Selection::Patient { order, .. } if order == expected), "{line}");
        }
        let args = typed("").unwrap();
        assert_eq!((args.selection().unwrap(), args.limit), (Selection::Any, 10));
    }

    #[test]
    fn a_range_without_a_moment_is_refused() {
        let since = "--patient P001 --since 2025-10-26T10:00:00Z";
        for (until, is_range) in
            [("2025-10-26T10:00:01Z", true), ("2025-10-26T10:00:00Z", false), ("2025-10-26T11:00:00+02:00", false)]
        {
            let args = typed(&format!("{since} --until {until}")).unwrap();
            assert_eq!(args.selection().is_ok(), is_range, "{until}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--limit 0",
            "--limit -1",
            "--limit many",
            "--limit 2147483648",
            "--patient",
            "--since 2025-10-26T10:00:00Z",
            "--oldest",
            "--every 1h",
            "--patient P001 --every 2h",
            "--patient P001 --since tomorrow",
            "--patient P001 --until 2025-10-26T10:00:00",
        ] {
            assert!(typed(line).is_err(), "{line}");
        }
    }
}
