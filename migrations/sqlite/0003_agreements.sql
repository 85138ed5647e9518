-- Plans become what they are in life: offered, agreed, paid in parts, missed, over. Nothing wrote the three tables of
-- 0001 before, so they are made anew. Holds that people place stand beside them.
DROP TABLE plans;
DROP TABLE plan_invoices;
DROP TABLE instalments;
CREATE TABLE plans (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, customer TEXT NOT NULL, currency TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  status TEXT NOT NULL, offered_on TEXT, valid_until TEXT, max_instalments INTEGER, ends_by TEXT, agreed_on TEXT,
  ended_on TEXT, method TEXT NOT NULL, by TEXT NOT NULL, default_after INTEGER NOT NULL, re_ages INTEGER NOT NULL,
  mandate TEXT, reason TEXT NOT NULL, watch_at INTEGER, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX plans_watch ON plans (watch_at, id) WHERE watch_at IS NOT NULL;
CREATE INDEX plans_customer ON plans (customer, id);
-- `base_minor` is the invoice's balance when the plan was agreed: what the balance lost since then was paid to the plan.
CREATE TABLE plan_invoices (
  plan TEXT NOT NULL, ordinal INTEGER NOT NULL, invoice TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  base_minor INTEGER NOT NULL, PRIMARY KEY (plan, ordinal)
) STRICT;
CREATE INDEX plan_invoices_invoice ON plan_invoices (invoice, plan);
CREATE TABLE instalments (
  plan TEXT NOT NULL, ordinal INTEGER NOT NULL, due_on TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  paid_minor INTEGER NOT NULL, told TEXT NOT NULL, collected TEXT, PRIMARY KEY (plan, ordinal)
) STRICT;
CREATE TABLE holds (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, scope TEXT NOT NULL, invoice TEXT, customer TEXT, class TEXT,
  reason TEXT NOT NULL, note TEXT NOT NULL, owner TEXT NOT NULL, from_on TEXT NOT NULL, until_on TEXT NOT NULL,
  released_on TEXT, released_by TEXT, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX holds_customer ON holds (customer, id) WHERE released_on IS NULL;
CREATE INDEX holds_class ON holds (until_on, id) WHERE scope = 'class' AND released_on IS NULL;
