//! A patient's trend as SVG: when alarms were on, and the course of the signs below each other over the same time. Its
//! colours are those of the page around it, and only repeat what place, height and stars say.

use std::fmt::Write as _;

use super::clock::{Clock, DAY, HOUR};
use super::period::Period;
use super::summary::{Band, Detail};
use super::trend::{Line, Point};
use crate::alarm::Priority;
use crate::alarm::rules::{Micros, SECOND};
use crate::cmd::common::html::shown;
use crate::cmd::common::line::stars;
use crate::cmd::common::number::rounded;
use crate::reading::Sign;

/// The drawing's own measure; the page scales it.
const WIDTH: f64 = 720.0;

/// Around the plots: names and limits on the left, what was lowest and highest on the right.
const LEFT: f64 = 110.0;
const RIGHT: f64 = 90.0;

/// Of each priority's alarms, and of each sign.
const LANE: f64 = 15.0;
const ROW: f64 = 64.0;

/// Between the alarms and the signs, and around a sign's plot.
const GAP: f64 = 10.0;

/// Below, for the times.
const BOTTOM: f64 = 24.0;

/// An alarm that is shorter can be seen all the same.
const NARROWEST: f64 = 2.0;

/// More ticks than this run into each other.
const MAX_TICKS: Micros = 7;

const MINUTE: Micros = 60 * SECOND;

/// What may lie between two ticks; beyond, so many of the last ones.
const STEPS: [Micros; 13] = [
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
];

/// How a sign is drawn: its name, its unit, and the values that its plot spans at least, in such steps.
struct Scale {
    name: &'static str,
    unit: &'static str,
    from: f64,
    to: f64,
    step: f64,
}

impl Scale {
    /// Wide enough for a plain patient, so that the same height means the same; wider where values are.
    fn of(line: &Line) -> Self {
        let scale = |name, unit, (from, to): (f64, f64), step| Self { name, unit, from, to, step };
        let scale = match line.sign {
            Sign::HeartRate => scale("heart rate", "/min", (40.0, 140.0), 20.0),
            Sign::Spo2 => scale("SpO2", "%", (85.0, 100.0), 5.0),
            Sign::Systolic => scale("systolic", "mmHg", (80.0, 180.0), 20.0),
            Sign::Diastolic => scale("diastolic", "mmHg", (40.0, 120.0), 20.0),
            Sign::RespiratoryRate => scale("resp. rate", "/min", (5.0, 35.0), 5.0),
            Sign::Temperature => scale("temperature", "°C", (35.0, 40.0), 1.0),
        };
        let Some((low, high)) = line.range() else { return scale };
        let Self { from, to, step, .. } = scale;
        Self { from: from.min((low / step).floor() * step), to: to.max((high / step).ceil() * step), ..scale }
    }
}

/// The trend of the patient who is called `label`. `number` tells it from others on the page.
pub(super) fn svg(detail: &Detail, label: &str, number: usize, period: &Period, clock: &Clock) -> String {
    let mut drawing = Drawing { period: *period, svg: String::new() };
    let height = lanes() + GAP + detail.lines.iter().map(|_| ROW).sum::<f64>() + BOTTOM;
    // Writing into a text cannot fail.
    let _ = write!(
        drawing.svg,
        "<svg class=\"trend\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t{number} d{number}\">\n\
         <title id=\"t{number}\">Trend of {}</title>\n<desc id=\"d{number}\">{}</desc>\n",
        shown(label),
        shown(&description(detail))
    );
    drawing.times(clock, height);
    drawing.alarms(&detail.bands, height);
    for (place, line) in (0_u32..).zip(&detail.lines) {
        drawing.sign(line, lanes() + GAP + f64::from(place) * ROW);
    }
    drawing.svg.push_str("</svg>\n");
    drawing.svg
}

/// What the drawing shows, for those who do not see it.
fn description(detail: &Detail) -> String {
    let sign = |line: &Line| {
        let Scale { name, unit, .. } = Scale::of(line);
        let gaps = line.runs.len().saturating_sub(1);
        let range = line
            .range()
            .map_or_else(|| "no values".to_owned(), |(low, high)| format!("{} to {} {unit}", text(low), text(high)));
        let gaps = if gaps > 0 { format!(", gaps: {gaps}") } else { String::new() };
        let doubted = if line.doubted.is_empty() { "" } else { ", with values that are not believed" };
        format!("{name} {range}{gaps}{doubted}")
    };
    let signs: Vec<_> = detail.lines.iter().map(sign).collect();
    format!("Alarms on: {}. {}.", detail.bands.len(), signs.join("; "))
}

/// How high the lanes of the alarms are together.
fn lanes() -> f64 {
    Priority::ALL.iter().map(|_| LANE).sum()
}

struct Drawing {
    period: Period,
    svg: String,
}

impl Drawing {
    fn x_of(&self, time: Micros) -> f64 {
        let part = ratio(time.saturating_sub(self.period.since), self.period.length());
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn times(&mut self, clock: &Clock, height: f64) {
        let bottom = height - BOTTOM;
        for (time, text) in ticks(&self.period, clock) {
            let x = self.x_of(time);
            let _ = writeln!(
                self.svg,
                "<path class=\"grid\" d=\"M{x:.1} 0V{bottom:.1}\"/><text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{text}</text>",
                bottom + 16.0
            );
        }
    }

    /// A lane for each priority, and a shade through all signs where any alarm was on.
    fn alarms(&mut self, bands: &[Band], height: f64) {
        for (from, to) in self.stretches(bands, |_| true) {
            let _ = writeln!(
                self.svg,
                "<rect class=\"shade\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                lanes(),
                to - from,
                height - BOTTOM - lanes()
            );
        }
        let _ = writeln!(self.svg, "<text x=\"0\" y=\"{:.1}\">alarms</text>", LANE - 3.0);
        for (place, priority) in (0_u32..).zip(Priority::ALL) {
            let top = f64::from(place) * LANE;
            let middle = top + LANE / 2.0;
            let (name, marks, half) = (priority.name(), stars(priority), half_height(priority));
            let _ = writeln!(
                self.svg,
                "<text class=\"y {name}\" x=\"{:.1}\" y=\"{:.1}\">{marks}</text>\
                 <path class=\"grid\" d=\"M{LEFT} {middle:.1}H{:.1}\"/>",
                LEFT - 8.0,
                top + LANE - 3.0,
                WIDTH - RIGHT
            );
            // What has a priority that is none of ours is not left out.
            let is_here = |band: &Band| band.priority.unwrap_or(Priority::Low) == priority;
            for (from, to) in self.stretches(bands, is_here) {
                let _ = writeln!(
                    self.svg,
                    "<rect class=\"{name}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                    middle - half,
                    to - from,
                    2.0 * half
                );
            }
        }
    }

    /// From where to where alarms were on; what cannot be told apart is one.
    fn stretches(&self, bands: &[Band], is_meant: impl Fn(&Band) -> bool) -> Vec<(f64, f64)> {
        let mut stretches: Vec<(f64, f64)> = Vec::new();
        let mut bands: Vec<_> = bands.iter().filter(|band| is_meant(band)).collect();
        bands.sort_by_key(|band| band.from);
        for band in bands {
            let from = self.x_of(band.from);
            let to = self.x_of(band.to).max(from + NARROWEST);
            match stretches.last_mut() {
                Some((_, last)) if from <= *last + 0.5 => *last = last.max(to),
                _ => stretches.push((from, to)),
            }
        }
        stretches
    }

    /// The plot of a sign, from `top` on.
    fn sign(&mut self, line: &Line, top: f64) {
        let scale = Scale::of(line);
        let (upper, lower) = (top + GAP, top + ROW - GAP);
        let right = WIDTH - RIGHT;
        let _ = writeln!(
            self.svg,
            "<path class=\"axis\" d=\"M{LEFT} {upper:.1}H{right:.1}M{LEFT} {lower:.1}H{right:.1}\"/>\
             <text x=\"0\" y=\"{:.1}\">{}</text><text class=\"unit\" x=\"0\" y=\"{:.1}\">{}</text>\
             <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            top + 24.0,
            scale.name,
            top + 40.0,
            scale.unit,
            LEFT - 8.0,
            upper + 5.0,
            text(scale.to),
            LEFT - 8.0,
            lower + 5.0,
            text(scale.from)
        );
        let range = line.range().map_or_else(|| "none".to_owned(), span);
        let _ = writeln!(self.svg, "<text x=\"{:.1}\" y=\"{:.1}\">{range}</text>", right + 10.0, top + ROW / 2.0 + 5.0);
        let y_of = |value: f64| lower - (value - scale.from) / (scale.to - scale.from) * (lower - upper);
        let (single, joined): (Vec<_>, Vec<_>) = line.runs.iter().partition(|run| run.len() == 1);
        for (class, runs) in [("line", joined), ("line dot", single)] {
            if !runs.is_empty() {
                let _ = writeln!(self.svg, "<path class=\"{class}\" d=\"{}\"/>", self.path(&runs, y_of));
            }
        }
        for time in &line.doubted {
            let (x, y) = (self.x_of(*time), lower - 1.0);
            let _ = writeln!(self.svg, "<path class=\"doubt\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"/>", x - 3.0, y - 3.0);
        }
    }

    /// Each run is a line of its own; a single value is a dot.
    fn path(&self, runs: &[&Vec<Point>], y_of: impl Fn(f64) -> f64) -> String {
        let mut path = String::new();
        for run in runs {
            for (number, point) in run.iter().enumerate() {
                let command = if number == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{:.1} {:.1}", self.x_of(point.time), y_of(point.value));
            }
            if run.len() == 1 {
                path.push_str("h0");
            }
        }
        path
    }
}

/// The more urgent, the higher.
fn half_height(priority: Priority) -> f64 {
    match priority {
        Priority::High => 6.0,
        Priority::Medium => 3.5,
        Priority::Low => 1.5,
    }
}

/// `62–131`, or one value alone.
fn span((low, high): (f64, f64)) -> String {
    let (low, high) = (text(low), text(high));
    if low == high { low } else { format!("{low}–{high}") }
}

fn text(value: f64) -> String {
    rounded(value).to_string()
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a drawing is no finer than its pixels")]
fn ratio(part: Micros, whole: Micros) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The times that are marked: whole hours or days, or what suits, by the clock on the wall, also where that is changed
/// in between.
fn ticks(period: &Period, clock: &Clock) -> Vec<(Micros, String)> {
    let longest = STEPS.last().copied().unwrap_or(DAY);
    let fits = |step: &Micros| period.length() / *step < MAX_TICKS;
    let many = || longest.saturating_mul(period.length() / longest / MAX_TICKS + 1);
    let step = STEPS.into_iter().find(fits).unwrap_or_else(many);
    let on_the_wall = |time: Micros| time.saturating_add(clock.ahead(time));
    // An hour of a change may be there twice, or not at all: it is looked for a little beyond both ends.
    let first = on_the_wall(period.since).saturating_sub(2 * HOUR);
    let last = on_the_wall(period.until).saturating_add(2 * HOUR);
    let first = first.saturating_add((-first).rem_euclid(step));
    let round = std::iter::successors(Some(first), |time| time.checked_add(step)).take_while(|time| *time < last);
    let label = |time| if step < DAY { clock.minute(time) } else { clock.day(time) };
    let times = round.filter_map(|wall| clock.when(wall)).filter(|time| period.holds(*time));
    times.map(|time| (time, label(time))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Period = Period { since: 0, until: 10 * HOUR, now: 10 * HOUR };

    fn line(runs: &[&[(Micros, f64)]], doubted: &[Micros]) -> Line {
        let point = |(minute, value): &(Micros, f64)| Point { time: minute * MINUTE, value: *value };
        let runs = runs.iter().map(|run| run.iter().map(point).collect()).collect();
        Line { sign: Sign::HeartRate, runs, doubted: doubted.iter().map(|minute| minute * MINUTE).collect() }
    }

    fn drawn(bands: &[Band], lines: Vec<Line>, label: &str) -> String {
        let detail = Detail { alarms: Vec::new(), unlisted: 0, bands: bands.to_vec(), lines };
        svg(&detail, label, 7, &PERIOD, &Clock::of_utc())
    }

    fn band(priority: Priority, from: Micros, to: Micros) -> Band {
        Band { priority: Some(priority), from: from * MINUTE, to: to * MINUTE }
    }

    #[test]
    fn a_gap_is_not_drawn_across_and_a_single_value_is_a_dot() {
        let svg = drawn(&[], vec![line(&[&[(0, 40.0), (300, 140.0)], &[(600, 90.0)]], &[])], "P1");
        assert!(svg.contains("<path class=\"line\" d=\"M110.0 109.0L370.0 65.0\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"line dot\" d=\"M630.0 87.0h0\"/>"), "{svg}");
        assert!(svg.contains(">40–140</text>"), "{svg}");
    }

    #[test]
    fn a_value_that_is_not_believed_is_a_cross_and_no_part_of_the_line() {
        let svg = drawn(&[], vec![line(&[], &[300])], "P1");
        assert_eq!((svg.matches("class=\"doubt\"").count(), svg.matches("class=\"line\"").count()), (1, 0));
        assert!(svg.contains("heart rate no values, with values that are not believed"), "{svg}");
    }

    #[test]
    fn each_priority_has_its_lane_its_height_and_its_stars() {
        let bands = [band(Priority::High, 0, 60), band(Priority::Low, 120, 120), band(Priority::High, 30, 90)];
        let svg = drawn(&bands, Vec::new(), "P1");
        let rects = |class: &str| svg.matches(&format!("<rect class=\"{class}\"")).count();
        assert_eq!((rects("high"), rects("medium"), rects("low"), rects("shade")), (1, 0, 1, 2));
        assert!(svg.contains("<rect class=\"high\" x=\"110.0\" y=\"1.5\" width=\"78.0\" height=\"12.0\"/>"), "{svg}");
        assert!(svg.contains("width=\"2.0\" height=\"3.0\""), "one of no length is seen: {svg}");
        for marks in [">***<", ">**<", ">*<"] {
            assert!(svg.contains(marks), "{marks}");
        }
    }

    #[test]
    fn it_says_in_words_what_it_shows_and_what_others_have_named_is_escaped() {
        let svg = drawn(&[band(Priority::High, 0, 60)], vec![line(&[&[(0, 72.0), (1, 81.0)]], &[])], "<script>");
        assert!(svg.contains("aria-labelledby=\"t7 d7\"") && svg.contains("<title id=\"t7\">Trend of &lt;script&gt;"));
        assert!(svg.contains("<desc id=\"d7\">Alarms on: 1. heart rate 72 to 81 /min.</desc>"), "{svg}");
        assert!(!svg.contains("<script"));
    }

    #[test]
    fn ticks_are_round_times_and_few() {
        let of = |from: Micros, length: Micros| {
            let period = Period { since: from, until: from + length, now: 0 };
            ticks(&period, &Clock::of_utc()).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(of(30 * MINUTE, 12 * HOUR), ["02:00", "04:00", "06:00", "08:00", "10:00", "12:00"]);
        assert_eq!(of(0, 10 * MINUTE), ["00:00", "00:02", "00:04", "00:06", "00:08"]);
        assert_eq!(of(0, 3 * DAY), ["00:00", "12:00", "00:00", "12:00", "00:00", "12:00"]);
        assert_eq!(of(0, 5 * DAY), ["01-01", "01-02", "01-03", "01-04", "01-05"]);
        // A clock that is changed on the third day, by an hour ahead and by one back.
        for clock in [Clock::changed(3 * DAY, 0, 3600), Clock::changed(3 * DAY, 3600, 0)] {
            let period = Period { since: 0, until: 5 * DAY, now: 0 };
            let ticks = ticks(&period, &clock);
            let texts: Vec<_> = ticks.iter().map(|(time, text)| (clock.minute(*time), text.as_str())).collect();
            let days = ["01-01", "01-02", "01-03", "01-04", "01-05", "01-06"];
            let expected = days.into_iter().map(|day| ("00:00".to_owned(), day));
            assert_eq!(texts, expected.filter(|day| texts.contains(day)).collect::<Vec<_>>());
            assert!(texts.len() >= 4 && texts.windows(2).all(|two| two[0].1 < two[1].1), "{texts:?}");
            let period = Period { since: 3 * DAY - 6 * HOUR, until: 3 * DAY + 6 * HOUR, now: 0 };
            let hours = super::ticks(&period, &clock);
            assert!(hours.iter().all(|(_, text)| text.ends_with(":00") && (text.starts_with(char::is_numeric))));
            assert!(hours.iter().all(|(time, _)| (time + clock.ahead(*time)) % (2 * HOUR) == 0), "{hours:?}");
        }
        for days in 1..2000 {
            assert!((1..=8).contains(&of(0, days * DAY).len()), "{days}");
        }
    }
}
