-- Data keys, each wrapped by a key-encryption key that the database never sees.
create table data_key (
  id uuid primary key,
  kek_id text not null,
  wrapped bytea not null,
  -- How often it sealed something; random 96-bit nonces are bounded at 2^32 uses of one key.
  uses bigint not null default 0 constraint data_key_uses check (uses between 0 and 4294967296),
  created_at timestamptz not null default app_now()
);
create index data_key_kek on data_key (kek_id);

create table key_batch (
  id uuid primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  origin text not null constraint key_batch_origin check (origin in ('import', 'generated')),
  state text not null default 'running' constraint key_batch_state check (state in ('running', 'done', 'failed')),
  data_key_id uuid not null references data_key,
  note text,
  created_by uuid references app_user,
  -- Of a generated batch: how many keys are asked for, and their format.
  wanted bigint constraint key_batch_wanted check (wanted between 1 and 1000000),
  format jsonb,
  -- Null: its keys never expire.
  keys_expire_at timestamptz,
  -- Lines read so far; a resumed import goes on after them.
  lines bigint not null default 0,
  added bigint not null default 0,
  refused bigint not null default 0,
  created_at timestamptz not null default app_now(),
  finished_at timestamptz,
  constraint key_batch_seller_key unique (seller_id, id),
  constraint key_batch_generated check ((origin = 'generated') = (wanted is not null and format is not null)),
  constraint key_batch_finished check ((state = 'running') = (finished_at is null)),
  constraint key_batch_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);
create index key_batch_variant on key_batch (variant_id, created_at desc);

-- The report of an import: a row per line that was not taken. Never the line's text.
create table key_batch_problem (
  batch_id uuid not null references key_batch,
  line bigint not null,
  code text not null,
  primary key (batch_id, line)
);

create table vault_key (
  id uuid primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  batch_id uuid not null,
  -- Import order. In no other index than vault_key_available, so that the planner has one way to go.
  pos bigint generated always as identity,
  state text not null default 'available'
    constraint vault_key_state check (state in ('available', 'reserved', 'sold', 'frozen', 'expired', 'voided')),
  -- Keyed fingerprint of the exact text; `fp_next` is filled too while the fingerprint key rotates.
  fp bytea not null constraint vault_key_fp_length check (length(fp) = 32),
  fp_next bytea constraint vault_key_fp_next_length check (length(fp_next) = 32),
  data_key_id uuid not null references data_key,
  -- Format byte, nonce, ciphertext and tag.
  sealed bytea not null,
  expires_at timestamptz not null default 'infinity',
  reserved_line_id uuid,
  reserved_until timestamptz,
  unit_id uuid,
  sold_at timestamptz,
  revealed_at timestamptz,
  mailed_at timestamptz,
  voided_at timestamptz,
  constraint vault_key_fp_key unique (seller_id, fp),
  constraint vault_key_fp_next_key unique (seller_id, fp_next),
  constraint vault_key_available_columns check (state <> 'available' or (unit_id is null and sold_at is null
    and reserved_line_id is null and revealed_at is null and mailed_at is null and voided_at is null)),
  constraint vault_key_reserved_columns check ((state = 'reserved') = (reserved_line_id is not null)
    and (reserved_line_id is null) = (reserved_until is null)),
  constraint vault_key_sold_columns check (state <> 'sold' or (unit_id is not null and sold_at is not null)),
  constraint vault_key_unit_columns check ((unit_id is null) = (sold_at is null)),
  constraint vault_key_unit_state check (unit_id is null or state in ('sold', 'voided')),
  constraint vault_key_voided_columns check ((state = 'voided') = (voided_at is not null)),
  constraint vault_key_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id),
  constraint vault_key_batch_fkey foreign key (seller_id, batch_id) references key_batch (seller_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 90);
create index vault_key_available on vault_key (variant_id, expires_at, pos) where state = 'available';
create unique index vault_key_unit on vault_key (unit_id) where unit_id is not null;
create index vault_key_reserved on vault_key (reserved_line_id) where state = 'reserved';
create index vault_key_batch on vault_key (batch_id);
