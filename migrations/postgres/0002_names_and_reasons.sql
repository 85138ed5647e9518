-- News that wait for an invoice are found by the reason they wait for; payments name invoices by reference as well.
CREATE INDEX inbound_reason ON inbound (reason, id) WHERE state = 2;
CREATE INDEX invoices_reference ON invoices (reference, id) WHERE reference <> '';
