-- Findings on a running target: the request that showed it, as JSON (Exchange). Absent in a source tree.
ALTER TABLE findings ADD COLUMN web TEXT;
