//! The report as one file for a browser or a printer: it needs nothing else, and asks nobody.

use super::clock::{Clock, lasted, range_in_utc};
use super::drawing;
use super::facts::{duration, facts, marks, score, sentence, state};
use super::raised::Raised;
use super::summary::{Detail, OfRule, Patient, Summary};
use crate::alarm::Priority;
use crate::archive::ArchiveError;
use crate::archive::partial::Partial;
use crate::cmd::common::html::{escaped, filled, shown};
use crate::cmd::common::number::{percent, rounded, short};

/// The page without a report: its style, and where what goes.
const TEMPLATE: &str = include_str!("page.html");

/// Where the patients stand in it, one after the other.
const PATIENTS: &str = "{{patients}}";

/// So many alarms that nobody has acknowledged are named in one table.
const NAMED: usize = 16;

/// What the columns of the table by patient mean.
const BY_PATIENT: &str = "<p class=\"faint\">*** is high priority, ** medium, * low. A day: by patient-day of readings. In \
                          alarm: within that time, several at once count once. Longest: from when it was raised, at most to the \
                          end of that time. NEWS2: the highest, ≥ where inputs are missing.</p>\n";

/// How long an alarm lasts.
const LONGEST: &str = "The alarms that lasted longest, each from when it was raised to its end. What goes on after that time \
                       counts up to the end of that time, or until this page was made: ≥.";

/// How the drawings are to be read.
const LEGEND: &str = "<p class=\"faint\">In each trend, alarms stand above: *** high, ** medium and * low, the more \
                      urgent the higher the bar; while one was on, the signs below are shaded. A line is broken where \
                      nothing was measured. × is a value that is not believed. On the right: the lowest and the highest.\
                      </p>\n";

/// Writes the page, patient by patient, and tells its size in bytes.
pub(super) fn write(mut file: Partial, summary: &Summary, clock: &Clock) -> Result<u64, ArchiveError> {
    let (above, below) = TEMPLATE.split_once(PATIENTS).unwrap_or((TEMPLATE, ""));
    file.write(&filled(above, &head(summary, clock)))?;
    for (number, patient) in summary.patients.iter().enumerate() {
        file.write(&section(patient, number, summary, clock))?;
    }
    file.write(below)?;
    file.finish()
}

/// The parts of the template above the patients.
fn head(summary: &Summary, clock: &Clock) -> [(&'static str, String); 7] {
    let period = &summary.period;
    let fact = |(name, words): (&str, String)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), shown(&words));
    let note = |text: &String| format!("<p class=\"faint\">Note: {}.</p>\n", escaped(text));
    [
        ("title", escaped(&format!("Alarms from {}", clock.range(period)))),
        ("utc", escaped(&range_in_utc(period))),
        ("seen", escaped(&clock.day_and_minute(period.now))),
        ("facts", facts(summary, clock).into_iter().map(fact).collect()),
        ("notes", summary.gaps().iter().map(note).collect()),
        ("tables", tables(summary, clock)),
        (
            "legend",
            if summary.patients.is_empty() {
                String::new()
            } else {
                format!("<h2 class=\"patients\">Patients</h2>\n{LEGEND}")
            },
        ),
    ]
}

fn tables(summary: &Summary, clock: &Clock) -> String {
    if summary.patients.is_empty() {
        return "<p>There are no readings and no alarms in that time.</p>\n".to_owned();
    }
    [by_patient(summary, clock), unacknowledged(summary, clock), longest(summary, clock), by_rule(summary)].concat()
}

fn longest(summary: &Summary, clock: &Clock) -> String {
    let columns = [
        ("Priority", WORDS),
        ("Patient", WORDS),
        ("Alarm", WORDS),
        ("For", NUMBERS),
        ("Raised", WORDS),
        ("State", WORDS),
    ];
    let row = |alarm: &Raised| {
        let whose = format!("{}{}", cell(&alarm.label), cell(alarm.message()));
        let time = format!("{}{}", number(&duration(alarm, &summary.period)), cell(&raised(alarm, clock)));
        format!("{}{whose}{time}{}", priority(alarm), cell(&state(alarm)))
    };
    table("Longest", LONGEST, &columns, summary.longest.iter().map(row))
}

fn by_rule(summary: &Summary) -> String {
    let columns = [("Rule", WORDS), ("Alarms", NUMBERS), ("Median", NUMBERS), ("Under 30 s", NUMBERS)];
    let row = |of: &OfRule| {
        let cells = [of.raised.to_string(), lasted(of.median), of.short.to_string()];
        format!("{}{}", cell(&of.rule), cells.iter().map(|text| number(text)).collect::<String>())
    };
    table("By rule", "Alarms raised, and how long they lasted.", &columns, summary.rules.iter().map(row))
}

fn unacknowledged(summary: &Summary, clock: &Clock) -> String {
    let all = summary.totals.unacknowledged;
    let more =
        if all > NAMED { format!(", {NAMED} of {all}; vitals alarms list has the others") } else { String::new() };
    let caption = format!("Nobody has acknowledged these{more}. The second line is the id for vitals alarms ack.");
    let columns = [
        ("Priority", WORDS),
        ("Patient", WORDS),
        ("Alarm", WORDS),
        ("Age", NUMBERS),
        ("Raised", WORDS),
        ("State", WORDS),
    ];
    let row = |alarm: &Raised| {
        let id = shown(&alarm.row.id().to_string());
        let words = format!("<td><bdi>{}</bdi><br><code>{id}</code></td>", shown(alarm.message()));
        let age = lasted(summary.period.now.saturating_sub(alarm.start).max(0));
        let time = format!("{}{}", number(&age), cell(&raised(alarm, clock)));
        format!("{}{}{words}{time}{}", priority(alarm), cell(&alarm.label), cell(&state(alarm)))
    };
    table("Not acknowledged", &caption, &columns, summary.unacknowledged.iter().take(NAMED).map(row))
}

fn by_patient(summary: &Summary, clock: &Clock) -> String {
    let columns = [
        ("Patient", WORDS),
        ("***", NUMBERS),
        ("**", NUMBERS),
        ("*", NUMBERS),
        ("All", NUMBERS),
        ("A day", NUMBERS),
        ("Share", NUMBERS),
        ("In alarm", NUMBERS),
        ("Longest", NUMBERS),
        ("Not ack.", NUMBERS),
        ("NEWS2", NUMBERS),
        ("At", NUMBERS),
    ];
    let row = |(place, patient): (usize, &Patient)| {
        let burden = &patient.burden;
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let numbers = [
            burden.raised.high.to_string(),
            burden.raised.medium.to_string(),
            burden.raised.low.to_string(),
            burden.raised.all.to_string(),
            or_none(burden.per_day().map(short)),
            or_none(burden.share(summary.totals.raised.all).map(percent)),
            or_none(Some(burden.in_alarm).filter(|on| *on > 0).map(lasted)),
            or_none(burden.longest.map(lasted)),
            burden.unacknowledged.to_string(),
            or_none(burden.peak.map(|peak| score(&peak))),
            or_none(burden.peak.map(|peak| clock.day_and_minute(peak.time))),
        ];
        let numbers: String = numbers.iter().map(|text| number(text)).collect();
        format!("<td class=\"name\"><a href=\"#p{place}\"><bdi>{}</bdi></a></td>{numbers}", shown(&burden.label))
    };
    let table =
        bare_table("The patient with most alarms comes first.", &columns, summary.patients.iter().enumerate().map(row));
    format!("<h2>By patient</h2>\n{BY_PATIENT}{table}")
}

/// A patient's block.
fn section(patient: &Patient, place: usize, summary: &Summary, clock: &Clock) -> String {
    let Patient { burden, detail } = patient;
    let label = shown(&burden.label);
    let words = shown(&sentence(burden, summary.totals.raised.all, clock));
    let mut html =
        format!("<section class=\"patient\" id=\"p{place}\">\n<h3><bdi>{label}</bdi></h3>\n<p>{words}.</p>\n");
    if let Some(detail) = detail {
        let svg = drawing::svg(detail, &burden.label, place, &summary.period, clock);
        html += &wide(&format!("Trend of {}", burden.label), &svg);
        html += &alarms(detail, &burden.label, summary, clock);
    }
    html += "</section>\n";
    html
}

fn alarms(detail: &Detail, label: &str, summary: &Summary, clock: &Clock) -> String {
    if detail.alarms.is_empty() {
        return String::new();
    }
    let columns = [
        ("Priority", WORDS),
        ("Alarm", WORDS),
        ("For", NUMBERS),
        ("Raised", WORDS),
        ("Peak", NUMBERS),
        ("Limit", NUMBERS),
        ("State", WORDS),
    ];
    let row = |alarm: &Raised| {
        let value =
            |value: Option<f64>| number(&value.map_or_else(|| "-".to_owned(), |value| rounded(value).to_string()));
        let time = format!("{}{}", number(&duration(alarm, &summary.period)), cell(&raised(alarm, clock)));
        let values = format!("{}{}", value(alarm.row.peak.or(alarm.row.value)), value(alarm.row.limit));
        format!("{}{}{time}{values}{}", priority(alarm), cell(alarm.message()), cell(&state(alarm)))
    };
    let more =
        if detail.unlisted > 0 { format!("; {} earlier ones are not listed", detail.unlisted) } else { String::new() };
    let caption = format!("Alarms of {label}{more}");
    bare_table(&caption, &columns, detail.alarms.iter().map(row))
}

fn raised(alarm: &Raised, clock: &Clock) -> String {
    clock.day_and_minute(alarm.start)
}

fn priority(alarm: &Raised) -> String {
    let name = alarm.priority.map_or("unknown", Priority::name);
    format!("<td><span class=\"{name}\">{}</span> {name}</td>", marks(alarm))
}

fn cell(text: &str) -> String {
    format!("<td><bdi>{}</bdi></td>", shown(text))
}

fn number(text: &str) -> String {
    format!("<td{NUMBERS}>{}</td>", shown(text))
}

/// A table below its heading, where it has rows.
fn table(heading: &str, caption: &str, columns: &[Heading], rows: impl Iterator<Item = String>) -> String {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    format!("<h2>{}</h2>\n{}", escaped(heading), bare_table(caption, columns, rows))
}

/// A column's heading, and where it stands.
type Heading = (&'static str, &'static str);

/// On the left, for words; on the right, for numbers.
const WORDS: &str = "";
const NUMBERS: &str = " class=\"n\"";

fn bare_table(caption: &str, columns: &[Heading], rows: impl Iterator<Item = String>) -> String {
    let heading = |(text, place): &Heading| format!("<th scope=\"col\"{place}>{}</th>", escaped(text));
    let headings: String = columns.iter().map(heading).collect();
    let mut table =
        format!("<table>\n<caption>{}</caption>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n", shown(caption));
    for cells in rows {
        table.extend(["<tr>", &cells, "</tr>\n"]);
    }
    table += "</tbody>\n</table>\n";
    wide(caption, &table)
}

/// What may be wider than the screen is moved there by itself, also by the keys.
fn wide(name: &str, html: &str) -> String {
    format!("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n{html}</div>\n", shown(name))
}
