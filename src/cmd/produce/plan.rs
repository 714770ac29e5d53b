//! What the options of `vitals produce` come to, together.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;

use super::{Args, Mode, ProduceError};
use crate::intake::patients::Patients;
use crate::intake::simulator::Scenario;

/// Seeds that nobody chose have at most six digits, so that they can be typed again.
const SEEDS: u64 = 1_000_000;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) origin: Origin,
    pub(super) interval: Duration,
    pub(super) count: Option<u64>,
}

/// Where the readings come from.
#[derive(Debug, PartialEq)]
pub(super) enum Origin {
    Ward { patients: Patients, scenario: Scenario, seed: u64 },
    Csv { path: PathBuf, once: bool, skip_bad: bool },
}

impl Plan {
    /// Takes the options together.
    ///
    /// # Errors
    /// Where an option is missing, or one has no meaning in this mode: to pass over it would do something else than the
    /// user asked for.
    pub(super) fn of(args: Args) -> Result<Self, ProduceError> {
        let (interval, count) = (args.interval, args.count);
        let origin = match args.mode {
            Mode::Random => ward(args)?,
            Mode::Csv => csv(args)?,
        };
        Ok(Self { origin, interval, count })
    }

    /// Whether there is an end to what is to be sent.
    pub(super) fn has_end(&self) -> bool {
        self.count.is_some() || matches!(self.origin, Origin::Csv { once: true, .. })
    }
}

fn ward(args: Args) -> Result<Origin, ProduceError> {
    refuse("random", &[("--csv", args.csv.is_some()), ("--once", args.once), ("--skip-bad", args.skip_bad)])?;
    Ok(Origin::Ward {
        patients: args.patients.unwrap_or_default(),
        scenario: args.scenario.unwrap_or_default(),
        seed: args.seed.unwrap_or_else(|| Utc::now().timestamp_micros().unsigned_abs() % SEEDS),
    })
}

fn csv(args: Args) -> Result<Origin, ProduceError> {
    refuse(
        "csv",
        &[
            ("--patients", args.patients.is_some()),
            ("--scenario", args.scenario.is_some()),
            ("--seed", args.seed.is_some()),
        ],
    )?;
    let path = args.csv.ok_or(ProduceError::NoCsv)?;
    Ok(Origin::Csv { path, once: args.once, skip_bad: args.skip_bad })
}

fn refuse(mode: &'static str, options: &[(&'static str, bool)]) -> Result<(), ProduceError> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(ProduceError::NoMeaning { option, mode }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(format!("produce {line}").split_whitespace()).map(|line| line.args)
    }

    fn plan(line: &str) -> Result<Plan, ProduceError> {
        Plan::of(args(line).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn the_defaults_are_those_of_the_old_producer() {
        let plan = plan("--seed 7").expect("a plan");
        let origin = Origin::Ward { patients: Patients::default(), scenario: Scenario::Mixed, seed: 7 };
        assert_eq!(plan, Plan { origin, interval: Duration::from_secs(1), count: None });
    }

    #[test]
    fn a_file_needs_its_path() {
        assert_eq!(plan("--mode csv").map(|plan| plan.count), Err(ProduceError::NoCsv));
        let origin = Origin::Csv { path: "x.csv".into(), once: true, skip_bad: false };
        let expected = Plan { origin, interval: Duration::ZERO, count: Some(3) };
        assert_eq!(plan("--mode csv --csv x.csv --once --interval 0 --count 3"), Ok(expected));
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
            assert_eq!(plan(line), Err(ProduceError::NoMeaning { option, mode }), "{line}");
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
            let text = args(line).expect_err(line).to_string();
            assert!(text.contains(option), "{text}");
        }
    }
}
