-- Expands: a table.
--
-- Devices on which a licence key is used. Bound to the piece as well as to the key: a key that was given back unseen and sold
-- again begins with none. The device is stored as a digest; software often names it by what a machine's maker gave it.

create table licence_activation (
  id uuid primary key,
  seller_id uuid not null,
  key_id uuid not null references vault_key,
  unit_id uuid not null references unit,
  device bytea not null constraint licence_activation_device_length check (length(device) = 32),
  -- What people read: the device's name.
  name text not null constraint licence_activation_name check (char_length(name) between 1 and 200),
  -- What the software keeps with it.
  metadata jsonb not null default '{}' constraint licence_activation_metadata check (jsonb_typeof(metadata) = 'object'),
  activated_at timestamptz not null default app_now(),
  -- Written at most once an hour.
  last_seen_at timestamptz not null default app_now(),
  removed_at timestamptz,
  removed_by text,
  constraint licence_activation_removed check ((removed_at is null) = (removed_by is null))
) with (fillfactor = 85);
create unique index licence_activation_once on licence_activation (unit_id, device) where removed_at is null;
create index licence_activation_unit on licence_activation (unit_id, activated_at);
create index licence_activation_key on licence_activation (key_id) where removed_at is null;
