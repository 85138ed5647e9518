-- Exceptions from rules of policies: asked by one person, approved by another, for a customer or a class, for a time.
CREATE TABLE exceptions (
  id TEXT COLLATE "C" PRIMARY KEY, rule TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C", class TEXT COLLATE "C",
  reason TEXT COLLATE "C" NOT NULL, note TEXT COLLATE "C" NOT NULL, from_on TEXT COLLATE "C" NOT NULL,
  until_on TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, asked_by TEXT COLLATE "C" NOT NULL,
  asked_at BIGINT NOT NULL, decided_by TEXT COLLATE "C", decided_at BIGINT, ended_by TEXT COLLATE "C", ended_at BIGINT,
  tell_at BIGINT
);
CREATE INDEX exceptions_standing ON exceptions (until_on, id) WHERE status IN ('approved', 'ended');
CREATE INDEX exceptions_tell ON exceptions (tell_at, id) WHERE tell_at IS NOT NULL;
-- Every act on them, never changed.
CREATE TABLE exception_log (
  exception TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, at BIGINT NOT NULL, who TEXT COLLATE "C" NOT NULL,
  act TEXT COLLATE "C" NOT NULL, why TEXT COLLATE "C" NOT NULL, PRIMARY KEY (exception, ordinal)
);
