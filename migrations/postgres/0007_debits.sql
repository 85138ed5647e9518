-- The files of direct debits as they were made: what the bank has to get stands here before it stands on a disk.
CREATE TABLE debit_files (
  message TEXT COLLATE "C" PRIMARY KEY, made_at BIGINT NOT NULL, made_by TEXT COLLATE "C" NOT NULL,
  instalments BIGINT NOT NULL, amount_minor BIGINT NOT NULL, currency TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL
);
