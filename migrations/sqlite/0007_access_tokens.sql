-- Who may come to `vitals serve`, newest first. The newest entry of a name is what holds. No token stands here, only what
-- proves one.
CREATE TABLE IF NOT EXISTS access_tokens (
    scope TEXT NOT NULL,        -- 'all'
    version INTEGER NOT NULL,   -- counted up from 1
    name TEXT,                  -- of the person, screen or program
    author TEXT,                -- who gave it, or took it back
    reason TEXT,
    changed_at TEXT,            -- written as patient_vitals.timestamp
    content TEXT,               -- JSON: role, sha256 of the token; or that it is revoked
    PRIMARY KEY (scope, version DESC)
) STRICT, WITHOUT ROWID;
