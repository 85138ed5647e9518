-- The schema of DESIGN section 4 on SQLite. Four storage types: integers (microseconds, minor units, 0/1), text (ids,
-- codes, ISO dates, JSON), bytes (hashes, rendered messages). Its twin has the same name in migrations/postgres.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE inbound (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT NULL, version INTEGER NOT NULL,
  body TEXT NOT NULL, at INTEGER NOT NULL, rank INTEGER NOT NULL, hash BLOB NOT NULL,
  received_at INTEGER NOT NULL, state INTEGER NOT NULL, moved_at INTEGER, reason TEXT,
  UNIQUE (external_id, kind, source, version)
) STRICT;
CREATE INDEX inbound_unrouted ON inbound (at, rank, id) WHERE state = 0;
CREATE INDEX inbound_parked ON inbound (id) WHERE state = 2;

-- The ledger as we know it.
CREATE TABLE customers (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, segment TEXT NOT NULL,
  country TEXT NOT NULL, subdivision TEXT, locale TEXT NOT NULL, time_zone TEXT NOT NULL, risk TEXT NOT NULL,
  risk_score INTEGER NOT NULL, account_manager TEXT, vulnerable INTEGER NOT NULL, tags TEXT NOT NULL,
  defaults TEXT NOT NULL, booked_on TEXT NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE TABLE contact_points (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, channel TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
  address TEXT NOT NULL, usable INTEGER NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX contact_points_customer ON contact_points (customer, id);
CREATE TABLE consents (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, channel TEXT NOT NULL, kind TEXT NOT NULL, given INTEGER NOT NULL,
  source TEXT NOT NULL, booked_on TEXT NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_customer ON consents (customer, id);
CREATE TABLE customer_facts (customer TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE invoices (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, source TEXT NOT NULL, number TEXT NOT NULL, creditor TEXT NOT NULL,
  product TEXT NOT NULL, currency TEXT NOT NULL, issued_on TEXT NOT NULL, due_on TEXT NOT NULL,
  amount_minor INTEGER NOT NULL, balance_minor INTEGER NOT NULL, charges_minor INTEGER NOT NULL,
  disputed_minor INTEGER NOT NULL, retained_minor INTEGER NOT NULL, not_due_minor INTEGER NOT NULL,
  last_payment_on TEXT, reference TEXT NOT NULL, closed TEXT, defaults TEXT NOT NULL,
  booked_on TEXT NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX invoices_customer ON invoices (customer, id);
CREATE INDEX invoices_number ON invoices (number, id);
CREATE TABLE payments (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, external_id TEXT NOT NULL, kind TEXT NOT NULL, customer TEXT, invoice TEXT,
  currency TEXT NOT NULL, amount_minor INTEGER NOT NULL, unallocated_minor INTEGER NOT NULL, reference TEXT NOT NULL,
  booked_on TEXT NOT NULL, known_at INTEGER NOT NULL, UNIQUE (source, external_id)
) STRICT;
CREATE TABLE allocations (
  payment TEXT NOT NULL, ordinal INTEGER NOT NULL, invoice TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  booked_on TEXT NOT NULL, known_at INTEGER NOT NULL, PRIMARY KEY (payment, ordinal)
) STRICT;
CREATE INDEX allocations_invoice ON allocations (invoice, booked_on);
CREATE TABLE promises (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, customer TEXT NOT NULL, made_on TEXT NOT NULL, due_on TEXT NOT NULL,
  limit_on TEXT NOT NULL, limit_at INTEGER NOT NULL, amount_minor INTEGER NOT NULL, paid_minor INTEGER NOT NULL,
  method TEXT NOT NULL, by TEXT NOT NULL, status TEXT NOT NULL, judged_on TEXT, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX promises_due ON promises (limit_at, id) WHERE status = 'open';
CREATE TABLE promise_invoices (
  promise TEXT NOT NULL, ordinal INTEGER NOT NULL, invoice TEXT NOT NULL, PRIMARY KEY (promise, ordinal)
) STRICT;
CREATE INDEX promise_invoices_invoice ON promise_invoices (invoice, promise);
CREATE TABLE plans (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, instalments INTEGER NOT NULL, next_due_on TEXT NOT NULL,
  status TEXT NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE TABLE plan_invoices (
  plan TEXT NOT NULL, ordinal INTEGER NOT NULL, invoice TEXT NOT NULL, PRIMARY KEY (plan, ordinal)
) STRICT;
CREATE INDEX plan_invoices_invoice ON plan_invoices (invoice, plan);
CREATE TABLE instalments (
  plan TEXT NOT NULL, ordinal INTEGER NOT NULL, due_on TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  paid_minor INTEGER NOT NULL, status TEXT NOT NULL, PRIMARY KEY (plan, ordinal)
) STRICT;
CREATE TABLE disputes (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, invoice TEXT NOT NULL, customer TEXT NOT NULL, reason TEXT NOT NULL,
  amount_minor INTEGER NOT NULL, opened_on TEXT NOT NULL, closed_on TEXT, outcome TEXT, known_at INTEGER NOT NULL
) STRICT;
CREATE INDEX disputes_invoice ON disputes (invoice, opened_on);
CREATE TABLE interest (
  invoice TEXT NOT NULL, as_of TEXT NOT NULL, amount_minor INTEGER NOT NULL, formula TEXT NOT NULL,
  known_at INTEGER NOT NULL, PRIMARY KEY (invoice, as_of)
) STRICT;
CREATE TABLE unmatched (
  invoice TEXT PRIMARY KEY, customer TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL
) STRICT;

-- Playbooks.
CREATE TABLE playbook_versions (
  bundle BLOB NOT NULL, content BLOB NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sources TEXT NOT NULL,
  author TEXT NOT NULL, approver TEXT, published_at INTEGER NOT NULL, current INTEGER NOT NULL,
  PRIMARY KEY (bundle, content)
) STRICT;
CREATE UNIQUE INDEX playbook_versions_current ON playbook_versions (name) WHERE current = 1;
CREATE TABLE artefacts (
  hash BLOB PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;

-- Cases. No index on a column that moves each turn: `finished` moves once.
CREATE TABLE cases (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE, invoice TEXT NOT NULL, customer TEXT NOT NULL, playbook TEXT NOT NULL,
  version INTEGER NOT NULL, bundle BLOB NOT NULL, content BLOB NOT NULL, generation INTEGER NOT NULL,
  rev INTEGER NOT NULL, status TEXT NOT NULL, finished INTEGER NOT NULL, outcome TEXT, stage TEXT NOT NULL,
  step TEXT NOT NULL, next_at INTEGER, next_reason TEXT NOT NULL, entered_at INTEGER NOT NULL,
  moved_at INTEGER NOT NULL, head BLOB NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX cases_open ON cases (invoice) WHERE finished = 0;
CREATE INDEX cases_invoice ON cases (invoice, no);
CREATE INDEX cases_customer ON cases (customer, no);
CREATE TABLE wake (no INTEGER PRIMARY KEY, due_at INTEGER NOT NULL, priority INTEGER NOT NULL) STRICT;
CREATE INDEX wake_due ON wake (priority, due_at, no);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, no INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, body TEXT NOT NULL,
  consumed INTEGER
) STRICT;
CREATE INDEX events_unread ON events (no, seq) WHERE consumed IS NULL;
-- `no` is the case's number; chains that are not cases have the negative of their row in `streams`.
CREATE TABLE history (
  no INTEGER NOT NULL, seq INTEGER NOT NULL, rev INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, cause TEXT,
  body TEXT NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, UNIQUE (no, seq)
) STRICT;
CREATE TABLE streams (
  no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, head BLOB NOT NULL
) STRICT;

-- Effects, contacts and their evidence.
CREATE TABLE outbox (
  id TEXT PRIMARY KEY, no INTEGER NOT NULL, customer TEXT NOT NULL, invoice TEXT NOT NULL, lane TEXT NOT NULL,
  payload TEXT NOT NULL, status INTEGER NOT NULL, due_at INTEGER NOT NULL, fence INTEGER NOT NULL,
  lease_until INTEGER, owner TEXT, tries INTEGER NOT NULL, reason TEXT
) STRICT;
CREATE INDEX outbox_ready ON outbox (due_at, id) WHERE status = 0;
CREATE INDEX outbox_leased ON outbox (lease_until, id) WHERE status IN (1, 2);
CREATE INDEX outbox_case ON outbox (no);
CREATE TABLE contact_budget (customer TEXT PRIMARY KEY) STRICT;
CREATE TABLE contacts_made (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, invoice TEXT NOT NULL, no INTEGER NOT NULL, channel TEXT NOT NULL,
  class TEXT NOT NULL, stage TEXT NOT NULL, step TEXT NOT NULL, grp TEXT NOT NULL, at INTEGER NOT NULL,
  local_on TEXT NOT NULL, state TEXT NOT NULL, talk INTEGER NOT NULL
) STRICT;
CREATE INDEX contacts_made_customer ON contacts_made (customer, at);
CREATE TABLE communications (
  effect TEXT PRIMARY KEY, no INTEGER NOT NULL, customer TEXT NOT NULL, invoice TEXT NOT NULL, lane TEXT NOT NULL,
  step TEXT NOT NULL, point TEXT, state TEXT NOT NULL, reference TEXT, bytes BLOB, at INTEGER NOT NULL
) STRICT;
CREATE INDEX communications_case ON communications (no, at);
CREATE INDEX communications_reference ON communications (reference) WHERE reference IS NOT NULL;

-- Work for people.
CREATE TABLE tasks (
  id TEXT PRIMARY KEY, no INTEGER NOT NULL, case_id TEXT NOT NULL, invoice TEXT NOT NULL, customer TEXT NOT NULL,
  kind TEXT NOT NULL, subject TEXT NOT NULL, stage TEXT NOT NULL, step TEXT NOT NULL, assignee TEXT NOT NULL,
  by TEXT NOT NULL, outcomes TEXT NOT NULL, seen BLOB NOT NULL, opened_at INTEGER NOT NULL, limit_at INTEGER,
  closed INTEGER NOT NULL, outcome TEXT, closed_by TEXT, closed_at INTEGER
) STRICT;
CREATE INDEX tasks_open ON tasks (opened_at, id) WHERE closed = 0;
CREATE INDEX tasks_opened ON tasks (opened_at, id);
CREATE INDEX tasks_case ON tasks (no);
CREATE TABLE approvals (
  task TEXT NOT NULL, person TEXT NOT NULL, seen BLOB NOT NULL, decision TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (task, person)
) STRICT;
CREATE TABLE bulk_jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, author TEXT NOT NULL, body TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE bulk_items (
  job TEXT NOT NULL, ordinal INTEGER NOT NULL, subject TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  PRIMARY KEY (job, ordinal)
) STRICT;

-- Audit and accounts.
CREATE TABLE log_leaves (
  idx INTEGER PRIMARY KEY, no INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, UNIQUE (no, seq)
) STRICT;
CREATE TABLE log_tiles (
  level INTEGER NOT NULL, n INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (level, n)
) STRICT;
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, incarnation INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE principals (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, active INTEGER NOT NULL, known_at INTEGER NOT NULL
) STRICT;
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, principal TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, expires_at INTEGER, revoked_at INTEGER,
  known_at INTEGER NOT NULL
) STRICT;
