delete from hold where cause = 'review' and cause_id in (select id from block_entry where kind = 'country');
delete from block_entry where kind = 'country';
alter table block_entry drop constraint block_entry_kind,
  add constraint block_entry_kind check (kind in ('mailbox', 'domain', 'client'));
drop table order_country;
