use std::error::Error;

use super::*;

const COLUMNS: [Column; 4] = [
    Column::text("patient_id", "PATIENT"),
    Column::number("heart_rate", "HR"),
    Column::number("temperature", "TEMP"),
    Column::for_programs("implausible"),
];

fn sample() -> Vec<Vec<Cell>> {
    let nothing: Vec<String> = Vec::new();
    vec![
        vec!["P001".into(), 95.into(), Value::from(36.8_f32).into(), nothing.into()],
        vec![
            "P, \"2\"\u{1b}[2J".into(),
            Value::from(None::<i32>).into(),
            Cell::from(97.2_f32).marked(true),
            vec!["temperature".to_owned(), "spo2".to_owned()].into(),
        ],
    ]
}

fn printed(format: Format, rows: Vec<Vec<Cell>>) -> Memory {
    let (output, memory) = Output::into_memory();
    let mut printer = output.rows(FormatArgs { format: Some(format) }, &COLUMNS);
    for row in rows {
        printer.push(row).unwrap();
    }
    printer.finish().unwrap();
    memory
}

#[test]
fn json_is_an_array_of_objects_and_ndjson_an_object_a_line() {
    let first = r#"{"patient_id":"P001","heart_rate":95,"temperature":36.8,"implausible":[]}"#;
    let second = r#"{"patient_id":"P, \"2\"\u001b[2J","heart_rate":null,"temperature":97.2,"implausible":["temperature","spo2"]}"#;
    assert_eq!(printed(Format::Json, sample()).stdout(), format!("[\n{first},\n{second}\n]\n"));
    assert_eq!(printed(Format::Ndjson, sample()).stdout(), format!("{first}\n{second}\n"));
}

#[test]
fn csv_has_a_line_of_names_and_quotes_what_needs_it() {
    let expected = "patient_id,heart_rate,temperature,implausible\n\
                    P001,95,36.8,\n\
                    \"P, \"\"2\"\"\u{1b}[2J\",,97.2,temperature spo2\n";
    assert_eq!(printed(Format::Csv, sample()).stdout(), expected);
}

#[test]
fn a_table_marks_what_is_not_believed_and_keeps_the_numbers_under_each_other() {
    let memory = printed(Format::Table, sample());
    let expected = "PATIENT          HR  TEMP\n\
                    P001             95  36.8\n\
                    P, \"2\"\\u{1b}[2J   -  97.2 !\n";
    assert_eq!(memory.stdout(), expected);
    assert_eq!(memory.stderr(), "! marks a value that is not believed; it is shown as it was sent\n");
}

#[test]
fn without_rows_each_format_is_still_whole() {
    assert_eq!(printed(Format::Json, Vec::new()).stdout(), "[]\n");
    assert_eq!(printed(Format::Ndjson, Vec::new()).stdout(), "");
    assert_eq!(printed(Format::Csv, Vec::new()).stdout(), "patient_id,heart_rate,temperature,implausible\n");
    assert_eq!(printed(Format::Table, Vec::new()).stdout(), "");
}

#[test]
fn json_that_was_not_finished_stays_open() {
    let (output, memory) = Output::into_memory();
    let mut rows = output.rows(FormatArgs { format: Some(Format::Json) }, &COLUMNS);
    for row in sample() {
        rows.push(row).unwrap();
    }
    drop(rows);
    output.flush().unwrap();
    assert!(!memory.stdout().contains("\n]"));
}

#[test]
fn a_long_table_comes_in_blocks_that_each_have_headings() {
    let row = || vec!["P001".into(), 95.into(), Value::Missing.into(), Value::Missing.into()];
    let printed = printed(Format::Table, std::iter::repeat_with(row).take(1001).collect()).stdout();
    assert_eq!(printed.lines().filter(|line| line.starts_with("PATIENT")).count(), 2);
    assert_eq!(printed.lines().count(), 1003);
}

#[test]
fn a_table_is_no_wider_than_the_terminal() {
    let text = rows::table(&COLUMNS, &[vec!["word ".repeat(30).into(), 95.into(), 36.8.into(), 1.into()]], Some(80));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.lines().count() > 2);
}

#[test]
fn a_decimal_keeps_its_point_and_is_text_where_json_does_not_know_it() {
    let row = |temperature: f32| vec!["P001".into(), 37.into(), temperature.into(), Value::Missing.into()];
    assert!(printed(Format::Csv, vec![row(37.0)]).stdout().ends_with("P001,37,37.0,\n"));
    assert!(printed(Format::Ndjson, vec![row(f32::NAN)]).stdout().contains(r#""temperature":"NaN""#));
}

#[test]
fn the_format_is_a_table_only_on_a_terminal() {
    assert_eq!(FormatArgs::default().choose(true), Format::Table);
    assert_eq!(FormatArgs::default().choose(false), Format::Ndjson);
    assert_eq!(FormatArgs { format: Some(Format::Table) }.choose(false), Format::Table);
}

#[test]
fn a_line_is_seen_at_once() {
    let (output, memory) = Output::into_memory();
    output.line("SENT").unwrap();
    assert_eq!(memory.stdout(), "SENT\n");
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read\n\tthe file")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("it is a folder: {0}")]
struct Inner(#[source] Root);

#[derive(Debug, thiserror::Error)]
#[error("os error 21")]
struct Root;

#[test]
fn an_error_is_one_line_with_its_causes_and_says_none_twice() {
    let (output, memory) = Output::into_memory();
    let chain: [&(dyn Error + 'static); 3] = [&Outer(Inner(Root)), &Inner(Root), &Root];
    output.error(chain, Some("name a file"), Code::Usage);
    assert_eq!(memory.stderr(), "error: cannot read the file: it is a folder: os error 21\nhint: name a file\n");
}

#[test]
fn where_there_is_no_terminal_progress_is_a_plain_line_now_and_then() {
    let (output, memory) = Output::into_memory();
    let mut progress = output.progress(None);
    (1..=100).for_each(|second| progress.message(format_args!("waiting for Kafka ({second} s)")));
    assert!(!progress.is_live());
    assert_eq!(memory.stderr(), "waiting for Kafka (1 s)\n");
}

/// A stream that takes nothing.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_gone_is_told_apart_from_a_full_disk() {
    let refused =
        |kind| Output::new(Box::new(Refusing(kind)), Box::new(io::sink()), Terminals::default(), None).line("x");
    assert!(matches!(refused(io::ErrorKind::BrokenPipe), Err(OutputError::Closed)));
    assert!(matches!(refused(io::ErrorKind::StorageFull), Err(OutputError::Write(_))));
}

#[test]
fn a_long_text_is_cut_in_a_table_and_nowhere_else() {
    const MEMBER: [Column; 1] = [Column::text("member", "MEMBER").shortened(8)];
    let shown = |format| {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(format) }, &MEMBER);
        rows.push(vec!["vitals-12345".into()]).unwrap();
        rows.push(vec!["vitals-1".into()]).unwrap();
        rows.finish().unwrap();
        memory.stdout()
    };
    assert_eq!(shown(Format::Table), "MEMBER\nvitals-…\nvitals-1\n");
    assert_eq!(shown(Format::Csv), "member\nvitals-12345\nvitals-1\n");
}
