-- Who was admitted, and what was changed since, newest first. The newest entry of a patient is what holds.
CREATE TABLE IF NOT EXISTS patient_admissions (
    scope TEXT NOT NULL,        -- 'all': every patient
    version INTEGER NOT NULL,   -- counted up from 1
    patient_id TEXT,
    author TEXT,                -- who made the change
    reason TEXT,
    changed_at TEXT,            -- written as patient_vitals.timestamp
    content TEXT,               -- JSON: name, bed, ward, birth date, limits of the patient's own, ...
    PRIMARY KEY (scope, version DESC)
) STRICT, WITHOUT ROWID;
