//! Where the readings of a back-test come from: files, or the store.

use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;

use super::history::History;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::pages::Pages;
use crate::cmd::common::progress_line::ProgressLine;
use crate::cmd::export::is_within;
use crate::cmd::query::select;
use crate::cmd::rules::RulesCommandError;
use crate::faults::{Fault, Faults, Flaw};
use crate::intake::csv::{CsvFile, Entry};
use crate::output::{Output, Progress, counted};
use crate::reading::{PatientId, Signs, Timestamp};
use crate::store::{Order, Width};

/// So many rows are read between two looks at the clock.
const ROWS_A_LOOK: u64 = 4096;

/// The rows of CSV files, the later file's after the earlier one's.
pub(super) fn recorded(files: &[PathBuf], skip_bad: bool, output: &Output) -> Result<History> {
    let mut history = History::default();
    let (mut line, mut progress) = (ProgressLine::new(), output.progress(None));
    for path in files {
        let file = CsvFile::open(path)?;
        if !file.has_times() {
            return Err(RulesCommandError::NoTimes(path.clone()).into());
        }
        if !file.ignored_columns().is_empty() {
            let names = file.ignored_columns().join(", ");
            output.note(format_args!("note: columns that are passed over: {}", names.escape_debug()));
        }
        let faults = read(&file, &mut history, &mut line, &mut progress)?;
        judge(path, &faults, skip_bad, output)?;
    }
    if history.is_empty() { Err(RulesCommandError::NoReading.into()) } else { Ok(history) }
}

/// Reads a file to its end, whatever is wrong with single rows.
fn read(file: &CsvFile, history: &mut History, line: &mut ProgressLine, progress: &mut Progress) -> Result<Faults> {
    let mut faults = Faults::default();
    let mut rows = file.rows()?;
    let mut count = 0;
    while let Some(entry) = rows.next() {
        match entry? {
            Entry::Row(row) => match row.time {
                Some(time) => history.note(row.patient.as_str(), time.as_micros(), row.signs),
                None => faults.note(Fault { line: rows.line(), column: Some("timestamp"), flaw: Flaw::Missing }),
            },
            Entry::WithoutSign => {
                if let Some((patient, time)) = rows.key() {
                    history.note(patient, time.as_micros(), Signs::default());
                }
            }
            Entry::Malformed(fault) => faults.note(fault),
        }
        count += 1;
        if count == ROWS_A_LOOK {
            line.add(std::mem::take(&mut count), "reading", progress);
        }
    }
    line.add(count, "reading", progress);
    Ok(faults)
}

fn judge(path: &Path, faults: &Faults, skip_bad: bool, output: &Output) -> Result<(), RulesCommandError> {
    if faults.count == 0 {
        return Ok(());
    }
    if skip_bad {
        output.note(format_args!("note: {} of {} left out", counted(faults.count, "malformed row"), path.display()));
        return Ok(());
    }
    faults.report().for_each(|line| output.note(line));
    Err(RulesCommandError::Malformed { path: path.to_owned(), rows: faults.count })
}

/// What the store has of this time.
pub(super) async fn stored(
    patient: Option<&PatientId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    context: &Context,
) -> Result<History> {
    let Context { settings, output, .. } = context;
    let selection = select(patient, since, until, Order::OldestFirst)?;
    let (since, until) = (since.map(|time| time.to_string()), until.map(|time| time.to_string()));
    let store = app::open_store_to_read(settings, output).await?;
    let mut pages = Pages::of(&store, &selection, Width::Rows).await?;
    let (mut line, mut progress) = (ProgressLine::new(), output.progress(None));
    let mut history = History::default();
    let mut timeless = 0_u64;
    while let Some(page) = pages.next_page().await? {
        for row in page.iter().filter(|row| is_within(&row.timestamp, since.as_deref(), until.as_deref())) {
            match Timestamp::parse(&row.timestamp) {
                Ok(time) => history.note(&row.patient_id, time.as_micros(), row.signs),
                Err(_) => timeless += 1,
            }
        }
        line.add(u64::try_from(page.len()).unwrap_or(u64::MAX), "reading", &mut progress);
    }
    drop(progress);
    if timeless > 0 {
        output.note(format_args!("note: {} left out whose time is none", counted(timeless, "row")));
    }
    if history.is_empty() {
        output.note("there are no readings in that time");
    }
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Advice as _, Code};

    const HEADER: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

    /// Reads files with these rows; gives the number of moments of each patient, and what was said.
    fn gathered(files: &[&str], skip_bad: bool) -> (Result<Vec<(String, usize)>>, String) {
        let folder = tempfile::tempdir().unwrap();
        let write = |(place, text): (usize, &&str)| {
            let path = folder.path().join(format!("{place}.csv"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths: Vec<_> = files.iter().enumerate().map(write).collect();
        let (output, memory) = Output::into_memory();
        let counts = |history: History| history.of_each(|course| (course.patient.clone(), course.moments().len()));
        (recorded(&paths, skip_bad, &output).map(counts), memory.stderr())
    }

    fn refused(files: &[&str]) -> (RulesCommandError, String) {
        let (outcome, said) = gathered(files, false);
        (outcome.unwrap_err().downcast().unwrap(), said)
    }

    #[test]
    fn rows_of_all_files_come_together_and_one_without_a_sign_is_one_too() {
        let first = format!("{HEADER}P1,2026-01-01T00:00:00Z,80,,,,,\nP1,2026-01-01T00:01:00Z,,,,,,\n,,,,,,,\n");
        let second = format!("{HEADER}P1,2026-01-01T01:00:00+01:00,90,,,,,\nP2,2026-01-01T00:00:00Z,80,,,,,\n");
        let (counts, said) = gathered(&[&first, &second], false);
        assert_eq!(counts.unwrap(), [("P1".to_owned(), 2), ("P2".to_owned(), 1)]);
        assert_eq!(said, "");
    }

    #[test]
    fn malformed_rows_and_rows_without_a_time_are_told_by_their_place_and_may_be_left_out() {
        let file =
            format!("{HEADER}P1,2026-01-01T00:00:00Z,secret,,,,,\nP1,,80,,,,,\nP1,2026-01-01T00:00:00Z,80,,,,,\n");
        let (error, said) = refused(&[&file]);
        assert!(error.to_string().ends_with("0.csv: 2 rows malformed; nothing was tried"), "{error}");
        assert_eq!((error.code(), error.hint().unwrap().contains("--skip-bad")), (Code::BadData, true));
        assert_eq!(said, "line 2, column heart_rate: not a number\nline 3, column timestamp: missing\n");
        let (counts, said) = gathered(&[&file], true);
        assert_eq!(counts.unwrap(), [("P1".to_owned(), 1)]);
        assert!(said.starts_with("note: 2 malformed rows of ") && said.ends_with("0.csv left out\n"), "{said}");
    }

    #[test]
    fn a_file_without_a_column_of_times_or_files_without_a_reading_are_bad_data() {
        let (error, _) = refused(&[&HEADER.replace("timestamp,", "")]);
        assert!(matches!(error, RulesCommandError::NoTimes(_)) && error.code() == Code::BadData, "{error}");
        let (error, _) = refused(&[HEADER, HEADER]);
        assert!(matches!(error, RulesCommandError::NoReading) && error.code() == Code::BadData, "{error}");
    }

    #[test]
    fn columns_of_others_are_noted() {
        let file = format!("ward,{HEADER}A,P1,2026-01-01T00:00:00Z,80,,,,,\n");
        assert_eq!(gathered(&[&file], false).1, "note: columns that are passed over: ward\n");
    }
}
