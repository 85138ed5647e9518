-- A case's row is rewritten by every turn. It grows to two or three kilobytes: beyond two the server would compress it each
-- time, and with a fifth of the page free it would find no room beside its old self (a HOT update touches no index).
ALTER TABLE cases SET (fillfactor = 50, toast_tuple_target = 8160);
-- Nothing looks a hand-over up by its provider's name yet; each of them paid for the index.
DROP INDEX communications_reference;
