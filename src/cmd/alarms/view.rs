//! Alarms in rows for programs, and for people.

use chrono::{DateTime, Utc};

use crate::admission::Admission;
use crate::alarm::Priority;
use crate::cmd::common::age::age;
use crate::cmd::common::line::{stars, tone};
use crate::cmd::common::table::{Field, print};
use crate::output::{Column, Format, FormatArgs, Output, OutputError, Text, Tone, Value, for_cell, visible, wrapped};
use crate::reading::Timestamp;
use crate::store::{AlarmState, StoredAlarm};

/// An alarm that is listed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub(super) alarm: StoredAlarm,
    pub(super) state: AlarmState,
    /// Whether its patient's data has stopped; not asked of one that is over.
    pub(super) is_stale: Option<bool>,
    /// What is known of its patient, where that one was admitted.
    pub(super) admission: Option<Admission>,
    /// Whether the patient's alarms are paused.
    pub(super) is_paused: bool,
}

/// The row as it is stored, behind what is made of it. The names are those of the table.
const FIELDS: [Field<Listed>; 20] = [
    (Column::text("id", "ID"), |listed| listed.alarm.id().to_string().into()),
    (Column::text("state", "STATE"), |listed| listed.state.name().into()),
    (Column::text("stale", "STALE"), |listed| listed.is_stale.into()),
    (Column::text("patient_id", "PATIENT"), |listed| listed.alarm.patient_id.as_str().into()),
    (Column::text("onset", "ONSET"), |listed| listed.alarm.onset.as_str().into()),
    (Column::text("rule", "RULE"), |listed| listed.alarm.rule.as_str().into()),
    (Column::text("priority", "PRIORITY"), |listed| text(listed.alarm.priority.as_ref())),
    (Column::number("value", "VALUE"), |listed| listed.alarm.value.into()),
    (Column::number("limit_in_force", "LIMIT"), |listed| listed.alarm.limit.into()),
    (Column::number("peak", "PEAK"), |listed| listed.alarm.peak.into()),
    (Column::text("started", "STARTED"), |listed| text(listed.alarm.started.as_ref())),
    (Column::text("returned", "RETURNED"), |listed| text(listed.alarm.returned.as_ref())),
    (Column::text("ended", "ENDED"), |listed| text(listed.alarm.ended.as_ref())),
    (Column::text("acknowledged_by", "BY"), |listed| text(listed.alarm.acknowledged_by.as_ref())),
    (Column::text("acknowledged_at", "AT"), |listed| text(listed.alarm.acknowledged_at.as_ref())),
    (Column::text("message", "MESSAGE"), |listed| text(listed.alarm.message.as_ref())),
    (Column::text("name", "NAME"), |listed| text(listed.admission.as_ref().and_then(|known| known.name.as_ref()))),
    (Column::text("ward", "WARD"), |listed| text(listed.admission.as_ref().and_then(|known| known.ward.as_ref()))),
    (Column::text("bed", "BED"), |listed| text(listed.admission.as_ref().and_then(|known| known.bed.as_ref()))),
    (Column::text("paused", "PAUSED"), |listed| listed.is_paused.into()),
];

/// In the table an empty text stands for none.
fn text(text: Option<&String>) -> Value {
    text.map(String::as_str).filter(|text| !text.is_empty()).into()
}

/// The priority, where it is one of ours.
pub(super) fn priority(alarm: &StoredAlarm) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| Some(priority.name()) == alarm.priority.as_deref())
}

pub(super) fn show(
    alarms: &[Listed],
    format: FormatArgs,
    now: DateTime<Utc>,
    output: &Output,
) -> Result<(), OutputError> {
    let is_terminal = output.stdout_is_terminal();
    if format.choose(is_terminal) != Format::Table {
        return print(output, format, &FIELDS, alarms);
    }
    let width = if is_terminal { output.text_width() } else { usize::MAX };
    let lines = lines(alarms, now, width, is_terminal);
    output.text(lines.into_iter().fold(Text::default(), |mut all, line| {
        all.append(line.plain('\n'));
        all
    }))
}

/// What stands above the columns.
const HEADINGS: [&str; 7] = ["PRI", "PATIENT", "ALARM", "STATE", "FOR", "PEAK", "LIMIT"];

/// Between two columns.
const GAP: &str = "  ";

/// What is below an alarm's first line begins here.
const INDENT: &str = "     ";

/// A longer id of a patient is cut in its column: all of it is in the alarm's id.
const PATIENT_CHARS: usize = 12;

/// A narrower column of an alarm's words could not be read.
const MIN_WORDS_CHARS: usize = 12;

/// Two or more lines for each alarm: its columns, its id, and who has acknowledged it. But for an id none is longer than
/// `width` where its words allow it.
pub(super) fn lines(alarms: &[Listed], now: DateTime<Utc>, width: usize, is_terminal: bool) -> Vec<Text> {
    if alarms.is_empty() {
        return Vec::new();
    }
    let rows: Vec<_> = alarms.iter().map(|listed| Row::of(listed, now, is_terminal)).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let needed = widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
    let [_, _, words, ..] = &mut widths;
    *words = words.saturating_sub(needed.saturating_sub(width)).max(MIN_WORDS_CHARS);
    let heading = Text::default().toned(Tone::Heading, padded(HEADINGS, widths).join(GAP));
    let rows = rows.iter().flat_map(|row| row.lines(widths, width));
    [heading].into_iter().chain(rows).collect()
}

/// The cells as wide as their columns: texts on the left of theirs, numbers on the right.
fn padded(cells: [&str; 7], widths: [usize; 7]) -> [String; 7] {
    let [of_marks, of_patient, of_words, of_state, of_lasted, of_peak, of_limit] = widths;
    let [marks, patient, words, state, lasted, peak, limit] = cells;
    [
        format!("{marks:<of_marks$}"),
        format!("{patient:<of_patient$}"),
        format!("{words:<of_words$}"),
        format!("{state:<of_state$}"),
        format!("{lasted:>of_lasted$}"),
        format!("{peak:>of_peak$}"),
        format!("{limit:>of_limit$}"),
    ]
}

/// An alarm as people see it.
struct Row {
    /// In the order of the [headings](HEADINGS).
    cells: [String; 7],
    /// How urgent it is, where it is on.
    tone: Option<Tone>,
    is_stale: bool,
    id: String,
    /// Who the patient is, where that is known, and who has acknowledged it.
    more: Vec<String>,
}

impl Row {
    fn of(listed: &Listed, now: DateTime<Utc>, is_terminal: bool) -> Self {
        let Listed { alarm, state, is_stale, admission, is_paused } = listed;
        let cell = |text: &str| if is_terminal { for_cell(text).into_owned() } else { visible(text) };
        let (priority, is_stale) = (priority(alarm), *is_stale == Some(true));
        let by = alarm.acknowledged_by.as_deref().unwrap_or("-");
        let at = alarm.acknowledged_at.as_deref().filter(|_| alarm.is_acknowledged());
        Self {
            cells: [
                priority.map_or("-", stars).to_owned(),
                shortened(&cell(&alarm.patient_id)),
                cell(alarm.message.as_deref().unwrap_or(&alarm.rule)),
                format!(
                    "{}{}{}",
                    state.name(),
                    if is_stale { " STALE" } else { "" },
                    if *is_paused && state.is_on() { " PAUSED" } else { "" }
                ),
                lasted(listed, now).unwrap_or_else(|| "-".to_owned()),
                number(alarm.peak.or(alarm.value)),
                number(alarm.limit),
            ],
            tone: priority.filter(|_| state.is_on()).map(tone),
            is_stale,
            id: cell(&alarm.id().to_string()),
            more: [
                admission.as_ref().map(|admission| cell(&admission.in_words())).filter(|words| !words.is_empty()),
                at.map(|at| format!("acknowledged by {} at {}", cell(by), cell(at))),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    fn lines(&self, widths: [usize; 7], width: usize) -> Vec<Text> {
        let [marks, patient, words, state, lasted, peak, limit] = self.cells.each_ref().map(String::as_str);
        let [of_marks, of_patient, of_words, ..] = widths;
        let mut words = wrapped("", "", words, of_words).into_iter();
        let first = words.next().unwrap_or_default();
        let [marks, patient, first, state, lasted, peak, limit] =
            padded([marks, patient, &first, state, lasted, peak, limit], widths);
        let columns = [
            (self.tone, marks),
            (None, patient),
            (self.tone, first),
            (self.is_stale.then_some(Tone::Doubt), state),
            (None, [lasted, peak, limit].join(GAP)),
        ];
        let place = " ".repeat(of_marks + GAP.len() + of_patient);
        let mut lines = vec![in_tones(columns)];
        lines.extend(words.map(|more| in_tones([(None, place.clone()), (self.tone, more)])));
        lines.push(format!("{INDENT}{}", self.id).into());
        let more = self.more.iter().flat_map(|text| wrapped(INDENT, INDENT, text, width));
        lines.extend(more.map(Text::from));
        lines
    }
}

/// The pieces on one line, apart.
fn in_tones(pieces: impl IntoIterator<Item = (Option<Tone>, String)>) -> Text {
    let mut line = Text::default();
    for (at, (tone, piece)) in (0..).zip(pieces) {
        line = line.plain(if at == 0 { "" } else { GAP });
        line = match tone {
            Some(tone) => line.toned(tone, piece),
            None => line.plain(piece),
        };
    }
    line
}

/// How old an alarm is that is on, or how long it was on.
fn lasted(listed: &Listed, now: DateTime<Utc>) -> Option<String> {
    let micros = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_micros);
    let end = match listed.state {
        AlarmState::Active | AlarmState::Returned => now.timestamp_micros(),
        AlarmState::Ended => micros(listed.alarm.end()?)?,
        AlarmState::Line => return None,
    };
    Some(age(end.saturating_sub(micros(&listed.alarm.onset)?)))
}

/// To the third decimal at most: derived values have many.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| ((value * 1000.0).round() / 1000.0).to_string())
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= PATIENT_CHARS {
        return text.to_owned();
    }
    text.chars().take(PATIENT_CHARS - 1).chain(['…']).collect()
}
