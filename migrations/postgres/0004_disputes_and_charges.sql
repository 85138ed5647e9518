-- Disputes get a person, a day by which they are answered, and the credit notes that answer them. `overdue_at` is set
-- while nobody has been told that the day has passed.
ALTER TABLE disputes ADD COLUMN owner TEXT COLLATE "C";
ALTER TABLE disputes ADD COLUMN answer_by TEXT COLLATE "C";
ALTER TABLE disputes ADD COLUMN credited_minor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE disputes ADD COLUMN awaits_credit BIGINT NOT NULL DEFAULT 0;
ALTER TABLE disputes ADD COLUMN overdue_at BIGINT;
CREATE INDEX disputes_overdue ON disputes (overdue_at, id) WHERE overdue_at IS NOT NULL;
-- An id is its source's own: two sources may both have a dispute 7.
UPDATE disputes SET id = source || ':' || id WHERE id NOT LIKE 'task:%';
UPDATE promise_invoices SET promise = (SELECT p.source || ':' || p.id FROM promises p WHERE p.id = promise_invoices.promise)
  WHERE promise NOT LIKE 'task:%';
UPDATE promises SET id = source || ':' || id WHERE id NOT LIKE 'task:%';
-- Charges that are not asked for. An empty amount is all that had come about by the day.
CREATE TABLE waivers (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL, amount_minor BIGINT, reason TEXT COLLATE "C" NOT NULL,
  waived_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL
);
CREATE INDEX waivers_invoice ON waivers (invoice, waived_on, id);
