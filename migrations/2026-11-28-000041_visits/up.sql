-- Expands: a table.
--
-- From where a buyer placed an order, was shown its secrets and downloaded its files: what a bank asks for when the buyer
-- disputes the payment. The address and the device are sealed, are opened for that alone, and are deleted after
-- `shop.keep_addresses_days`.

create table order_visit (
  id uuid primary key,
  order_id uuid not null references orders,
  act text not null constraint order_visit_act check (act in ('placed', 'revealed', 'downloaded')),
  -- The session of a download.
  object_id uuid,
  sealed bytea not null,
  at timestamptz not null default app_now(),
  constraint order_visit_object check ((act = 'downloaded') = (object_id is not null))
);
create index order_visit_order on order_visit (order_id, act);
create index order_visit_at on order_visit (at);
