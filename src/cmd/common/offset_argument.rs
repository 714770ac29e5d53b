//! Offsets as people type them.

use crate::kafka::history::Stretch;

/// Takes `PARTITION:OFFSET`. Made to be a clap `value_parser`, as the other one here.
///
/// # Errors
/// A text that tells the form.
pub(in crate::cmd) fn parse_offset(text: &str) -> Result<(i32, i64), String> {
    let numbers = || {
        let (partition, offset) = text.split_once(':')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    let numbers = numbers().filter(|(partition, offset): &(i32, i64)| *partition >= 0 && *offset >= 0);
    numbers.ok_or_else(|| "an offset is written as PARTITION:OFFSET, as in 2:41".to_owned())
}

/// Takes `PARTITION:FIRST-LAST`, the last one included, or `PARTITION:OFFSET`.
///
/// # Errors
/// A text that tells the form.
pub(in crate::cmd) fn parse(text: &str) -> Result<Stretch, String> {
    let numbers = || {
        let (partition, offsets) = text.split_once(':')?;
        let (first, last) = offsets.split_once('-').unwrap_or((offsets, offsets));
        Some((partition.parse().ok()?, first.parse().ok()?, last.parse().ok()?))
    };
    let is_range = |(partition, first, last): &(i32, i64, i64)| *partition >= 0 && *first >= 0 && last >= first;
    let (partition, start, last) = numbers()
        .filter(is_range)
        .ok_or_else(|| "offsets are written as PARTITION:FIRST-LAST, the last one included, as in 2:0-99".to_owned())?;
    Ok(Stretch { partition, start, end: last.saturating_add(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_a_partition_and_a_number() {
        assert_eq!(parse_offset("2:41"), Ok((2, 41)));
        for text in ["", "2", "2:", ":41", "-1:0", "0:-1", "a:b", "1:2:3", "99999999999:0"] {
            assert!(parse_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_of_offsets_includes_its_last_one() {
        assert_eq!(parse("2:0-99"), Ok(Stretch { partition: 2, start: 0, end: 100 }));
        assert_eq!(parse("0:7"), Ok(Stretch { partition: 0, start: 7, end: 8 }));
    }

    #[test]
    fn anything_else_is_no_range() {
        for text in ["", "2", "2:", "2:5-4", "2:-5", "2:1-", "-1:0-1", "a:0-1", "2:0-9-9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
