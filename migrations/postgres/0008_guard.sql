-- What the guard answered to a contact before it left, or did not: one row for each time it was asked at the hand-over.
CREATE TABLE verdicts (
  effect TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, customer TEXT COLLATE "C" NOT NULL,
  invoice TEXT COLLATE "C" NOT NULL, channel TEXT COLLATE "C" NOT NULL, class TEXT COLLATE "C" NOT NULL,
  verdict TEXT COLLATE "C" NOT NULL, rule TEXT COLLATE "C" NOT NULL, until_at BIGINT,
  findings TEXT COLLATE "C" NOT NULL, policy TEXT COLLATE "C" NOT NULL, PRIMARY KEY (effect, at)
);
CREATE INDEX verdicts_customer ON verdicts (customer, at);
-- What is ready for a customer on a channel: it leaves in one message.
CREATE INDEX outbox_customer ON outbox (customer, lane, due_at)
  WHERE status = 0 AND lane IN ('email', 'letter', 'sms', 'voice', 'whatsapp');
-- The key of the message that an effect left in, where it leaves with others: whoever tries again uses the same.
ALTER TABLE outbox ADD COLUMN bundle TEXT COLLATE "C";
