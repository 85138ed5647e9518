-- The schema of DESIGN section 4 on PostgreSQL 13 and later. Four storage types: integers (microseconds, minor units, 0/1), text (ids,
-- codes, ISO dates, JSON), bytes (hashes, rendered messages). Text sorts by bytes, as there. Its twin has the same name in migrations/sqlite.

CREATE TABLE meta (key TEXT COLLATE "C" PRIMARY KEY, value TEXT COLLATE "C" NOT NULL);

CREATE TABLE inbound (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, external_id TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL,
  body TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, rank BIGINT NOT NULL, hash BYTEA NOT NULL,
  received_at BIGINT NOT NULL, state BIGINT NOT NULL, moved_at BIGINT, reason TEXT COLLATE "C",
  UNIQUE (external_id, kind, source, version)
);
CREATE INDEX inbound_unrouted ON inbound (at, rank, id) WHERE state = 0;
CREATE INDEX inbound_parked ON inbound (id) WHERE state = 2;

-- The ledger as we know it.
CREATE TABLE customers (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, segment TEXT COLLATE "C" NOT NULL,
  country TEXT COLLATE "C" NOT NULL, subdivision TEXT COLLATE "C", locale TEXT COLLATE "C" NOT NULL, time_zone TEXT COLLATE "C" NOT NULL, risk TEXT COLLATE "C" NOT NULL,
  risk_score BIGINT NOT NULL, account_manager TEXT COLLATE "C", vulnerable BIGINT NOT NULL, tags TEXT COLLATE "C" NOT NULL,
  defaults TEXT COLLATE "C" NOT NULL, booked_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL
);
CREATE TABLE contact_points (
  id TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, channel TEXT COLLATE "C" NOT NULL, role TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL, usable BIGINT NOT NULL, known_at BIGINT NOT NULL
);
CREATE INDEX contact_points_customer ON contact_points (customer, id);
CREATE TABLE consents (
  id TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, channel TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, given BIGINT NOT NULL,
  source TEXT COLLATE "C" NOT NULL, booked_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL
);
CREATE INDEX consents_customer ON consents (customer, id);
CREATE TABLE customer_facts (customer TEXT COLLATE "C" PRIMARY KEY, body TEXT COLLATE "C" NOT NULL);

CREATE TABLE invoices (
  id TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, source TEXT COLLATE "C" NOT NULL, number TEXT COLLATE "C" NOT NULL, creditor TEXT COLLATE "C" NOT NULL,
  product TEXT COLLATE "C" NOT NULL, currency TEXT COLLATE "C" NOT NULL, issued_on TEXT COLLATE "C" NOT NULL, due_on TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL, balance_minor BIGINT NOT NULL, charges_minor BIGINT NOT NULL,
  disputed_minor BIGINT NOT NULL, retained_minor BIGINT NOT NULL, not_due_minor BIGINT NOT NULL,
  last_payment_on TEXT COLLATE "C", reference TEXT COLLATE "C" NOT NULL, closed TEXT COLLATE "C", defaults TEXT COLLATE "C" NOT NULL,
  booked_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL
);
CREATE INDEX invoices_customer ON invoices (customer, id);
CREATE INDEX invoices_number ON invoices (number, id);
CREATE TABLE payments (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, external_id TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C", invoice TEXT COLLATE "C",
  currency TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL, unallocated_minor BIGINT NOT NULL, reference TEXT COLLATE "C" NOT NULL,
  booked_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL, UNIQUE (source, external_id)
);
CREATE TABLE allocations (
  payment TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, invoice TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL,
  booked_on TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL, PRIMARY KEY (payment, ordinal)
);
CREATE INDEX allocations_invoice ON allocations (invoice, booked_on);
CREATE TABLE promises (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C" NOT NULL, made_on TEXT COLLATE "C" NOT NULL, due_on TEXT COLLATE "C" NOT NULL,
  limit_on TEXT COLLATE "C" NOT NULL, limit_at BIGINT NOT NULL, amount_minor BIGINT NOT NULL, paid_minor BIGINT NOT NULL,
  method TEXT COLLATE "C" NOT NULL, by TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, judged_on TEXT COLLATE "C", known_at BIGINT NOT NULL
);
CREATE INDEX promises_due ON promises (limit_at, id) WHERE status = 'open';
CREATE TABLE promise_invoices (
  promise TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, invoice TEXT COLLATE "C" NOT NULL, PRIMARY KEY (promise, ordinal)
);
CREATE INDEX promise_invoices_invoice ON promise_invoices (invoice, promise);
CREATE TABLE plans (
  id TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, instalments BIGINT NOT NULL, next_due_on TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL, known_at BIGINT NOT NULL
);
CREATE TABLE plan_invoices (
  plan TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, invoice TEXT COLLATE "C" NOT NULL, PRIMARY KEY (plan, ordinal)
);
CREATE INDEX plan_invoices_invoice ON plan_invoices (invoice, plan);
CREATE TABLE instalments (
  plan TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, due_on TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL,
  paid_minor BIGINT NOT NULL, status TEXT COLLATE "C" NOT NULL, PRIMARY KEY (plan, ordinal)
);
CREATE TABLE disputes (
  id TEXT COLLATE "C" PRIMARY KEY, source TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C" NOT NULL, reason TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL, opened_on TEXT COLLATE "C" NOT NULL, closed_on TEXT COLLATE "C", outcome TEXT COLLATE "C", known_at BIGINT NOT NULL
);
CREATE INDEX disputes_invoice ON disputes (invoice, opened_on);
CREATE TABLE interest (
  invoice TEXT COLLATE "C" NOT NULL, as_of TEXT COLLATE "C" NOT NULL, amount_minor BIGINT NOT NULL, formula TEXT COLLATE "C" NOT NULL,
  known_at BIGINT NOT NULL, PRIMARY KEY (invoice, as_of)
);
CREATE TABLE unmatched (
  invoice TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, reason TEXT COLLATE "C" NOT NULL, since BIGINT NOT NULL
);

-- Playbooks.
CREATE TABLE playbook_versions (
  bundle BYTEA NOT NULL, content BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, sources TEXT COLLATE "C" NOT NULL,
  author TEXT COLLATE "C" NOT NULL, approver TEXT COLLATE "C", published_at BIGINT NOT NULL, current BIGINT NOT NULL,
  PRIMARY KEY (bundle, content)
);
CREATE UNIQUE INDEX playbook_versions_current ON playbook_versions (name) WHERE current = 1;
CREATE TABLE artefacts (
  hash BYTEA PRIMARY KEY, kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL, at BIGINT NOT NULL
);

-- Cases. No index on a column that moves each turn: `finished` moves once.
CREATE TABLE cases (
  no BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE, invoice TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C" NOT NULL, playbook TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, bundle BYTEA NOT NULL, content BYTEA NOT NULL, generation BIGINT NOT NULL,
  rev BIGINT NOT NULL, status TEXT COLLATE "C" NOT NULL, finished BIGINT NOT NULL, outcome TEXT COLLATE "C", stage TEXT COLLATE "C" NOT NULL,
  step TEXT COLLATE "C" NOT NULL, next_at BIGINT, next_reason TEXT COLLATE "C" NOT NULL, entered_at BIGINT NOT NULL,
  moved_at BIGINT NOT NULL, head BYTEA NOT NULL, state TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX cases_open ON cases (invoice) WHERE finished = 0;
CREATE INDEX cases_invoice ON cases (invoice, no);
CREATE INDEX cases_customer ON cases (customer, no);
CREATE TABLE wake (no BIGINT PRIMARY KEY, due_at BIGINT NOT NULL, priority BIGINT NOT NULL) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX wake_due ON wake (priority, due_at, no);
CREATE TABLE events (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no BIGINT NOT NULL, id TEXT COLLATE "C" NOT NULL UNIQUE, at BIGINT NOT NULL, body TEXT COLLATE "C" NOT NULL,
  consumed BIGINT
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX events_unread ON events (no, seq) WHERE consumed IS NULL;
-- `no` is the case's number; chains that are not cases have the negative of their row in `streams`.
CREATE TABLE history (
  no BIGINT NOT NULL, seq BIGINT NOT NULL, rev BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, cause TEXT COLLATE "C",
  body TEXT COLLATE "C" NOT NULL, prev BYTEA NOT NULL, hash BYTEA NOT NULL, UNIQUE (no, seq)
);
CREATE TABLE streams (
  no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" NOT NULL UNIQUE, seq BIGINT NOT NULL, head BYTEA NOT NULL
);

-- Effects, contacts and their evidence.
CREATE TABLE outbox (
  id TEXT COLLATE "C" PRIMARY KEY, no BIGINT NOT NULL, customer TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL, lane TEXT COLLATE "C" NOT NULL,
  payload TEXT COLLATE "C" NOT NULL, status BIGINT NOT NULL, due_at BIGINT NOT NULL, fence BIGINT NOT NULL,
  lease_until BIGINT, owner TEXT COLLATE "C", tries BIGINT NOT NULL, reason TEXT COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX outbox_ready ON outbox (due_at, id) WHERE status = 0;
CREATE INDEX outbox_leased ON outbox (lease_until, id) WHERE status IN (1, 2);
CREATE INDEX outbox_case ON outbox (no);
CREATE TABLE contact_budget (customer TEXT COLLATE "C" PRIMARY KEY);
CREATE TABLE contacts_made (
  id TEXT COLLATE "C" PRIMARY KEY, customer TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL, no BIGINT NOT NULL, channel TEXT COLLATE "C" NOT NULL,
  class TEXT COLLATE "C" NOT NULL, stage TEXT COLLATE "C" NOT NULL, step TEXT COLLATE "C" NOT NULL, grp TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL,
  local_on TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, talk BIGINT NOT NULL
);
CREATE INDEX contacts_made_customer ON contacts_made (customer, at);
CREATE TABLE communications (
  effect TEXT COLLATE "C" PRIMARY KEY, no BIGINT NOT NULL, customer TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL, lane TEXT COLLATE "C" NOT NULL,
  step TEXT COLLATE "C" NOT NULL, point TEXT COLLATE "C", state TEXT COLLATE "C" NOT NULL, reference TEXT COLLATE "C", bytes BYTEA, at BIGINT NOT NULL
);
CREATE INDEX communications_case ON communications (no, at);
CREATE INDEX communications_reference ON communications (reference) WHERE reference IS NOT NULL;

-- Work for people.
CREATE TABLE tasks (
  id TEXT COLLATE "C" PRIMARY KEY, no BIGINT NOT NULL, case_id TEXT COLLATE "C" NOT NULL, invoice TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, stage TEXT COLLATE "C" NOT NULL, step TEXT COLLATE "C" NOT NULL, assignee TEXT COLLATE "C" NOT NULL,
  by TEXT COLLATE "C" NOT NULL, outcomes TEXT COLLATE "C" NOT NULL, seen BYTEA NOT NULL, opened_at BIGINT NOT NULL, limit_at BIGINT,
  closed BIGINT NOT NULL, outcome TEXT COLLATE "C", closed_by TEXT COLLATE "C", closed_at BIGINT
);
CREATE INDEX tasks_open ON tasks (opened_at, id) WHERE closed = 0;
CREATE INDEX tasks_opened ON tasks (opened_at, id);
CREATE INDEX tasks_case ON tasks (no);
CREATE TABLE approvals (
  task TEXT COLLATE "C" NOT NULL, person TEXT COLLATE "C" NOT NULL, seen BYTEA NOT NULL, decision TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL,
  PRIMARY KEY (task, person)
);
CREATE TABLE bulk_jobs (
  id TEXT COLLATE "C" PRIMARY KEY, kind TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, author TEXT COLLATE "C" NOT NULL, body TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL
);
CREATE TABLE bulk_items (
  job TEXT COLLATE "C" NOT NULL, ordinal BIGINT NOT NULL, subject TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, reason TEXT COLLATE "C",
  PRIMARY KEY (job, ordinal)
);

-- Audit and accounts.
CREATE TABLE log_leaves (
  idx BIGINT PRIMARY KEY, no BIGINT NOT NULL, seq BIGINT NOT NULL, hash BYTEA NOT NULL, UNIQUE (no, seq)
);
CREATE TABLE log_tiles (
  level BIGINT NOT NULL, n BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (level, n)
);
CREATE TABLE checkpoints (
  size BIGINT PRIMARY KEY, root BYTEA NOT NULL, note TEXT COLLATE "C" NOT NULL, incarnation BIGINT NOT NULL, at BIGINT NOT NULL
);
CREATE TABLE principals (
  id TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL, roles TEXT COLLATE "C" NOT NULL, active BIGINT NOT NULL, known_at BIGINT NOT NULL
);
CREATE TABLE tokens (
  id TEXT COLLATE "C" PRIMARY KEY, principal TEXT COLLATE "C" NOT NULL, hash BYTEA NOT NULL UNIQUE, expires_at BIGINT, revoked_at BIGINT,
  known_at BIGINT NOT NULL
);
