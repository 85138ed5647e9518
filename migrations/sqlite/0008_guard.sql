-- What the guard answered to a contact before it left, or did not: one row for each time it was asked at the hand-over.
CREATE TABLE verdicts (
  effect TEXT NOT NULL, at INTEGER NOT NULL, customer TEXT NOT NULL, invoice TEXT NOT NULL, channel TEXT NOT NULL,
  class TEXT NOT NULL, verdict TEXT NOT NULL, rule TEXT NOT NULL, until_at INTEGER, findings TEXT NOT NULL,
  policy TEXT NOT NULL, PRIMARY KEY (effect, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_customer ON verdicts (customer, at);
-- What is ready for a customer on a channel: it leaves in one message.
CREATE INDEX outbox_customer ON outbox (customer, lane, due_at)
  WHERE status = 0 AND lane IN ('email', 'letter', 'sms', 'voice', 'whatsapp');
-- The key of the message that an effect left in, where it leaves with others: whoever tries again uses the same.
ALTER TABLE outbox ADD COLUMN bundle TEXT;
