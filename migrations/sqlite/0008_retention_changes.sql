-- How long rows are kept, newest first. The newest entry is what holds for every program that writes.
CREATE TABLE IF NOT EXISTS retention_changes (
    scope TEXT NOT NULL,        -- 'all': every patient
    version INTEGER NOT NULL,   -- counted up from 1
    name TEXT,                  -- what was changed: raw, alerts
    author TEXT,                -- who changed it
    reason TEXT,
    changed_at TEXT,            -- written as patient_vitals.timestamp
    content TEXT,               -- JSON: how long readings (raw) and alarms (alerts) are kept since
    PRIMARY KEY (scope, version DESC)
) STRICT, WITHOUT ROWID;
