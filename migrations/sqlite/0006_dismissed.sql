-- News that fits nothing and that somebody put aside: state 3, with who and why; `moved_at` is when.
ALTER TABLE inbound ADD COLUMN dismissed_by TEXT;
ALTER TABLE inbound ADD COLUMN dismissed_why TEXT;
CREATE INDEX inbound_dismissed ON inbound (id) WHERE state = 3;
