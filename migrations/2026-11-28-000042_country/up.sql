-- Expands: orders know the country they were placed from where a proxy names it, and buyers can be blocked by it.
alter table orders add column country text constraint orders_country check (country ~ '^[A-Z][A-Z0-9]$');
alter table block_entry drop constraint block_entry_kind,
  add constraint block_entry_kind check (kind in ('mailbox', 'domain', 'client', 'country'));
