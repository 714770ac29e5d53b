//! The limits of the physiological rules: the place to look for "above which heart rate does it alert?".

/// The limits in force. Both can be set (`heart_rate_high`, `spo2_low`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A heart rate above this raises an alert, /min.
    pub heart_rate_high: i32,
    /// An oxygen saturation below this raises an alert, %.
    pub spo2_low: i32,
}

impl Limits {
    pub(super) fn heart_rate_high(self) -> f64 {
        f64::from(self.heart_rate_high)
    }

    pub(super) fn spo2_low(self) -> f64 {
        f64::from(self.spo2_low)
    }
}

/// The limits of the coursework consumer: heart rate > 110 /min, `SpO2` < 92 %.
impl Default for Limits {
    fn default() -> Self {
        Self { heart_rate_high: 110, spo2_low: 92 }
    }
}
