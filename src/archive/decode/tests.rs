use super::*;
use crate::archive::encode;
use crate::reading::number::NumberFlaw;
use crate::reading::{Consciousness, Observed};

fn read(text: &str, format: Format) -> (Vec<Entry>, Vec<String>) {
    let mut rows = Rows::new(io::BufReader::with_capacity(7, text.as_bytes()), format).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = rows.next_entry().unwrap() {
        all.push(entry);
    }
    (all, rows.unknown_columns().to_vec())
}

fn faults(text: &str, format: Format) -> Vec<String> {
    let told = |entry| match entry {
        Entry::Fault(fault) => Some(fault.to_string()),
        Entry::Row(_) => None,
    };
    read(text, format).0.into_iter().filter_map(told).collect()
}

fn row(patient_id: &str, timestamp: &str, signs: Signs) -> StoredReading {
    StoredReading { patient_id: patient_id.to_owned(), timestamp: timestamp.to_owned(), signs }
}

const SIGNS: Signs = Signs {
    heart_rate: Some(95),
    spo2: None,
    systolic: Some(120),
    diastolic: Some(80),
    respiratory_rate: None,
    temperature: Some(36.8),
    observed: Observed::NOTHING,
};

const OBSERVED: Observed = Observed { supplemental_oxygen: Some(false), consciousness: Some(Consciousness::Confusion) };

/// The time of most rows here, in the one form.
const T: &str = "2025-10-26T10:30:15+00:00";

#[test]
fn every_row_that_consume_writes_comes_back_as_it_went_out() {
    let odd = |temperature| Signs { temperature: Some(temperature), ..Signs::default() };
    let rows = [
        row("P001", "2025-10-26T10:30:15.123456+00:00", SIGNS),
        row("a\"b\\,c d", "0001-01-01T00:00:00+00:00", odd(-0.0)),
        row("\\", "9999-12-31T23:59:59.999999+00:00", odd(f32::MIN)),
        row(" blank ", T, odd(37.0)),
        row("\u{feff}", T, Signs { heart_rate: Some(i32::MIN), ..odd(1e-45) }),
        row("病床3", T, Signs { spo2: Some(i32::MAX), ..odd(f32::MAX) }),
        row("on air", T, Signs { observed: OBSERVED, ..SIGNS }),
        row(
            "on oxygen",
            T,
            Signs { observed: Observed { supplemental_oxygen: Some(true), ..Observed::NOTHING }, ..Signs::default() },
        ),
    ];
    for format in [Format::Csv, Format::Ndjson] {
        let mut text = encode::head(format);
        for row in &rows {
            encode::row(format, row, &mut text);
        }
        let expected: Vec<_> = rows.iter().cloned().map(Entry::Row).collect();
        assert_eq!(read(&text, format), (expected, Vec::new()));
    }
}

#[test]
fn what_other_programs_wrote_goes_out_as_it_is_and_does_not_come_back() {
    let temperature = |degrees| Signs { temperature: Some(degrees), ..Signs::default() };
    for (row, flaw) in [
        (row("P1", "yesterday", SIGNS), Flaw::Timestamp),
        (row("P1", "2025-10-26 10:30:15", SIGNS), Flaw::Timestamp),
        (row("P1", "", SIGNS), Flaw::Timestamp),
        (row("P1", T, Signs::default()), Flaw::NoSign),
        (row("P1", T, temperature(f32::NAN)), NumberFlaw::NotANumber.into()),
        (row("P1", T, temperature(f32::NEG_INFINITY)), NumberFlaw::NotANumber.into()),
        (row("P\n", T, SIGNS), Flaw::PatientId),
        (row("", T, SIGNS), Flaw::PatientId),
        (row(&"x".repeat(65), T, SIGNS), Flaw::PatientId),
    ] {
        for format in [Format::Csv, Format::Ndjson] {
            let mut text = encode::head(format);
            encode::row(format, &row, &mut text);
            let back = read(&text, format).0;
            assert!(matches!(&back[..], [Entry::Fault(fault)] if fault.flaw == flaw), "{text}: {back:?}");
        }
    }
}

#[test]
fn a_time_comes_in_in_the_one_form_however_it_is_written() {
    for time in ["2025-10-26T10:30:15Z", "2025-10-26 10:30:15+00:00", "2025-10-26t12:30:15.0000004+02:00"] {
        let expected = [Entry::Row(row("P001", T, SIGNS))];
        assert_eq!(read(&format!("P001,{time},95,,120,80,,36.8\n"), Format::Csv).0, expected, "{time}");
        let object = format!(
            r#"{{"patient_id":"P001","timestamp":"{time}","heart_rate":95,"systolic":12e1,"diastolic":80.0,"temperature":36.8}}"#
        );
        assert_eq!(read(&object, Format::Ndjson).0, expected, "{time}");
    }
}

#[test]
fn a_file_without_names_has_the_table_s_order() {
    for (cells, observed) in [("", Observed::NOTHING), (",False,C", OBSERVED), (",,", Observed::NOTHING)] {
        let expected = Entry::Row(row("P001", T, Signs { observed, ..SIGNS }));
        assert_eq!(read(&format!("P001,{T},95,,120,80,,36.8{cells}\n"), Format::Csv).0, [expected], "{cells}");
    }
}

#[test]
fn a_file_may_name_one_observation_and_what_is_none_is_told() {
    let names = COLUMNS.get(..FIRST_COLUMNS).unwrap().join(",");
    let text = format!("consciousness,{names}\nU,P001,{T},95,,120,80,,36.8\n\"a\nb\",P001,{T},95,,120,80,,36.8\n");
    let observed = Observed { consciousness: Some(Consciousness::Unresponsive), ..Observed::NOTHING };
    let (entries, unknown) = read(&text, Format::Csv);
    assert_eq!(entries.first(), Some(&Entry::Row(row("P001", T, Signs { observed, ..SIGNS }))));
    assert_eq!((entries.len(), unknown), (2, Vec::new()));
    assert_eq!(faults(&text, Format::Csv), ["line 3, column consciousness: none of the letters A, C, V, P and U"]);
    let oxygen = faults(&format!("P1,{T},95,,,,,,yes,\n"), Format::Csv);
    assert_eq!(oxygen, ["line 1, column supplemental_oxygen: neither true nor false"]);
    let object = |members: &str| format!("{{\"patient_id\":\"P1\",\"timestamp\":\"{T}\",\"spo2\":97,{members}}}\n");
    let told =
        [object("\"supplemental_oxygen\":\"true\""), object("\"consciousness\":1"), object("\"consciousness\":\"a\"")];
    let expected = [
        "line 1, column supplemental_oxygen: neither true nor false",
        "line 2, column consciousness: not a text",
        "line 3, column consciousness: none of the letters A, C, V, P and U",
    ];
    assert_eq!(faults(&told.concat(), Format::Ndjson), expected);
}

#[test]
fn columns_are_found_by_their_names_and_others_are_told() {
    let expected = || (vec![Entry::Row(row("P001", T, SIGNS))], vec!["Ward".to_owned()]);
    let names = "timestamp,Ward,patient_id,diastolic,heart_rate,respiratory_rate,spo2,systolic,temperature";
    let quoted = format!("\"{}\"", names.replace(',', "\",\""));
    let spaced = names.replace(',', " , ").replace("patient_id", "Patient_ID").replace("spo2", "SpO2");
    for names in [names, &quoted, &spaced] {
        let text = format!("\u{feff}{names}\r\n{T},7,P001,80,95,,,120,36.8\r\n");
        assert_eq!(read(&text, Format::Csv), expected(), "{names}");
    }
    let text = format!(
        "\u{feff}{{\"temperature\":36.8,\"Ward\":[7],\"patient_id\":\"P001\",\"timestamp\":\"{T}\",\
         \"heart_rate\":95.0,\"systolic\":120,\"diastolic\":80,\"spo2\":null}}\r\n"
    );
    assert_eq!(read(&text, Format::Ndjson), expected());
}

/// What a file is not read for at all.
fn refused(content: &[u8], format: Format) -> String {
    match Rows::new(content, format).unwrap().next_entry() {
        Err(error) => error.to_string(),
        Ok(entry) => panic!("{}: {entry:?}", String::from_utf8_lossy(content)),
    }
}

#[test]
fn what_is_wrong_with_all_lines_is_told_once() {
    let names = COLUMNS.join(",");
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (content, told) in [
        (names.replace(',', ";").into_bytes(), "line 1: semicolons between the columns instead of commas"),
        (
            format!("\"{}\"\r\n", COLUMNS.join("\";\"")).into_bytes(),
            "line 1: semicolons between the columns instead of commas",
        ),
        (
            format!("P1;{T};95;98;120;80;16;36,8\n").into_bytes(),
            "line 1: semicolons between the columns instead of commas",
        ),
        (names.replace(',', "\t").into_bytes(), "line 1: tabs between the columns instead of commas"),
        (utf16(&format!("\u{feff}{names}\r\n")), "line 1: UTF-16, not UTF-8"),
        (utf16(&format!("P1,{T},95,98,120,80,16,36.8\n")), "line 1: UTF-16, not UTF-8"),
        (
            b"patient_id,timestamp,heart_rate,spo2,diastolic,temperature\n".to_vec(),
            "line 1: no column systolic, respiratory_rate",
        ),
        (names.replace("patient_id", "patient").into_bytes(), "line 1: no column patient_id"),
        (format!("{names},spo2\n").into_bytes(), "line 1: the column spo2 is there twice"),
        (b"P1,95,98,120,80,16,36.8\n".to_vec(), "line 1: no names of columns, and 7 cells instead of 8"),
    ] {
        assert_eq!(refused(&content, Format::Csv), told);
    }
    for (content, told) in [
        (b"[{\"patient_id\":\"P1\"}]\n".to_vec(), "line 1: not one JSON object"),
        (b"\n{\n  \"patient_id\": \"P1\"\n}\n".to_vec(), "line 1: not one JSON object"),
        (names.into_bytes(), "line 1: not one JSON object"),
        (utf16("\u{feff}{\"patient_id\":\"P1\"}"), "line 1: UTF-16, not UTF-8"),
        (utf16("{\"patient_id\":\"P1\"}"), "line 1: UTF-16, not UTF-8"),
    ] {
        assert_eq!(refused(&content, Format::Ndjson), told);
    }
}

#[test]
fn what_is_wrong_in_csv_is_told_with_line_and_column_and_never_the_value() {
    let text = format!(
        "P1,{T},95,,,,,\n\
         P2,{T},ninety,,,,,\n\
         \"P 3\",{T},,,,,,1e39\n\
         P4,{T},,,\n\
         ,{T},95,,,,,\n\
         \n\
         P6,{T},,94.99999999999999999,,,,\n\
         \"P\n7\",{T},95,,,,,\n\
         P8,2025-10-26 10:30,95,,,,,\n\
         P9,{T},2.0e-400,,,,,\n\
         P9,{T},,,,,,\n\
         P9,\"{T},,,,,,\n"
    );
    let expected = [
        "line 2, column heart_rate: not a number",
        "line 3, column temperature: a number that does not fit",
        "line 4: 5 cells instead of 8",
        "line 5, column patient_id: not a patient id of 1 to 64 bytes without control characters",
        "line 7, column spo2: not a whole number",
        "line 8, column patient_id: not a patient id of 1 to 64 bytes without control characters",
        "line 10, column timestamp: not an RFC 3339 time with an offset",
        "line 11, column heart_rate: not a whole number",
        "line 12: no vital sign and no observation",
        "line 13: a row that does not end; look for a quotation mark that is not closed",
    ];
    assert_eq!(faults(&text, Format::Csv), expected);
}

#[test]
fn what_is_wrong_in_ndjson_is_told_with_line_and_column_and_never_the_value() {
    let text = r#"{"patient_id":"P1","timestamp":"T","spo2":97}

{"patient_id":"P2","timestamp":"T","heart_rate":"95"}
{"patient_id":7,"timestamp":"T"}
{"timestamp":"T"}
{"patient_id":"P1","timestamp":"T","spo2":1,"spo2":2}
{"patient_id":"P1","timest
[1]
{"patient_id":"P1","timestamp":null}
{"patient_id":"P1","timestamp":"2025-10-26"}
{"patient_id":"P1","timestamp":"T","heart_rate":2.0e-400}
{"patient_id":"P1","timestamp":"T","temperature":"NaN"}
{"patient_id":"P1","timestamp":"T","ward":1,"ward":1,"spo2":97}
{"patient_id":"P1","timestamp":"T","spo2":null}"#
        .replace("\"T\"", &format!("\"{T}\""));
    let expected = [
        "line 3, column heart_rate: not a number",
        "line 4, column patient_id: not a text",
        "line 5, column patient_id: missing",
        "line 6: names a value twice",
        "line 7: not a JSON object (character 26)",
        "line 8: not a JSON object (character 1)",
        "line 9, column timestamp: missing",
        "line 10, column timestamp: not an RFC 3339 time with an offset",
        "line 11, column heart_rate: not a whole number",
        "line 12, column temperature: not a number",
        "line 13: names a value twice",
        "line 14: no vital sign and no observation",
    ];
    assert_eq!(faults(&text, Format::Ndjson), expected);
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let read = |text: &'static [u8], format| Rows::new(text, format).unwrap().next_entry().unwrap();
    let csv = read(b"P\xff,t,,,,,,\n", Format::Csv);
    assert!(matches!(csv, Some(Entry::Fault(Fault { line: 1, column: Some("patient_id"), .. }))), "{csv:?}");
    let json = read(b"{\"patient_id\":\"\xff\"}\n", Format::Ndjson);
    assert!(matches!(json, Some(Entry::Fault(Fault { line: 1, column: None, .. }))), "{json:?}");
}

#[test]
fn a_line_without_an_end_is_one_fault_and_the_next_is_read() {
    let limit = usize::try_from(MAX_LINE_BYTES).unwrap();
    let row = format!("{{\"patient_id\":\"P1\",\"timestamp\":\"{T}\",\"spo2\":97}}");
    let text = format!("{{\"patient_id\":\"{}\"}}\n{row}\n", "x".repeat(limit));
    let all = read(&text, Format::Ndjson).0;
    assert!(matches!(&all[..], [Entry::Fault(Fault { line: 1, .. }), Entry::Row(_)]), "{}", all.len());
}

/// Reads to the end, or to what cannot be read on from: no more entries than there can be lines.
fn ends(bytes: &[u8]) -> bool {
    [Format::Csv, Format::Ndjson].into_iter().all(|format| {
        let mut rows = Rows::new(bytes, format).unwrap();
        let entries = (0..=bytes.len()).take_while(|_| matches!(rows.next_entry(), Ok(Some(_)))).count();
        entries <= bytes.len()
    })
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        proptest::prop_assert!(ends(&bytes));
    }

    #[test]
    fn no_damaged_file_panics(at in proptest::num::usize::ANY, cut in proptest::num::usize::ANY, byte in proptest::num::u8::ANY) {
        for format in [Format::Csv, Format::Ndjson] {
            let mut text = encode::head(format);
            encode::row(format, &row("P001", "2025-10-26T10:30:15+00:00", SIGNS), &mut text);
            encode::row(format, &row("a\"b\\,c", T, SIGNS), &mut text);
            let mut damaged = text.into_bytes();
            let (at, cut) = (at % damaged.len(), cut % damaged.len());
            damaged[at] = byte;
            proptest::prop_assert!(ends(&damaged) && ends(&damaged[..cut]));
        }
    }
}
