//! How figures are printed.

use serde::Serialize;

use super::figure::{Figure, Goal, Short};
use super::load::Load;
use super::machine::Machine;

/// Figures that belong together.
#[derive(Debug)]
pub(super) struct Table {
    /// Its stable name, for programs.
    pub(super) id: &'static str,
    /// Above it.
    pub(super) title: String,
    /// In the order in which they are read.
    pub(super) figures: Vec<Figure>,
}

/// What is measured, then what a reader compares: 80 columns in all.
const WHAT_COLUMNS: usize = 44;

/// What the figures were measured on.
pub(super) fn machine(load: &Load, machine: &Machine) -> String {
    let rounds = if load.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", load.rounds) };
    let Machine { cores, load_before } = machine;
    format!("{rounds} on {cores} cores; load average before the start: {load_before}\n")
}

/// A table to read.
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

/// Everything, for programs.
#[derive(Serialize)]
struct Report<'a> {
    rounds: u32,
    quick: bool,
    #[serde(flatten)]
    machine: &'a Machine,
    tables: Vec<TableReport<'a>>,
}

#[derive(Serialize)]
struct TableReport<'a> {
    id: &'a str,
    title: &'a str,
    figures: Vec<FigureReport<'a>>,
}

#[derive(Serialize)]
struct FigureReport<'a> {
    id: &'a str,
    unit: &'a str,
    median: f64,
    min: f64,
    max: f64,
    values: &'a [f64],
    goal: Option<Goal>,
    met: Option<bool>,
}

/// All tables, with every value.
pub(super) fn json(load: &Load, machine: &Machine, tables: &[Table]) -> String {
    let report = Report {
        rounds: load.rounds,
        quick: load.is_quick,
        machine,
        tables: tables.iter().map(TableReport::of).collect(),
    };
    // Numbers and texts always have a form in JSON.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

impl<'a> TableReport<'a> {
    fn of(table: &'a Table) -> Self {
        Self { id: table.id, title: &table.title, figures: table.figures.iter().map(FigureReport::of).collect() }
    }
}

impl<'a> FigureReport<'a> {
    fn of(figure: &'a Figure) -> Self {
        let (min, max) = figure.range();
        Self {
            id: &figure.id,
            unit: figure.unit,
            median: figure.median(),
            min,
            max,
            values: &figure.values,
            goal: figure.goal,
            met: figure.is_met(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
