-- Plans become what they are in life: offered, agreed, paid in parts, missed, over. Nothing wrote the three tables of
-- 0001 before, so they are made anew. Holds that people place stand beside them.
DROP TABLE plans;
DROP TABLE plan_invoices;
DROP TABLE instalments;
CREATE TABLE plans (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C" NOT NULL, currency TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL,
  status TEXT COLLATE "C" NOT NULL, offered_on TEXT COLLATE "C", valid_until TEXT COLLATE "C", max_instalments BIGINT, ends_by TEXT COLLATE "C", agreed_on TEXT COLLATE "C",
  ended_on TEXT COLLATE "C", method TEXT COLLATE "C" NOT NULL, by TEXT COLLATE "C" NOT NULL, default_after BIGINT NOT NULL, re_ages BIGINT NOT NULL,
  mandate TEXT COLLATE "C", reason TEXT COLLATE "C" NOT NULL, watch_at BIGINT, known_at BIGINT NOT NULL
);
CREATE INDEX plans_watch ON plans (watch_at, id) WHERE watch_at IS NOT NULL;
CREATE INDEX plans_customer ON plans (customer, id);
-- `base_minor` is the invoice's balance when the plan was agreed: what the balance lost since then was paid to the plan.
CREATE TABLE plan_invoices (
  plan TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, invoice TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL,
  base_minor BIGINT NOT NULL, PRIMARY KEY (plan, ordinal)
);
CREATE INDEX plan_invoices_invoice ON plan_invoices (invoice, plan);
CREATE TABLE instalments (
  plan TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, due_on TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL,
  paid_minor BIGINT NOT NULL, told TEXT COLLATE "C" NOT NULL, collected TEXT COLLATE "C", PRIMARY KEY (plan, ordinal)
);
CREATE TABLE holds (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, scope TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C", customer TEXT COLLATE "C", class TEXT COLLATE "C",
  reason TEXT COLLATE "C" NOT NULL, note TEXT COLLATE "C" NOT NULL, owner TEXT COLLATE "C" NOT NULL, from_on TEXT COLLATE "C" NOT NULL, until_on TEXT COLLATE "C" NOT NULL,
  released_on TEXT COLLATE "C", released_by TEXT COLLATE "C", known_at BIGINT NOT NULL
);
CREATE INDEX holds_customer ON holds (customer, id) WHERE released_on IS NULL;
CREATE INDEX holds_class ON holds (until_on, id) WHERE scope = 'class' AND released_on IS NULL;
