-- What a sum alone proved, and what disputes took, is told by the payment's refunds again.
alter table ledger_entry drop column dispute_id, drop column refund_id;
alter table unit drop column revoked_for;
drop table hold;
alter table payment drop constraint payment_told_sum, drop constraint payment_given_back;
update payment set refunded_minor = refunded_minor + lost_minor where lost_minor > 0;
alter table payment
  add constraint payment_refunded check (refunded_minor between 0 and coalesce(received_minor, 0)),
  drop column told_sum_at, drop column told_sum_minor, drop column lost_minor;
drop table dispute;
drop index refund_unit_once;
alter table refund_unit drop column active;
alter table refund drop constraint refund_of_sum, drop constraint refund_counted, drop constraint refund_amount;
delete from refund where amount_minor = 0;
alter table refund
  add constraint refund_amount check (amount_minor > 0),
  drop column said_at, drop column failed_at, drop column made_at, drop column counted_minor, drop column basis;
