-- Expands: indexes. What keeps an account from being left out of the configuration is asked for every few seconds; its open
-- payments have such an index.

create index payment_unallocated on payment (account_id) where captured_at is not null and not allocated;
create index dispute_open on dispute (account_id) where state in ('inquiry', 'opened');
