-- The files of direct debits as they were made: what the bank has to get stands here before it stands on a disk.
CREATE TABLE debit_files (
  message TEXT PRIMARY KEY, made_at INTEGER NOT NULL, made_by TEXT NOT NULL, instalments INTEGER NOT NULL,
  amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
