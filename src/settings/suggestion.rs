//! The name that was probably meant.

/// The one of `known` that is nearest to `typed`, if it is near enough to be meant: at most one change in three
/// characters.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, name)| distance.saturating_mul(3) <= name.chars().count())
        .min()
        .map(|(_, name)| name)
}
