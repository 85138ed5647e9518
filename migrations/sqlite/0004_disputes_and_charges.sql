-- Disputes get a person, a day by which they are answered, and the credit notes that answer them. `overdue_at` is set
-- while nobody has been told that the day has passed.
ALTER TABLE disputes ADD COLUMN owner TEXT;
ALTER TABLE disputes ADD COLUMN answer_by TEXT;
ALTER TABLE disputes ADD COLUMN credited_minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE disputes ADD COLUMN awaits_credit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE disputes ADD COLUMN overdue_at INTEGER;
CREATE INDEX disputes_overdue ON disputes (overdue_at, id) WHERE overdue_at IS NOT NULL;
-- An id is its source's own: two sources may both have a dispute 7.
UPDATE disputes SET id = source || ':' || id WHERE id NOT LIKE 'task:%';
UPDATE promise_invoices SET promise = (SELECT p.source || ':' || p.id FROM promises p WHERE p.id = promise_invoices.promise)
  WHERE promise NOT LIKE 'task:%';
UPDATE promises SET id = source || ':' || id WHERE id NOT LIKE 'task:%';
-- Charges that are not asked for. An empty amount is all that had come about by the day.
CREATE TABLE waivers (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, invoice TEXT NOT NULL, kind TEXT NOT NULL, amount_minor INTEGER,
  reason TEXT NOT NULL, waived_on TEXT NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX waivers_invoice ON waivers (invoice, waived_on, id);
