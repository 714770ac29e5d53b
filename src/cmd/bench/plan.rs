//! What is measured: the options of `vitals bench` together.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Args;
use crate::loadtest::Load;
use crate::output::counted;
use crate::span::parse_duration;

/// Between two readings where nothing else is said.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

/// More readings per second than any machine takes: the interval is whole nanoseconds.
const MAX_RATE: u32 = 10_000_000;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Readings per second, of all patients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    /// So many.
    PerSecond(u32),
    /// As many as the store takes.
    Max,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse() {
            Ok(rate) if (1..=MAX_RATE).contains(&rate) => Ok(Self::PerSecond(rate)),
            _ => Err(format!("write a whole number from 1 to {MAX_RATE}, or max")),
        }
    }
}

/// A time to measure for, which is longer than none.
pub(super) fn parse_length(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("nothing can be measured in no time".to_owned()),
        length => Ok(length),
    }
}

/// How fast readings are sent.
pub(super) fn load(args: &Args) -> Load {
    match (args.rate, args.interval) {
        (Some(Rate::Max), _) | (None, Some(Duration::ZERO)) => Load::Full,
        // Rounded up, so that a second never has one reading more than was asked for.
        (Some(Rate::PerSecond(rate)), _) => {
            Load::Every(Duration::from_nanos(NANOS_PER_SECOND.div_ceil(rate.max(1).into())))
        }
        (None, interval) => Load::Every(interval.unwrap_or(DEFAULT_INTERVAL)),
    }
}

/// What was measured, for the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parameters {
    /// Readings per second; null is as many as the store takes.
    pub(super) rate_per_second: Option<f64>,
    /// For how long readings were sent.
    pub(super) seconds: f64,
    pub(super) patients: u32,
    pub(super) partitions: u16,
    pub(super) consumers: u16,
    /// How long what was stored waited for its commit.
    #[serde(default)]
    pub(super) settle_seconds: f64,
}

impl Parameters {
    pub(super) fn of(args: &Args, settle_time: Duration) -> Self {
        let rate_per_second = match load(args) {
            Load::Full => None,
            Load::Every(interval) => Some(1.0 / interval.as_secs_f64()),
        };
        Self {
            rate_per_second: rate_per_second.map(super::figures::rounded),
            seconds: args.length.as_secs_f64(),
            patients: args.patients,
            partitions: args.partitions,
            consumers: args.consumers,
            settle_seconds: settle_time.as_secs_f64(),
        }
    }

    /// `1000 readings/s for 20 s`.
    pub(super) fn pace(&self) -> String {
        let seconds = self.seconds;
        match self.rate_per_second {
            Some(rate) => format!("{rate} readings/s for {seconds} s"),
            None => format!("as fast as the store takes them for {seconds} s"),
        }
    }

    /// `100 patients, 6 partitions, 1 consumer`, and the settle time where there is one.
    pub(super) fn sizes(&self) -> String {
        let mut sizes = format!(
            "{}, {}, {}",
            counted(self.patients, "patient"),
            counted(self.partitions, "partition"),
            counted(self.consumers, "consumer")
        );
        if self.settle_seconds > 0.0 {
            sizes.extend([", settle time ", &self.settle_seconds.to_string(), " s"]);
        }
        sizes
    }

    /// In which parameters `other` differs, in words.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let rate =
            |parameters: &Self| parameters.rate_per_second.map_or_else(|| "max".to_owned(), |rate| rate.to_string());
        let pairs = [
            ("rate", rate(self), rate(other)),
            ("seconds", self.seconds.to_string(), other.seconds.to_string()),
            ("patients", self.patients.to_string(), other.patients.to_string()),
            ("partitions", self.partitions.to_string(), other.partitions.to_string()),
            ("consumers", self.consumers.to_string(), other.consumers.to_string()),
            ("settle time", self.settle_seconds.to_string(), other.settle_seconds.to_string()),
        ];
        let differing = pairs.into_iter().filter(|(_, now, then)| now != then);
        differing.map(|(name, now, then)| format!("{name} {now}, then {then}")).collect()
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

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(format!("bench {line}").split_whitespace()).map(|line| line.args)
    }

    fn load_of(line: &str) -> Load {
        load(&parsed(line).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn an_interval_and_a_rate_say_the_same_in_two_ways() {
        assert_eq!(load_of(""), Load::Every(Duration::from_millis(100)));
        assert_eq!(load_of("--interval 0.1"), load_of("--rate 10"));
        assert_eq!(load_of("--interval 0"), Load::Full);
        assert_eq!(load_of("--rate max"), Load::Full);
    }

    #[test]
    fn a_rate_that_divides_no_second_gives_as_many_readings_as_it_says() {
        let Load::Every(interval) = load_of("--rate 300") else { panic!("a schedule") };
        assert!(interval * 900 >= Duration::from_secs(3) && interval * 899 < Duration::from_secs(3), "{interval:?}");
    }

    #[test]
    fn wrong_values_are_refused_with_their_option() {
        for (line, option) in [
            ("--rate 0", "--rate"),
            ("--rate fast", "--rate"),
            ("--rate 1 --interval 1", "--interval"),
            ("--for 0", "--for"),
            ("--patients 0", "--patients"),
            ("--partitions 0", "--partitions"),
            ("--consumers 0", "--consumers"),
        ] {
            let text = parsed(line).expect_err(line).to_string();
            assert!(text.contains(option), "{text}");
        }
    }

    #[test]
    fn what_differs_is_said_with_both_values() {
        let now = Parameters::of(&parsed("--rate max --for 5s").expect("parsed"), Duration::ZERO);
        assert_eq!(now.differences(&now.clone()), Vec::<String>::new());
        let then =
            Parameters::of(&parsed("--rate 50 --for 5s --consumers 2").expect("parsed"), Duration::from_secs(16));
        assert_eq!(now.differences(&then), ["rate max, then 50", "consumers 1, then 2", "settle time 0, then 16"]);
    }
}
