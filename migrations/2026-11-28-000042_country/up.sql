-- Expands: a table; buyers can be blocked by country.
--
-- The country that orders were placed from, where a proxy names it.

create table order_country (
  order_id uuid primary key references orders,
  country text not null constraint order_country_code check (country ~ '^[A-Z][A-Z0-9]$')
);
create index order_country_country on order_country (country);

alter table block_entry drop constraint block_entry_kind,
  add constraint block_entry_kind check (kind in ('mailbox', 'domain', 'client', 'country'));
