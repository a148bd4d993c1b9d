-- Order numbers grow without telling how much is sold: a sequence whose steps are scattered by the program.
create sequence order_number;

create table orders (
  id uuid primary key,
  seller_id uuid not null default '00000000-0000-7000-8000-000000000001' references seller,
  number text not null constraint orders_number_key unique
    constraint orders_number_form check (number ~ '^[0-9A-Z-]{1,27}$'),
  state text not null default 'pending_payment'
    constraint orders_state check (state in ('pending_payment', 'paid', 'expired', 'cancelled', 'closed')),
  currency text not null constraint orders_currency check (currency ~ '^[A-Z]{3}$'),
  subtotal_minor bigint not null,
  discount_minor bigint not null default 0,
  total_minor bigint not null,
  user_id uuid references app_user,
  -- As typed, and normalised for comparing. Blanked when the person is deleted.
  email text,
  email_normalised text,
  billing_country text,
  locale text not null,
  api_client_id uuid references api_client,
  terms_version text,
  reference text,
  metadata jsonb not null default '[]',
  -- A guest's access token is an HMAC over the order's id and this number; growing it revokes the old ones.
  access_generation int not null default 1,
  placed_at timestamptz not null default app_now(),
  pay_by timestamptz not null,
  paid_at timestamptz,
  delivered_at timestamptz,
  cancelled_at timestamptz,
  closed_at timestamptz,
  constraint orders_amounts check (subtotal_minor >= 0 and discount_minor between 0 and subtotal_minor
    and total_minor = subtotal_minor - discount_minor),
  constraint orders_paid_at check ((state in ('paid', 'closed')) = (paid_at is not null)),
  constraint orders_cancelled_at check ((state = 'cancelled') = (cancelled_at is not null)),
  constraint orders_closed_at check ((state = 'closed') = (closed_at is not null)),
  constraint orders_reference_key unique (api_client_id, reference)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create index orders_user on orders (user_id, placed_at desc, id desc) where user_id is not null;
create index orders_email on orders (email_normalised, placed_at desc) where email_normalised is not null;
create index orders_unpaid on orders (pay_by, id) where state = 'pending_payment';

-- What was bought, as it was when it was bought.
create table order_line (
  id uuid primary key,
  seller_id uuid not null,
  order_id uuid not null references orders,
  parent_line_id uuid references order_line,
  position int not null,
  product_id uuid not null,
  variant_id uuid not null,
  title text not null,
  variant_title text not null,
  kind text not null,
  quantity int not null constraint order_line_quantity check (quantity >= 1),
  partial_delivery boolean not null,
  mail_policy text not null,
  download_limit int,
  access_days int,
  unit_minor bigint not null constraint order_line_unit check (unit_minor >= 0),
  discount_minor bigint not null default 0,
  total_minor bigint not null,
  tax_minor bigint not null default 0,
  -- Hundredths of a percent.
  tax_rate int not null default 0,
  tax_included boolean not null default true,
  currency text not null,
  locale text not null,
  constraint order_line_amounts check (discount_minor between 0 and unit_minor * quantity
    and total_minor = unit_minor * quantity - discount_minor),
  constraint order_line_position_key unique (order_id, position),
  constraint order_line_seller_key unique (seller_id, id),
  constraint order_line_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id),
  constraint order_line_product_fkey foreign key (seller_id, product_id) references product (seller_id, id)
);
create index order_line_order on order_line (order_id);
create index order_line_variant on order_line (variant_id);

-- One piece sold. A replacement is a new row that supersedes the old one.
create table unit (
  id uuid primary key,
  seller_id uuid not null,
  order_id uuid not null references orders,
  line_id uuid not null,
  variant_id uuid not null,
  unit_no int not null constraint unit_no_positive check (unit_no >= 1),
  state text not null default 'unassigned' constraint unit_state check (state in ('unassigned', 'assigned',
    'awaiting_stock', 'awaiting_supplier', 'awaiting_person', 'revealed', 'replaced', 'revoked', 'cancelled')),
  total_minor bigint not null,
  assigned_at timestamptz,
  waiting_since timestamptz,
  revealed_at timestamptz,
  revoked_at timestamptz,
  superseded_by uuid references unit,
  constraint unit_assigned check (state not in ('assigned', 'revealed') or assigned_at is not null),
  constraint unit_revealed check (state <> 'revealed' or revealed_at is not null),
  constraint unit_superseded check ((state = 'replaced') = (superseded_by is not null)),
  constraint unit_line_fkey foreign key (seller_id, line_id) references order_line (seller_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create unique index unit_once on unit (line_id, unit_no) where superseded_by is null;
create index unit_order on unit (order_id);
create index unit_waiting on unit (variant_id, line_id) where state = 'awaiting_stock';
alter table vault_key add constraint vault_key_unit_fkey foreign key (unit_id) references unit;
