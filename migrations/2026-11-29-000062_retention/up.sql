-- Expands: tables, functions, indexes, a column with a default. A program of the version before goes on: it stores each
-- repeat of a notice as a row, and asks for no body that is older than what stays.
--
-- Tables that do not grow for ever: what is kept, for how long, and how it leaves.

-- How many days the worker keeps what leaves by age, as it last went by it, by the table's name.
create table retention_rule (
  name text primary key,
  days int not null constraint retention_rule_days check (days >= 0),
  swept_at timestamptz not null default app_now()
);

-- What was created before this moment may have left. Written by the functions below alone, so that nobody can hide that
-- something younger is missing.
create table retention_horizon (
  name text primary key,
  gone_before timestamptz not null
);
insert into retention_horizon (name, gone_before) values ('event', '-infinity'), ('notice_body', '-infinity');

-- Notices of an event that came before and met the same end. Each is counted; its bytes are kept, as a notice of its own,
-- while they differ from those that are there and those are few.
create table notice_repeat (
  account_id text not null references gateway_account,
  event_key text not null,
  count bigint not null constraint notice_repeat_count check (count >= 1),
  first_at timestamptz not null default app_now(),
  last_at timestamptz not null default app_now(),
  primary key (account_id, event_key)
) with (fillfactor = 70);
create index notice_unhandled on notice (account_id, event_key) where verdict in ('duplicate', 'ignored', 'foreign');

-- The bytes of notices that were not settled when their month left: they stay until they are.
create table notice_body_kept (
  notice_id bigint primary key,
  received_at timestamptz not null,
  method text not null,
  query text not null,
  headers jsonb not null,
  body bytea not null,
  sealed bytea
);
create index notice_body_kept_received on notice_body_kept (received_at);

-- Downloads of a grant whose session is not kept any more: `used` counts them still.
alter table download_grant add column forgotten int not null default 0
  constraint download_grant_forgotten check (forgotten >= 0);

create function count_forgotten_downloads() returns trigger language plpgsql as $$
begin
  -- In an order that two of these never wait for each other crosswise.
  perform 1 from download_grant where id in (select grant_id from gone) order by id for no key update;
  update download_grant g set forgotten = g.forgotten + n.count
    from (select grant_id, count(*) as count from gone group by grant_id) n where g.id = n.grant_id;
  return null;
end $$;
create trigger download_session_forgotten after delete on download_session
  referencing old table as gone for each statement execute function count_forgotten_downloads();

-- A mail that is about no order leaves with its attempts; what a mail service said of it stays for its own time.
alter table message_attempt drop constraint message_attempt_message_id_fkey,
  add constraint message_attempt_message_id_fkey foreign key (message_id) references message on delete cascade;
alter table mail_report drop constraint mail_report_message_id_fkey,
  add constraint mail_report_message_id_fkey foreign key (message_id) references message on delete set null;

-- What leaves is found by these; where nothing is due they are looked at once.
create index event_default_age on event_default (created_at);
create index notice_body_default_age on notice_body_default (received_at);
create index notice_refused on notice (received_at) where verdict in ('forged', 'malformed');
create index idempotency_leaving on idempotency (created_at)
  where operation not in ('orderRefund', 'caseAnswer', 'deliveryReplace', 'keyBatchRecall');
drop index idempotency_age;
create index session_ended on session (least(revoked_at, expires_at));
create index email_code_expires on email_code (expires_at);
create index download_link_unused on download_link (expires_at) where session_id is null;
create index download_link_session on download_link (session_id) where session_id is not null;
create index download_session_link on download_session (link_id);
create index download_session_closed on download_session (closed_at) where closed_at is not null;
create index message_attempt_started on message_attempt (started_at);
create index message_of_no_order on message (created_at) where order_id is null;
create index upload_expired on upload (expires_at) where state = 'expired';

-- Whether nobody needs the events of before this moment any more: all have their number, every consumer of the sequence has
-- passed them, and none is on its way to an endpoint that is served.
create function events_may_leave(before timestamptz) returns boolean
  language plpgsql stable set search_path = public, pg_temp as $$
declare
  head record;
begin
  select split_part(numbered, ':', 2)::bigint as upto,
      coalesce(string_to_array(nullif(split_part(numbered, ':', 3), ''), ','), '{}')::bigint[] as open, backlog
    into head from event_head;
  return head.backlog is null
    and not exists (select 1 from event e where e.xid >= head.upto and e.created_at < before)
    and not exists (select 1 from event e where e.xid = any(head.open) and e.created_at < before)
    and not exists (select 1 from event_seq s join event e on e.id = s.event_id
      where s.seq > (select min(seq) from event_cursor) and e.created_at < before)
    and not exists (select 1 from hook_delivery h join hook_endpoint p on p.id = h.endpoint_id and p.state = 'active'
        join event_seq s on s.seq = h.seq join event e on e.id = s.event_id
      where h.state in ('queued', 'sending') and e.created_at < before);
end $$;

-- The bytes of what was not settled stay, in a table of their own.
create function keep_unsettled_notices(since timestamptz, before timestamptz) returns void
  language sql set search_path = public, pg_temp as $$
  insert into notice_body_kept (notice_id, received_at, method, query, headers, body, sealed)
  select b.notice_id, b.received_at, b.method, b.query, b.headers, b.body, b.sealed
    from notice n join notice_body b on b.notice_id = n.id and b.received_at = n.received_at
   where n.verdict in ('orphan', 'fault') and n.received_at >= since and n.received_at < before
     and not exists (select 1 from notice h where h.account_id = n.account_id and h.event_key = n.event_key
       and h.verdict in ('applied', 'recorded', 'ignored'))
  on conflict (notice_id) do nothing;
$$;

-- Drops the oldest partition whose month ended before this moment; its name, or null when there is none or it is still
-- needed. Waits a second at most for those who use the table: then nothing was done, and it is called again later. The
-- runtime role may not change tables, so this runs as the owner, and takes nothing younger than a month.
create function drop_old_partition(parent text, before timestamptz) returns text
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  oldest record;
begin
  if parent not in ('event', 'notice_body') or before > app_now() - interval '30 days' then
    raise exception 'nothing of % leaves before it is a month old', parent;
  end if;
  -- Another worker is at it.
  if not pg_try_advisory_xact_lock(hashtext('drop_old_partition')) then
    return null;
  end if;
  select * into oldest from (
    select c.relname as name,
      (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamptz as since,
      (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz as until
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass(parent)) p
    where p.until <= before order by p.until limit 1;
  if oldest.name is null or (parent = 'event' and not events_may_leave(oldest.until)) then
    return null;
  end if;
  perform set_config('lock_timeout', '1000', true);
  if parent = 'notice_body' then
    perform keep_unsettled_notices(oldest.since, oldest.until);
  end if;
  execute format('drop table %I', oldest.name);
  update retention_horizon set gone_before = greatest(gone_before, oldest.until) where name = parent;
  return oldest.name;
end $$;

-- Deletes up to `most` rows of before this moment from the DEFAULT partition, where rows are that came before there were
-- others. How many.
create function delete_from_default(parent text, before timestamptz, most int) returns int
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  gone int := 0;
begin
  if parent not in ('event', 'notice_body') or before > app_now() - interval '30 days' then
    raise exception 'nothing of % leaves before it is a month old', parent;
  end if;
  if parent = 'event' then
    if not exists (select 1 from event_default where created_at < before) or not events_may_leave(before) then
      return 0;
    end if;
    delete from event_default where (id, created_at) in (
      select id, created_at from event_default where created_at < before order by created_at limit most
      for update skip locked);
  else
    if not exists (select 1 from notice_body_default where received_at < before) then
      return 0;
    end if;
    perform keep_unsettled_notices((select min(received_at) from notice_body_default), before);
    delete from notice_body_default where (notice_id, received_at) in (
      select notice_id, received_at from notice_body_default where received_at < before order by received_at limit most
      for update skip locked);
  end if;
  get diagnostics gone = row_count;
  update retention_horizon set gone_before = greatest(gone_before, before) where name = parent;
  return gone;
end $$;

-- Deletes up to `most` notices that failed authentication, older than `days`; what came of them leaves with them. How many.
create function delete_refused_notices(days int, most int) returns int
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  gone int := 0;
begin
  with due as materialized (
      select id from notice where verdict in ('forged', 'malformed')
        and received_at < app_now() - make_interval(days => greatest(days, 1))
      order by received_at limit most for update skip locked),
    bytes as (delete from refused_body where notice_id in (select id from due))
  delete from notice where id in (select id from due);
  get diagnostics gone = row_count;
  return gone;
end $$;

revoke all on function events_may_leave, keep_unsettled_notices, drop_old_partition, delete_from_default,
  delete_refused_notices, count_forgotten_downloads from public;

create or replace function make_partitions(parent text, key_column text, months int) returns int
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made int := 0;
  month_start timestamptz;
  month_end timestamptz;
  name text;
  from_month int;
begin
  if (parent, key_column) not in (('event', 'created_at'), ('notice_body', 'received_at')) then
    raise exception 'no table to make partitions for: %', parent;
  end if;
  -- This month too, where months have partitions: a worker that was away for long has made none for it. The first month of a shop
  -- stays where its rows are.
  from_month := case when exists (select 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass(parent) and c.relname ~ '_p[0-9]{4}_[0-9]{2}$'
      and c.relname < parent || to_char(app_now() at time zone 'UTC', '"_p"YYYY"_"MM')) then 0 else 1 end;
  for ahead in from_month..months loop
    month_start := (date_trunc('month', app_now() at time zone 'UTC') + make_interval(months => ahead)) at time zone 'UTC';
    month_end := ((month_start at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    name := parent || to_char(month_start at time zone 'UTC', '"_p"YYYY"_"MM');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like %I including defaults including constraints)', name, parent);
    execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
      parent || '_default', key_column, month_start, key_column, month_end, name);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, month_start, month_end);
    made := made + 1;
  end loop;
  return made;
end $$;

select make_partitions('event', 'created_at', 2), make_partitions('notice_body', 'received_at', 2);
