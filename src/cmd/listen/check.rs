//! `--check`: what is made of the messages of a file, segment by segment.

use std::path::Path;

use bytes::Bytes;
use chrono::Utc;
use color_eyre::eyre::Result;

use super::ListenCommandError;
use super::hl7::content;
use crate::advice::Code;
use crate::cmd::common::table::{Field, Table};
use crate::intake::hl7::framing::{Frame, Inbox, MAX_FRAME_BYTES, START};
use crate::intake::hl7::judge::{Judged, judge_aloud};
use crate::intake::hl7::lines;
use crate::intake::hl7::refusal::Place;
use crate::intake::hl7::sender::Sender;
use crate::output::{Column, FormatArgs, Output, counted};
use crate::reading::encode;

/// The longest file: some of the longest messages.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// One segment, or what comes of a message.
#[derive(Debug, PartialEq)]
struct Explained {
    /// From 1.
    message: usize,
    /// As `OBX[3]`; `reading` and `verdict` at its end.
    place: String,
    says: String,
}

const FIELDS: [Field<Explained>; 3] = [
    (Column::number("message", "MESSAGE"), |row| row.message.into()),
    (Column::text("place", "PLACE"), |row| row.place.as_str().into()),
    (Column::text("meaning", "MEANING"), |row| row.says.as_str().into()),
];

/// Explains the messages of `file`; a finding where one would be refused.
pub(super) fn run(file: &Path, sender: &Sender, format: FormatArgs, output: &Output) -> Result<Code> {
    let frames = frames(file, content(file, MAX_FILE_BYTES)?)?;
    let mut table = Table::new(output, format, &FIELDS);
    let mut refused = 0_usize;
    for (message, frame) in (1..).zip(&frames) {
        let (rows, is_refused) = explain(message, frame, sender);
        refused += usize::from(is_refused);
        for row in &rows {
            table.push(row)?;
        }
    }
    table.finish()?;
    output.note(format_args!("{}, {refused} refused", counted(frames.len(), "message")));
    Ok(if refused > 0 { Code::Finding } else { Code::Done })
}

/// The frames of a file; one that has none is a message itself.
fn frames(path: &Path, bytes: Vec<u8>) -> Result<Vec<Frame>, ListenCommandError> {
    if !bytes.contains(&START) {
        let is_blank = bytes.iter().all(u8::is_ascii_whitespace);
        let too_long = u64::try_from(MAX_FRAME_BYTES).unwrap_or(u64::MAX);
        return match bytes.len() {
            _ if is_blank => Err(ListenCommandError::NoMessage(path.to_owned())),
            length if length > MAX_FRAME_BYTES => Err(ListenCommandError::TooLong(path.to_owned(), too_long)),
            _ => Ok(vec![Frame::Whole(Bytes::from(bytes))]),
        };
    }
    let (mut inbox, mut frames) = (Inbox::default(), Vec::new());
    inbox.buffer.extend_from_slice(&bytes);
    while let Ok(Some(frame)) = inbox.next_frame() {
        frames.push(frame);
    }
    if frames.is_empty() { Err(ListenCommandError::NoMessage(path.to_owned())) } else { Ok(frames) }
}

/// What is made of each segment, what comes of all of them, and whether the message would be refused.
fn explain(message: usize, frame: &Frame, sender: &Sender) -> (Vec<Explained>, bool) {
    let mut remarks = Vec::new();
    let Judged { outcome, .. } =
        judge_aloud(frame, sender, Utc::now(), 0, &mut |at, remark| remarks.push((at, remark)));
    let row = |place: String, says: String| Explained { message, place, says };
    let mut rows = Vec::new();
    for (at, place) in lines(frame.bytes(), sender).into_iter().enumerate() {
        let said: Vec<_> = remarks.iter().filter(|(of, _)| *of == at).map(|(_, remark)| remark.to_string()).collect();
        rows.push(row(place, said.join("; ")));
    }
    match &outcome {
        Ok(readings) if readings.is_empty() => {
            rows.push(row("verdict".to_owned(), "accepted; nothing was measured, so nothing is sent".to_owned()));
        }
        Ok(readings) => {
            rows.extend(
                readings.iter().map(|dated| {
                    row("reading".to_owned(), String::from_utf8_lossy(&encode(&dated.reading)).into_owned())
                }),
            );
            rows.push(row("verdict".to_owned(), format!("accepted, {}", counted(readings.len(), "reading"))));
        }
        Err(refusal) => {
            let place = Place { field: 0, ..refusal.place }.to_string();
            if let Some(row) = rows.iter_mut().find(|row| row.place == place) {
                row.says = format!("refused, {refusal}");
            }
            rows.push(row("verdict".to_owned(), format!("refused, {refusal}")));
        }
    }
    (rows, outcome.is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;

    #[test]
    fn every_segment_is_explained_and_what_comes_of_all() {
        let text = "MSH|^~\\&|M||||20251026103015+0000||ORU^R01|1|P|2.6\rPID|||P1\rZXX|1\r\
                    OBX|1|NM|8867-4^HR^LN||95|/min|||||F\rOBX|2|NM|9^X^LN||1||||||F\rOBX|3|NM|8310-5^T^LN||\"\"||||||F";
        let sender = Sender::parse("behind = \"36500d\"").unwrap();
        let (rows, is_refused) = explain(1, &Frame::Whole(Bytes::from(text)), &sender);
        assert!(!is_refused);
        let expected = [
            ("MSH", "read for the message itself, its time and how it is answered"),
            ("PID", "read for whom it is about"),
            ("ZXX", "passed over"),
            ("OBX[1]", "patient P1; heart_rate 95 at 2025-10-26T10:30:15+00:00"),
            ("OBX[2]", "passed over: its code is not known"),
            ("OBX[3]", "temperature, not measured"),
            ("reading", r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15+00:00","heart_rate":95}"#),
            ("verdict", "accepted, 1 reading"),
        ];
        assert_eq!(rows.len(), expected.len(), "{}", ndjson(&FIELDS, rows));
        for (row, (place, says)) in rows.iter().zip(expected) {
            assert_eq!((row.place.as_str(), row.says.as_str()), (place, says));
        }
    }

    #[test]
    fn a_file_is_a_message_or_frames_with_some() {
        let path = Path::new("x.hl7");
        let count = |bytes: &[u8]| frames(path, bytes.to_owned()).map(|frames| frames.len()).ok();
        assert_eq!(
            [&b"MSH|^~\\&|"[..], b"\x0ba\x1c\r\x0bb\x1c\r", b" \r\n", b"\x0b"].map(count),
            [Some(1), Some(2), None, None]
        );
    }
}
