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
