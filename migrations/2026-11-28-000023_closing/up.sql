-- Expands: a column.
--
-- A paid order is closed thirty days after this moment, or after its payment where this is null. It is moved when the order
-- cannot be closed at its time: something of it waits, or a warranty is longer.
alter table orders add column closing_from timestamptz;
create index orders_closing on orders (coalesce(closing_from, paid_at), id) where state = 'paid';
