-- The organisation's own facts (workflows/facts.yaml) as one object of texts; their types belong to the playbooks.
ALTER TABLE customers ADD COLUMN x TEXT NOT NULL DEFAULT '{}';
ALTER TABLE invoices ADD COLUMN x TEXT NOT NULL DEFAULT '{}';
