//! A plot: lines over two axes, as SVG. Its colours are those of the page around it.

use std::fmt::Write as _;

use crate::cmd::common::html::escaped;

/// More ticks than this run into each other.
const MAX_TICKS: f64 = 6.0;

/// Counts have an axis that is long enough to be marked at whole numbers.
const SMALLEST_WHOLE: f64 = 5.0;

/// The drawing's own measure; the page scales it.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 304.0;

/// Around the plot, for what is written at the axes.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 54.0;

/// A plot of some lines.
#[derive(Debug)]
pub(super) struct Plot {
    title: &'static str,
    x: Axis,
    x_label: &'static str,
    y: Axis,
    y_label: &'static str,
    lines: Vec<Line>,
}

/// A line, with gaps where there is no value.
#[derive(Debug)]
pub(super) struct Line {
    label: &'static str,
    points: Vec<(f64, Option<f64>)>,
}

impl Line {
    pub(super) fn new(label: &'static str, points: impl Iterator<Item = (f64, Option<f64>)>) -> Self {
        Self { label, points: points.collect() }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

impl Plot {
    /// A plot of `lines`, with an upward axis that is made for their values.
    pub(super) fn new(
        title: &'static str,
        (x, x_label): (Axis, &'static str),
        (y, y_label): (fn(&[f64]) -> Axis, &'static str),
        lines: Vec<Line>,
    ) -> Self {
        let values: Vec<f64> = lines.iter().flat_map(Line::values).collect();
        Self { title, x, x_label, y: y(&values), y_label, lines }
    }

    /// The plot with its legend, for a page.
    pub(super) fn html(&self) -> String {
        let mut html = format!("<figure>\n<figcaption><strong>{}</strong>", escaped(self.title));
        for (number, line) in self.lines.iter().enumerate() {
            let none = if line.values().next().is_none() { " (none)" } else { "" };
            let label = escaped(line.label);
            // Writing into a text cannot fail.
            let _ = write!(
                html,
                " <span class=\"key\"><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><line class=\"line s{number}\" x1=\"0\" \
                 y1=\"4\" x2=\"24\" y2=\"4\"/></svg>{label}{none}</span>"
            );
        }
        let _ = write!(html, "</figcaption>\n{}</figure>\n", self.svg());
        html
    }

    fn svg(&self) -> String {
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(self.title)
        );
        self.draw_grid(&mut svg);
        for (number, line) in self.lines.iter().enumerate() {
            let _ = writeln!(svg, "<path class=\"line s{number}\" d=\"{}\"/>", self.path(line));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_grid(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text) in self.y.ticks() {
            let y = self.y_of(value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/><text class=\"y\" x=\"{:.1}\" \
                 y=\"{:.1}\">{text}</text>",
                LEFT - 8.0,
                y + 4.5
            );
        }
        for (value, text) in self.x.ticks() {
            let x = self.x_of(value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/><text class=\"x\" x=\"{x:.1}\" \
                 y=\"{:.1}\">{text}</text>",
                bottom + 20.0
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\n<text x=\"4\" y=\"16\">{}</text>\n<text class=\"end\" \
             x=\"{right}\" y=\"{:.1}\">{}</text>",
            escaped(self.y_label),
            HEIGHT - 8.0,
            escaped(self.x_label)
        );
    }

    /// Each run of values is a line of its own; a single one is a dot.
    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        for run in line.points.split(|(_, value)| value.is_none()) {
            for (number, (x, y)) in run.iter().enumerate() {
                let command = if number == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{:.1} {:.1}", self.x_of(*x), self.y_of(y.unwrap_or_default()));
            }
            if run.len() == 1 {
                path.push_str("h0");
            }
        }
        path
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

/// One direction of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Axis {
    /// From zero to this value.
    Linear(f64),
    /// From ten to this power, to ten to that one.
    Log(i32, i32),
    /// Percentiles, each of so many nines as wide as the one before.
    Nines(f64),
}

impl Axis {
    /// From zero to the largest of `values`, and a little more.
    pub(super) fn linear(values: &[f64]) -> Self {
        Self::up_to(largest(values) * 1.05)
    }

    /// The same, of counts.
    pub(super) fn whole(values: &[f64]) -> Self {
        Self::up_to(largest(values).max(SMALLEST_WHOLE) * 1.05)
    }

    /// From zero to this value and no further.
    pub(super) fn up_to(value: f64) -> Self {
        Self::Linear(if value > 0.0 { value } else { 1.0 })
    }

    /// Whole powers of ten around `values`.
    pub(super) fn log(values: &[f64]) -> Self {
        let smallest = values.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let largest = largest(values);
        if smallest > largest {
            return Self::Log(0, 1);
        }
        let (low, high) = (power(smallest.log10().floor()), power(largest.log10().ceil()));
        Self::Log(low, high.max(low + 1))
    }

    /// Percentiles up to the largest of `percentiles`.
    pub(super) fn nines(percentiles: impl Iterator<Item = f64>) -> Self {
        Self::Nines(percentiles.map(nines).fold(1.0, f64::max))
    }

    /// Where a value stands, from 0 at the beginning to 1 at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear(end) => value / end,
            Self::Log(low, high) => (value.max(f64::MIN_POSITIVE).log10() - f64::from(low)) / f64::from(high - low),
            Self::Nines(end) => nines(value) / end,
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are marked, and what is written at them.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(end) => linear_ticks(end),
            Self::Log(low, high) => log_ticks(low, high),
            Self::Nines(end) => {
                let named =
                    [(0.0, "0"), (90.0, "90"), (99.0, "99"), (99.9, "99.9"), (99.99, "99.99"), (99.999, "99.999")];
                let fitting = named.into_iter().filter(|(percentile, _)| nines(*percentile) <= end + 0.01);
                fitting.map(|(percentile, text)| (percentile, text.to_owned())).collect()
            }
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// How many nines a percentile has: 1 of 90, 2 of 99.
fn nines(percentile: f64) -> f64 {
    (1.0 / (1.0 - percentile / 100.0).max(1e-9)).log10()
}

/// Whole powers of ten within what a latency or a rate can be.
fn power(value: f64) -> i32 {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole, and held within the range")]
    let power = value.clamp(-6.0, 12.0) as i32;
    power
}

fn linear_ticks(end: f64) -> Vec<(f64, String)> {
    let step = nice(end / MAX_TICKS);
    let ticks = std::iter::successors(Some(0.0), |at| Some(at + step));
    ticks.take_while(|at| *at <= end * 1.001).map(|at| (at, compact(at))).collect()
}

/// The next of 1, 2 or 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let size = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| size * factor >= step * 0.999).unwrap_or(10.0);
    size * factor
}

/// Powers of ten; within a few of them also 2 and 5 times these.
fn log_ticks(low: i32, high: i32) -> Vec<(f64, String)> {
    let factors: &[f64] = if high - low <= 1 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = (low..=high).flat_map(|power| factors.iter().map(move |factor| 10_f64.powi(power) * factor));
    powers.filter(|value| *value <= 10_f64.powi(high) * 1.001).map(|value| (value, compact(value))).collect()
}

/// `0.1`, `50`, `20k`, `1.5M`.
fn compact(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 999_999.5 => (value / 1e6, "M"),
        size if size >= 999.9995 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Sums of steps such as 0.1 are not exact; four digits hide that.
    format!("{}{unit}", (value * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(lines: Vec<Line>) -> String {
        Plot { title: "Rate", x: Axis::Linear(10.0), x_label: "s", y: Axis::Linear(100.0), y_label: "1/s", lines }
            .html()
    }

    #[test]
    fn each_line_is_one_path_with_its_key() {
        let points = || [(1.0, Some(50.0)), (2.0, Some(60.0))].into_iter();
        let html = plot(vec![Line::new("sent", points()), Line::new("stored", points())]);
        assert_eq!(html.matches("<path class=\"line s").count(), 2);
        assert!(html.contains("<path class=\"line s0\" d=\"M106.0 140.0L154.0 118.0\"/>"), "{html}");
        assert!(html.contains("</svg>sent</span>") && html.contains("</svg>stored</span>"));
    }

    #[test]
    fn a_gap_breaks_a_line_and_a_single_value_is_a_dot() {
        let points = [(1.0, Some(0.0)), (2.0, None), (3.0, Some(0.0)), (4.0, Some(0.0))].into_iter();
        let html = plot(vec![Line::new("p50", points)]);
        assert!(html.contains("d=\"M106.0 250.0h0M202.0 250.0L250.0 250.0\""), "{html}");
    }

    #[test]
    fn a_line_without_values_says_so_in_its_key() {
        assert!(plot(vec![Line::new("alert", std::iter::empty())]).contains("alert (none)"));
    }

    fn texts(axis: Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_and_few() {
        assert_eq!(texts(Axis::Linear(20.0)), ["0", "5", "10", "15", "20"]);
        assert_eq!(texts(Axis::linear(&[61_234.0])), ["0", "20k", "40k", "60k"]);
        assert_eq!(texts(Axis::Linear(0.55)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        for end in 1..2000 {
            assert!((3..=8).contains(&texts(Axis::Linear(f64::from(end))).len()), "{end}");
        }
    }

    #[test]
    fn a_log_axis_spans_whole_powers_of_ten() {
        assert_eq!(Axis::log(&[0.7, 340.0]), Axis::Log(-1, 3));
        assert_eq!(texts(Axis::Log(-1, 3)), ["0.1", "1", "10", "100", "1k"]);
        assert_eq!(texts(Axis::log(&[2.0, 3.0])), ["1", "2", "5", "10"]);
        assert_eq!(Axis::log(&[]), Axis::Log(0, 1));
        assert_eq!(Axis::log(&[10.0]), Axis::Log(1, 2));
    }

    #[test]
    fn each_nine_is_as_wide_as_the_one_before() {
        let axis = Axis::nines([99.9].into_iter());
        let places = [0.0, 90.0, 99.0, 99.9].map(|percentile| format!("{:.2}", axis.place(percentile) * 3.0));
        assert_eq!(places, ["0.00", "1.00", "2.00", "3.00"]);
        assert_eq!(texts(axis), ["0", "90", "99", "99.9"]);
    }

    #[test]
    fn what_lies_outside_stands_at_the_edge() {
        assert!((Axis::Linear(10.0).place(12.0) - 1.0).abs() < f64::EPSILON);
        assert!(Axis::Log(0, 1).place(0.0).abs() < f64::EPSILON);
    }
}
