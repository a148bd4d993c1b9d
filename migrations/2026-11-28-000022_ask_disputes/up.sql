-- Expands: a column.
--
-- Notices about a dispute can all be lost, so the gateway is asked about those that nobody has decided. When it was asked
-- last:
alter table dispute add column asked_at timestamptz;
create index dispute_undecided on dispute (coalesce(asked_at, opened_at)) where state in ('inquiry', 'opened');
