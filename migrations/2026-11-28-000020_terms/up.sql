-- Expands: what a seller promises is one column of variants, and, as it was when it was bought, of order lines. Programs of
-- the version before read and write single columns: triggers keep the two forms in step until these go.

alter table variant add column terms jsonb not null default '{}'
  constraint variant_terms check (jsonb_typeof(terms) = 'object');
alter table order_line add column terms jsonb not null default '{}'
  constraint order_line_terms check (jsonb_typeof(terms) = 'object');

update variant set terms = jsonb_strip_nulls(jsonb_build_object('download_limit', download_limit,
  'access_days', access_days, 'updates_included', updates_included, 'warranty_days', warranty_days));
-- Of earlier lines nobody wrote down what was promised beside limit and days: what the variant says now.
update order_line l set terms = jsonb_strip_nulls(jsonb_build_object('download_limit', l.download_limit,
  'access_days', l.access_days, 'updates_included', v.updates_included, 'warranty_days', v.warranty_days))
  from variant v where v.id = l.variant_id;

create function variant_terms_in_step() returns trigger language plpgsql as $$
begin
  if (tg_op = 'INSERT' and new.terms = '{}') or (tg_op = 'UPDATE' and new.terms = old.terms) then
    new.terms := (new.terms - array['download_limit', 'access_days', 'updates_included', 'warranty_days'])
      || jsonb_strip_nulls(jsonb_build_object('download_limit', new.download_limit, 'access_days', new.access_days,
        'updates_included', new.updates_included, 'warranty_days', new.warranty_days));
  else
    new.download_limit := (new.terms ->> 'download_limit')::int;
    new.access_days := (new.terms ->> 'access_days')::int;
    new.updates_included := coalesce((new.terms ->> 'updates_included')::boolean, true);
    new.warranty_days := (new.terms ->> 'warranty_days')::int;
  end if;
  return new;
end $$;
create trigger variant_terms_in_step before insert or update on variant
  for each row execute function variant_terms_in_step();

create function order_line_terms_in_step() returns trigger language plpgsql as $$
begin
  if new.terms = '{}' then
    select jsonb_strip_nulls(jsonb_build_object('download_limit', new.download_limit, 'access_days', new.access_days,
        'updates_included', v.updates_included, 'warranty_days', v.warranty_days))
      into new.terms from variant v where v.id = new.variant_id;
  else
    new.download_limit := (new.terms ->> 'download_limit')::int;
    new.access_days := (new.terms ->> 'access_days')::int;
  end if;
  return new;
end $$;
create trigger order_line_terms_in_step before insert on order_line
  for each row execute function order_line_terms_in_step();
