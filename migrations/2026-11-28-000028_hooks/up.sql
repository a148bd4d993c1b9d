-- Expands: tables that nobody knew before, and a consumer of the sequence.
--
-- Outgoing webhooks: where events are sent, a row per event and endpoint, and a row per attempt.

create table hook_endpoint (
  id uuid primary key,
  seller_id uuid not null references seller,
  -- Whose orders it is about; null: what is the seller's.
  api_client_id uuid references api_client,
  url text not null constraint hook_endpoint_url check (length(url) between 1 and 1000),
  description text constraint hook_endpoint_description check (length(description) between 1 and 200),
  -- Which types of events are sent; none is named: all that its owner may see.
  event_types text[] not null default '{}',
  -- Whether an event waits until those before it were taken or given up.
  ordered boolean not null default false,
  state text not null default 'active' constraint hook_endpoint_state check (state in ('active', 'disabled')),
  -- Why the program itself disabled it.
  disabled_for text,
  -- Events above this number are sent as the present filter says.
  since_seq bigint not null,
  -- Since when no attempt was taken; null: the last one was.
  failing_since timestamptz,
  -- When it last had its turn: whoever waits longest is next.
  served_at timestamptz not null default '-infinity',
  data_key_id uuid not null references data_key,
  -- The signing secret, sealed.
  secret bytea not null,
  -- The one before, which still signs until its time is over.
  old_secret bytea,
  old_secret_until timestamptz,
  version int not null default 0,
  created_at timestamptz not null default app_now(),
  constraint hook_endpoint_seller_key unique (seller_id, id),
  constraint hook_endpoint_old_secret check ((old_secret is null) = (old_secret_until is null)),
  constraint hook_endpoint_disabled check (disabled_for is null or state = 'disabled')
) with (fillfactor = 70);
create index hook_endpoint_seller on hook_endpoint (seller_id, created_at, id);
create index hook_endpoint_client on hook_endpoint (api_client_id) where api_client_id is not null;

-- One event for one endpoint. Its id is the message's name at the receiver, whatever attempt it is.
create table hook_delivery (
  id uuid primary key,
  endpoint_id uuid not null,
  seller_id uuid not null,
  seq bigint not null,
  event_type text not null,
  order_id uuid,
  state text not null default 'queued'
    constraint hook_delivery_state check (state in ('queued', 'sending', 'delivered', 'needs_attention')),
  attempts int not null default 0,
  -- Attempts made before it was replayed: the limit counts from there.
  attempts_before int not null default 0,
  -- While it is queued: when it is sent. While it is being sent: when its worker counts as gone.
  next_at timestamptz not null default app_now(),
  created_at timestamptz not null default app_now(),
  ended_at timestamptz,
  constraint hook_delivery_once unique (endpoint_id, seq),
  constraint hook_delivery_attempts check (attempts_before between 0 and attempts),
  constraint hook_delivery_ended check ((state in ('queued', 'sending')) = (ended_at is null)),
  constraint hook_delivery_endpoint_fkey foreign key (seller_id, endpoint_id) references hook_endpoint (seller_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create index hook_delivery_open on hook_delivery (endpoint_id, seq) where state in ('queued', 'sending');
create index hook_delivery_due on hook_delivery (endpoint_id, next_at) where state in ('queued', 'sending');
create index hook_delivery_order on hook_delivery (order_id) where order_id is not null;
create index hook_delivery_ended on hook_delivery (ended_at) where ended_at is not null;

create table hook_attempt (
  delivery_id uuid not null references hook_delivery on delete cascade,
  attempt int not null,
  started_at timestamptz not null default app_now(),
  ended_at timestamptz,
  outcome text constraint hook_attempt_outcome
    check (outcome in ('delivered', 'refused', 'no_answer', 'unreachable', 'event_gone', 'lost')),
  -- The HTTP status of the answer.
  status int,
  -- Why there was no answer. Never a part of one.
  reason text,
  duration_ms int,
  primary key (delivery_id, attempt),
  constraint hook_attempt_ended check ((outcome is null) = (ended_at is null))
);

insert into event_cursor (consumer, seq) select 'hooks', seq from event_head;
