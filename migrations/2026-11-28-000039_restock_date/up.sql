-- Expands: a column.
--
-- When its seller expects new stock of a variant: shown to buyers while there is none, and to those whose lines wait for it.

alter table variant add column restock_expected_at timestamptz;
