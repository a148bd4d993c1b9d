-- The one clock of the database. Production: the transaction's time. A test replaces this function to move time.
create function app_now() returns timestamptz language sql stable parallel safe as $$ select now() $$;

-- Refuses UPDATE, DELETE and TRUNCATE on tables that only grow.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create table seller (
  id uuid primary key,
  slug text not null constraint seller_slug_key unique,
  name text not null,
  created_at timestamptz not null default app_now()
);
-- Seller 1 is the shop itself.
insert into seller (id, slug, name) values ('00000000-0000-7000-8000-000000000001', 'shop', 'Shop');

create table setting (
  key text primary key,
  value jsonb not null,
  version bigint not null default 1,
  changed_at timestamptz not null default app_now()
);

-- Texts in several languages: a product's name, summary and description; a variant's name; a file's notes.
create table translation (
  object_id uuid not null,
  locale text not null,
  field text not null,
  value text not null,
  primary key (object_id, locale, field)
);

-- What happened. Rows carry no sequence number: the sequencer gives one after commit (event_seq).
create table event (
  id bigint generated always as identity,
  created_at timestamptz not null default app_now(),
  seller_id uuid not null,
  kind text not null,
  object_id uuid not null,
  order_id uuid,
  actor text not null,
  body jsonb not null default '{}',
  primary key (id, created_at)
) partition by range (created_at);
create table event_default partition of event default;
create index event_order on event (order_id, id) where order_id is not null;

-- Narrow and permanent: the gapless sequence and the audit chain. hash = SHA-256(prev_hash, canonical event).
create table event_seq (
  seq bigint primary key,
  event_id bigint not null constraint event_seq_event_key unique,
  prev_hash bytea not null,
  hash bytea not null,
  sealed_at timestamptz not null default app_now()
);
create trigger event_seq_append_only before update or delete on event_seq
  for each row execute function refuse_change();

-- One row: how far the sequence has come. Every event up to `floor` has its number or never existed. `reacted` is the
-- last event whose consequences were put into the queue.
create table event_head (
  id int primary key default 1 constraint event_head_single check (id = 1),
  seq bigint not null default 0,
  hash bytea not null default decode(repeat('00', 32), 'hex') constraint event_head_hash check (length(hash) = 32),
  floor bigint not null default 0,
  reacted bigint not null default 0,
  constraint event_head_order check (reacted between 0 and seq)
) with (fillfactor = 50);
insert into event_head default values;

-- Makes the monthly partitions of a table that has a DEFAULT one, from the month after that of `app_now()` on: a
-- partition attached for the running month would refuse rows that are on their way into the DEFAULT one. Rows that
-- came into the DEFAULT partition for a later month are moved. The runtime role may not change tables, so this runs as the owner.
create function make_partitions(parent text, key_column text, months int) returns int
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made int := 0;
  month_start timestamptz;
  month_end timestamptz;
  name text;
begin
  if (parent, key_column) not in (('event', 'created_at'), ('notice_body', 'received_at')) then
    raise exception 'no table to make partitions for: %', parent;
  end if;
  for ahead in 1..months loop
    month_start := (date_trunc('month', app_now() at time zone 'UTC') + make_interval(months => ahead)) at time zone 'UTC';
    month_end := ((month_start at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    name := parent || to_char(month_start at time zone 'UTC', '"_p"YYYY"_"MM');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like %I including defaults including constraints)', name, parent);
    execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
      parent || '_default', key_column, month_start, key_column, month_end, name);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, month_start, month_end);
    made := made + 1;
  end loop;
  return made;
end $$;
revoke all on function make_partitions from public;

create table job (
  id bigint generated always as identity primary key,
  kind text not null,
  -- While a queued job of the same kind and key exists, another is not added.
  dedupe_key text,
  payload jsonb not null default '{}',
  state text not null default 'queued' constraint job_state check (state in ('queued', 'running', 'done', 'dead')),
  run_at timestamptz not null default app_now(),
  attempt int not null default 0,
  max_attempts int not null default 8,
  lease_generation bigint not null default 0,
  leased_until timestamptz,
  leased_by text,
  last_error text,
  created_at timestamptz not null default app_now(),
  finished_at timestamptz,
  constraint job_lease check ((state = 'running') = (leased_until is not null and leased_by is not null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create unique index job_dedupe on job (kind, dedupe_key) where state = 'queued' and dedupe_key is not null;
create index job_due on job (run_at, id) where state = 'queued';
create index job_leased on job (leased_until) where state = 'running';
create index job_finished on job (finished_at) where state = 'done';

-- The manual queue. `kind` is an open code; `subject` makes a repeat of the same trouble one row.
create table task (
  id uuid primary key,
  kind text not null,
  subject text not null,
  order_id uuid,
  payment_id uuid,
  line_id uuid,
  body jsonb not null default '{}',
  state text not null default 'open' constraint task_state check (state in ('open', 'taken', 'resolved')),
  taken_by uuid,
  created_at timestamptz not null default app_now(),
  resolved_at timestamptz,
  constraint task_taken check (state <> 'taken' or taken_by is not null),
  constraint task_resolved check ((state = 'resolved') = (resolved_at is not null))
);
create unique index task_open on task (kind, subject) where state <> 'resolved';
create index task_by_state on task (state, created_at, id);

-- Which mutation was already done: scope (API client and user, or the order), operation, key. A replay is
-- built from the present state of `result_id`.
create table idempotency (
  scope text not null,
  operation text not null,
  key text not null constraint idempotency_key_length check (length(key) between 16 and 255),
  request_digest bytea not null,
  result_id uuid not null,
  created_at timestamptz not null default app_now(),
  primary key (scope, operation, key)
);
create index idempotency_age on idempotency (created_at);
