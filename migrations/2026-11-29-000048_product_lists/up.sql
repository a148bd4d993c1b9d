-- Expands: tables, triggers, indexes.
--
-- What lists of products are sorted and narrowed by, kept beside the rows it is made of, in their transaction: triggers do it,
-- so that no way of writing can forget it. It serves sorting and narrowing alone; what is shown is computed.

-- The name a product is sorted by, for readers of each language.
create table product_name (
  product_id uuid not null references product on delete cascade,
  locale text not null,
  name text not null,
  primary key (product_id, locale)
);
create index product_name_sorted on product_name (locale, name, product_id);

-- Currencies that prices are asked for in.
create table price_currency (
  currency text primary key constraint price_currency_form check (currency ~ '^[A-Z]{3}$')
);

-- What a product costs from, in each of them; null where it has no price. Changes at `until` without anybody's doing.
create table product_price (
  product_id uuid not null references product on delete cascade,
  currency text not null references price_currency,
  unit_minor bigint,
  until timestamptz,
  primary key (product_id, currency)
);
create index product_price_low on product_price (currency, coalesce(unit_minor, 9223372036854775807), product_id);
create index product_price_high on product_price (currency, coalesce(unit_minor, -1), product_id);
create index product_price_until on product_price (until) where until is not null;

create function refresh_product_names(ids uuid[]) returns void language sql as $$
  insert into product_name as kept (product_id, locale, name)
  select p.id, l.locale, lower(coalesce(
      (select t.value from translation t where t.object_id = p.id and t.field = 'name' and t.locale = l.locale),
      (select t.value from translation t where t.object_id = p.id and t.field = 'name' and t.locale = p.default_locale),
      p.slug))
    from product p cross join (values ('en'), ('zh')) l (locale) where p.id = any(ids)
  on conflict (product_id, locale) do update set name = excluded.name where kept.name <> excluded.name
$$;

-- Tiers never grow dearer, so the least of those that apply is the one that applies.
create function refresh_product_prices(ids uuid[], currencies text[] default null) returns void language sql as $$
  insert into product_price as kept (product_id, currency, unit_minor, until)
  select p.id, c.currency, f.unit_minor, f.until
    from product p cross join price_currency c
    cross join lateral (select
        min(r.unit_minor) filter (where r.valid_from <= app_now() and r.valid_to > app_now()
          and r.min_quantity <= v.min_quantity) as unit_minor,
        min(case when r.valid_from > app_now() then r.valid_from
          when r.valid_to > app_now() and r.valid_to < 'infinity' then r.valid_to end) as until
      from variant v join price r on r.variant_id = v.id and r.currency = c.currency
      where v.product_id = p.id and v.state = 'active') f
   where p.id = any(ids) and (currencies is null or c.currency = any(currencies))
  on conflict (product_id, currency) do update set unit_minor = excluded.unit_minor, until = excluded.until
    where (kept.unit_minor, kept.until) is distinct from (excluded.unit_minor, excluded.until)
$$;

create function product_listed() returns trigger language plpgsql as $$
begin
  perform refresh_product_names(array[new.id]);
  if tg_op = 'INSERT' then perform refresh_product_prices(array[new.id]); end if;
  return null;
end $$;
create trigger product_listed_new after insert on product for each row execute function product_listed();
create trigger product_listed_changed after update of slug, default_locale on product for each row
  when ((old.slug, old.default_locale) is distinct from (new.slug, new.default_locale)) execute function product_listed();

create function translation_listed() returns trigger language plpgsql as $$
begin
  perform refresh_product_names(array[coalesce(new.object_id, old.object_id)]);
  return null;
end $$;
create trigger translation_listed_set after insert or update on translation for each row
  when (new.field = 'name') execute function translation_listed();
create trigger translation_listed_dropped after delete on translation for each row
  when (old.field = 'name') execute function translation_listed();

create function variant_listed() returns trigger language plpgsql as $$
begin
  perform refresh_product_prices(array[new.product_id]);
  return null;
end $$;
create trigger variant_listed after update of state, min_quantity on variant for each row
  when ((old.state, old.min_quantity) is distinct from (new.state, new.min_quantity)) execute function variant_listed();

create function price_listed() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into price_currency select distinct currency from changed on conflict do nothing;
  end if;
  perform refresh_product_prices(array(select distinct v.product_id from changed c join variant v on v.id = c.variant_id));
  return null;
end $$;
create trigger price_listed_new after insert on price referencing new table as changed
  for each statement execute function price_listed();
create trigger price_listed_changed after update on price referencing new table as changed
  for each statement execute function price_listed();
create trigger price_listed_dropped after delete on price referencing old table as changed
  for each statement execute function price_listed();

-- A currency is new: every product gets its row in it.
create function currency_listed() returns trigger language plpgsql as $$
begin
  perform refresh_product_prices(array(select id from product), array[new.currency]);
  return null;
end $$;
create trigger currency_listed after insert on price_currency for each row execute function currency_listed();

select refresh_product_names(array(select id from product));
insert into price_currency select distinct currency from price;

create index product_updated on product (updated_at, id);
create index product_created on product (created_at desc, id desc);
create index product_tags on product using gin (tags);
create index variant_kind on variant (kind, product_id) where state = 'active';

-- Searching texts by a part of them: where PostgreSQL has the extension, which its packages bring along.
do $$
begin
  create extension if not exists pg_trgm;
  create index translation_part on translation using gin (value gin_trgm_ops) where field in ('name', 'summary');
exception when undefined_file or insufficient_privilege or feature_not_supported then
  raise notice 'texts are searched without an index: %', sqlerrm;
end $$;
