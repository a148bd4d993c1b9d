drop function delete_refused_notices, delete_from_default, drop_old_partition, keep_unsettled_notices, events_may_leave;
drop index upload_expired, message_of_no_order, message_attempt_started, download_session_closed, download_session_link,
  download_link_session, download_link_unused, email_code_expires, session_ended, idempotency_leaving, notice_refused,
  notice_body_default_age, event_default_age, notice_unhandled;
create index idempotency_age on idempotency (created_at);
alter table message_attempt drop constraint message_attempt_message_id_fkey,
  add constraint message_attempt_message_id_fkey foreign key (message_id) references message;
alter table mail_report drop constraint mail_report_message_id_fkey,
  add constraint mail_report_message_id_fkey foreign key (message_id) references message;
drop trigger download_session_forgotten on download_session;
drop function count_forgotten_downloads;
alter table download_grant drop column forgotten;
drop table notice_body_kept, notice_repeat, retention_horizon, retention_rule;
create or replace function make_partitions(parent text, key_column text, months int) returns int
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made int := 0;
  month_start timestamptz;
  month_end timestamptz;
  name text;
begin
  if (parent, key_column) not in (('event', 'created_at'), ('notice_body', 'received_at')) then
    raise exception 'no table to make partitions for: %', parent;
  end if;
  for ahead in 1..months loop
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
