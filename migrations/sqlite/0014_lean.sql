-- Nothing looks a hand-over up by its provider's name yet; each of them paid for the index.
DROP INDEX communications_reference;
