drop function restart_sequence;
alter table event_head drop constraint event_head_seq, add column reacted bigint not null default 0;
update event_head set reacted = coalesce((select seq from event_cursor where consumer = 'reactions'), 0);
alter table event_head add constraint event_head_order check (reacted between 0 and seq);
drop table event_cursor;
alter table event_head
  drop constraint event_head_backlog,
  drop column numbered,
  drop column backlog,
  drop column backlog_after,
  add column floor bigint not null default 0;
drop index event_xid;
alter table event drop column xid;
