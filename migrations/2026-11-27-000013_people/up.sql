-- Expands: new tables and columns with defaults. What stands in old rows is only written anew where a mail address has a
-- domain beyond ASCII.

-- A registration waits here until its own code confirms it: whoever typed an address first has proven nothing, and a second
-- one takes nothing from the first. Also kept for an address that has an account already, so that nobody can tell.
create table registration (
  id uuid primary key,
  email text not null,
  email_normalised text not null,
  password_hash text not null,
  name text,
  locale text not null,
  -- Keyed digest of the client's network address.
  client_key text not null,
  created_at timestamptz not null default app_now(),
  expires_at timestamptz not null
);
create index registration_address on registration (email_normalised, created_at desc);
create index registration_expires on registration (expires_at);

alter table email_code
  add column registration_id uuid constraint email_code_registration_fkey references registration on delete cascade,
  -- Keyed digest of the network address of the client that asked for it.
  add column client_key text;
create index email_code_registration on email_code (registration_id) where registration_id is not null;

-- Who an order counts for. The mailbox is the address as limits see it (no case, no tag behind a plus); it is proven when
-- its reader signed in with it or typed a code that was mailed to it. The keys are keyed digests of the client's network
-- address and device.
alter table orders
  add column mailbox text,
  add column mailbox_proven boolean not null default false,
  add column client_key text,
  add column device_key text,
  -- Some line has a limit per buyer, which is decided again when money comes.
  add column limited boolean not null default false;
create index orders_mailbox on orders (mailbox, placed_at desc) where mailbox_proven;
create index orders_unpaid_client on orders (client_key) where state = 'pending_payment';
create index orders_free_mailbox on orders (mailbox, placed_at desc) where total_minor = 0;
create index orders_free_client on orders (client_key, placed_at desc) where total_minor = 0;

-- The limit per buyer as it was when the order was placed.
alter table order_line add column limit_per_buyer int
  constraint order_line_limit check (limit_per_buyer >= 1);

-- A link works while its order's access generation is the one it was made in.
alter table download_link add column generation int not null default 1;

-- What staff did to a buyer's order and why: the reason may name somebody, so it stands here and not in the events.
-- Append-only.
create table staff_act (
  id bigint generated always as identity primary key,
  kind text not null constraint staff_act_kind check (kind in ('delivery_shown', 'address_corrected')),
  order_id uuid not null references orders,
  unit_id uuid references unit,
  user_id uuid not null references app_user,
  reason text not null constraint staff_act_reason check (length(reason) between 1 and 500),
  done_at timestamptz not null default app_now(),
  constraint staff_act_unit check ((kind = 'delivery_shown') = (unit_id is not null))
);
create index staff_act_order on staff_act (order_id);
create index staff_act_unit on staff_act (unit_id) where unit_id is not null;

-- Orders that were claimed before this: the guest's token ends now.
update orders set access_generation = access_generation + 1 where user_id is not null
  and exists (select from event e where e.order_id = orders.id and e.kind = 'order.claimed');

-- Punycode (RFC 3492) of one label that is in lower case and composed.
create function ascii_label(label text) returns text language plpgsql immutable as $$
declare
  points int[] := array(select ascii(c) from regexp_split_to_table(label, '') with ordinality as t(c, i) order by i);
  encoded text := coalesce((select string_agg(chr(p), '' order by i) from unnest(points) with ordinality as t(p, i)
    where p < 128), '');
  basic int := length(encoded);
  handled int := basic;
  n int := 128;
  delta bigint := 0;
  bias int := 72;
  m int;
  q bigint;
  k int;
  t int;
  digit int;
  point int;
begin
  if basic = cardinality(points) then
    return label;
  end if;
  if basic > 0 then
    encoded := encoded || '-';
  end if;
  while handled < cardinality(points) loop
    m := (select min(p) from unnest(points) as p where p >= n);
    delta := delta + (m - n)::bigint * (handled + 1);
    n := m;
    foreach point in array points loop
      if point < n then
        delta := delta + 1;
      elsif point = n then
        q := delta;
        k := 36;
        loop
          t := least(greatest(k - bias, 1), 26);
          exit when q < t;
          digit := t + ((q - t) % (36 - t))::int;
          encoded := encoded || case when digit < 26 then chr(97 + digit) else chr(22 + digit) end;
          q := (q - t) / (36 - t);
          k := k + 36;
        end loop;
        encoded := encoded || case when q < 26 then chr((97 + q)::int) else chr((22 + q)::int) end;
        -- Adapts the bias.
        delta := case when handled = basic then delta / 700 else delta / 2 end;
        delta := delta + delta / (handled + 1);
        k := 0;
        while delta > 455 loop
          delta := delta / 35;
          k := k + 36;
        end loop;
        bias := k + (36 * delta / (delta + 38))::int;
        delta := 0;
        handled := handled + 1;
      end if;
    end loop;
    delta := delta + 1;
    n := n + 1;
  end loop;
  return 'xn--' || encoded;
end $$;

create function ascii_address(address text) returns text language sql immutable as $$
  select regexp_replace(address, '@[^@]*$', '') || '@' || (
    select string_agg(ascii_label(label), '.' order by i)
    from regexp_split_to_table(substring(address from '@([^@]*)$'), '\.') with ordinality as t(label, i))
$$;

-- One mailbox has one spelling: that of its domain in ASCII.
update orders set email_normalised = ascii_address(email_normalised)
  where octet_length(substring(email_normalised from '@([^@]*)$'))
    <> length(substring(email_normalised from '@([^@]*)$'));
update app_user set email_normalised = ascii_address(email_normalised)
  where octet_length(substring(email_normalised from '@([^@]*)$'))
    <> length(substring(email_normalised from '@([^@]*)$'))
    and not exists (select 1 from app_user other where other.email_normalised = ascii_address(app_user.email_normalised));
drop function ascii_address, ascii_label;
