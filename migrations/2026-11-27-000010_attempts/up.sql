-- Expands. Attempts belong to one life of one database, and what is due is claimed by its next attempt. The sequence
-- `order_number` is no longer read; it stays for programs of the version before.

-- The lives of this database: the first begins here, each other one with `dispense restored` after a backup was
-- restored or copied. Numbers of orders that are older than the newest one get a random part for every attempt.
create table epoch (
  id int primary key constraint epoch_positive check (id >= 1),
  -- Nothing is sold while it is held.
  state text not null default 'open' constraint epoch_state check (state in ('held', 'open')),
  raised_at timestamptz not null default app_now(),
  -- What happened from here on may be unknown to this database. Null for the first.
  unknown_since timestamptz,
  -- Payments that were found at the gateways by asking for attempts this database knows.
  found_payments int not null default 0,
  opened_at timestamptz,
  constraint epoch_opened check ((state = 'open') = (opened_at is not null)),
  constraint epoch_since check ((id = 1) = (unknown_since is null))
);
create unique index epoch_one_held on epoch (state) where state = 'held';
insert into epoch (id, opened_at) values (1, app_now());

-- What each gateway was asked after a restore: one day of its own calendar, or one account that has no statements.
create table epoch_question (
  epoch_id int not null references epoch,
  account_id text not null references gateway_account,
  day date not null,
  state text not null default 'waiting'
    constraint epoch_question_state check (state in ('waiting', 'answered', 'unanswerable')),
  -- Payments and refunds of that day that this database does not know.
  unknown_lines int not null default 0,
  -- Why there is no answer.
  reason text,
  asked_at timestamptz,
  primary key (epoch_id, account_id, day)
);
create index epoch_question_waiting on epoch_question (epoch_id) where state = 'waiting';

-- Keys that were free in the backup and may have been sold after it: frozen until the gateways or a person say.
alter table vault_key add column frozen_by_epoch int references epoch,
  add constraint vault_key_frozen_by_epoch check (frozen_by_epoch is null or state in ('frozen', 'voided'));
create index vault_key_epoch on vault_key (frozen_by_epoch, variant_id) where state = 'frozen' and frozen_by_epoch is not null;

-- When an unpaid order whose time is over is tried again; null before the first try.
alter table orders add column next_expiry_at timestamptz, add column expiry_tries int not null default 0;
create index orders_expiry on orders ((coalesce(next_expiry_at, pay_by)), id) where state = 'pending_payment';

-- Every open attempt is asked about at some time.
update payment set next_check_at = app_now() where state in ('started', 'pending', 'unknown') and account_id <> 'free'
  and next_check_at is null;
create index payment_open on payment (account_id) where state in ('started', 'pending', 'unknown');
