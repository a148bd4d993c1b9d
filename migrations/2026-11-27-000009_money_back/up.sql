-- Expands: columns and tables are added, constraints are widened. A program of the version before reads everything it
-- knew; it must not run beside this one, because it moves refunds without their holds.

-- What a dispute took is kept apart from what was refunded. `told_sum_minor` is the newest sum of all refunds that the
-- gateway named, `told_sum_at` when it was true by the gateway's clock.
alter table payment
  add column lost_minor bigint not null default 0,
  add column told_sum_minor bigint,
  add column told_sum_at timestamptz;

-- A refund is a row per refund at the gateway. A sum names no refund: what no known refund explains of it is a row
-- of basis `sum`, which gives way when the refund itself becomes known.
alter table refund
  add column basis text not null default 'refund' constraint refund_basis check (basis in ('refund', 'sum')),
  -- What of it counts as given back: all of it, unless more was named than the payment ever received.
  add column counted_minor bigint not null default 0,
  -- By the gateway's clock: when it was made, when it failed, and when the last thing heard about it was said.
  add column made_at timestamptz,
  add column failed_at timestamptz,
  add column said_at timestamptz;
update refund set counted_minor = amount_minor where state = 'succeeded';
alter table refund drop constraint refund_amount;
alter table refund
  add constraint refund_amount check (amount_minor > 0 or (basis = 'sum' and amount_minor = 0)),
  add constraint refund_counted check (counted_minor between 0 and amount_minor
    and (state = 'succeeded' or counted_minor = 0)),
  add constraint refund_of_sum check (basis = 'refund' or (state = 'succeeded' and gateway_refund_id is null
    and origin = 'gateway'));

-- A unit is refunded once: at most one refund that is open or succeeded names it.
alter table refund_unit add column active boolean not null default true;
update refund_unit ru set active = false from refund r where r.id = ru.refund_id and r.state = 'failed';
update refund_unit ru set active = false
  from (select ru.refund_id, ru.unit_id, row_number() over (partition by ru.unit_id
      order by (r.state = 'succeeded') desc, r.requested_at, r.id) as place
    from refund_unit ru join refund r on r.id = ru.refund_id where ru.active) later
 where later.place > 1 and later.refund_id = ru.refund_id and later.unit_id = ru.unit_id;
create unique index refund_unit_once on refund_unit (unit_id) where active;

-- A row per dispute at the gateway. Without an id: the gateway only said that the payment is disputed.
create table dispute (
  id uuid primary key,
  order_id uuid not null references orders,
  payment_id uuid not null references payment,
  account_id text not null references gateway_account,
  gateway_dispute_id text,
  state text not null constraint dispute_state check (state in ('inquiry', 'opened', 'won', 'lost', 'withdrawn')),
  amount_minor bigint not null constraint dispute_amount check (amount_minor >= 0),
  -- What of it counts as lost, never more than the payment had left.
  counted_minor bigint not null default 0,
  currency text not null,
  reason text,
  opened_at timestamptz not null default app_now(),
  decided_at timestamptz,
  said_at timestamptz,
  constraint dispute_counted check (counted_minor between 0 and amount_minor and (state = 'lost' or counted_minor = 0)),
  constraint dispute_decided check ((state in ('won', 'lost', 'withdrawn')) = (decided_at is not null)),
  constraint dispute_gateway_key unique (payment_id, gateway_dispute_id)
);
create index dispute_order on dispute (order_id);
create unique index dispute_unnamed on dispute (payment_id) where gateway_dispute_id is null and state in ('inquiry', 'opened');

-- While money goes back, or its way is disputed, nothing of the order (or of one unit) is shown, filled or sent.
create table hold (
  id bigint generated always as identity primary key,
  order_id uuid not null references orders,
  -- Null: the whole order.
  unit_id uuid references unit,
  cause text not null constraint hold_cause check (cause in ('refund', 'dispute', 'uncovered')),
  -- The refund, the dispute, or the payment whose money is gone.
  cause_id uuid not null,
  created_at timestamptz not null default app_now()
);
create unique index hold_key on hold (order_id, cause, cause_id, coalesce(unit_id, '00000000-0000-0000-0000-000000000000'));
create index hold_unit on hold (unit_id) where unit_id is not null;

-- Why a unit was taken back: the refund, the dispute or the payment.
alter table unit add column revoked_for uuid;

-- Which refund or dispute an entry belongs to, so that each can be taken back exactly as it was booked.
alter table ledger_entry
  add column refund_id uuid references refund,
  add column dispute_id uuid references dispute;
create index ledger_entry_refund on ledger_entry (refund_id) where refund_id is not null;
create index ledger_entry_dispute on ledger_entry (dispute_id) where dispute_id is not null;

-- Disputes that were only a payment's state become rows, one for each, which takes the payment's id.
insert into dispute (id, order_id, payment_id, account_id, state, amount_minor, counted_minor, currency, decided_at)
select p.id, p.order_id, p.id, p.account_id, case p.state when 'lost' then 'lost' else 'opened' end,
    case p.state when 'lost' then p.refunded_minor - given.minor else p.received_minor - p.refunded_minor end,
    case p.state when 'lost' then p.refunded_minor - given.minor else 0 end,
    p.received_currency, case p.state when 'lost' then app_now() end
  from payment p cross join lateral (select coalesce(sum(r.amount_minor), 0)::bigint as minor from refund r
    where r.payment_id = p.id and r.state = 'succeeded') given
 where p.state in ('disputed', 'lost');
alter table payment drop constraint payment_refunded;
update payment p set lost_minor = d.counted_minor, refunded_minor = p.refunded_minor - d.counted_minor
  from dispute d where d.payment_id = p.id and d.state = 'lost';
alter table payment
  add constraint payment_given_back check (refunded_minor >= 0 and lost_minor >= 0
    and refunded_minor + lost_minor <= coalesce(received_minor, 0)),
  add constraint payment_told_sum check ((told_sum_minor is null) = (told_sum_at is null) and told_sum_minor >= 0);

-- Holds of what is open now.
insert into hold (order_id, cause, cause_id)
select d.order_id, 'dispute', d.id from dispute d join payment p on p.id = d.payment_id
 where d.state = 'opened' and p.allocated;
insert into hold (order_id, unit_id, cause, cause_id)
select r.order_id, ru.unit_id, 'refund', r.id from refund r join refund_unit ru on ru.refund_id = r.id and ru.active
 where r.state in ('requested', 'pending', 'unknown');
insert into hold (order_id, cause, cause_id)
select r.order_id, 'refund', r.id from refund r join payment p on p.id = r.payment_id and p.allocated
 where r.state in ('requested', 'pending', 'unknown')
   and not exists (select 1 from refund_unit ru where ru.refund_id = r.id)
   and r.amount_minor >= p.received_minor - p.refunded_minor - p.lost_minor;

-- What took units back, as far as it is known.
update unit u set revoked_for = ru.refund_id from refund_unit ru join refund r on r.id = ru.refund_id
 where ru.unit_id = u.id and r.state = 'succeeded' and u.state = 'revoked';
update unit u set revoked_for = p.id from payment p
 where p.order_id = u.order_id and p.allocated and u.state = 'revoked' and u.revoked_for is null;

-- Entries of refunds and lost disputes carry the time of the transaction that recorded them.
alter table ledger_entry disable trigger ledger_entry_append_only;
update ledger_entry e set refund_id = r.id from refund r
 where r.payment_id = e.payment_id and r.state = 'succeeded' and r.succeeded_at = e.created_at and e.book <> 'fees'
   and e.transaction_id in (select g.transaction_id from ledger_entry g
     where g.payment_id = r.payment_id and g.book = 'gateway' and g.amount_minor = -r.amount_minor);
update ledger_entry e set dispute_id = d.id from dispute d
 where d.payment_id = e.payment_id and d.state = 'lost' and e.refund_id is null
   and e.transaction_id in (select g.transaction_id from ledger_entry g
     where g.payment_id = d.payment_id and g.book = 'gateway' and g.amount_minor = -d.counted_minor and g.refund_id is null);
alter table ledger_entry enable trigger ledger_entry_append_only;
