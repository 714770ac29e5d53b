//! The patients, one a line.

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::pen::{BOLD, DIM, PLAIN, Pen};
use crate::cmd::common::age::age;
use crate::cmd::top::patients::Patient;
use crate::cmd::top::words::{alerts, mark, pressure, value};
use crate::reading::Sign;

/// From this width on there is more room for ids.
const ROOMY: u16 = 100;

/// The columns between the patient and the alerts, with their widths; the last place of each is for the mark.
const COLUMNS: [(&str, u16); 6] = [("AGE", 6), ("HR", 7), ("SPO2", 6), ("SYS/DIA", 10), ("RR", 6), ("TEMP", 7)];

/// Draws the heading and as many patients as there is room for.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, scene: &Scene<'_>) {
    let mut lines = area.rows();
    if let Some(line) = lines.next() {
        heading(pen, line, scene);
    }
    let patients = scene.look.choose(&scene.board.patients);
    if patients.is_empty()
        && let Some(line) = lines.next()
    {
        pen.left(line, nobody(scene), DIM);
    }
    for (patient, line) in patients.into_iter().skip(scene.look.scroll).zip(lines) {
        row(pen, line, patient, scene.now);
    }
}

fn nobody(scene: &Scene<'_>) -> &'static str {
    if scene.board.patients.count() == 0 { "no reading yet" } else { "no patient passes the filter" }
}

fn heading(pen: &mut Pen<'_>, line: Rect, scene: &Scene<'_>) {
    let style = BOLD;
    let (id, mut rest) = cut(line, id_width(line));
    pen.left(id, "PATIENT", style);
    for (name, width) in COLUMNS {
        let (cell, after) = cut(rest, width);
        // Above the numbers, which leave a place for their mark.
        pen.right(cut(cell, width - 1).0, name, style);
        rest = after;
    }
    let (alerting, count) = (scene.board.patients.alerting(), scene.board.patients.count());
    pen.left(cut(rest, 1).1, &format!("ALERTS: {alerting} of {count}"), style);
}

fn row(pen: &mut Pen<'_>, line: Rect, patient: &Patient, now: DateTime<Utc>) {
    let strongest = patient.priority().map_or(PLAIN, |priority| pen.priority(priority));
    let (id, mut rest) = cut(line, id_width(line));
    pen.left(cut(id, id.width - 1).0, patient.id(), strongest);
    for ((text, mark, style), (_, width)) in cells(pen, patient, now).into_iter().zip(COLUMNS) {
        let (cell, after) = cut(rest, width);
        let (number, behind) = cut(cell, width - 1);
        pen.right(number, &text, style);
        pen.left(behind, mark, style);
        rest = after;
    }
    pen.left(cut(rest, 1).1, &alerts(patient), strongest);
}

/// Text, mark and style of each column.
fn cells(pen: &Pen<'_>, patient: &Patient, now: DateTime<Utc>) -> [(String, &'static str, Style); 6] {
    let sign = |sign| (value(patient, sign), mark(patient, sign), style(pen, patient, sign));
    // Both pressures are in one cell: the doubt about either is shown.
    let doubted = if mark(patient, Sign::Systolic).is_empty() { Sign::Diastolic } else { Sign::Systolic };
    [
        (age(now.timestamp_micros() - patient.last_micros()), "", PLAIN),
        sign(Sign::HeartRate),
        sign(Sign::Spo2),
        (pressure(patient), mark(patient, doubted), style(pen, patient, doubted)),
        sign(Sign::RespiratoryRate),
        sign(Sign::Temperature),
    ]
}

fn style(pen: &Pen<'_>, patient: &Patient, sign: Sign) -> Style {
    match patient.alert_about(sign) {
        Some(alert) => pen.priority(alert.priority),
        None if patient.is_carried(sign) => DIM,
        None => PLAIN,
    }
}

fn id_width(line: Rect) -> u16 {
    if line.width >= ROOMY { 20 } else { 10 }
}

/// The first `width` columns of `area`, and the rest.
fn cut(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}
