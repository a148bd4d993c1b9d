drop index orders_unpaid_mailbox;
create index orders_unpaid_mailbox on orders (mailbox) where state in ('pending_payment', 'expired');
drop index orders_free_user, orders_unpaid_user;
