-- Contracts: what is held goes back on sale, and its waiting lines are filled by the sweep. Imports that are being looked at
-- are given up.
create index vault_key_batch on vault_key (batch_id);
drop index vault_key_of_batch;
drop table key_export;
drop table staged_key;
drop index key_batch_previewed;
alter table key_batch drop constraint key_batch_previewed, drop constraint key_batch_finished, drop constraint key_batch_state;
update key_batch set state = 'failed', finished_at = coalesce(finished_at, app_now())
  where state in ('ready', 'committing', 'cancelled') or (preview and state = 'running');
alter table key_batch
  add constraint key_batch_state check (state in ('running', 'done', 'failed')),
  add constraint key_batch_finished check ((state = 'running') = (finished_at is null)),
  drop column duplicates, drop column staged, drop column preview, drop column layout;
drop index vault_key_reserved_until;
alter table vault_key drop constraint vault_key_reserved_fkey;
update vault_key set state = 'available', reserved_line_id = null, reserved_until = null where state = 'reserved';
alter table order_line drop column reserved_until;
alter table variant drop column reservation_minutes;
drop table stock_alert;
alter table variant drop column low_stock_alert;
