-- Expands: one row that is written to find out whether the database takes writes.
create table readiness (
  id smallint primary key default 1 check (id = 1),
  written_at timestamptz not null default app_now()
);
-- The row stays in its page however often it is written.
alter table readiness set (fillfactor = 10);
insert into readiness default values;
