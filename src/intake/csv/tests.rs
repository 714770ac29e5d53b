//! Files of every kind.

use super::*;
use crate::advice::{Advice, Code};
use crate::reading::{Consciousness, Observed};

pub(in crate::intake) const HEADER: &str =
    "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// A file of its own.
pub(in crate::intake) struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    fn of(content: impl AsRef<[u8]>) -> Self {
        let sample = Self { folder: tempfile::tempdir().expect("folder") };
        std::fs::write(sample.path(), content).expect("written");
        sample
    }

    /// With these rows below the first line.
    pub(in crate::intake) fn rows(rows: &str) -> Self {
        Self::of(format!("{HEADER}{rows}"))
    }

    pub(in crate::intake) fn path(&self) -> PathBuf {
        self.folder.path().join("x.csv")
    }

    pub(in crate::intake) fn open(&self) -> Result<CsvFile, CsvError> {
        CsvFile::open(&self.path())
    }
}

fn survey(content: impl AsRef<[u8]>) -> Survey {
    Sample::of(content).open().expect("file").check().expect("checked")
}

fn entries(content: impl AsRef<[u8]>) -> Vec<Entry> {
    let sample = Sample::of(content);
    let file = sample.open().unwrap_or_else(|error| panic!("{error}"));
    file.rows().expect("rows").collect::<Result<_, _>>().expect("read")
}

fn row(content: impl AsRef<[u8]>) -> Row {
    match entries(content).remove(0) {
        Entry::Row(row) => row,
        other => panic!("{other:?}"),
    }
}

fn fault(rows: impl AsRef<[u8]>) -> String {
    match entries([HEADER.as_bytes(), rows.as_ref()].concat()).remove(0) {
        Entry::Malformed(fault) => fault.to_string(),
        other => panic!("{other:?}"),
    }
}

fn refused(content: impl AsRef<[u8]>) -> CsvError {
    Sample::of(content).open().expect_err("refused")
}

fn full() -> Signs {
    Signs {
        heart_rate: Some(95),
        spo2: Some(98),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
        ..Signs::default()
    }
}

#[test]
fn the_old_columns_give_a_row_without_a_time() {
    let row = row(format!("{HEADER}P001,95,98,120,80,16,36.8\n"));
    assert_eq!((row.patient.as_str(), row.time, row.signs), ("P001", None, full()));
}

#[test]
fn columns_are_found_by_name_in_any_order_and_others_are_passed_over() {
    let header = "ward,temperature,spo2,timestamp,heart_rate, systolic ,patient_id,diastolic,respiratory_rate,note";
    let sample = Sample::of(format!("{header}\nA,36.8,98.0,2025-10-26T10:30:15Z,95,120,P001,80,16,\"a, \"\"b\"\"\"\n"));
    let file = sample.open().expect("file");
    assert_eq!(file.ignored_columns(), ["ward", "note"]);
    let Some(Ok(Entry::Row(row))) = file.rows().expect("rows").next() else { panic!("a row") };
    assert_eq!((row.time, row.signs), (Timestamp::parse("2025-10-26T10:30:15Z").ok(), full()));
}

#[test]
fn the_time_of_the_file_is_kept_and_a_blank_one_is_now() {
    let header = HEADER.replace("patient_id", "timestamp,patient_id");
    let now = Timestamp::parse("2030-01-01T00:00:00Z").expect("time");
    for (cell, time) in [("2025-10-26T10:30:15+00:00", "2025-10-26T10:30:15Z"), ("", "2030-01-01T00:00:00Z")] {
        let reading = row(format!("{header}{cell},P1,95,,,,,")).into_reading(now).expect("reading");
        assert_eq!(Ok(reading.time()), Timestamp::parse(time));
    }
}

#[test]
fn blank_cells_are_signs_that_were_not_measured() {
    let row = row(format!("{HEADER}P001,95,, ,,,\n"));
    assert_eq!(row.signs, Signs { heart_rate: Some(95), ..Signs::default() });
}

#[test]
fn a_row_without_any_sign_is_counted_and_not_malformed() {
    let survey = survey(format!("{HEADER}P001,,,,,,\n,,,,,,\nP001,95,98,120,80,16,36.8\n\n"));
    assert_eq!((survey.rows, survey.without_sign, survey.faults.count), (1, 2, 0));
}

#[test]
fn a_row_without_any_sign_still_tells_who_was_watched_and_when() {
    let header = HEADER.replace("patient_id", "timestamp,patient_id");
    let time = "2025-10-26T10:30:15Z";
    let rows = format!("{time}, P1 ,,,,,,\n{time},,,,,,,\nyesterday,P1,,,,,,\n,,,,,,,\n{time},P2,95,,,,,\n");
    let sample = Sample::of(format!("{header}{rows}"));
    let file = sample.open().expect("file");
    let mut rows = file.rows().expect("rows");
    let mut keys = Vec::new();
    while let Some(entry) = rows.next() {
        entry.expect("read");
        keys.push(rows.key().map(|(patient, time)| format!("{} {patient} {time}", rows.line())));
    }
    let key = |line, patient| Some(format!("{line} {patient} 2025-10-26T10:30:15+00:00"));
    assert_eq!((file.has_times(), keys), (true, vec![key(2, "P1"), None, None, None, key(6, "P2")]));
    let timeless = Sample::rows("P1,95,,,,,\n");
    let file = timeless.open().expect("file");
    let mut rows = file.rows().expect("rows");
    rows.next();
    assert_eq!((file.has_times(), rows.key()), (false, None));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let content = format!("\u{feff}{HEADER}P001,95,98,120,80,16,36.8\n").replace('\n', "\r\n");
    assert_eq!(row(content).signs, full());
}

#[test]
fn malformed_rows_are_told_with_line_and_column_and_never_with_their_content() {
    for (rows, expected) in [
        ("P001,SECRET,,,,,\n", "line 2, column heart_rate: not a number"),
        ("P001,95,98.5,,,,\n", "line 2, column spo2: not a whole number"),
        ("P001,95,,,,,1e40\n", "line 2, column temperature: a number that does not fit"),
        ("P001,95\n", "line 2: 2 cells instead of 7"),
        ("P001,95,,,,,,,,\n", "line 2: 10 cells instead of 7"),
        (",95,,,,,\n", "line 2, column patient_id: not a patient id of 1 to 64 bytes without control characters"),
        (
            "\"P\n1\",95,,,,,\n",
            "line 2, column patient_id: not a patient id of 1 to 64 bytes without control characters",
        ),
    ] {
        assert_eq!(fault(rows), expected);
    }
    assert_eq!(fault(b"P\xff1,95,,,,,\n"), "line 2, column patient_id: not UTF-8");
}

#[test]
fn a_row_is_in_the_line_in_which_it_begins() {
    for rows in
        ["P1,x,,,,,\n", "P1,95,,,,,\nP1,x,,,,,", "\n\n\nP1,x,,,,,\n", "\nP1,95,,,,,\n \nP1,x,,,,,\nP1,95,,,,,\n"]
    {
        let content = format!("{HEADER}{rows}");
        let expected = content.lines().position(|line| line.contains('x')).expect("an x") + 1;
        for content in [content.clone(), content.replace('\n', "\r\n")] {
            assert_eq!(survey(&content).faults.first[0].line, u64::try_from(expected).expect("small"), "{content:?}");
        }
    }
}

#[test]
fn a_line_end_within_quotation_marks_counts_as_a_line() {
    let header = HEADER.replace("patient_id", "note,patient_id");
    for end in ["", "\n"] {
        let content = format!("{header}\"two\nlines\",P1,95,,,,,\n\"\n\n\",P1,x,,,,,{end}");
        assert_eq!(survey(&content).faults.first[0].line, 4);
    }
}

#[test]
fn all_malformed_rows_are_counted_and_the_first_are_listed() {
    let content = format!("{HEADER}{}P1,95,,,,,\n", "P1,x,,,,,\n".repeat(50));
    let survey = survey(content);
    let report: Vec<_> = survey.faults.report().collect();
    assert_eq!((survey.faults.count, report.len()), (50, crate::faults::MAX_SHOWN + 1));
    assert_eq!(report.first().map(String::as_str), Some("line 2, column heart_rate: not a number"));
    assert_eq!(report.last().map(String::as_str), Some("and 30 more"));
    let text = CsvError::Malformed { path: "x.csv".into(), survey }.to_string();
    assert_eq!(text, "x.csv: 50 malformed, 0 without any sign, 1 in order; nothing was sent");
}

#[test]
fn a_file_with_a_bad_first_line_is_refused_as_bad_data_with_a_hint() {
    for (content, expected) in [
        ("", " is empty"),
        (
            "a,b,c\n1,2,3\n",
            "no column patient_id, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature",
        ),
        ("patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate\n", "line 1: no column temperature"),
        (&HEADER.replace("spo2", "spo2,spo2"), "the column spo2 is there twice"),
        ("\n\n\n", "no column"),
    ] {
        let error = refused(content);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!((error.code(), error.hint().is_some()), (Code::BadData, true));
    }
}

#[test]
fn how_a_program_saved_the_file_is_told_once_with_what_to_do() {
    let names = HEADER.trim_end();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (content, told, hint) in [
        (format!("{}\r\nP1;95;;;;;36,8\r\n", names.replace(',', ";")).into_bytes(), "semicolons between", "P001,36.8"),
        (format!("\u{feff}\"{}\"\n", names.replace(',', "\";\"")).into_bytes(), "semicolons between", "P001,36.8"),
        (format!("{}\n", names.replace(',', "\t")).into_bytes(), "tabs between", "P001,36.8"),
        (utf16(&format!("\u{feff}{HEADER}P1,95,,,,,\n")), "UTF-16", "UTF-8"),
        (utf16(&format!("{HEADER}P1,95,,,,,\n")), "UTF-16", "UTF-8"),
        (
            format!("Z\u{fc}rich,{HEADER}").chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect(),
            "not UTF-8",
            "UTF-8",
        ),
        (b"P001,95,98,120,80,16,36.8\n".to_vec(), "no column patient_id, heart_rate", "first line has to name"),
    ] {
        let error = refused(content);
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.hint().is_some_and(|text| text.contains(hint)), "{:?}", error.hint());
        assert_eq!(error.code(), Code::BadData);
    }
}

#[test]
fn names_of_columns_may_stand_in_quotes_in_capitals_and_behind_a_byte_order_mark() {
    let names = HEADER.trim_end().replace(',', " \",\" ").replace("spo2", "SpO2").replace("patient_id", "Patient_ID");
    assert_eq!(row(format!("\u{feff}\"{names}\"\r\nP001,95,98,120,80,16,36.8\r\n")).signs, full());
    assert!(refused(HEADER.replace("spo2", "spo2,SPO2")).to_string().contains("spo2 is there twice"));
}

#[test]
fn the_numbers_of_a_cell_are_those_of_a_message() {
    let row = row(format!("{HEADER}P1,950e-1,95.0,-3,0e999,+16,368e-1\n"));
    let signs =
        [row.signs.heart_rate, row.signs.spo2, row.signs.systolic, row.signs.diastolic, row.signs.respiratory_rate];
    assert_eq!((signs, row.signs.temperature), ([95, 95, -3, 0, 16].map(Some), Some(36.8)));
    for (number, flaw) in
        [("2.0e-400", "not a whole number"), ("94.99999999999999999", "not a whole number"), ("nan", "not a number")]
    {
        assert_eq!(fault(format!("P1,{number},,,,,\n")), format!("line 2, column heart_rate: {flaw}"));
    }
    assert_eq!(fault("P1,,,,,,1e-50\n"), "line 2, column temperature: a number that does not fit");
    assert_eq!(fault("P1,,,,,,36;8\n"), "line 2, column temperature: not a number");
}

#[test]
fn a_file_may_have_observations_and_a_row_with_nothing_else_is_one() {
    let names = format!("consciousness, Supplemental_Oxygen ,{HEADER}");
    let observed = |supplemental_oxygen, consciousness| Observed { supplemental_oxygen, consciousness };
    for (cells, expected) in [
        ("A,true", observed(Some(true), Some(Consciousness::Alert))),
        (" V ,False", observed(Some(false), Some(Consciousness::Voice))),
        (",", Observed::NOTHING),
    ] {
        let row = row(format!("{names}{cells},P1,95,,,,,\n"));
        assert_eq!((row.signs.heart_rate, row.signs.observed), (Some(95), expected), "{cells}");
    }
    let alone = row(format!("{names}U,,P1,,,,,,\n"));
    assert_eq!(alone.signs.observed, observed(None, Some(Consciousness::Unresponsive)));
    assert!(matches!(entries(format!("{names},,P1,,,,,,\n"))[..], [Entry::WithoutSign]));
    let content = format!("{names}alert,,P1,95,,,,,\n,1,P1,95,,,,,\n");
    let report: Vec<_> = survey(content).faults.report().collect();
    let expected = [
        "line 2, column consciousness: none of the letters A, C, V, P and U",
        "line 3, column supplemental_oxygen: neither true nor false",
    ];
    assert_eq!(report, expected);
    let twice = refused(HEADER.replace("spo2", "spo2,consciousness,Consciousness"));
    assert!(twice.to_string().contains("the column consciousness is there twice"), "{twice}");
}

#[test]
fn a_time_without_an_offset_is_malformed() {
    let header = HEADER.replace("patient_id", "timestamp,patient_id");
    for time in ["2025-10-26T10:30:15", "2025-10-26 10:30", "2025-10-26T10:30:60Z"] {
        let report: Vec<_> = survey(format!("{header}{time},P1,95,,,,,\n")).faults.report().collect();
        assert_eq!(report, ["line 2, column timestamp: not an RFC 3339 time with an offset"]);
    }
}

#[test]
fn a_path_that_is_no_file_is_a_usage_error() {
    let sample = Sample::of("");
    let folder = sample.folder.path();
    assert!(matches!(CsvFile::open(folder), Err(CsvError::Directory(_))));
    let error = CsvFile::open(&folder.join("none.csv")).expect_err("missing");
    assert!(error.to_string().ends_with("none.csv"), "{error}");
    assert_eq!(error.code(), Code::Usage);
    #[cfg(unix)]
    assert!(matches!(CsvFile::open(Path::new("/dev/null")), Err(CsvError::NotAFile(_))));
}

#[test]
fn a_quotation_mark_that_is_never_closed_does_not_fill_the_memory() {
    let content = format!("{HEADER}P1,95,,,,,\n\"P1,{}", "95,,,,,\n".repeat(400_000));
    let error = Sample::of(content).open().expect("file").check().expect_err("too long");
    assert!(matches!(error, CsvError::RowTooLong(..)), "{error}");
}

#[test]
fn a_file_that_changes_its_first_line_is_told() {
    let sample = Sample::rows("P1,95,,,,,\n");
    let file = sample.open().expect("file");
    std::fs::write(file.path(), "patient_id\n").expect("written");
    assert!(matches!(file.rows(), Err(CsvError::Changed(_))));
}

#[test]
fn no_bytes_of_any_kind_panic() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(64), |(rows in proptest::collection::vec(any::<u8>(), 0..400))| {
        let sample = Sample::of([HEADER.as_bytes(), &rows].concat());
        let _ = sample.open().map(|file| file.check());
    });
}

#[test]
fn no_damaged_file_panics() {
    use proptest::prelude::*;
    let whole = format!("{HEADER}P1,95,98,120,80,16,36.8\n\"P\"\"2\", 95 ,,,,,\r\n");
    proptest!(ProptestConfig::with_cases(64), |(at in 0..whole.len(), byte in any::<u8>(), cut in 0..whole.len())| {
        let mut damaged = whole.clone().into_bytes();
        damaged[at] = byte;
        for content in [&damaged[..], &damaged[..cut]] {
            let sample = Sample::of(content);
            let _ = sample.open().map(|file| file.check());
        }
    });
}
