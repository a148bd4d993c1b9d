-- Expands: columns, indexes.
--
-- Placing an order may hold keys for its lines. A program of the version before leaves held keys alone: it claims what is
-- available.

-- For how many minutes; null: not at all.
alter table variant add column reservation_minutes int
  constraint variant_reservation check (reservation_minutes between 1 and 1440);
-- Until when keys were held when the line was placed; null: none were.
alter table order_line add column reserved_until timestamptz;

-- No key was ever reserved before this, so there is nothing to be looked through.
alter table vault_key add constraint vault_key_reserved_fkey foreign key (seller_id, reserved_line_id)
  references order_line (seller_id, id) not valid;
create index vault_key_reserved_until on vault_key (reserved_until) where state = 'reserved';

-- An import says how its file is laid out, and may be looked at before its keys are sold. A program of the version before
-- takes plain lines alone, and refuses to read a batch that is being looked at.
alter table key_batch
  -- Null: a key a line.
  add column layout jsonb,
  add column preview boolean not null default false,
  -- Keys that are stored to be looked at.
  add column staged bigint not null default 0 constraint key_batch_staged check (staged >= 0),
  -- Of the lines that were refused: those whose text is there already.
  add column duplicates bigint not null default 0,
  drop constraint key_batch_state,
  add constraint key_batch_state check (state in ('running', 'ready', 'committing', 'done', 'failed', 'cancelled')),
  drop constraint key_batch_finished,
  add constraint key_batch_finished check ((state in ('running', 'ready', 'committing')) = (finished_at is null)),
  add constraint key_batch_previewed check (preview or (staged = 0 and state not in ('ready', 'committing', 'cancelled')));
create index key_batch_previewed on key_batch (created_at) where preview and state in ('running', 'ready');

-- Keys of an import that is being looked at. They are sealed as they will be in `vault_key`, under the same ids.
create table staged_key (
  batch_id uuid not null references key_batch,
  line bigint not null,
  id uuid not null,
  fp bytea not null constraint staged_key_fp_length check (length(fp) = 32),
  -- The fingerprint that the text has in variants that see case the other way.
  otherwise bytea not null constraint staged_key_otherwise_length check (length(otherwise) = 32),
  sealed bytea not null,
  -- Null: as its batch says.
  expires_at timestamptz,
  constraint staged_key_pkey primary key (batch_id, line),
  constraint staged_key_fp_key unique (batch_id, fp)
);

-- An alert is given when so few keys are left; null: none. One row per variant says whether it was given, so that it comes
-- again only after the variant was restocked.
alter table variant add column low_stock_alert int constraint variant_low_stock_alert check (low_stock_alert >= 0);
create table stock_alert (
  variant_id uuid primary key references variant,
  low boolean not null,
  changed_at timestamptz not null default app_now()
);

-- Files of keys that somebody asked for, and why. Never the file: it is made while it is fetched.
create table key_export (
  id uuid primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  states text[] not null,
  format text not null constraint key_export_format check (format in ('csv', 'jsonl')),
  reason text not null constraint key_export_reason check (reason <> ''),
  asked_by uuid references app_user,
  asked_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  constraint key_export_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);
-- An export reads the keys of a batch in the order of their lines.
create index vault_key_of_batch on vault_key (batch_id, pos);
drop index vault_key_batch;
