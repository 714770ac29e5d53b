//! Rows into text.

use std::fmt::Write as _;

use super::{COLUMNS, Format};
use crate::reading::Signs;
use crate::store::StoredReading;

/// What stands before the first row: the line of names of a CSV file; the format of objects names each value.
pub fn head(format: Format) -> String {
    match format {
        Format::Csv => format!("{}\n", COLUMNS.join(",")),
        Format::Ndjson => String::new(),
    }
}

/// Adds `row` to `text`, with its line's end.
pub fn row(format: Format, row: &StoredReading, text: &mut String) {
    match format {
        Format::Csv => csv_row(row, text),
        Format::Ndjson => json_row(row, text),
    }
}

fn csv_row(row: &StoredReading, text: &mut String) {
    push_cell(&row.patient_id, text);
    text.push(',');
    push_cell(&row.timestamp, text);
    for number in numbers(&row.signs) {
        text.push(',');
        text.push_str(&number.unwrap_or_default());
    }
    text.push('\n');
}

/// In quotes where it has to be; there a quotation mark and a backslash each have a backslash before them, as cqlsh
/// reads it.
fn push_cell(cell: &str, text: &mut String) {
    if !cell.contains([',', '"', '\\', '\n', '\r']) {
        text.push_str(cell);
        return;
    }
    text.push('"');
    for letter in cell.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
}

fn json_row(row: &StoredReading, text: &mut String) {
    let as_json = |value: &str| serde_json::Value::from(value).to_string();
    // Writing into memory cannot fail.
    let _ = write!(text, "{{\"patient_id\":{},\"timestamp\":{}", as_json(&row.patient_id), as_json(&row.timestamp));
    let finite = row.signs.temperature.is_none_or(f32::is_finite);
    for (name, number) in COLUMNS.iter().skip(2).zip(numbers(&row.signs)) {
        let number = number.unwrap_or_else(|| "null".to_owned());
        // JSON has no such number; as text it is not lost.
        let quote = if finite || *name != "temperature" { "" } else { "\"" };
        let _ = write!(text, ",\"{name}\":{quote}{number}{quote}");
    }
    text.push_str("}\n");
}

fn numbers(signs: &Signs) -> [Option<String>; 6] {
    let whole = |number: Option<i32>| number.map(|number| number.to_string());
    [
        whole(signs.heart_rate),
        whole(signs.spo2),
        whole(signs.systolic),
        whole(signs.diastolic),
        whole(signs.respiratory_rate),
        signs.temperature.map(decimal_text),
    ]
}

/// The decimal as the shortest text that means the same number in the width of the FLOAT column: 36.8, 37.0, 1e-45. What
/// JSON has no number for has a name, as cqlsh writes it: NaN, Infinity, -Infinity.
fn decimal_text(number: f32) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        // Debug keeps the point of a whole number.
        format!("{number:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::number::decimal;

    #[test]
    fn a_decimal_comes_back_to_the_bit() {
        let bits = (0..2000_u32).map(|step| step.wrapping_mul(2_147_483));
        let odd = [0.0, -0.0, 36.8, 37.0, 1e-45, f32::MAX, f32::MIN];
        for number in bits.map(f32::from_bits).filter(|number| number.is_finite()).chain(odd) {
            assert_eq!(decimal(&decimal_text(number)).map(f32::to_bits), Ok(number.to_bits()), "{number:?}");
        }
    }

    #[test]
    fn a_decimal_is_as_short_as_it_was_sent_and_what_is_none_has_a_name() {
        assert_eq!([36.8, 37.0, -0.5].map(decimal_text), ["36.8", "37.0", "-0.5"]);
        let names = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(decimal_text);
        assert_eq!(names, ["NaN", "Infinity", "-Infinity"]);
    }

    fn encoded(format: Format, patient_id: &str, timestamp: &str, signs: Signs) -> String {
        let mut text = head(format);
        let reading = StoredReading { patient_id: patient_id.to_owned(), timestamp: timestamp.to_owned(), signs };
        row(format, &reading, &mut text);
        text
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
    fn csv_has_the_table_s_columns_and_nothing_for_what_was_not_measured() {
        let expected = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n\
                        P001,2025-10-26T10:30:15+00:00,95,,120,80,,36.8\n";
        assert_eq!(encoded(Format::Csv, "P001", "2025-10-26T10:30:15+00:00", SIGNS), expected);
    }

    #[test]
    fn csv_escapes_as_cqlsh_reads_it() {
        let text = encoded(Format::Csv, "a\"b\\c", "x,y", Signs::default());
        assert_eq!(text.lines().nth(1), Some(r#""a\"b\\c","x,y",,,,,,"#));
    }

    #[test]
    fn ndjson_is_an_object_a_line_with_null_for_what_was_not_measured() {
        let expected = concat!(
            r#"{"patient_id":"P\"1","timestamp":"a\nb","heart_rate":95,"spo2":null,"systolic":120,"#,
            r#""diastolic":80,"respiratory_rate":null,"temperature":36.8}"#,
            "\n"
        );
        assert_eq!(encoded(Format::Ndjson, "P\"1", "a\nb", SIGNS), expected);
        let odd = Signs { temperature: Some(f32::NEG_INFINITY), ..Signs::default() };
        assert!(encoded(Format::Ndjson, "P", "t", odd).ends_with("\"temperature\":\"-Infinity\"}\n"));
    }
}
