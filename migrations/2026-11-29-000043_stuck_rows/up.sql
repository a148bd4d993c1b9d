-- Expands: a table, a column that may be null, an index.
--
-- Rows that a sweep cannot work on: each is put off by itself, for longer each time.
create table stuck_row (
  sweep text not null constraint stuck_row_sweep check (sweep ~ '^[a-z_]{1,40}$'),
  subject text not null constraint stuck_row_subject check (length(subject) between 1 and 200),
  -- The same for people: a public id.
  name text not null,
  failures int not null constraint stuck_row_failures check (failures >= 1),
  first_at timestamptz not null default app_now(),
  next_at timestamptz not null,
  primary key (sweep, subject)
);
create index stuck_row_next on stuck_row (next_at);

-- What a notice that could not be settled calls its payment: our number, the gateway's reference, its trade number.
-- Null for those that were stored before.
alter table notice add column names text[];
create index notice_ignored on notice (account_id, event_key) where verdict = 'ignored' and event_key is not null;
