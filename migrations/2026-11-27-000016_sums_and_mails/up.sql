-- Expands: columns with defaults. A program of the version before leaves them as they are, mails by itself and weighs sums by
-- the gateways' clocks alone; it must not run beside this one.

-- What of this money the buyer was mailed about, by this row or by the row of a sum that it explains; minor units. Stored,
-- because a sum may be reported while the refund behind it is open. Until now the mail went out with the success.
alter table refund add column mailed_minor bigint not null default 0;
update refund set mailed_minor = counted_minor where state = 'succeeded';

-- By our clock: when it was heard that a refund is in its state, and when a sum was stored. `told_sum_asked`: the sum answers
-- a question, and `told_sum_at` is when we asked. What was heard before we asked is part of the answer, whatever the
-- gateway's clock says.
alter table refund add column heard_at timestamptz not null default app_now();
update refund set heard_at = coalesce(succeeded_at, failed_at, requested_at);

-- A refund that failed was part of a sum only if it had succeeded before.
alter table refund add column ever_succeeded boolean not null default false;
update refund r set ever_succeeded = true where state = 'succeeded'
  or exists (select 1 from event e where e.kind = 'refund.succeeded' and e.order_id = r.order_id and e.object_id = r.id);
alter table payment
  add column told_sum_heard_at timestamptz,
  add column told_sum_asked boolean not null default false;
update payment set told_sum_heard_at = told_sum_at where told_sum_at is not null;
alter table payment
  add constraint payment_told_sum_heard check ((told_sum_heard_at is null) = (told_sum_at is null));
