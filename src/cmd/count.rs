//! `vitals count`: how many readings are stored.
//!
//! Only keys are read, page by page: a server that would run into its time limit with COUNT(*) on a large table is
//! never asked for more than a page.

use std::collections::BTreeMap;

use color_eyre::eyre::Result;

use super::common::pages::Pages;
use super::common::progress_line::ProgressLine;
use super::query::select;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::output::{Cell, Column, FormatArgs, Output, Value, counted};
use crate::reading::{PatientId, Timestamp};
use crate::settings::Settings;
use crate::store::{Order, StoredReading, Width};

/// What to count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An hour is one of UTC. Rows whose time is none that vitals writes come
under an hour of their own, which has no name.

Examples:
  vitals count
  vitals count --by patient
  vitals count --patient P001 --by hour -o csv")]
pub struct Args {
    /// Only this patient's readings
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// One count for each of these
    #[arg(long, value_name = "WHAT", value_enum)]
    by: Option<By>,
    #[command(flatten)]
    format: FormatArgs,
}

/// What readings are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// The patient, in the order of the ids
    Patient,
    /// The hour of the reading, the oldest first
    Hour,
}

const ROWS: Column = Column::number("rows", "ROWS");

/// Counts the readings.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, show(&args, &context.settings, &context.output)).await
}

async fn show(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    let store = app::open_store_to_read(settings, output).await?;
    let selection = select(args.patient.as_ref(), None, None, Order::NewestFirst)?;
    let mut tally = Tally { by: args.by, total: 0, counts: BTreeMap::new() };
    let mut progress = output.progress(None);
    let mut line = ProgressLine::new();
    let mut pages = Pages::of(&store, &selection, Width::Keys).await?;
    while let Some(page) = pages.next_page().await? {
        for row in &page {
            tally.note(row);
        }
        line.add(u64::try_from(page.len()).unwrap_or(u64::MAX), "counting", &mut progress);
    }
    drop(progress);
    tally.print(args.format, output)?;
    Ok(Code::Done)
}

/// The counts so far. Memory grows with patients or hours, not with rows.
struct Tally {
    by: Option<By>,
    total: u64,
    counts: BTreeMap<Option<String>, u64>,
}

impl Tally {
    fn note(&mut self, row: &StoredReading) {
        self.total += 1;
        let name = match self.by {
            None => return,
            Some(By::Patient) => Some(row.patient_id.clone()),
            Some(By::Hour) => hour_of(&row.timestamp),
        };
        *self.counts.entry(name).or_default() += 1;
    }

    fn print(&self, format: FormatArgs, output: &Output) -> Result<()> {
        let columns: &[Column] = match self.by {
            None => &[ROWS],
            Some(By::Patient) => &[Column::text("patient_id", "PATIENT"), ROWS],
            Some(By::Hour) => &[Column::text("hour", "HOUR"), ROWS],
        };
        let mut rows = output.rows(format, columns);
        if self.by.is_none() {
            rows.push(vec![Cell::from(self.total)])?;
        }
        for (name, count) in &self.counts {
            rows.push(vec![Value::from(name.clone()).into(), Cell::from(*count)])?;
        }
        rows.finish()?;
        if self.by.is_some() {
            output.note(format_args!("{} in all", counted(self.total, "row")));
        }
        Ok(())
    }
}

fn hour_of(timestamp: &str) -> Option<String> {
    let utc = Timestamp::parse(timestamp).ok()?.to_string();
    Some(format!("{}:00:00+00:00", utc.get(..13)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::reading::Signs;

    fn printed(by: Option<By>, format: Format) -> String {
        let mut tally = Tally { by, total: 0, counts: BTreeMap::new() };
        for (patient_id, timestamp) in [
            ("P2", "2025-10-26T10:59:59.999999+00:00"),
            ("P10", "2025-10-26T13:00:00+02:00"),
            ("P10", "2025-10-26T11:30:00+00:00"),
            ("P10", "yesterday"),
        ] {
            let (patient_id, timestamp) = (patient_id.to_owned(), timestamp.to_owned());
            tally.note(&StoredReading { patient_id, timestamp, signs: Signs::default() });
        }
        let (output, memory) = Output::into_memory();
        tally.print(FormatArgs { format: Some(format) }, &output).unwrap();
        memory.stdout()
    }

    #[test]
    fn without_by_there_is_one_count() {
        assert_eq!(printed(None, Format::Json), "[\n{\"rows\":4}\n]\n");
    }

    #[test]
    fn patients_come_in_the_order_of_their_ids() {
        assert_eq!(printed(Some(By::Patient), Format::Csv), "patient_id,rows\nP10,3\nP2,1\n");
    }

    #[test]
    fn an_hour_is_one_of_utc_and_what_is_no_time_has_none() {
        let expected = "{\"hour\":null,\"rows\":1}\n\
                        {\"hour\":\"2025-10-26T10:00:00+00:00\",\"rows\":1}\n\
                        {\"hour\":\"2025-10-26T11:00:00+00:00\",\"rows\":2}\n";
        assert_eq!(printed(Some(By::Hour), Format::Ndjson), expected);
    }
}
