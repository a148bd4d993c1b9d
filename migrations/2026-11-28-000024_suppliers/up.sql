-- Expands: tables, a column and an origin of batches.
--
-- Goods that a supplier's API makes: connections, which variants are bought where, and a row per purchase.

create table supplier (
  id uuid primary key,
  seller_id uuid not null references seller,
  name text not null constraint supplier_name check (length(name) between 1 and 120),
  -- Where purchases are sent, and where one asks about them; the latter contains `{request_id}`.
  url text not null,
  status_url text,
  -- Of all prices that are agreed with it.
  currency text not null,
  timeout_seconds int not null constraint supplier_timeout check (timeout_seconds between 1 and 30),
  mapping jsonb not null,
  state text not null default 'active' constraint supplier_state check (state in ('active', 'paused')),
  -- Why the program itself paused it.
  paused_for text,
  data_key_id uuid not null references data_key,
  -- The signing secret, sealed.
  secret bytea not null,
  -- The one before, which still verifies and signs until its time is over.
  old_secret bytea,
  old_secret_until timestamptz,
  -- The circuit breaker: failures in a row, and until when nothing is sent.
  failures int not null default 0,
  open_until timestamptz,
  version int not null default 0,
  created_at timestamptz not null default app_now(),
  constraint supplier_seller_key unique (seller_id, id),
  constraint supplier_old_secret check ((old_secret is null) = (old_secret_until is null)),
  constraint supplier_paused check (paused_for is null or state = 'paused')
);

-- Where pieces of a variant are bought, the first position first.
create table supplier_offer (
  variant_id uuid not null,
  supplier_id uuid not null,
  seller_id uuid not null,
  position int not null,
  -- What the supplier calls it.
  product text not null constraint supplier_offer_product check (length(product) between 1 and 200),
  -- The most that is paid for a piece, minor units of the supplier's currency.
  max_price_minor bigint not null constraint supplier_offer_price check (max_price_minor >= 0),
  primary key (variant_id, supplier_id),
  constraint supplier_offer_position unique (variant_id, position),
  constraint supplier_offer_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id),
  constraint supplier_offer_supplier_fkey foreign key (seller_id, supplier_id) references supplier (seller_id, id)
);

-- One piece that is bought for one unit. The row is stored before anything is sent.
create table supplier_purchase (
  id uuid primary key,
  seller_id uuid not null,
  supplier_id uuid not null,
  order_id uuid not null references orders,
  unit_id uuid not null references unit,
  variant_id uuid not null,
  -- Grows when a person has all suppliers tried again.
  round int not null default 1 constraint supplier_purchase_round check (round >= 1),
  -- What the purchase is called at the supplier: the unit, and from the second round on its number.
  request_id text not null,
  product text not null,
  max_price_minor bigint not null,
  currency text not null,
  state text not null default 'queued' constraint supplier_purchase_state check
    (state in ('queued', 'sending', 'pending', 'unknown', 'delivered', 'refused', 'quarantined', 'abandoned')),
  -- Calls made: purchases and questions.
  calls int not null default 0,
  sent_at timestamptz,
  next_at timestamptz not null default app_now(),
  -- What the supplier calls the purchase.
  reference text,
  -- An open code: why it was refused, quarantined or abandoned.
  reason text,
  price_minor bigint,
  key_id uuid references vault_key,
  created_at timestamptz not null default app_now(),
  ended_at timestamptz,
  constraint supplier_purchase_request unique (supplier_id, request_id),
  constraint supplier_purchase_sent check (state in ('queued', 'abandoned') or sent_at is not null),
  constraint supplier_purchase_ended check ((state in ('queued', 'sending', 'pending', 'unknown')) = (ended_at is null)),
  constraint supplier_purchase_key check (state <> 'delivered' or key_id is not null),
  constraint supplier_purchase_supplier_fkey foreign key (seller_id, supplier_id) references supplier (seller_id, id),
  constraint supplier_purchase_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);
-- A unit is never bought at two places at once.
create unique index supplier_purchase_live on supplier_purchase (unit_id)
  where state in ('queued', 'sending', 'pending', 'unknown');
create index supplier_purchase_unit on supplier_purchase (unit_id);
create index supplier_purchase_due on supplier_purchase (next_at) where state in ('queued', 'sending', 'pending', 'unknown');
create unique index supplier_purchase_key_once on supplier_purchase (key_id) where key_id is not null;

-- Keys that came with a purchase and are not sold before a person has looked at them.
create table supplier_quarantine (
  key_id uuid primary key references vault_key,
  purchase_id uuid not null references supplier_purchase,
  created_at timestamptz not null default app_now()
);
create index supplier_quarantine_purchase on supplier_quarantine (purchase_id);

alter table key_batch drop constraint key_batch_origin;
alter table key_batch add constraint key_batch_origin check (origin in ('import', 'generated', 'bought')),
  add column supplier_id uuid references supplier,
  add constraint key_batch_supplier check ((origin = 'bought') = (supplier_id is not null));
create unique index key_batch_of_supplier on key_batch (variant_id, supplier_id) where supplier_id is not null;
