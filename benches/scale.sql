-- A shop of any size for `load scale`, run by psql as the schema's owner: products, people, keys and the orders of a year.
-- Variables: products, people, orders, keys (free ones of each variant of keys), admin (address of a person whose library is
-- large). What is sealed is not: nothing that is measured opens a key.
\set ON_ERROR_STOP 1
\set shop '''00000000-0000-7000-8000-000000000001'''
set synchronous_commit = off;
set work_mem = '128MB';

create or replace function pg_temp.id(kind int, n bigint) returns uuid immutable language sql as
  $$ select (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

insert into app_user (id, email, email_normalised, email_confirmed_at, created_at)
select pg_temp.id(1, n), 'p' || n || '@people.example', 'p' || n || '@people.example', app_now(),
  app_now() - interval '1 year' + n * interval '1 year' / :people
from generate_series(1, :people) n;

-- One in five sells files, one in twenty is not on sale, one in ten has nothing for sale.
insert into product (id, seller_id, slug, state, tags, created_at, on_sale_at, updated_at)
select pg_temp.id(2, n), :shop, 'scale-' || n, case when n % 20 = 7 then 'draft' else 'on_sale' end,
  array['topic-' || n % 40] || case when n % 2000 = 3 then array['seldom'] else '{}' end, at, case when n % 20 <> 7 then at end, at
from (select n, app_now() - interval '1 year' + n * interval '364 days' / :products as at from generate_series(1, :products) n) p;
insert into translation (object_id, locale, field, value)
select pg_temp.id(2, n), locale, 'name', case locale when 'en' then 'Product ' else '产品 ' end || substr(md5(n::text), 1, 6) || ' ' || n
from generate_series(1, :products) n, unnest('{en,zh}'::text[]) locale;
insert into variant (id, seller_id, product_id, kind)
select pg_temp.id(3, n), :shop, pg_temp.id(2, n), case when n % 5 = 4 then 'file' else 'key' end from generate_series(1, :products) n;
insert into price (seller_id, variant_id, currency, unit_minor)
select :shop, pg_temp.id(3, n), currency, 99 + n * 613 % 9900 from generate_series(1, :products) n, unnest('{USD,EUR}'::text[]) currency;
insert into file (id, seller_id, variant_id, name)
select pg_temp.id(4, n), :shop, pg_temp.id(3, n), n || '.zip' from generate_series(1, :products) n where n % 5 = 4;
insert into file_version (id, seller_id, file_id, name, version, size, sha256, content_type, blob)
select pg_temp.id(5, n), :shop, pg_temp.id(4, n), n || '.zip', '1', 1000, sha256(n::text::bytea), 'application/zip', 'none/' || n
from generate_series(1, :products) n where n % 5 = 4;

create temp table sealing as select b.data_key_id from key_batch b limit 1;
insert into key_batch (id, seller_id, variant_id, origin, state, data_key_id, lines, added, finished_at)
select pg_temp.id(6, n), :shop, pg_temp.id(3, n), 'import', 'done', data_key_id, :keys, :keys, app_now()
from generate_series(1, :products) n, sealing where n % 5 <> 4;
insert into vault_key (id, seller_id, variant_id, batch_id, fp, data_key_id, sealed, expires_at)
select pg_temp.id(7, n * 1000 + k), :shop, pg_temp.id(3, n), pg_temp.id(6, n), sha256((n || ' ' || k)::bytea), data_key_id,
  repeat('s', 60)::bytea, case when k = 1 then app_now() + interval '90 days' else 'infinity' end
from generate_series(1, :products) n, generate_series(1, :keys) k, sealing where n % 5 <> 4 and n % 10 <> 5;

-- Every fiftieth order is the admin's, every third of the others a guest's; the last hundredth is unpaid.
create temp table made as
select n, pg_temp.id(8, n) as id, pg_temp.id(9, n) as line, 1 + n * 37 % :products as product, n > :orders - :orders / 100 as unpaid,
  app_now() - interval '1 year' * (:orders - n + 1) / :orders as at,
  case when n % 50 = 9 then (select id from app_user where email = :'admin')
       when n % 3 <> 0 then pg_temp.id(1, 1 + n * 7 % :people) end as person
from generate_series(1::bigint, :orders) n;
analyze made;
insert into orders (id, number, state, currency, subtotal_minor, total_minor, user_id, email, email_normalised, locale, placed_at,
  pay_by, paid_at, delivered_at)
select id, 'S' || lpad(n::text, 9, '0'), case when unpaid then 'pending_payment' else 'paid' end, 'USD', 500, 500, person,
  'o' || n % (:orders / 5 + 1) || '@guests.example', 'o' || n % (:orders / 5 + 1) || '@guests.example', 'en', at, at + interval '1 hour',
  case when not unpaid then at end, case when not unpaid then at end from made;
insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, kind, quantity,
  partial_delivery, mail_policy, unit_minor, total_minor, currency, locale, terms)
select m.line, :shop, m.id, 0, v.product_id, v.id, 'Product ' || m.product, '', v.kind, 1, false, 'key', 500, 500, 'USD', 'en', v.terms
from made m join variant v on v.id = pg_temp.id(3, m.product);
insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor, state, assigned_at)
select pg_temp.id(10, n), :shop, id, line, pg_temp.id(3, product), 1, 500, case when unpaid then 'unassigned' else 'assigned' end,
  case when not unpaid then at end from made;
insert into vault_key (id, seller_id, variant_id, batch_id, state, fp, data_key_id, sealed, unit_id, sold_at)
select pg_temp.id(11, n), :shop, pg_temp.id(3, product), pg_temp.id(6, product), 'sold', sha256(('sold ' || n)::bytea), data_key_id,
  repeat('s', 60)::bytea, pg_temp.id(10, n), at from made, sealing where not unpaid and product % 5 <> 4;
insert into download_grant (id, seller_id, order_id, line_id, unit_id, file_id, file_version_id, created_at)
select pg_temp.id(12, n), :shop, id, line, pg_temp.id(10, n), pg_temp.id(4, product), pg_temp.id(5, product), at
from made where not unpaid and product % 5 = 4;
insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, state, expected_minor, expected_currency,
  received_minor, received_currency, allocated, trade_no, started_at, captured_at)
select pg_temp.id(13, n), id, 'bench', '{}', 1, 'S' || lpad(n::text, 9, '0'), case when unpaid then 'started' else 'captured' end, 500, 'USD',
  case when not unpaid then 500 end, case when not unpaid then 'USD' end, not unpaid, case when not unpaid then 'trade-' || n end, at,
  case when not unpaid then at end from made;
insert into notice (account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256, received_at)
select 'bench', 'scale-' || n, 'applied', id, pg_temp.id(13, n), 1, sha256(n::text::bytea), at from made where not unpaid;
insert into event (created_at, seller_id, kind, object_id, order_id, actor)
select at, :shop, kind, id, id, 'system' from made, unnest('{order.placed,order.paid}'::text[]) kind where kind <> 'order.paid' or not unpaid;
insert into task (id, kind, subject, order_id, state, created_at, resolved_at)
select pg_temp.id(14, n), 'message_failed', n::text, id, case when n % 5000 = 0 then 'open' else 'resolved' end, at,
  case when n % 5000 <> 0 then at end from made where n % 50 = 0;
set client_min_messages = error;
vacuum analyze;
