-- Expands: a column with a default. A program of the version before leaves it as it is.

-- A sum reported the money of this refund before the refund itself was known, and the buyer was mailed then. The refund
-- may still be open at that time (Stripe's sums count it), so the mark must outlast the transaction.
alter table refund add column mailed_by_sum boolean not null default false;
