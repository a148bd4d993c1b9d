create table app_user (
  id uuid primary key,
  email text not null,
  email_normalised text not null constraint app_user_email_key unique,
  email_confirmed_at timestamptz,
  password_hash text,
  name text,
  locale text not null default 'en',
  state text not null default 'active' constraint app_user_state check (state in ('active', 'suspended', 'closed')),
  -- Grows with each change of password or roles: older access tokens end at once.
  generation int not null default 1,
  created_at timestamptz not null default app_now()
);

create table user_role (
  user_id uuid not null references app_user,
  role text not null constraint user_role_role check (role in ('buyer', 'seller', 'support', 'admin')),
  granted_at timestamptz not null default app_now(),
  primary key (user_id, role)
);

create table seller_member (
  seller_id uuid not null references seller,
  user_id uuid not null references app_user,
  primary key (seller_id, user_id)
);
create index seller_member_user on seller_member (user_id);

-- A sign-in on a device: the family of its refresh tokens.
create table session (
  id uuid primary key,
  user_id uuid not null references app_user,
  device text not null,
  user_generation int not null,
  created_at timestamptz not null default app_now(),
  last_used_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text,
  constraint session_revoked check ((revoked_at is null) = (revoked_reason is null))
);
create index session_by_user on session (user_id, created_at desc);

create table refresh_token (
  id uuid primary key,
  session_id uuid not null references session,
  -- SHA-256 of the 32 random bytes.
  digest bytea not null constraint refresh_token_digest_key unique,
  -- The next token of the family. Until it is used once, its predecessor gives it out again.
  successor_id uuid constraint refresh_token_successor_key unique references refresh_token,
  -- The token's own text, sealed: needed while its predecessor may still ask for it; blanked when confirmed.
  sealed bytea,
  confirmed_at timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default app_now()
);
create index refresh_token_session on refresh_token (session_id);

-- Codes sent by mail: to confirm an address, to reset a password, to reach lost orders. The code itself is nowhere:
-- it is derived from the row's id under a key the database does not know.
create table email_code (
  id uuid primary key,
  purpose text not null,
  email_normalised text not null,
  user_id uuid references app_user,
  attempts int not null default 0,
  created_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index email_code_address on email_code (purpose, email_normalised, created_at desc);

create table api_client (
  id uuid primary key,
  name text not null,
  publishable_id text not null constraint api_client_publishable_key unique,
  secret_digest bytea,
  scopes text[] not null default '{}',
  origins text[] not null default '{}',
  state text not null default 'active' constraint api_client_state check (state in ('active', 'retired')),
  created_at timestamptz not null default app_now()
);
