drop index orders_unpaid_mailbox;
delete from hold where cause = 'review';
alter table hold drop constraint hold_cause,
  add constraint hold_cause check (cause in ('refund', 'dispute', 'uncovered'));
drop table block_entry;
