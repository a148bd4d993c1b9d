-- Accounts of gateways. Never deleted: one that leaves the configuration still receives but starts nothing.
create table gateway_account (
  id text primary key constraint gateway_account_id_form check (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
  gateway text not null,
  currencies text[] not null,
  sandbox boolean not null,
  active boolean not null,
  created_at timestamptz not null default app_now()
);
-- Zero totals are settled through the shop's own account.
insert into gateway_account (id, gateway, currencies, sandbox, active) values ('free', 'free', '{}', false, false);

-- One attempt to pay, or money that came without one.
create table payment (
  id uuid primary key,
  order_id uuid not null references orders,
  account_id text not null references gateway_account,
  account_snapshot jsonb not null,
  attempt int not null constraint payment_attempt_positive check (attempt >= 1),
  -- The number the gateway knows: the order's own for attempt 1, `<number>-n` for attempt n. Null for money
  -- that came a second time under a number already used.
  gateway_number text constraint payment_gateway_number_form check (gateway_number ~ '^[0-9A-Z-]{1,32}$'),
  state text not null default 'started' constraint payment_state check (state in ('started', 'pending', 'captured',
    'failed', 'expired', 'unknown', 'partially_refunded', 'refunded', 'disputed', 'lost')),
  expected_minor bigint not null constraint payment_expected check (expected_minor >= 0),
  expected_currency text not null,
  received_minor bigint,
  received_currency text,
  -- Captured money that pays for this order's lines. At most one payment of an order is allocated.
  allocated boolean not null default false,
  refunded_minor bigint not null default 0,
  fee_minor bigint,
  -- The gateway's number of the trade, unique per account.
  trade_no text,
  -- What the gateway gave when the payment was started (a session id).
  gateway_reference text,
  action jsonb,
  failure_code text,
  options jsonb not null default '{}',
  started_at timestamptz not null default app_now(),
  captured_at timestamptz,
  expires_at timestamptz,
  closed_at timestamptz,
  next_check_at timestamptz,
  checks int not null default 0,
  constraint payment_received check ((received_minor is null) = (captured_at is null)
    and (received_minor is null) = (received_currency is null)),
  constraint payment_captured check (state not in ('captured', 'partially_refunded', 'refunded', 'disputed', 'lost')
    or captured_at is not null),
  constraint payment_refunded check (refunded_minor between 0 and coalesce(received_minor, 0)),
  constraint payment_allocated check (not allocated or (received_minor = expected_minor
    and received_currency = expected_currency)),
  constraint payment_trade_key unique (account_id, trade_no),
  constraint payment_reference_key unique (account_id, gateway_reference),
  constraint payment_number_key unique (account_id, gateway_number),
  constraint payment_attempt_key unique (order_id, attempt)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
create unique index payment_one_allocated on payment (order_id) where allocated;
create index payment_check_due on payment (next_check_at) where next_check_at is not null;
create index payment_number on payment (gateway_number) where gateway_number is not null;

-- The inbox, narrow and permanent. A notice counts as handled only when its verdict says so.
create table notice (
  id bigint generated always as identity primary key,
  account_id text not null references gateway_account,
  event_key text,
  verdict text not null constraint notice_verdict check (verdict in ('applied', 'recorded', 'duplicate', 'ignored',
    'foreign', 'orphan', 'forged', 'malformed', 'fault')),
  order_id uuid,
  payment_id uuid,
  -- Which of the account's secrets verified it, counted from 1.
  verified_by smallint,
  body_sha256 bytea not null constraint notice_body_sha256 check (length(body_sha256) = 32),
  reason text,
  received_at timestamptz not null default app_now(),
  constraint notice_handled check (verdict not in ('applied', 'recorded') or (event_key is not null and verified_by is not null))
);
create unique index notice_once on notice (account_id, event_key) where verdict in ('applied', 'recorded');
create index notice_open on notice (account_id, event_key, received_at) where verdict in ('orphan', 'fault');
create index notice_order on notice (order_id) where order_id is not null;
create index notice_received on notice using brin (received_at);

-- What came, as far as people may see it. Where a card's number was masked, `sealed` has the exact bytes.
create table notice_body (
  notice_id bigint not null,
  received_at timestamptz not null default app_now(),
  method text not null,
  query text not null default '',
  headers jsonb not null,
  body bytea not null,
  sealed bytea,
  primary key (notice_id, received_at)
) partition by range (received_at);
create table notice_body_default partition of notice_body default;

-- What failed authentication. Anybody can send it, so it is bounded by account and day and leaves after days.
create table refused_body (
  notice_id bigint primary key,
  received_at timestamptz not null default app_now(),
  method text not null,
  query text not null default '',
  headers jsonb not null,
  body bytea not null,
  sealed bytea
);
create index refused_body_received on refused_body (received_at);

create table refused_tally (
  account_id text not null references gateway_account,
  day date not null,
  notices bigint not null,
  bytes bigint not null,
  primary key (account_id, day)
) with (fillfactor = 50);

create table refund (
  id uuid primary key,
  order_id uuid not null references orders,
  payment_id uuid not null references payment,
  state text not null default 'requested'
    constraint refund_state check (state in ('requested', 'pending', 'succeeded', 'failed', 'unknown')),
  amount_minor bigint not null constraint refund_amount check (amount_minor > 0),
  currency text not null,
  reason text,
  -- Asked for by a person here, or seen at the gateway.
  origin text not null default 'staff' constraint refund_origin check (origin in ('staff', 'gateway', 'automatic')),
  gateway_refund_id text,
  requested_by uuid references app_user,
  requested_at timestamptz not null default app_now(),
  succeeded_at timestamptz,
  failure_code text,
  next_check_at timestamptz,
  checks int not null default 0,
  constraint refund_succeeded check ((state = 'succeeded') = (succeeded_at is not null)),
  constraint refund_gateway_key unique (payment_id, gateway_refund_id)
);
create index refund_order on refund (order_id);
create index refund_check_due on refund (next_check_at) where next_check_at is not null;

create table refund_unit (
  refund_id uuid not null references refund,
  unit_id uuid not null references unit,
  amount_minor bigint not null constraint refund_unit_amount check (amount_minor >= 0),
  primary key (refund_id, unit_id)
);
create index refund_unit_unit on refund_unit (unit_id);

-- Double entry: each transaction sums to 0 per currency. Books: `gateway` (money at an account), `sales` (what a
-- line earned its seller), `unallocated` (money that pays for nothing yet), `fees`.
create table ledger_entry (
  id bigint generated always as identity primary key,
  transaction_id uuid not null,
  book text not null constraint ledger_entry_book check (book in ('gateway', 'sales', 'unallocated', 'fees')),
  account_id text not null references gateway_account,
  order_id uuid not null,
  payment_id uuid not null,
  line_id uuid,
  seller_id uuid not null,
  amount_minor bigint not null constraint ledger_entry_amount check (amount_minor <> 0),
  currency text not null,
  created_at timestamptz not null default app_now()
);
create index ledger_entry_transaction on ledger_entry (transaction_id);
create index ledger_entry_payment on ledger_entry (payment_id);
create trigger ledger_entry_append_only before update or delete on ledger_entry
  for each row execute function refuse_change();

-- Checked once per statement over all transactions it touched, so a slice of many notices pays for one look. A
-- statement that leaves a transaction unbalanced is refused; nothing has to wait for the COMMIT.
create function ledger_must_balance() returns trigger language plpgsql as $$
declare bad uuid;
begin
  select e.transaction_id into bad from ledger_entry e
   where e.transaction_id in (select transaction_id from added)
   group by e.transaction_id, e.currency having sum(e.amount_minor) <> 0 limit 1;
  if bad is not null then
    raise exception 'ledger transaction % does not sum to zero', bad
      using errcode = 'check_violation', constraint = 'ledger_balanced';
  end if;
  return null;
end $$;
create trigger ledger_balanced after insert on ledger_entry
  referencing new table as added for each statement execute function ledger_must_balance();

-- One reading of the statement that a gateway makes of a day of its own calendar.
create table statement_run (
  id uuid primary key,
  account_id text not null references gateway_account,
  day date not null,
  source text not null constraint statement_run_source check (source in ('gateway', 'file')),
  state text not null default 'requested'
    constraint statement_run_state check (state in ('requested', 'read', 'done', 'failed')),
  -- Null: asked for by the schedule or on the command line.
  requested_by uuid references app_user,
  lines int not null default 0,
  -- Not read before.
  new_lines int not null default 0,
  -- The last line compared.
  compared_to bigint not null default 0,
  failure text,
  requested_at timestamptz not null default app_now(),
  ended_at timestamptz,
  constraint statement_run_ended check ((state in ('done', 'failed')) = (ended_at is not null))
);
create index statement_run_day on statement_run (account_id, day);

create table statement_line (
  id bigint generated always as identity primary key,
  run_id uuid not null references statement_run,
  account_id text not null references gateway_account,
  day date not null,
  -- Of all that the line says, and of how many equal ones stood before it.
  digest bytea not null constraint statement_line_digest check (length(digest) = 32),
  stated text not null constraint statement_line_stated check (stated in ('payment', 'refund')),
  number text,
  trade_no text not null,
  refund_id text,
  gateway_refund_id text,
  amount_minor bigint not null constraint statement_line_amount check (amount_minor >= 0),
  fee_minor bigint,
  currency text not null,
  at timestamptz not null,
  -- Null: not compared yet.
  outcome text constraint statement_line_outcome check (outcome in ('matched', 'differs')),
  payment_id uuid,
  -- The refund of ours that a line about a refund is.
  our_refund uuid,
  -- Its fee is in the ledger.
  fee_booked boolean not null default false,
  constraint statement_line_key unique (account_id, day, digest)
);
create index statement_line_open on statement_line (account_id, day) where outcome is distinct from 'matched';
create index statement_line_trade on statement_line (account_id, trade_no);
create index statement_line_payment on statement_line (payment_id) where payment_id is not null;
create unique index statement_line_refund on statement_line (our_refund) where our_refund is not null;

create table statement_difference (
  id bigint generated always as identity primary key,
  run_id uuid not null references statement_run,
  account_id text not null references gateway_account,
  day date not null,
  kind text not null constraint statement_difference_kind check (kind in ('paid_there_only', 'paid_here_only',
    'amount_differs', 'refund_differs', 'fee_differs')),
  -- The trade's or refund's number there, or the payment's or refund's id here.
  subject text not null,
  order_id uuid,
  payment_id uuid,
  there_minor bigint,
  here_minor bigint,
  currency text not null,
  found_at timestamptz not null default app_now(),
  -- When both sides were found to agree after all.
  ended_at timestamptz,
  constraint statement_difference_key unique (account_id, kind, subject)
);
create index statement_difference_run on statement_difference (run_id);
