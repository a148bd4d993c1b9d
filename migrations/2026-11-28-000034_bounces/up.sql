-- Expands: tables, a column, a value of a constraint.
--
-- What mail services report of mails that were taken: they came back, were complained about, or arrived. Addresses that no
-- mail is sent to any more.

-- When it came back; it needs a person since.
alter table message add column bounced_at timestamptz;

alter table message_attempt
  drop constraint message_attempt_outcome,
  -- Suppressed: nothing was sent, because the address is one that no mail is sent to.
  add constraint message_attempt_outcome check (outcome in ('sent', 'retry', 'refused', 'unknown', 'suppressed'));

create table mail_report (
  id uuid primary key,
  -- The same report again is this row.
  webhook_id text not null constraint mail_report_webhook_id_key unique,
  kind text not null constraint mail_report_kind check (kind in ('bounce', 'complaint', 'delivered')),
  permanent boolean not null,
  -- Null: about no message of ours that is known.
  message_id uuid references message,
  email_normalised text,
  -- What the service calls it.
  provider_id text,
  -- Addresses masked.
  reason text,
  received_at timestamptz not null default app_now()
);
create index mail_report_message on mail_report (message_id, received_at) where message_id is not null;
create index mail_report_received on mail_report (received_at);

create table mail_suppression (
  id uuid primary key,
  email_normalised text not null,
  -- Refused: the mail server knows no such mailbox.
  cause text not null constraint mail_suppression_cause check (cause in ('bounce', 'complaint', 'refused')),
  reason text,
  created_at timestamptz not null default app_now(),
  lifted_at timestamptz,
  lifted_by uuid references app_user,
  lift_reason text constraint mail_suppression_lift_reason check (length(lift_reason) between 1 and 500),
  constraint mail_suppression_lifted check ((lifted_at is null) = (lifted_by is null) and (lifted_at is null) = (lift_reason is null))
);
create unique index mail_suppression_once on mail_suppression (email_normalised) where lifted_at is null;
