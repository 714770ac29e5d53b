//! The name that was probably meant.

/// The one of `known` that is nearest to `typed`, if it is near enough to be meant: at most one change in three
/// characters.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, name)| distance.saturating_mul(3) <= name.chars().count())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const NAMES: [&str; 3] = ["topic", "brokers", "session_timeout"];

    #[test]
    fn a_slip_of_the_hand_finds_its_name() {
        assert_eq!(nearest("tpoic", NAMES), Some("topic"));
        assert_eq!(nearest("broker", NAMES), Some("brokers"));
        assert_eq!(nearest("session-time-out", NAMES), Some("session_timeout"));
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(nearest("password", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
    }
}
