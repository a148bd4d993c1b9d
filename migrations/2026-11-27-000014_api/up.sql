-- Expands: two tables that nobody knew before, and a function. A program of before writes neither.

-- Which references a caller has given to orders. `scope` is who: an API client, a person, or for guests the network they
-- called from, keyed, so that nobody learns what another uses.
create table order_reference (
  scope text not null,
  reference text not null,
  order_id uuid not null constraint order_reference_order_key unique references orders,
  constraint order_reference_pkey primary key (scope, reference)
);
insert into order_reference (scope, reference, order_id)
  select distinct on (scope, reference) scope, reference, id from (
    select coalesce('client:' || api_client_id, 'user:' || user_id) as scope, reference, id, placed_at from orders
    where reference is not null) o
  where scope is not null order by scope, reference, placed_at, id;

-- Documents that clients ask for by the SHA-256 of their text. `source` is the network that brought one, keyed. `shared`:
-- used from another network, or still used an hour later; only such a row is out of reach of those that were never.
create table persisted_query (
  hash bytea primary key constraint persisted_query_hash check (length(hash) = 32),
  query text not null,
  source bytea not null,
  shared boolean not null default false,
  created_at timestamptz not null default app_now(),
  last_used_at timestamptz not null default app_now()
);
create index persisted_query_used on persisted_query (shared, last_used_at, hash);
create index persisted_query_source on persisted_query (source, shared, last_used_at);

-- The moment before which everything that changed is committed: the beginning of the oldest transaction of this database
-- that is still open, or the present one. A row that becomes visible later bears a later time, so whoever reads a list
-- sorted by its rows' transaction times up to here misses none. Sessions of other roles, which do not write rows
-- that are listed, are not seen and not waited for.
create function settled_until() returns timestamptz language sql stable as $$
  select app_now() - (own.xact_start - least(own.xact_start, min(other.xact_start)))
  from pg_stat_activity own
    left join pg_stat_activity other on other.datid = own.datid and other.pid <> own.pid
      and other.backend_type = 'client backend'
  where own.pid = pg_backend_pid() group by own.xact_start
$$;
