-- Expands: tables.
--
-- Texts that are no keys of the vault: a shared secret has one for all its buyers, in versions; a piece that a person
-- hands over has one of its own.

create table secret_version (
  id uuid primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  number int not null constraint secret_version_number check (number >= 1),
  data_key_id uuid not null references data_key,
  -- Format byte, nonce, ciphertext and tag.
  sealed bytea not null,
  published_by uuid references app_user,
  published_at timestamptz not null default app_now(),
  constraint secret_version_once unique (variant_id, number),
  constraint secret_version_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);

-- What a piece got: a version of its variant's secret, or a text of its own.
create table unit_secret (
  unit_id uuid primary key references unit,
  seller_id uuid not null,
  variant_id uuid not null,
  version_id uuid references secret_version,
  -- Whether later versions belong to the purchase.
  follows boolean not null default false,
  data_key_id uuid references data_key,
  sealed bytea,
  given_at timestamptz not null default app_now(),
  revealed_at timestamptz,
  mailed_at timestamptz,
  -- Its money went back.
  taken_back_at timestamptz,
  constraint unit_secret_one check ((version_id is null) = (sealed is not null) and (sealed is null) = (data_key_id is null)),
  constraint unit_secret_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);
create index unit_secret_variant on unit_secret (variant_id) where version_id is not null;
