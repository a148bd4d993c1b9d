-- Expands: tables, a column, an index.
--
-- A batch of keys is recalled: its keys are not sold any more, and those who hold keys of it get others or their money. A
-- program of the version before sells no key of such a batch, because they are frozen; it may put a refunded one back on
-- sale, so a recall waits until no such program runs.

alter table key_batch add column recalled_at timestamptz;
-- What is bought after a recall goes into a batch of its own.
drop index key_batch_of_supplier;
create unique index key_batch_of_supplier on key_batch (variant_id, supplier_id)
  where supplier_id is not null and recalled_at is null;

create table batch_recall (
  id uuid primary key,
  batch_id uuid not null references key_batch,
  seller_id uuid not null,
  action text not null constraint batch_recall_action check (action in ('replace', 'refund', 'list_only')),
  reason text not null constraint batch_recall_reason check (length(reason) between 1 and 500),
  requested_by uuid references app_user,
  state text not null default 'running' constraint batch_recall_state check (state in ('running', 'done')),
  -- Keys that were taken out of sale, and pieces whose buyers hold one.
  frozen bigint not null,
  holders bigint not null default 0,
  created_at timestamptz not null default app_now(),
  finished_at timestamptz,
  constraint batch_recall_batch unique (batch_id),
  constraint batch_recall_finished check ((state = 'done') = (finished_at is not null)),
  constraint batch_recall_batch_fkey foreign key (seller_id, batch_id) references key_batch (seller_id, id)
);

-- A piece whose buyer holds a key of a recalled batch.
create table recall_piece (
  recall_id uuid not null references batch_recall,
  unit_id uuid not null references unit,
  key_id uuid not null references vault_key,
  state text not null default 'open'
    constraint recall_piece_state check (state in ('listed', 'open', 'replaced', 'refunded', 'skipped', 'failed')),
  successor_id uuid references unit,
  refund_id uuid references refund,
  -- An open code: why it was skipped or failed.
  code text,
  tries int not null default 0,
  handled_at timestamptz,
  primary key (recall_id, unit_id),
  constraint recall_piece_once unique (unit_id),
  constraint recall_piece_replaced check ((state = 'replaced') = (successor_id is not null)),
  constraint recall_piece_refunded check ((state = 'refunded') = (refund_id is not null)),
  constraint recall_piece_code check ((state in ('skipped', 'failed')) = (code is not null)),
  constraint recall_piece_handled check ((state in ('listed', 'open')) = (handled_at is null))
);
create index recall_piece_open on recall_piece (recall_id, tries, unit_id) where state = 'open';
