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
-- Discounts for paying early. `expires_at` is set while the offer is open.
CREATE TABLE incentives (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL,
  customer TEXT COLLATE "C" NOT NULL, percent TEXT COLLATE "C", amount_minor BIGINT NOT NULL,
  opened_on TEXT COLLATE "C" NOT NULL, until_on TEXT COLLATE "C" NOT NULL, expires_at BIGINT,
  reason TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, taken_on TEXT COLLATE "C", known_at BIGINT NOT NULL
);
CREATE INDEX incentives_invoice ON incentives (invoice, opened_on, id);
CREATE INDEX incentives_expire ON incentives (expires_at, id) WHERE expires_at IS NOT NULL;
