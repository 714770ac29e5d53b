-- What the readings of each minute come to, newest first. A minute is written when it is over, and again where a late
-- reading changes it.
-- Only values that are believed count: not a heart rate of 0, nor a temperature in Fahrenheit.
-- Of each sign: how many values, the least, the most, their sum, the last; null where it was not measured.
CREATE TABLE IF NOT EXISTS patient_vitals_1m (
    patient_id TEXT NOT NULL,
    month TEXT NOT NULL,        -- 2026-01
    minute TEXT NOT NULL,       -- its beginning, written as patient_vitals.timestamp
    n INTEGER,                  -- how many readings
    heart_rate_n INTEGER,
    heart_rate_min REAL,   -- /min
    heart_rate_max REAL,
    heart_rate_sum REAL,
    heart_rate_last REAL,
    spo2_n INTEGER,
    spo2_min REAL,   -- %
    spo2_max REAL,
    spo2_sum REAL,
    spo2_last REAL,
    systolic_n INTEGER,
    systolic_min REAL,   -- mmHg
    systolic_max REAL,
    systolic_sum REAL,
    systolic_last REAL,
    diastolic_n INTEGER,
    diastolic_min REAL,   -- mmHg
    diastolic_max REAL,
    diastolic_sum REAL,
    diastolic_last REAL,
    respiratory_rate_n INTEGER,
    respiratory_rate_min REAL,   -- /min
    respiratory_rate_max REAL,
    respiratory_rate_sum REAL,
    respiratory_rate_last REAL,
    temperature_n INTEGER,
    temperature_min REAL,   -- °C
    temperature_max REAL,
    temperature_sum REAL,
    temperature_last REAL,
    PRIMARY KEY (patient_id, month DESC, minute DESC)
) STRICT, WITHOUT ROWID;
