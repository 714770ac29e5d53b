//! `vitals produce`: readings of a simulated ward or of a CSV file into the topic.

mod error;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use clap::ValueEnum;
use color_eyre::eyre::Result;

pub use error::ProduceError;

use self::run::{Maker, Run};
use super::Context;
use crate::advice::Code;
use crate::app;
use crate::intake::csv::{CsvError, CsvFile};
use crate::intake::patients::Patients;
use crate::intake::simulator::{STEP, Scenario, Ward};
use crate::intake::source::Source;
use crate::kafka::producer::Codec;
use crate::span::parse_duration;

/// Seeds that nobody chose have at most six digits, so that they can be typed again.
const SEEDS: u64 = 1_000_000;

/// Send readings into the topic.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line is printed for every message that was acknowledged. While nobody reads the
lines, no more is sent. Behind a reader that ends early, such as `head`, it goes
on to its end where it has one (--count, --once), and ends too where it has none.

The first line of a CSV file names its columns, in any order:
  patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature
and timestamp, supplemental_oxygen (true or false) and consciousness (A, C, V, P
or U), if there are any; without a time, a reading's is the present.

Examples:
  vitals produce --mode random --interval 2 --patients \"P001,P002,P003\"
  vitals produce --mode csv --csv fixtures/sample_vitals.csv --once --interval 0
  vitals produce --interval 0 --count 1000000 --compression lz4 > /dev/null")]
pub struct Args {
    /// Where the readings come from
    #[arg(long, value_enum, default_value_t = Mode::Random)]
    mode: Mode,
    /// Seconds between two messages; 0 is as fast as they are acknowledged
    #[arg(long, value_name = "SECONDS", default_value = "1.0", value_parser = parse_duration, allow_hyphen_values = true)]
    interval: Duration,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_hyphen_values = true)]
    count: Option<u64>,
    /// Patients of the simulated ward [default: P001,P002,P003,P004]
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    patients: Option<Patients>,
    /// What happens on the simulated ward [default: mixed]
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
    /// Makes the simulated ward repeatable
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How batches are compressed on their way to the broker, and there
    #[arg(long, value_enum, value_name = "CODEC", default_value_t = Compression::None)]
    compression: Compression,
    /// The file of --mode csv
    #[arg(long, value_name = "PATH")]
    csv: Option<PathBuf>,
    /// Send the file once instead of again and again
    #[arg(long)]
    once: bool,
    /// Leave malformed rows of the file out instead of sending nothing
    #[arg(long = "skip-bad")]
    skip_bad: bool,
}

/// Where readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A simulated ward
    Random,
    /// A CSV file
    Csv,
}

/// For the least time, or the least space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compression {
    /// Not at all
    None,
    /// Fast: a seventh of the space
    Lz4,
    /// Small: an eighth
    Zstd,
}

impl From<Compression> for Codec {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None,
            Compression::Lz4 => Self::Lz4,
            Compression::Zstd => Self::Zstd,
        }
    }
}

/// Sends readings until the count, the end of the file, or the user says stop, and says what was sent.
///
/// # Errors
/// [`ProduceError`] for options that do not go together and for messages that were not acknowledged;
/// [`CsvError`] for the file; those of [`app::open_producer`] for the cluster.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    args.check()?;
    let (interval, count, codec) = (args.interval, args.count, args.compression.into());
    let has_end = count.is_some() || args.once;
    let ready = async {
        let source = open(args, context).await?;
        let producer = app::open_producer(&context.settings, codec, &context.output).await?;
        Ok::<_, color_eyre::Report>((source, producer))
    };
    let (source, producer) = tokio::select! {
        ready = ready => ready?,
        () = context.shutdown.wait() => return Ok(Code::CutShort),
    };
    let maker = Maker::new(source, interval, count);
    Run::new(producer, &context.output, has_end).work(maker, &context.shutdown).await?;
    Ok(Code::Done)
}

impl Args {
    /// Refuses options that are missing or have no meaning in this mode: to pass over one would do something else than
    /// the user asked for.
    fn check(&self) -> Result<(), ProduceError> {
        let (mode, meaningless) = match self.mode {
            Mode::Random => {
                ("random", [("--csv", self.csv.is_some()), ("--once", self.once), ("--skip-bad", self.skip_bad)])
            }
            Mode::Csv => (
                "csv",
                [
                    ("--patients", self.patients.is_some()),
                    ("--scenario", self.scenario.is_some()),
                    ("--seed", self.seed.is_some()),
                ],
            ),
        };
        if let Some((option, _)) = meaningless.into_iter().find(|(_, given)| *given) {
            return Err(ProduceError::NoMeaning { option, mode });
        }
        if self.mode == Mode::Csv && self.csv.is_none() { Err(ProduceError::NoCsv) } else { Ok(()) }
    }
}

async fn open(args: Args, context: &Context) -> Result<Source> {
    let Args { once, skip_bad, .. } = args;
    match args.csv {
        None => {
            let seed = args.seed.unwrap_or_else(|| Utc::now().timestamp_micros().unsigned_abs() % SEEDS);
            context.output.note(format_args!("simulating a ward with --seed {seed}"));
            let (patients, scenario) = (args.patients.unwrap_or_default(), args.scenario.unwrap_or_default());
            let ward = Ward::new(&patients, scenario, seed, STEP);
            Ok(Source::ward(ward))
        }
        Some(path) => {
            let output = context.output.clone();
            // A large file takes a while to look through.
            let opened = tokio::task::spawn_blocking(move || {
                let file = CsvFile::open(&path)?;
                if !file.ignored_columns().is_empty() {
                    let names = file.ignored_columns().join(", ");
                    output.note(format_args!("note: columns that are passed over: {}", names.escape_debug()));
                }
                Source::csv(file, once, skip_bad)
            });
            let opened = opened.await?;
            if let Err(CsvError::Malformed { survey, .. }) = &opened {
                survey.faults.report().for_each(|line| context.output.note(line));
            }
            Ok(opened?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    fn args(line: &str) -> Args {
        parsed(line).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_defaults_are_those_of_the_old_producer() {
        let args = args("");
        assert_eq!(args.check(), Ok(()));
        assert_eq!((args.mode, args.interval, args.count), (Mode::Random, Duration::from_secs(1), None));
        assert_eq!((args.patients, args.scenario.unwrap_or_default()), (None, Scenario::Mixed));
    }

    #[test]
    fn a_file_needs_its_path() {
        assert_eq!(args("--mode csv").check(), Err(ProduceError::NoCsv));
        let args = args("--mode csv --csv x.csv --once --interval 0 --count 3");
        assert_eq!(args.check(), Ok(()));
        assert_eq!((args.csv, args.once, args.skip_bad), (Some("x.csv".into()), true, false));
        assert_eq!((args.interval, args.count), (Duration::ZERO, Some(3)));
    }

    #[test]
    fn an_option_without_meaning_in_the_mode_is_refused() {
        for (line, option, mode) in [
            ("--csv x.csv", "--csv", "random"),
            ("--once", "--once", "random"),
            ("--skip-bad", "--skip-bad", "random"),
            ("--mode csv --csv x.csv --patients P1", "--patients", "csv"),
            ("--mode csv --csv x.csv --scenario stable", "--scenario", "csv"),
            ("--mode csv --csv x.csv --seed 1", "--seed", "csv"),
        ] {
            assert_eq!(args(line).check(), Err(ProduceError::NoMeaning { option, mode }), "{line}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_their_option() {
        for (line, option) in [
            ("--interval -1", "--interval"),
            ("--interval nan", "--interval"),
            ("--interval inf", "--interval"),
            ("--interval x", "--interval"),
            ("--count 0", "--count"),
            ("--count -3", "--count"),
            ("--patients ,", "--patients"),
            ("--patients P1,P1", "--patients"),
            ("--scenario flood", "--scenario"),
            ("--mode hl7", "--mode"),
        ] {
            let text = parsed::<Args>(line).expect_err(line).to_string();
            assert!(text.contains(option), "{text}");
        }
    }
}
