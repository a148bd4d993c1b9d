-- What activating a licence on a first device asks and writes, statement by statement: the same rows in the same tables. Each
-- client takes every n-th key of the run (:start, :i, :step), so that nobody waits for another's key.
\set i :i + 1
\set n :start + :i * :step + :client_id
select seller_id as seller from product where id = (select product_id from bench_key where n = :n)
\gset
select k.id as key, k.unit_id as unit, u.order_id as ord, u.state, o.state,
    (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id)
      order by h.cause <> 'refund', h.cause limit 1) as hold,
    exists (select 1 from payment p where p.order_id = u.order_id and p.allocated and p.lost_minor > 0) as lost,
    l.terms, v.terms,
    (select count(*) from licence_activation c where c.unit_id = k.unit_id and c.removed_at is null) as used
  from bench_key b cross join lateral (select id from vault_key where seller_id = :seller::text::uuid and fp_next in (b.fp, sha256(b.fp))
      union all select id from vault_key where seller_id = :seller::text::uuid and fp in (b.fp, sha256(b.fp)) and fp_next is null) found
    join vault_key k on k.id = found.id join variant v on v.id = k.variant_id and v.product_id = b.product_id
    left join unit u on u.id = k.unit_id left join orders o on o.id = u.order_id left join order_line l on l.id = u.line_id
    left join licence_activation a on a.unit_id = k.unit_id and a.device = sha256('device') and a.removed_at is null
  where b.n = :n limit 1
\gset
begin;
select id from unit where id = :unit::text::uuid for key share;
select id from vault_key where id = :key::text::uuid for no key update;
select k.id, u.state, o.state,
    (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id)
      order by h.cause <> 'refund', h.cause limit 1) as hold,
    exists (select 1 from payment p where p.order_id = u.order_id and p.allocated and p.lost_minor > 0) as lost,
    l.terms, v.terms,
    (select count(*) from licence_activation c where c.unit_id = k.unit_id and c.removed_at is null) as used
  from vault_key k join variant v on v.id = k.variant_id
    left join unit u on u.id = k.unit_id left join orders o on o.id = u.order_id left join order_line l on l.id = u.line_id
    left join licence_activation a on a.unit_id = k.unit_id and a.device = sha256('device') and a.removed_at is null
  where k.id = :key::text::uuid;
insert into licence_activation (id, seller_id, key_id, unit_id, device, name, metadata)
  values (gen_random_uuid(), :seller::text::uuid, :key::text::uuid, :unit::text::uuid, sha256('device'), 'bench', '{}')
  returning id as activation
\gset
insert into event (seller_id, kind, object_id, order_id, actor, body) values (:seller::text::uuid, 'licence.activated',
  :activation::text::uuid, :ord::text::uuid, 'software', jsonb_build_object('delivery', :unit::text, 'key', :key::text));
commit;
