-- What customers said about channels: every word with its purpose (`kind`), instant, evidence and who took it down. The
-- last one holds. What stood here before were opt-outs for everything.
ALTER TABLE consents ADD COLUMN word TEXT NOT NULL DEFAULT 'withdrawn';
ALTER TABLE consents ADD COLUMN said_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consents ADD COLUMN dated INTEGER NOT NULL DEFAULT 1;
ALTER TABLE consents ADD COLUMN evidence TEXT NOT NULL DEFAULT '';
ALTER TABLE consents ADD COLUMN said_by TEXT NOT NULL DEFAULT '';
UPDATE consents SET said_at = known_at;
-- A channel is closed by the word itself, no longer by its addresses: a word that opens it again need not find them.
UPDATE contact_points SET usable = 1 WHERE usable = 0 AND EXISTS (SELECT 1 FROM consents c
  WHERE c.customer = contact_points.customer AND c.channel = contact_points.channel AND c.given = 0);
