use super::*;
use crate::archive::encode;

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
};

#[test]
fn every_row_comes_back_as_it_went_out_whatever_it_holds() {
    let odd = |temperature| Signs { temperature: Some(temperature), ..Signs::default() };
    let rows = [
        row("P001", "2025-10-26T10:30:15.123456+00:00", SIGNS),
        row("a\"b\\,c\r\nd", "\"\\", Signs::default()),
        row("\\", "", odd(f32::NEG_INFINITY)),
        row(" blank ", "\t", odd(-0.0)),
        row("\u{feff}", "\u{1b}[2J\u{0}", Signs { heart_rate: Some(i32::MIN), ..odd(1e-45) }),
        row("P\n", "\r", Signs { spo2: Some(i32::MAX), ..odd(f32::MAX) }),
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
fn a_file_without_names_has_the_table_s_order() {
    let expected = Entry::Row(row("P001", "t", SIGNS));
    assert_eq!(read("P001,t,95,,120,80,,36.8", Format::Csv).0, [expected]);
}

#[test]
fn columns_are_found_by_their_names_and_others_are_told() {
    let text = "\u{feff}timestamp,ward,patient_id,diastolic,heart_rate,respiratory_rate,spo2,systolic,temperature\r\n\
                t,7,P001,80,95,,,120,36.8\r\n";
    assert_eq!(read(text, Format::Csv), (vec![Entry::Row(row("P001", "t", SIGNS))], vec!["ward".to_owned()]));
    let text = r#"{"temperature":36.8,"ward":[7],"patient_id":"P001","timestamp":"t","heart_rate":95.0,"systolic":120,"diastolic":80,"spo2":null}"#;
    assert_eq!(read(text, Format::Ndjson), (vec![Entry::Row(row("P001", "t", SIGNS))], vec!["ward".to_owned()]));
}

#[test]
fn a_missing_column_is_named() {
    let text = "patient_id,timestamp,heart_rate,spo2,diastolic,temperature\n";
    let mut rows = Rows::new(text.as_bytes(), Format::Csv).unwrap();
    assert_eq!(rows.next_entry().unwrap_err().to_string(), "line 1 names no column systolic, respiratory_rate");
}

#[test]
fn what_is_wrong_in_csv_is_told_with_line_and_column_and_never_the_value() {
    let text = "P1,t,95,,,,,\n\
                P2,t,ninety,,,,,\n\
                \"P\n3\",t,,,,,,1e39\n\
                P4,t,,,\n\
                ,t,,,,,,\n\
                \n\
                P6,t,,1.5,,,,\n\
                P7,\"t,,,,,,\n";
    let expected = [
        "line 2, column heart_rate: not a number",
        "line 3, column temperature: a number that does not fit",
        "line 5: 5 cells instead of 8",
        "line 6, column patient_id: missing",
        "line 8, column spo2: not a whole number",
        "line 9: a row that does not end; look for a quotation mark that is not closed",
    ];
    assert_eq!(faults(text, Format::Csv), expected);
}

#[test]
fn what_is_wrong_in_ndjson_is_told_with_line_and_column_and_never_the_value() {
    let text = concat!(
        r#"{"patient_id":"P1","timestamp":"t"}"#,
        "\n\n",
        r#"{"patient_id":"P2","timestamp":"t","heart_rate":"95"}"#,
        "\n",
        r#"{"patient_id":7,"timestamp":"t"}"#,
        "\n",
        r#"{"timestamp":"t"}"#,
        "\n",
        r#"{"patient_id":"P1","timestamp":"t","spo2":1,"spo2":2}"#,
        "\n",
        r#"{"patient_id":"P1","timest"#,
        "\n",
        "[1]\n",
        r#"{"patient_id":"P1","timestamp":null}"#,
    );
    let expected = [
        "line 3, column heart_rate: not a number",
        "line 4, column patient_id: not a text",
        "line 5, column patient_id: missing",
        "line 6, column spo2: named twice",
        "line 7: not a JSON object (character 26)",
        "line 8: not a JSON object (character 1)",
        "line 9, column timestamp: missing",
    ];
    assert_eq!(faults(text, Format::Ndjson), expected);
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
    let text = format!("{{\"patient_id\":\"{}\"}}\n{{\"patient_id\":\"P1\",\"timestamp\":\"t\"}}\n", "x".repeat(limit));
    let all = read(&text, Format::Ndjson).0;
    assert!(matches!(&all[..], [Entry::Fault(Fault { line: 1, .. }), Entry::Row(_)]), "{}", all.len());
}

#[test]
fn a_key_that_cassandra_does_not_take_is_told() {
    let text = format!("{},t,,,,,,\n", "x".repeat(MAX_KEY_BYTES + 1));
    assert_eq!(faults(&text, Format::Csv), ["line 1, column patient_id: longer than 65535 bytes"]);
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
            encode::row(format, &row("a\"b\\,c\r\nd", "\"\\", SIGNS), &mut text);
            let mut damaged = text.into_bytes();
            let (at, cut) = (at % damaged.len(), cut % damaged.len());
            damaged[at] = byte;
            proptest::prop_assert!(ends(&damaged) && ends(&damaged[..cut]));
        }
    }
}
