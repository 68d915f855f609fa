-- Attempts, quarantine, idempotency keys. The table of jobs is built anew: SQLite cannot change a CHECK.

CREATE TABLE jobs_new (
    job            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE CHECK (length(id) = 32),
    boot           INTEGER NOT NULL REFERENCES boots (boot),  -- in which it was let in, then last started
    principal      TEXT NOT NULL,
    target         TEXT NOT NULL,
    request        TEXT NOT NULL,                  -- JobRequest as JSON
    state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'expired', 'quarantined')),
    conclusion     TEXT NOT NULL CHECK (conclusion IN ('pending', 'clean', 'findings', 'incomplete')),
    attempt        INTEGER NOT NULL DEFAULT 0,     -- how often started: the fencing token
    deaths         INTEGER NOT NULL DEFAULT 0,
    losses         INTEGER NOT NULL DEFAULT 0,
    cancel_asked   INTEGER NOT NULL DEFAULT 0 CHECK (cancel_asked IN (0, 1)),
    waiting_plan   TEXT,                           -- what a job that never started will do: a second one would do the same
    error          TEXT,
    submitted_at   TEXT NOT NULL,
    ended_at       TEXT,
    content_digest TEXT,
    left_out       TEXT NOT NULL,                  -- Coverage as JSON: the snapshot's gaps
    counts         TEXT NOT NULL,                  -- findings by severity, least first, as JSON
    next_sequence  INTEGER NOT NULL DEFAULT 1      -- of this job's next event
) STRICT;

INSERT INTO jobs_new (job, id, boot, principal, target, request, state, conclusion, error, submitted_at, ended_at,
                      content_digest, left_out, counts, next_sequence)
    SELECT job, id, boot, principal, target, request, state, conclusion, error, submitted_at, ended_at,
           content_digest, left_out, counts, next_sequence FROM jobs;

DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;

CREATE INDEX jobs_of_principal ON jobs (principal, job);
CREATE INDEX jobs_of_target ON jobs (principal, target, job);
-- What a start must take up again, and what the rescuer looks through.
CREATE INDEX jobs_open ON jobs (job) WHERE state IN ('queued', 'running');
-- At most one job waits to do the same thing.
CREATE UNIQUE INDEX jobs_waiting ON jobs (waiting_plan) WHERE waiting_plan IS NOT NULL;

-- A client's own name for a submission: the same name is the same job, for as long as the job is kept.
CREATE TABLE idempotency_keys (
    principal TEXT NOT NULL,
    key       TEXT NOT NULL,
    payload   TEXT NOT NULL,                       -- SHA-256 of what was asked for
    job       INTEGER NOT NULL REFERENCES jobs (job) ON DELETE CASCADE,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_of_job ON idempotency_keys (job);
