//! What was measured, and what it has to be.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Load, Machine};

#[derive(Debug, Clone, Serialize)]
#[serde(into = "FigureReport")]
pub(super) struct Figure {
    /// Its stable name, for programs.
    pub(super) id: String,
    pub(super) what: String,
    /// One value for each time it was measured, in this unit.
    pub(super) values: Vec<f64>,
    pub(super) unit: &'static str,
    /// What the median has to be, if anything.
    pub(super) goal: Option<Goal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self {
            Self::AtLeast(bound) => ("≥", bound),
            Self::AtMost(bound) => ("≤", bound),
        };
        out.pad(&format!("{sign} {}", Short(*bound)))
    }
}

impl Figure {
    /// The middle value; between two middle ones, halfway. Not a number where nothing was measured.
    pub(super) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
    }

    pub(super) fn range(&self) -> (f64, f64) {
        let sorted = self.sorted();
        (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN))
    }

    pub(super) fn is_met(&self) -> Option<bool> {
        self.goal.map(|goal| goal.is_met(self.median()))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

pub(super) fn values<T>(rounds: &[T], value: impl Fn(&T) -> f64) -> Vec<f64> {
    rounds.iter().map(value).collect()
}

pub(super) fn figure(id: &str, what: &str, values: Vec<f64>, unit: &'static str, goal: Option<Goal>) -> Figure {
    Figure { id: id.to_owned(), what: what.to_owned(), values, unit, goal }
}

/// The ratio of each round by itself: its two halves were measured one after the other.
pub(super) fn ratio(id: &str, what: &str, over: &[f64], under: &[f64], goal: Option<Goal>) -> Figure {
    let ratios = over.iter().zip(under).map(|(over, under)| over / under).collect();
    figure(id, what, ratios, "", goal)
}

pub(super) fn millis(id: &str, what: &str, times: &[Duration], goal: Option<Goal>) -> Figure {
    figure(id, what, values(times, |time| time.as_secs_f64() * 1e3), "ms", goal)
}

/// Bytes are counted in KiB on the way: so many fit a `u32` up to 4 TiB.
pub(super) fn mebibytes(id: &str, what: &str, bytes: impl IntoIterator<Item = u64>, goal: Option<Goal>) -> Figure {
    let mebibytes = |bytes: u64| f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0;
    figure(id, what, bytes.into_iter().map(mebibytes).collect(), "MiB", goal)
}

/// A number with three digits, as far as they say something: 0.052, 1.25, 20.4, 317, 206k, 1.23M.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scaled, suffix) = match self.0 {
            value if value >= 999_500.0 => (value / 1e6, "M"),
            value if value >= 1_000.0 => (value / 1e3, "k"),
            value => (value, ""),
        };
        let digits: usize = match scaled {
            value if value >= 99.95 => 0,
            value if value >= 9.995 => 1,
            value if value >= 0.1 => 2,
            _ => 3,
        };
        let text = format!("{scaled:.digits$}");
        let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        out.pad(&format!("{trimmed}{suffix}"))
    }
}

/// A whole number with its thousands apart: 1,000,000.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouped(pub(super) u32);

impl fmt::Display for Grouped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            number @ 0..1000 => write!(out, "{number}"),
            number => write!(out, "{},{:03}", Self(number / 1000), number % 1000),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) figures: Vec<Figure>,
}

/// What is measured, then what a reader compares: 80 columns in all.
const WHAT_COLUMNS: usize = 44;

pub(super) fn machine_line(load: &Load, machine: &Machine) -> String {
    let rounds = if load.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", load.rounds) };
    let Machine { cores, load_before } = machine;
    format!("{rounds} on {cores} cores; load average before the start: {load_before}\n")
}

pub(super) fn lines(table: &Table) -> Vec<String> {
    let head = format!("{:<WHAT_COLUMNS$} {:>6} {:>12}  {}", "", "median", "min–max", "goal");
    let mut lines = vec![table.title.clone(), head.trim_end().to_owned()];
    lines.extend(table.figures.iter().map(line));
    lines
}

fn line(figure: &Figure) -> String {
    let what = format!("{}, {}", figure.what, figure.unit);
    let what = if figure.unit.is_empty() { &figure.what } else { &what };
    let (low, high) = figure.range();
    let range = if figure.values.len() > 1 { format!("{}–{}", Short(low), Short(high)) } else { String::new() };
    let median = Short(figure.median()).to_string();
    let goal = figure.goal.map(|goal| goal.to_string()).unwrap_or_default();
    let verdict = match figure.is_met() {
        Some(true) => "ok",
        Some(false) => "missed",
        None => "",
    };
    // A long name may use the room in front of its number.
    let room = (WHAT_COLUMNS + 6).saturating_sub(what.chars().count());
    format!("{what} {median:>room$} {range:>12}  {goal:<7} {verdict}").trim_end().to_owned()
}

#[derive(Serialize)]
struct Report<'a> {
    rounds: u32,
    quick: bool,
    #[serde(flatten)]
    machine: &'a Machine,
    tables: &'a [Table],
}

/// A figure for programs.
#[derive(Serialize)]
struct FigureReport {
    id: String,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
    values: Vec<f64>,
    goal: Option<Goal>,
    met: Option<bool>,
}

impl From<Figure> for FigureReport {
    fn from(figure: Figure) -> Self {
        let ((min, max), median, met) = (figure.range(), figure.median(), figure.is_met());
        let Figure { id, values, unit, goal, .. } = figure;
        Self { id, unit, median, min, max, values, goal, met }
    }
}

pub(super) fn json(load: &Load, machine: &Machine, tables: &[Table]) -> String {
    let report = Report { rounds: load.rounds, quick: load.is_quick, machine, tables };
    // Numbers and texts always have a form in JSON.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], goal: Option<Goal>) -> Figure {
        figure("x", "x", values.to_vec(), "ms", goal)
    }

    #[test]
    fn the_median_is_the_middle_value_in_any_order() {
        for (values, median) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0)] {
            assert!((of(values, None).median() - median).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn nothing_measured_meets_no_goal() {
        assert_eq!(of(&[], Some(Goal::AtLeast(0.0))).is_met(), Some(false));
        assert_eq!(of(&[], Some(Goal::AtMost(1e9))).is_met(), Some(false));
    }

    #[test]
    fn the_median_meets_the_goal_and_not_the_best_value() {
        assert_eq!(of(&[0.5, 0.9, 2.0], Some(Goal::AtLeast(1.0))).is_met(), Some(false));
        assert_eq!(of(&[0.5, 1.0, 2.0], Some(Goal::AtLeast(1.0))).is_met(), Some(true));
        assert_eq!(of(&[0.1, 0.4, 0.5], Some(Goal::AtMost(0.3))).is_met(), Some(false));
        assert_eq!(of(&[1.0], None).is_met(), None);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0521, "0.052"),
            (0.3, "0.3"),
            (1.254, "1.25"),
            (20.44, "20.4"),
            (100.0, "100"),
            (316.9, "317"),
            (1_000.0, "1k"),
            (206_000.0, "206k"),
            (999_600.0, "1M"),
            (1_230_000.0, "1.23M"),
        ];
        for (number, short) in cases {
            assert_eq!(Short(number).to_string(), short);
        }
    }

    #[test]
    fn thousands_are_kept_apart() {
        for (number, text) in [(999, "999"), (2_000, "2,000"), (1_000_000, "1,000,000")] {
            assert_eq!(Grouped(number).to_string(), text);
        }
    }

    #[test]
    fn a_ratio_compares_within_its_round() {
        let ratio = ratio("r", "r", &[10.0, 300.0], &[20.0, 100.0], None);
        assert_eq!(ratio.values, [0.5, 3.0]);
    }

    #[test]
    fn memory_is_shown_in_mebibytes() {
        assert_eq!(mebibytes("m", "m", [3 * 512 * 1024], None).values, [1.5]);
    }

    fn table() -> Table {
        let figure = |id: &str, what: &str, values: &[f64], unit, goal| Figure {
            id: id.to_owned(),
            what: what.to_owned(),
            values: values.to_vec(),
            unit,
            goal,
        };
        let long = "drain of 600,000 readings of 100 patients";
        Table {
            id: "t",
            title: "a title".to_owned(),
            figures: vec![
                figure("ratio", "embedded / Kafka", &[0.5, 1.5, 0.75], "", Some(Goal::AtLeast(1.0))),
                figure("drain", long, &[105_000.0, 120_000.0, 99_900.0], "/s", Some(Goal::AtLeast(100_000.0))),
                figure("size", "size of the binary", &[9.55], "MiB", None),
            ],
        }
    }

    #[test]
    fn a_line_has_the_median_its_range_the_goal_and_a_verdict_in_80_columns() {
        let lines = lines(&table());
        assert_eq!(
            lines,
            [
                "a title",
                "                                             median      min–max  goal",
                "embedded / Kafka                               0.75      0.5–1.5  ≥ 1     missed",
                "drain of 600,000 readings of 100 patients, /s  105k   99.9k–120k  ≥ 100k  ok",
                "size of the binary, MiB                        9.55",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn the_report_for_programs_has_every_value() -> Result<(), serde_json::Error> {
        let machine = Machine { cores: 2, load_before: 0.5 };
        let report: serde_json::Value = serde_json::from_str(&json(&Load::full(3), &machine, &[table()]))?;
        let figure = &report["tables"][0]["figures"][0];
        assert_eq!(figure["values"], serde_json::json!([0.5, 1.5, 0.75]));
        assert_eq!(figure["goal"], serde_json::json!({ "at_least": 1.0 }));
        assert_eq!((&figure["median"], &figure["met"]), (&0.75.into(), &false.into()));
        assert_eq!((&report["rounds"], &report["cores"], &report["load_before"]), (&3.into(), &2.into(), &0.5.into()));
        assert_eq!(report["tables"][0]["figures"][2]["goal"], serde_json::Value::Null);
        Ok(())
    }
}
