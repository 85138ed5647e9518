-- Cases that were taken too late after an outage: what they order waits for a person while it is here.
CREATE TABLE catch_up (no BIGINT PRIMARY KEY, at BIGINT NOT NULL);
-- Effects that wait for a person.
CREATE INDEX outbox_held ON outbox (id) WHERE status = 4;
