//! One stream of readings, from the simulated ward or from a file.

use super::csv::{CsvError, CsvFile, Entry, Rows};
use super::simulator::Ward;
use super::stamp::Stamp;
use crate::advice::{Advice, Code};
use crate::reading::Reading;

/// Where readings come from.
#[derive(Debug)]
pub struct Source {
    stamp: Stamp,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    Ward(Ward),
    Csv(Box<CsvRun>),
}

/// What was passed over on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Rows without any sign.
    pub without_sign: u64,
    /// Malformed rows.
    pub malformed: u64,
}

/// Why there is no next reading although there should be one.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// The clock.
    #[error("this computer's clock shows no time within the years 1 to 9999")]
    Clock,
}

impl Advice for SourceError {
    fn code(&self) -> Code {
        match self {
            Self::Csv(error) => error.code(),
            Self::Clock => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Csv(error) => error.hint(),
            Self::Clock => Some("set the clock".to_owned()),
        }
    }
}

impl Source {
    /// The readings of a simulated ward; they never end.
    pub fn ward(ward: Ward) -> Self {
        Self { stamp: Stamp::default(), origin: Origin::Ward(ward) }
    }

    /// The rows of a file, once or again and again. The whole file is looked through first.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] where a row is malformed, unless `skip_bad`; [`CsvError::NoRow`] where none can be sent;
    /// the others where it cannot be read.
    pub fn csv(file: CsvFile, once: bool, skip_bad: bool) -> Result<Self, CsvError> {
        let survey = file.check()?;
        if survey.faults.count > 0 && !skip_bad {
            return Err(CsvError::Malformed { path: file.path().to_owned(), survey });
        }
        if survey.rows == 0 {
            return Err(CsvError::NoRow(file.path().to_owned(), survey));
        }
        let run = CsvRun { rows: file.rows()?, file, once, skip_bad, sent: false, passed_over: PassedOver::default() };
        Ok(Self { stamp: Stamp::default(), origin: Origin::Csv(Box::new(run)) })
    }

    /// The next reading, with the present as its time where it has none of its own; `None` at the end of a file that is
    /// sent once.
    pub fn next_reading(&mut self) -> Result<Option<Reading>, SourceError> {
        let now = self.stamp.now().map_err(|_| SourceError::Clock)?;
        match &mut self.origin {
            Origin::Ward(ward) => Ok(Some(ward.next(now))),
            Origin::Csv(run) => match run.next_row()? {
                Some(row) => Ok(Some(row.into_reading(now).map_err(|_| run.changed())?)),
                None => Ok(None),
            },
        }
    }

    /// What was passed over up to now.
    pub fn passed_over(&self) -> PassedOver {
        match &self.origin {
            Origin::Ward(_) => PassedOver::default(),
            Origin::Csv(run) => run.passed_over,
        }
    }
}

#[derive(Debug)]
struct CsvRun {
    file: CsvFile,
    rows: Rows,
    once: bool,
    skip_bad: bool,
    /// Whether this pass through the file gave a row: a file that lost all its rows must not be read for ever.
    sent: bool,
    passed_over: PassedOver,
}

impl CsvRun {
    fn next_row(&mut self) -> Result<Option<super::csv::Row>, CsvError> {
        loop {
            match self.rows.next().transpose()? {
                Some(Entry::Row(row)) => {
                    self.sent = true;
                    return Ok(Some(row));
                }
                Some(Entry::WithoutSign) => self.passed_over.without_sign += 1,
                Some(Entry::Malformed(_)) if self.skip_bad => self.passed_over.malformed += 1,
                Some(Entry::Malformed(_)) => return Err(self.changed()),
                None if self.once => return Ok(None),
                None if !self.sent => return Err(self.changed()),
                None => {
                    self.rows = self.file.rows()?;
                    self.sent = false;
                }
            }
        }
    }

    fn changed(&self) -> CsvError {
        CsvError::Changed(self.file.path().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::csv::tests::{HEADER, Sample};

    fn source(sample: &Sample, once: bool, skip_bad: bool) -> Result<Source, CsvError> {
        Source::csv(sample.open().expect("file"), once, skip_bad)
    }

    fn heart_rates(source: &mut Source, at_most: usize) -> Vec<i32> {
        let next = || source.next_reading().expect("next").and_then(|reading| reading.signs().heart_rate);
        std::iter::from_fn(next).take(at_most).collect()
    }

    #[test]
    fn a_file_is_sent_once_in_its_order() {
        let mut source = source(&Sample::rows("P1,1,,,,,\nP1,,,,,,\nP2,2,,,,,\n"), true, false).expect("source");
        assert_eq!(heart_rates(&mut source, 10), [1, 2]);
        assert_eq!(source.passed_over(), PassedOver { without_sign: 1, malformed: 0 });
    }

    #[test]
    fn a_file_is_sent_again_and_again_with_new_times() {
        let sample = Sample::rows("P1,1,,,,,\nP2,2,,,,,\n");
        let mut source = source(&sample, false, false).expect("source");
        let readings: Vec<_> = (0..5).map(|_| source.next_reading().expect("next").expect("reading")).collect();
        assert!(readings.windows(2).all(|pair| pair[0].time() < pair[1].time()));
        assert_eq!(readings[4].signs(), readings[0].signs());
    }

    #[test]
    fn malformed_rows_are_refused_before_anything_is_sent_or_passed_over_and_counted() {
        let sample = Sample::rows("P1,1,,,,,\nP1,x,,,,,\nP2,2,,,,,\n");
        assert!(matches!(source(&sample, true, false), Err(CsvError::Malformed { .. })));
        let mut source = source(&sample, true, true).expect("source");
        assert_eq!(heart_rates(&mut source, 10), [1, 2]);
        assert_eq!(source.passed_over(), PassedOver { without_sign: 0, malformed: 1 });
    }

    #[test]
    fn a_file_without_a_row_to_send_is_refused_and_not_read_for_ever() {
        assert!(matches!(source(&Sample::rows(""), false, false), Err(CsvError::NoRow(..))));
        assert!(matches!(source(&Sample::rows("P1,,,,,,\n"), false, false), Err(CsvError::NoRow(..))));
        assert!(matches!(source(&Sample::rows("P1,x,,,,,\n"), false, true), Err(CsvError::NoRow(..))));
    }

    #[test]
    fn a_file_that_lost_its_rows_meanwhile_is_told() {
        let sample = Sample::rows("P1,1,,,,,\n");
        let mut source = source(&sample, false, false).expect("source");
        assert_eq!(heart_rates(&mut source, 1), [1]);
        std::fs::write(sample.path(), HEADER).expect("written");
        assert!(matches!(source.next_reading(), Err(SourceError::Csv(CsvError::Changed(_)))));
    }
}
