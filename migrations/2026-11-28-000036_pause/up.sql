-- Expands: columns.
--
-- Sales of a product, and payments through an account, can be paused with a reason that buyers read. (The shop's own pause
-- is a row of `setting`.) A program of the version before sells on meanwhile; what is paid is delivered by both.

alter table product
  add column paused_because text constraint product_paused_because check (paused_because <> ''),
  add column paused_at timestamptz,
  add constraint product_paused check ((paused_because is null) = (paused_at is null));
alter table gateway_account
  add column paused_because text constraint gateway_account_paused_because check (paused_because <> ''),
  add column paused_at timestamptz,
  add constraint gateway_account_paused check ((paused_because is null) = (paused_at is null));
