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
-- Discounts for paying early. `expires_at` is set while the offer is open.
CREATE TABLE incentives (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, invoice TEXT NOT NULL, customer TEXT NOT NULL, percent TEXT,
  amount_minor INTEGER NOT NULL, opened_on TEXT NOT NULL, until_on TEXT NOT NULL, expires_at INTEGER,
  reason TEXT NOT NULL, status TEXT NOT NULL, taken_on TEXT, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX incentives_invoice ON incentives (invoice, opened_on, id);
CREATE INDEX incentives_expire ON incentives (expires_at, id) WHERE expires_at IS NOT NULL;
