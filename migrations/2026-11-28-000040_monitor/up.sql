-- Expands: indexes, two columns.
--
-- What waits, by how long: each question of the desk's health and of the sweeps reads an index of what waits alone, whatever
-- the shop has sold.

-- Paid orders of which something is still to come: under review, waiting, or forgotten.
create index orders_undelivered on orders (paid_at, id) where state = 'paid' and delivered_at is null;
-- Pieces that wait.
create index unit_waits on unit (state, waiting_since) include (variant_id, line_id, order_id)
  where state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person');
-- Money of which nobody knows whether it comes, and money that is on its way back.
create index payment_uncertain on payment (started_at) where state in ('pending', 'unknown');
create index refund_open on refund (requested_at) where state in ('requested', 'pending', 'unknown');
-- Mails that a person has to look at.
create index message_undelivered on message (created_at) where state in ('failed', 'needs_attention');
-- Jobs that were given up, by what they were about.
create index job_dead on job (kind, dedupe_key, finished_at) where state = 'dead';
-- Batches that are being read, generated or put on sale, and recalls that go on.
create index key_batch_running on key_batch (created_at) where state in ('running', 'committing') and origin <> 'bought';
create index batch_recall_running on batch_recall (created_at) where state = 'running';
-- The tasks about one thing, those included that are over.
create index task_subject on task (kind, subject, created_at);

-- When it was last seen that the content of a version is stored, and since when it is not.
alter table file_version add column looked_at timestamptz, add column missing_since timestamptz;
create index file_version_looked on file_version (looked_at nulls first, id);
create index file_version_missing on file_version (missing_since) where missing_since is not null;
