//! How long ago something was, in a few letters.

/// How long ago something was: the largest unit alone.
pub(in crate::cmd) fn age(micros: i64) -> String {
    match micros.div_euclid(1_000_000) {
        // The device's clock is ahead of ours; by less than two seconds is nothing to speak of.
        seconds if seconds < -1 => "ahead".to_owned(),
        seconds @ ..60 => format!("{}s", seconds.max(0)),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, text) in
            [(-60, "ahead"), (-1, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (90_000, "1d")]
        {
            assert_eq!(age(seconds * 1_000_000), text);
        }
    }
}
