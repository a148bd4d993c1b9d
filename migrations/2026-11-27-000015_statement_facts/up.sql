-- Contracts: a program from before this migration can no longer import statements. Its import fails and is taken up
-- by a program that knows this table; everything else goes on.

-- What gateways' statements say: one row per account, trade, kind and refund, whatever file or day said it.
create table statement_fact (
  id bigint generated always as identity primary key,
  -- The run that stated it first, or corrected it last.
  run_id uuid not null references statement_run,
  account_id text not null references gateway_account,
  -- The statement that says it as it stands here.
  day date not null,
  -- `refund_failed`: a refund that was booked came back. `refund_sum`: all that went back of a trade so far, from
  -- gateways that name no single refund.
  stated text not null constraint statement_fact_stated
    check (stated in ('payment', 'refund', 'refund_failed', 'refund_sum')),
  trade_no text not null,
  number text,
  -- Our id and the gateway's, as far as a line named them.
  refund_id text,
  gateway_refund_id text,
  -- Tells refunds apart of which no line names any id.
  unnamed text,
  -- Negative where the statement books it the other way round.
  amount_minor bigint not null,
  fee_minor bigint,
  currency text not null,
  at timestamptz not null,
  -- Null: not compared as it stands.
  outcome text constraint statement_fact_outcome check (outcome in ('matched', 'differs')),
  payment_id uuid,
  -- The refund of ours that it is.
  our_refund uuid,
  -- How much of it the ledger holds as its fee; null: nothing was booked.
  booked_minor bigint,
  constraint statement_fact_named check (stated in ('payment', 'refund_sum')
    or coalesce(gateway_refund_id, refund_id, unnamed) is not null),
  constraint statement_fact_booked check (booked_minor is null or payment_id is not null)
);

-- Of all lines about one thing the newest says how it stands; a verdict, a payment, a refund and a fee that any of
-- them has are kept.
alter table statement_line drop constraint statement_line_stated, add column fact_id bigint, add column thing text;
update statement_line l set stated = 'refund_sum' from gateway_account a
  where a.id = l.account_id and a.gateway in ('epay_v1', 'epay_v2') and l.stated = 'refund'
    and l.refund_id is null and l.gateway_refund_id is null;
-- A line that names only our id is about the same refund as one that names the gateway's too.
update statement_line l set thing = case
    when l.stated in ('payment', 'refund_sum') then ''
    when l.gateway_refund_id is not null then 'there:' || l.gateway_refund_id
    when l.refund_id is not null then coalesce(
      (select 'there:' || min(n.gateway_refund_id) from statement_line n where n.account_id = l.account_id
         and n.trade_no = l.trade_no and n.stated = l.stated and n.refund_id = l.refund_id
         and n.gateway_refund_id is not null), 'here:' || l.refund_id)
  end;
-- A line without any id is what another line of the same amount and time names, else one of its own.
update statement_line l set thing = coalesce(
    (select min(n.thing) from statement_line n where n.account_id = l.account_id and n.trade_no = l.trade_no
       and n.stated = l.stated and n.thing is not null and n.amount_minor = l.amount_minor
       and n.currency = l.currency and n.at = l.at),
    'unnamed:' || l.amount_minor || ':' || extract(epoch from l.at)::bigint || ':' || p.place)
  from (select id, row_number() over (partition by account_id, day, trade_no, stated, amount_minor, at order by id)
    as place from statement_line where thing is null) p
  where p.id = l.id and l.thing is null;

with lines as (
  select l.*, first_value(l.id) over newest as newest,
    l.amount_minor = first_value(l.amount_minor) over newest and l.currency = first_value(l.currency) over newest as same
  from statement_line l window newest as (partition by l.account_id, l.trade_no, l.stated, l.thing order by l.id desc)
), made as (
  select account_id, trade_no, stated, thing, max(newest) as newest,
    (array_agg(number order by id desc) filter (where number <> ''))[1] as number,
    (array_agg(refund_id order by id desc) filter (where refund_id is not null))[1] as refund_id,
    (array_agg(gateway_refund_id order by id desc) filter (where gateway_refund_id is not null))[1] as gateway_refund_id,
    (array_agg(fee_minor order by id desc) filter (where fee_minor is not null))[1] as fee_minor,
    case when bool_or(outcome = 'matched' and same) then 'matched'
      else (array_agg(outcome order by id desc) filter (where outcome is not null))[1] end as outcome,
    (array_agg(payment_id order by fee_booked desc, id desc) filter (where payment_id is not null))[1] as payment_id,
    (array_agg(our_refund order by id) filter (where our_refund is not null))[1] as our_refund,
    sum(fee_minor) filter (where fee_booked) as booked_minor
  from lines group by account_id, trade_no, stated, thing
)
insert into statement_fact (run_id, account_id, day, stated, trade_no, number, refund_id, gateway_refund_id, unnamed,
    amount_minor, fee_minor, currency, at, outcome, payment_id, our_refund, booked_minor)
  select l.run_id, m.account_id, l.day, m.stated, m.trade_no, m.number, m.refund_id, m.gateway_refund_id,
    case when m.thing like 'unnamed:%' then substr(m.thing, 9) end, l.amount_minor, m.fee_minor, l.currency, l.at,
    m.outcome, m.payment_id, m.our_refund, m.booked_minor
  from made m join statement_line l on l.id = m.newest order by m.newest;
update statement_line l set fact_id = f.id from statement_fact f
  where f.account_id = l.account_id and f.trade_no = l.trade_no and f.stated = l.stated
    and (l.thing = '' or l.thing = 'there:' || f.gateway_refund_id or l.thing = 'unnamed:' || f.unnamed
      or (f.gateway_refund_id is null and l.thing = 'here:' || f.refund_id));

-- Lines that name a refund of the gateway's were taken for one of ours of the same amount.
update statement_fact f set our_refund = null, outcome = 'differs' from refund r
  where r.id = f.our_refund and r.gateway_refund_id is not null and r.gateway_refund_id <> f.gateway_refund_id
    and coalesce(f.refund_id, '') not like 'ref\_%';

-- A fee that was booked once for each file is booked once: what was too much is taken back by entries of its own.
with wrong as (
  select f.id, f.payment_id, f.fee_minor - f.booked_minor as delta, md5('fee ' || f.id)::uuid as transaction_id
  from statement_fact f where f.booked_minor <> f.fee_minor
), entered as (
  insert into ledger_entry (transaction_id, book, account_id, order_id, payment_id, seller_id, amount_minor, currency)
    select w.transaction_id, leg.book, p.account_id, p.order_id, p.id, '00000000-0000-7000-8000-000000000001',
      leg.sign * w.delta, p.received_currency
    from wrong w join payment p on p.id = w.payment_id cross join (values ('fees', 1), ('gateway', -1)) leg (book, sign)
), sums as (select payment_id, sum(delta) as delta from wrong group by payment_id), told as (
  update payment p set fee_minor = coalesce(p.fee_minor, 0) + s.delta from sums s where p.id = s.payment_id
)
update statement_fact f set booked_minor = f.fee_minor from wrong w where w.id = f.id;

-- One difference per sum, the newest.
update statement_difference d set ended_at = app_now() from statement_fact f
  where f.stated = 'refund_sum' and d.account_id = f.account_id and d.kind = 'refund_differs' and d.ended_at is null
    and starts_with(d.subject, f.trade_no || ':') and exists (select 1 from statement_difference n
      where n.account_id = d.account_id and n.kind = d.kind and starts_with(n.subject, f.trade_no || ':') and n.id > d.id);
update statement_difference d set subject = f.trade_no || ':sum' from statement_fact f
  where f.stated = 'refund_sum' and d.account_id = f.account_id and d.kind = 'refund_differs'
    and starts_with(d.subject, f.trade_no || ':') and not exists (select 1 from statement_difference n
      where n.account_id = d.account_id and n.kind = d.kind and starts_with(n.subject, f.trade_no || ':') and n.id > d.id);

create unique index statement_fact_trade on statement_fact (account_id, trade_no, stated)
  where stated in ('payment', 'refund_sum');
create unique index statement_fact_there on statement_fact (account_id, trade_no, stated, gateway_refund_id)
  where gateway_refund_id is not null;
create unique index statement_fact_here on statement_fact (account_id, trade_no, stated, refund_id)
  where refund_id is not null and gateway_refund_id is null;
create unique index statement_fact_unnamed on statement_fact (account_id, trade_no, stated, unnamed)
  where unnamed is not null;
create unique index statement_fact_refund on statement_fact (our_refund, stated) where our_refund is not null;
create index statement_fact_payment on statement_fact (payment_id) where payment_id is not null;
create index statement_fact_run on statement_fact (run_id);
create index statement_fact_open on statement_fact (account_id, id)
  where outcome is distinct from 'matched' or booked_minor is distinct from fee_minor;

-- Lines are what was read; what became of them is said by their facts.
drop index statement_line_open, statement_line_trade, statement_line_payment, statement_line_refund;
alter table statement_line drop constraint statement_line_amount,
  drop column thing, drop column outcome, drop column payment_id, drop column our_refund, drop column fee_booked,
  alter column fact_id set not null,
  add constraint statement_line_fact foreign key (fact_id) references statement_fact,
  add constraint statement_line_stated check (stated in ('payment', 'refund', 'refund_failed', 'refund_sum'));
create index statement_line_fact_day on statement_line (fact_id, day);
create index statement_line_digest on statement_line (account_id, digest);
create index statement_line_run on statement_line (run_id);

alter table statement_difference drop constraint statement_difference_kind,
  add constraint statement_difference_kind check (kind in ('paid_there_only', 'paid_here_only', 'amount_differs',
    'refund_differs', 'fee_differs', 'not_booked'));
