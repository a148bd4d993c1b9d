-- Expands: a table and a column.
--
-- Bodies of downloads on their way out. What each still needs is reserved from what its session may serve before the first
-- byte leaves, over all servers, and given back when it ends or its server is gone.
alter table download_session add column reserved_bytes bigint not null default 0
  constraint download_session_reserved check (reserved_bytes >= 0);
create table download_stream (
  id uuid primary key,
  session_id uuid not null references download_session on delete cascade,
  bytes_left bigint not null constraint download_stream_left check (bytes_left >= 0),
  alive_until timestamptz not null
);
create index download_stream_session on download_stream (session_id);
create index download_stream_alive on download_stream (alive_until);
