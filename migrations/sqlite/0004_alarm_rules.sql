-- The sets of rules that were applied, newest first. The newest one of a scope is in force.
CREATE TABLE IF NOT EXISTS alarm_rules (
    scope TEXT NOT NULL,        -- 'all': every patient
    version INTEGER NOT NULL,   -- counted up from 1
    name TEXT,                  -- of the set
    author TEXT,                -- who applied it
    reason TEXT,
    applied_at TEXT,            -- written as patient_vitals.timestamp
    content TEXT,               -- the file, TOML
    PRIMARY KEY (scope, version DESC)
) STRICT, WITHOUT ROWID;
