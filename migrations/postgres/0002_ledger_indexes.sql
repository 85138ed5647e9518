-- News that wait for an invoice are found by the reason they wait for; payments name invoices by reference as well.
CREATE INDEX inbound_reason ON inbound (reason, id) WHERE state = 2;
CREATE INDEX invoices_reference ON invoices (reference, id) WHERE reference <> '';
-- Money that settles nothing yet is little and looked at often; a customer's money is read as one account.
CREATE INDEX payments_unallocated ON payments (booked_on, id) WHERE unallocated_minor <> 0;
CREATE INDEX payments_customer ON payments (customer, booked_on, id);
