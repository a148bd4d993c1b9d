drop function restart_sequence;
alter table event_head
  drop constraint event_head_backlog,
  drop column numbered,
  drop column backlog,
  drop column backlog_after,
  add column floor bigint not null default 0;
drop index event_xid;
alter table event drop column xid;
