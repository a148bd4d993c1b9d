-- Expands and contracts: a program of the version before must not run beside this one, it knows of no `floor` any more.
--
-- Each event keeps the number of the transaction that wrote it. What the sequencer has not numbered yet is what is visible now
-- and was not in the snapshot it keeps: a look at an index, however long the history and however old the oldest transaction.

-- 0: written before this, and numbered.
alter table event add column xid bigint not null default 0;
update event e set xid = pg_current_xact_id()::text::bigint
 where id > (select floor from event_head) and not exists (select 1 from event_seq s where s.event_id = e.id);
alter table event alter column xid set default pg_current_xact_id()::text::bigint;
create index event_xid on event (xid);

-- `numbered`: every event that is visible in this snapshot has its number. While more wait than one batch takes, `backlog` is
-- the snapshot that is being worked through by id, and `backlog_after` how far.
alter table event_head
  add column numbered text not null default '3:3:',
  add column backlog text,
  add column backlog_after bigint,
  drop column floor,
  add constraint event_head_backlog check ((backlog is null) = (backlog_after is null));

-- How far each consumer of the sequence has come, in place of the one mark.
create table event_cursor (
  consumer text primary key,
  seq bigint not null default 0 check (seq >= 0),
  moved_at timestamptz not null default app_now()
);
insert into event_cursor (consumer, seq) select 'reactions', reacted from event_head;
alter table event_head drop constraint event_head_order, drop column reacted, add constraint event_head_seq check (seq >= 0);

-- After a dump was restored the rows carry transaction numbers of another cluster, which this one is still to give. Those of
-- numbered events become 0 again, those of the others one that is visible to everybody. Runs as the owner: nobody else may
-- change events, and this changes nothing that is sealed.
create function restart_sequence() returns boolean
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  next_xid bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
begin
  if (select split_part(numbered, ':', 2)::bigint from event_head) <= next_xid
     and not exists (select 1 from event where xid > next_xid) then
    return false;
  end if;
  update event e set xid = 0 where xid <> 0 and exists (select 1 from event_seq s where s.event_id = e.id);
  update event set xid = 3 where xid <> 0;
  update event_head set numbered = '3:3:', backlog = null, backlog_after = null;
  return true;
end $$;
revoke all on function restart_sequence from public;
