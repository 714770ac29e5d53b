-- Every reading: the columns and the key are those of the Cassandra table of the same name.
-- Newest first, as there, so that both give the first rows of a patient in the same order.
CREATE TABLE IF NOT EXISTS patient_vitals (
    patient_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,    -- UTC as Python's isoformat() prints it, so that it sorts as text
    heart_rate INTEGER,         -- /min
    spo2 INTEGER,               -- %
    systolic INTEGER,           -- mmHg
    diastolic INTEGER,          -- mmHg
    respiratory_rate INTEGER,   -- /min
    temperature REAL,           -- °C
    PRIMARY KEY (patient_id, timestamp DESC)
) STRICT, WITHOUT ROWID;
