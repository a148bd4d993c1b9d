-- Expands: indexes.
--
-- What people of the shop read costs the same in a large shop: each list begins at an index.
create index vault_key_taken on vault_key (variant_id, state) where state in ('sold', 'reserved');
create index vault_key_expiring on vault_key (seller_id, expires_at, variant_id)
  where state = 'available' and expires_at < 'infinity';
create index orders_placed on orders (placed_at desc, id desc);
create index orders_given_up on orders (state, placed_at desc, id desc) where state in ('cancelled', 'expired');

-- Searching people by a part of a name or address: where PostgreSQL has the extension, which its packages bring along.
do $$
begin
  create extension if not exists pg_trgm;
  create index app_user_email_normalised_part on app_user using gin (email_normalised gin_trgm_ops);
  create index app_user_email_part on app_user using gin (email gin_trgm_ops);
  create index app_user_name_part on app_user using gin (name gin_trgm_ops);
exception when undefined_file or insufficient_privilege or feature_not_supported then
  raise notice 'people are searched without an index: %', sqlerrm;
end $$;
