//! A plot: lines over two axes, as SVG. Its colours are those of the page around it.

use std::fmt::Write as _;

use super::axis::Axis;
use super::page::escaped;

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
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) x_label: &'static str,
    pub(super) y: Axis,
    pub(super) y_label: &'static str,
    pub(super) lines: Vec<Line>,
}

/// A line, with gaps where there is no value.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: &'static str,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Line {
    pub(super) fn new(label: &'static str, points: impl Iterator<Item = (f64, Option<f64>)>) -> Self {
        Self { label, points: points.collect() }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

impl Plot {
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
}
