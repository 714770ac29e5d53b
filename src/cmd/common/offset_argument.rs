//! Offsets as people type them.

use crate::kafka::history::Stretch;

/// Parses `PARTITION:OFFSET`, as a clap `value_parser`.
pub(in crate::cmd) fn parse_offset(text: &str) -> Result<(i32, i64), String> {
    match range(text) {
        Some((partition, first, None)) => Ok((partition, first)),
        _ => Err("an offset is written as PARTITION:OFFSET, as in 2:41".to_owned()),
    }
}

/// Parses `PARTITION:FIRST-LAST`, the last one included, or `PARTITION:OFFSET`, as a clap `value_parser`.
pub(in crate::cmd) fn parse(text: &str) -> Result<Stretch, String> {
    let (partition, start, last) = range(text)
        .ok_or_else(|| "offsets are written as PARTITION:FIRST-LAST, the last one included, as in 2:0-99".to_owned())?;
    Ok(Stretch { partition, start, end: last.unwrap_or(start).saturating_add(1) })
}

/// The partition, the first offset, and the last one where it stands there. What never was in the topic has another partition
/// in its letter: what was refused as HL7 -1, what came over HTTP -2.
fn range(text: &str) -> Option<(i32, i64, Option<i64>)> {
    let (partition, offsets) = text.split_once(':')?;
    let (first, last) = match offsets.split_once('-') {
        Some((first, last)) => (first, Some(last.parse().ok()?)),
        None => (offsets, None),
    };
    let (partition, first) = (partition.parse().ok()?, first.parse().ok()?);
    let is_range = partition >= -2 && first >= 0 && last.is_none_or(|last| last >= first);
    is_range.then_some((partition, first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_a_partition_and_a_number() {
        assert_eq!(parse_offset("2:41"), Ok((2, 41)));
        assert_eq!(parse_offset("-1:41"), Ok((-1, 41)));
        assert_eq!(parse_offset("-2:41"), Ok((-2, 41)));
        for text in ["", "2", "2:", ":41", "-3:0", "0:-1", "a:b", "1:2:3", "99999999999:0", "2:0-9"] {
            assert!(parse_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_of_offsets_includes_its_last_one() {
        assert_eq!(parse("2:0-99"), Ok(Stretch { partition: 2, start: 0, end: 100 }));
        assert_eq!(parse("0:7"), Ok(Stretch { partition: 0, start: 7, end: 8 }));
        for text in ["", "2", "2:", "2:5-4", "2:-5", "2:1-", "-3:0-1", "a:0-1", "2:0-9-9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
