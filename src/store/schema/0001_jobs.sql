-- Jobs, their runs, findings and events.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One life of a daemon.
CREATE TABLE boots (
    boot       INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    version    TEXT NOT NULL,
    started_at TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
    job            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE CHECK (length(id) = 32),
    boot           INTEGER NOT NULL REFERENCES boots (boot),
    principal      TEXT NOT NULL,
    target         TEXT NOT NULL,
    request        TEXT NOT NULL,                  -- JobRequest as JSON
    state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    conclusion     TEXT NOT NULL CHECK (conclusion IN ('pending', 'clean', 'findings', 'incomplete')),
    error          TEXT,
    submitted_at   TEXT NOT NULL,
    ended_at       TEXT,
    content_digest TEXT,
    left_out       TEXT NOT NULL,                  -- Coverage as JSON: the snapshot's gaps
    counts         TEXT NOT NULL,                  -- findings by severity, least first, as JSON
    next_sequence  INTEGER NOT NULL DEFAULT 1      -- of this job's next event
) STRICT;

CREATE INDEX jobs_of_principal ON jobs (principal, job);
CREATE INDEX jobs_of_target ON jobs (principal, target, job);
-- What a start must bring to an end; empty most of the time.
CREATE INDEX jobs_open ON jobs (job) WHERE state IN ('queued', 'running');

CREATE TABLE runs (
    run          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE CHECK (length(id) = 32),
    job          INTEGER NOT NULL REFERENCES jobs (job) ON DELETE CASCADE,
    tool         TEXT NOT NULL,
    tool_version TEXT,
    state        TEXT NOT NULL,                    -- the word, for people and counts
    detail       TEXT NOT NULL                     -- RunState as JSON, coverage and gaps included
) STRICT;

CREATE INDEX runs_of_job ON runs (job, run);

CREATE TABLE findings (
    finding     INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES jobs (job) ON DELETE CASCADE,
    run         INTEGER NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    tool        TEXT NOT NULL,
    rule        TEXT NOT NULL,
    rank        INTEGER NOT NULL CHECK (rank BETWEEN 0 AND 4),  -- 0 is critical: ascending is worst first
    path        TEXT NOT NULL,
    line        INTEGER NOT NULL,                  -- 0: the file as a whole
    start_column INTEGER,
    end_line    INTEGER,
    end_column  INTEGER,
    message     TEXT NOT NULL,
    cwe         TEXT NOT NULL,                     -- numbers as JSON
    help        TEXT,
    fingerprint TEXT NOT NULL,
    line_hash   TEXT,
    UNIQUE (run, fingerprint)
) STRICT;

-- The order of every page.
CREATE INDEX findings_ranked ON findings (job, rank, path, line);

CREATE TABLE events (
    job      INTEGER NOT NULL REFERENCES jobs (job) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at       TEXT NOT NULL,
    event    TEXT NOT NULL,                        -- JobEvent as JSON
    PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;
