//! The two limits that can be set, of the line below a reading and of the set `classic`. Those of other sets are in
//! `alarm/sets`.

/// Above this heart rate an alert is raised, /min, where nothing else is set.
pub const HEART_RATE_HIGH: &str = "110";

/// Below this oxygen saturation an alert is raised, %, where nothing else is set.
pub const SPO2_LOW: &str = "92";

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
        const { Self { heart_rate_high: number(HEART_RATE_HIGH), spo2_low: number(SPO2_LOW) } }
    }
}

/// Reads a default when the program is compiled, so that a malformed one does not compile.
#[allow(clippy::panic, reason = "at compile time")]
const fn number(text: &str) -> i32 {
    match i32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a limit is a whole number"),
    }
}
