-- Expands: columns with defaults, and an index.
--
-- Secrets of API clients that are changed count together for a while.
alter table api_client
  add column old_secret_digest bytea,
  add column old_secret_until timestamptz,
  add column version int not null default 0,
  add constraint api_client_secret check (length(secret_digest) = 32),
  add constraint api_client_old_secret check ((old_secret_digest is null) = (old_secret_until is null)),
  add constraint api_client_scopes check (scopes <@ array['events:read', 'orders:read', 'orders:write']);
create index orders_api_client on orders (api_client_id, placed_at desc, id desc) where api_client_id is not null;
