-- Expands: a table, another value of a check.
--
-- Orders of blocked buyers are looked at by a person before anything leaves. A program of the version before knows no such
-- hold: it assigns goods to them, and shows none, because it asks whether there is a hold and not which.

create table block_entry (
  id uuid primary key,
  kind text not null constraint block_entry_kind check (kind in ('mailbox', 'domain', 'client')),
  -- What orders are compared with: a mailbox as `orders.mailbox` has it, the part behind its @, or `orders.client_key`.
  value text not null constraint block_entry_value check (value <> ''),
  -- As staff wrote it; of a network address it is kept, for a person has to recognise the entry.
  shown text not null,
  reason text not null constraint block_entry_reason check (reason <> ''),
  added_by uuid references app_user,
  added_at timestamptz not null default app_now(),
  removed_at timestamptz
);
create unique index block_entry_once on block_entry (kind, value) where removed_at is null;

-- An order under review: the cause's id is the block's.
alter table hold drop constraint hold_cause,
  add constraint hold_cause check (cause in ('refund', 'dispute', 'uncovered', 'review'));
create index orders_unpaid_mailbox on orders (mailbox) where state in ('pending_payment', 'expired');
