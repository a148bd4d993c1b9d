-- Contracts: indexes alone.
drop index payment_unallocated, dispute_open;
