-- Expands: indexes.
--
-- What a buyer has not paid, or got for nothing within a day, is counted under the buyer's lock: each by an index that holds
-- nothing else, however many orders the buyer has.
create index orders_unpaid_user on orders (user_id) where state = 'pending_payment' and user_id is not null;
create index orders_free_user on orders (user_id, placed_at desc) where total_minor = 0 and user_id is not null;
drop index orders_unpaid_mailbox;
create index orders_unpaid_mailbox on orders (mailbox, state) where state in ('pending_payment', 'expired');
