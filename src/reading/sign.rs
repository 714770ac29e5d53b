//! The six vital signs.

/// One of the six vital signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sign {
    /// Heart rate, /min.
    HeartRate,
    /// Oxygen saturation by pulse oximetry, %.
    Spo2,
    /// Systolic blood pressure, mmHg.
    Systolic,
    /// Diastolic blood pressure, mmHg.
    Diastolic,
    /// Respiratory rate, /min.
    RespiratoryRate,
    /// Body temperature, °C.
    Temperature,
}

impl Sign {
    /// All signs, in the order of the table's columns.
    pub const ALL: [Self; 6] =
        [Self::HeartRate, Self::Spo2, Self::Systolic, Self::Diastolic, Self::RespiratoryRate, Self::Temperature];

    /// The sign's name in messages, CSV files and columns.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeartRate => "heart_rate",
            Self::Spo2 => "spo2",
            Self::Systolic => "systolic",
            Self::Diastolic => "diastolic",
            Self::RespiratoryRate => "respiratory_rate",
            Self::Temperature => "temperature",
        }
    }
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What was measured. A sign that is `None` was not measured, which is normal: most charted readings lack a
/// temperature.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signs {
    /// Heart rate, /min.
    pub heart_rate: Option<i32>,
    /// Oxygen saturation, %.
    pub spo2: Option<i32>,
    /// Systolic blood pressure, mmHg.
    pub systolic: Option<i32>,
    /// Diastolic blood pressure, mmHg.
    pub diastolic: Option<i32>,
    /// Respiratory rate, /min.
    pub respiratory_rate: Option<i32>,
    /// Body temperature, °C, in the width of the table's FLOAT column.
    pub temperature: Option<f32>,
}

impl Signs {
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The value of `sign`, if it was measured.
    pub fn get(&self, sign: Sign) -> Option<f64> {
        match sign {
            Sign::HeartRate => self.heart_rate.map(f64::from),
            Sign::Spo2 => self.spo2.map(f64::from),
            Sign::Systolic => self.systolic.map(f64::from),
            Sign::Diastolic => self.diastolic.map(f64::from),
            Sign::RespiratoryRate => self.respiratory_rate.map(f64::from),
            Sign::Temperature => self.temperature.map(f64::from),
        }
    }

    /// Takes the signs of `later` over these; what `later` does not carry stays.
    pub fn overlay(&mut self, later: &Self) {
        self.heart_rate = later.heart_rate.or(self.heart_rate);
        self.spo2 = later.spo2.or(self.spo2);
        self.systolic = later.systolic.or(self.systolic);
        self.diastolic = later.diastolic.or(self.diastolic);
        self.respiratory_rate = later.respiratory_rate.or(self.respiratory_rate);
        self.temperature = later.temperature.or(self.temperature);
    }
}
