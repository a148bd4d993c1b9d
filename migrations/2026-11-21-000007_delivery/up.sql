-- The right to download one file.
create table download_grant (
  id uuid primary key,
  seller_id uuid not null,
  order_id uuid not null references orders,
  line_id uuid not null,
  unit_id uuid not null references unit,
  file_id uuid not null,
  -- The version bought; a newer one is served when the product includes updates.
  file_version_id uuid not null,
  state text not null default 'active' constraint download_grant_state check (state in ('active', 'revoked')),
  -- Null: unlimited.
  max_downloads int constraint download_grant_max check (max_downloads >= 1),
  used int not null default 0,
  expires_at timestamptz not null default 'infinity',
  bind_address boolean not null default false,
  created_at timestamptz not null default app_now(),
  constraint download_grant_used check (used >= 0 and (max_downloads is null or used <= max_downloads)),
  constraint download_grant_once unique (unit_id, file_id),
  constraint download_grant_line_fkey foreign key (seller_id, line_id) references order_line (seller_id, id),
  constraint download_grant_file_fkey foreign key (seller_id, file_id) references file (seller_id, id),
  constraint download_grant_version_fkey foreign key (seller_id, file_version_id) references file_version (seller_id, id)
);
create index download_grant_line on download_grant (line_id);
create index download_grant_order on download_grant (order_id);

create table download_link (
  id uuid primary key,
  grant_id uuid not null references download_grant,
  -- A claim link of days stands in mails; a download link of minutes starts a session.
  kind text not null constraint download_link_kind check (kind in ('claim', 'download')),
  created_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  -- The session it started or joined. A link that has one may resume until that session ends, and never starts another.
  session_id uuid
);
create index download_link_grant on download_link (grant_id);

-- One counted download, however many requests it takes. A second link of a grant joins its open session.
create table download_session (
  id uuid primary key,
  grant_id uuid not null references download_grant,
  link_id uuid not null references download_link,
  file_version_id uuid not null references file_version,
  opened_at timestamptz not null default app_now(),
  expires_at timestamptz not null,
  closed_at timestamptz,
  served_bytes bigint not null default 0,
  byte_cap bigint not null
);
alter table download_link add constraint download_link_session_fkey foreign key (session_id) references download_session;
create unique index download_session_open on download_session (grant_id) where closed_at is null;

-- The outbox. It names what is to be told, never the secret itself: the text is made when it is sent.
create table message (
  id uuid primary key,
  channel text not null default 'mail' constraint message_channel check (channel in ('mail')),
  kind text not null,
  -- One message of a kind per subject; a resend has a subject of its own.
  subject text not null,
  order_id uuid references orders,
  user_id uuid references app_user,
  recipient text not null,
  locale text not null,
  payload jsonb not null default '{}',
  state text not null default 'queued'
    constraint message_state check (state in ('queued', 'sending', 'sent', 'failed', 'needs_attention')),
  -- The Message-ID header, the same on every attempt.
  message_id text not null constraint message_message_id_key unique,
  attempts int not null default 0,
  -- Attempts made before a person had it sent again: the limit counts from there.
  attempts_before int not null default 0,
  created_at timestamptz not null default app_now(),
  sent_at timestamptz,
  constraint message_once unique (kind, subject),
  constraint message_sent check ((state = 'sent') = (sent_at is not null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create index message_unsent on message (created_at) where state in ('queued', 'sending');
create index message_order on message (order_id) where order_id is not null;

create table message_attempt (
  message_id uuid not null references message,
  attempt int not null,
  started_at timestamptz not null default app_now(),
  ended_at timestamptz,
  outcome text constraint message_attempt_outcome check (outcome in ('sent', 'retry', 'refused', 'unknown')),
  -- Masked.
  recipient text not null,
  reason text,
  primary key (message_id, attempt)
);
