//! Rows into text.

use std::fmt::{self, Write as _};

use super::Format;
use crate::reading::{COLUMNS, Number, Observation, Sign};
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
    for sign in Sign::ALL {
        text.push(',');
        if let Some(number) = row.signs.number(sign) {
            push(text, format_args!("{number}"));
        }
    }
    for observation in Observation::ALL {
        text.push(',');
        text.push_str(row.signs.observed.text(observation).unwrap_or_default());
    }
    text.push('\n');
}

fn push(text: &mut String, piece: fmt::Arguments<'_>) {
    // Writing into memory cannot fail.
    let _ = text.write_fmt(piece);
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
    let (patient_id, timestamp) = (as_json(&row.patient_id), as_json(&row.timestamp));
    push(text, format_args!("{{\"patient_id\":{patient_id},\"timestamp\":{timestamp}"));
    for sign in Sign::ALL {
        match row.signs.number(sign) {
            None => push(text, format_args!(",\"{sign}\":null")),
            // JSON has no such number; as text it is not lost.
            Some(Number::Decimal(odd)) if !odd.is_finite() => {
                push(text, format_args!(",\"{sign}\":\"{}\"", Number::Decimal(odd)));
            }
            Some(number) => push(text, format_args!(",\"{sign}\":{number}")),
        }
    }
    let observed = row.signs.observed;
    let oxygen = observed.supplemental_oxygen.map_or("null", |is_given| if is_given { "true" } else { "false" });
    push(text, format_args!(",\"{}\":{oxygen}", Observation::SupplementalOxygen));
    push(text, format_args!(",\"{}\":", Observation::Consciousness));
    match observed.consciousness {
        Some(state) => push(text, format_args!("\"{}\"", state.name())),
        None => text.push_str("null"),
    }
    text.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Consciousness, Observed, Signs};

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
        observed: Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Voice) },
    };

    #[test]
    fn csv_has_the_table_s_columns_and_nothing_for_what_was_not_measured() {
        let expected = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature,\
                        supplemental_oxygen,consciousness\n\
                        P001,2025-10-26T10:30:15+00:00,95,,120,80,,36.8,true,V\n";
        assert_eq!(encoded(Format::Csv, "P001", "2025-10-26T10:30:15+00:00", SIGNS), expected);
    }

    #[test]
    fn csv_escapes_as_cqlsh_reads_it() {
        let text = encoded(Format::Csv, "a\"b\\c", "x,y", Signs::default());
        assert_eq!(text.lines().nth(1), Some(r#""a\"b\\c","x,y",,,,,,,,"#));
    }

    #[test]
    fn ndjson_is_an_object_a_line_with_null_for_what_was_not_measured() {
        let expected = concat!(
            r#"{"patient_id":"P\"1","timestamp":"a\nb","heart_rate":95,"spo2":null,"systolic":120,"#,
            r#""diastolic":80,"respiratory_rate":null,"temperature":36.8,"supplemental_oxygen":true,"#,
            r#""consciousness":"V"}"#,
            "\n"
        );
        assert_eq!(encoded(Format::Ndjson, "P\"1", "a\nb", SIGNS), expected);
        let odd = Signs { temperature: Some(f32::NEG_INFINITY), ..Signs::default() };
        assert!(encoded(Format::Ndjson, "P", "t", odd).contains("\"temperature\":\"-Infinity\","));
        let expected = "\"supplemental_oxygen\":null,\"consciousness\":null}\n";
        assert!(encoded(Format::Ndjson, "P", "t", odd).ends_with(expected));
    }
}
