-- Every alert, newest first. The key is patient, onset and rule, so that a repeat of a reading finds the same row.
CREATE TABLE IF NOT EXISTS patient_alerts (
    patient_id TEXT NOT NULL,
    onset TEXT NOT NULL,    -- time of the reading that raised it, written as patient_vitals.timestamp
    rule TEXT NOT NULL,     -- stable name: heart_rate_high, spo2_low, ...
    priority TEXT,          -- high, medium, low
    value REAL,             -- what raised it, in the sign's unit
    limit_in_force REAL,    -- the rule's limit at that time, in the sign's unit; none for a technical alert
    peak REAL,              -- the worst value while it lasted, in the sign's unit
    ended TEXT,             -- when the condition ended, written as onset
    acknowledged_by TEXT,
    acknowledged_at TEXT,   -- written as onset
    PRIMARY KEY (patient_id, onset DESC, rule)
) STRICT, WITHOUT ROWID;
