-- Work that is done in one go: one call to a customer for all invoices. Set where the playbook bundles.
ALTER TABLE tasks ADD COLUMN together TEXT;
CREATE INDEX tasks_together ON tasks (together) WHERE closed = 0 AND together IS NOT NULL;
