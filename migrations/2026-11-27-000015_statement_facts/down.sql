-- What only this version knows is left out: refunds that came back, amounts with the wrong sign, lines that could not
-- be booked.
delete from statement_difference where kind = 'not_booked';
alter table statement_difference drop constraint statement_difference_kind,
  add constraint statement_difference_kind check (kind in ('paid_there_only', 'paid_here_only', 'amount_differs',
    'refund_differs', 'fee_differs'));
delete from statement_line where stated = 'refund_failed' or amount_minor < 0;
drop index statement_line_fact_day, statement_line_digest, statement_line_run;
alter table statement_line drop constraint statement_line_fact, drop constraint statement_line_stated,
  add column outcome text constraint statement_line_outcome check (outcome in ('matched', 'differs')),
  add column payment_id uuid, add column our_refund uuid, add column fee_booked boolean not null default false;
update statement_line set stated = 'refund' where stated = 'refund_sum';
update statement_line l set outcome = f.outcome, payment_id = f.payment_id from statement_fact f where f.id = l.fact_id;
-- One line of each fact stands for its refund and its fee.
update statement_line l set our_refund = f.our_refund, fee_booked = f.booked_minor is not null
  from statement_fact f, (select max(id) as id from statement_line group by fact_id) newest
  where f.id = l.fact_id and l.id = newest.id;
alter table statement_line drop column fact_id,
  add constraint statement_line_stated check (stated in ('payment', 'refund')),
  add constraint statement_line_amount check (amount_minor >= 0);
create index statement_line_open on statement_line (account_id, day) where outcome is distinct from 'matched';
create index statement_line_trade on statement_line (account_id, trade_no);
create index statement_line_payment on statement_line (payment_id) where payment_id is not null;
create unique index statement_line_refund on statement_line (our_refund) where our_refund is not null;
drop table statement_fact;
