-- Expands: a column and an index. A program of the version before goes on: units that it lets wait come last in their
-- queue, and are served.
--
-- Who waits for a variant, in the order in which they paid: the first of the queue are found without looking at the others.
alter table unit add column paid_at timestamptz;
update unit u set paid_at = o.paid_at from orders o
 where o.id = u.order_id and u.state in ('awaiting_stock', 'awaiting_person') and u.superseded_by is null;
create index unit_queue on unit (variant_id, state, paid_at, order_id, line_id)
  where state in ('awaiting_stock', 'awaiting_person') and superseded_by is null;
