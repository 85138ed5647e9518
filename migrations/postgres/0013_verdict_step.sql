-- Which step was asked about. What a turn did not order at all is in the log as well: it has no effect, so its key is
-- case/step/channel.
ALTER TABLE verdicts ADD COLUMN step TEXT NOT NULL DEFAULT '';
