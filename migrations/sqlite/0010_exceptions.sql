-- Exceptions from rules of policies: asked by one person, approved by another, for a customer or a class, for a time.
CREATE TABLE exceptions (
  id TEXT PRIMARY KEY, rule TEXT NOT NULL, customer TEXT, class TEXT, reason TEXT NOT NULL, note TEXT NOT NULL,
  from_on TEXT NOT NULL, until_on TEXT NOT NULL, status TEXT NOT NULL, asked_by TEXT NOT NULL, asked_at INTEGER NOT NULL,
  decided_by TEXT, decided_at INTEGER, ended_by TEXT, ended_at INTEGER, tell_at INTEGER
) STRICT;
CREATE INDEX exceptions_standing ON exceptions (until_on, id) WHERE status IN ('approved', 'ended');
CREATE INDEX exceptions_tell ON exceptions (tell_at, id) WHERE tell_at IS NOT NULL;
-- Every act on them, never changed.
CREATE TABLE exception_log (
  exception TEXT NOT NULL, ordinal INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL,
  why TEXT NOT NULL, PRIMARY KEY (exception, ordinal)
) STRICT, WITHOUT ROWID;
