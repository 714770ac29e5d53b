//! A value in, points out.

/// In ten-thousandths: no sign comes near it, and sums with it are far within an `i64`.
const LARGEST: f64 = 1e15;

/// What each value of one item is worth. Limits are whole ten-thousandths of the item's unit, so that no binary
/// fraction puts a value on the wrong side of one: 36.05 is 360500, even where it passed through 32 bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bands {
    /// To which step a value is rounded first, half up.
    pub(super) step: Option<i64>,
    /// The highest value of each band, rising, with its points.
    pub(super) closed: Vec<(i64, u8)>,
    /// The points of every value above those.
    pub(super) beyond: u8,
}

impl Bands {
    /// What `value` is worth; what is no number is worth nothing that could be told.
    pub(super) fn points(&self, value: f64) -> Option<u8> {
        let exact = ten_thousandths(value)?;
        let value = self.step.map_or(exact, |step| (exact + step / 2).div_euclid(step) * step);
        Some(self.closed.iter().find(|(to, _)| value <= *to).map_or(self.beyond, |(_, points)| *points))
    }

    /// The points that there are.
    pub(super) fn all(&self) -> impl Iterator<Item = u8> {
        self.closed.iter().map(|(_, points)| *points).chain([self.beyond])
    }
}

/// The nearest whole number of ten-thousandths. None for NaN and the infinities.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole, and held far within an i64")]
pub(super) fn ten_thousandths(value: f64) -> Option<i64> {
    value.is_finite().then(|| (value * 10_000.0).round().clamp(-LARGEST, LARGEST) as i64)
}
