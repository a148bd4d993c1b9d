-- Names and descriptions are rows of `translation`.
create table product (
  id uuid primary key,
  seller_id uuid not null references seller,
  slug text not null constraint product_slug_key unique,
  state text not null default 'draft'
    constraint product_state check (state in ('draft', 'in_review', 'rejected', 'on_sale', 'retired')),
  default_locale text not null default 'en',
  tags text[] not null default '{}',
  review_reason text,
  version int not null default 1,
  created_at timestamptz not null default app_now(),
  on_sale_at timestamptz,
  updated_at timestamptz not null default app_now(),
  constraint product_seller_key unique (seller_id, id)
);
create index product_on_sale on product (on_sale_at desc, id desc) where state = 'on_sale';
create index product_seller on product (seller_id, created_at desc);

create table variant (
  id uuid primary key,
  seller_id uuid not null,
  product_id uuid not null,
  position int not null default 0,
  sku text,
  kind text not null,
  state text not null default 'active' constraint variant_state check (state in ('active', 'retired')),
  stock_display text not null default 'in_out'
    constraint variant_stock_display check (stock_display in ('exact', 'low', 'in_out')),
  low_stock_threshold int not null default 5 constraint variant_low_stock check (low_stock_threshold >= 0),
  min_quantity int not null default 1 constraint variant_min_quantity check (min_quantity >= 1),
  max_quantity int,
  limit_per_buyer int constraint variant_limit_per_buyer check (limit_per_buyer >= 1),
  partial_delivery boolean not null default false,
  -- Whether the mail carries the key itself or only the way to it.
  mail_policy text not null default 'key' constraint variant_mail_policy check (mail_policy in ('key', 'link')),
  -- Licence keys whose letters mean the same in either case are compared folded.
  fold_case boolean not null default false,
  key_format jsonb,
  download_limit int constraint variant_download_limit check (download_limit >= 1),
  access_days int constraint variant_access_days check (access_days >= 1),
  updates_included boolean not null default true,
  -- Whether a download link works only from the network of the person who made it. Off unless chosen: it breaks
  -- for phones, shared addresses and VPNs.
  bind_address boolean not null default false,
  warranty_days int constraint variant_warranty check (warranty_days >= 0),
  -- Whether a key that was neither revealed nor mailed goes back to stock when it is refunded.
  restock_unseen boolean not null default true,
  version int not null default 1,
  created_at timestamptz not null default app_now(),
  constraint variant_quantities check (max_quantity is null or max_quantity >= min_quantity),
  constraint variant_seller_key unique (seller_id, id),
  constraint variant_sku_key unique (seller_id, sku),
  constraint variant_product_fkey foreign key (seller_id, product_id) references product (seller_id, id)
);
create index variant_product on variant (product_id, position);

create table price (
  id bigint generated always as identity primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  currency text not null constraint price_currency check (currency ~ '^[A-Z]{3}$'),
  min_quantity int not null default 1 constraint price_min_quantity check (min_quantity >= 1),
  unit_minor bigint not null constraint price_not_negative check (unit_minor >= 0),
  valid_from timestamptz not null default '-infinity',
  valid_to timestamptz not null default 'infinity',
  constraint price_period check (valid_from < valid_to),
  constraint price_key unique (variant_id, currency, min_quantity, valid_from),
  constraint price_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);

create table file (
  id uuid primary key,
  seller_id uuid not null,
  variant_id uuid not null,
  name text not null,
  created_at timestamptz not null default app_now(),
  constraint file_seller_key unique (seller_id, id),
  constraint file_variant_fkey foreign key (seller_id, variant_id) references variant (seller_id, id)
);
create index file_variant on file (variant_id);

create table file_version (
  id uuid primary key,
  seller_id uuid not null,
  file_id uuid not null,
  name text not null,
  version text not null,
  size bigint not null constraint file_version_size check (size >= 0),
  sha256 bytea not null constraint file_version_sha256 check (length(sha256) = 32),
  content_type text not null,
  -- Where the bytes lie in the blob store; never shown.
  blob text not null,
  published_at timestamptz not null default app_now(),
  yanked_at timestamptz,
  constraint file_version_seller_key unique (seller_id, id),
  constraint file_version_name_key unique (file_id, version),
  constraint file_version_file_fkey foreign key (seller_id, file_id) references file (seller_id, id)
);
create index file_version_newest on file_version (file_id, published_at desc);

create table upload (
  id uuid primary key,
  seller_id uuid not null references seller,
  user_id uuid references app_user,
  purpose text not null default 'file' constraint upload_purpose check (purpose in ('file')),
  name text not null,
  content_type text not null,
  size bigint not null constraint upload_size check (size >= 0),
  received bigint not null default 0 constraint upload_received check (received between 0 and size),
  state text not null default 'open' constraint upload_state check (state in ('open', 'complete', 'used', 'expired')),
  sha256 bytea,
  blob text,
  created_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  constraint upload_complete check (state not in ('complete', 'used') or (sha256 is not null and blob is not null and received = size))
);
create index upload_expiry on upload (expires_at) where state in ('open', 'complete');
