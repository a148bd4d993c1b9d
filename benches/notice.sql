-- What settling one notice of a one-key order writes, statement by statement, as a program without slices would do it:
-- the same rows in the same tables, through the same indexes, triggers and constraints. Each client takes every n-th
-- order of the run (:start, :i, :step), so that nobody waits for another's order.
\set i :i + 1
\set n :start + :i * :step + :client_id
begin;
select p.id as payment, p.order_id as ord, o.number as num, o.email as email, l.id as line, l.seller_id as seller,
    l.variant_id as variant, u.id as unit
  from payment p join orders o on o.id = p.order_id join order_line l on l.order_id = o.id join unit u on u.line_id = l.id and u.superseded_by is null
  where p.account_id = 'bench' and p.gateway_number = 'B' || lpad(:n::text, 9, '0') for update of o
\gset
select 1 from notice where account_id = 'bench' and event_key = 'pg' || :n::text and verdict in ('applied', 'recorded');
insert into notice (account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256)
  values ('bench', 'pg' || :n::text, 'applied', :ord, :payment, 1, sha256('body')) returning id as notice
\gset
insert into notice_body (notice_id, method, query, headers, body) values (:notice, 'POST', '',
  '[["content-type", "application/json"], ["webhook-id", "evt_B000000000"], ["webhook-timestamp", "1795219200"], ["webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]]',
  '{"data":{"amount_minor":990,"currency":"USD","order_no":"B000000000","status":"paid","trade_no":"TB000000000"},"timestamp":"2026-11-21T00:00:00Z","type":"payment.succeeded"}');
update payment set state = 'captured', trade_no = 'pg' || :n::text, received_minor = 990, received_currency = 'USD',
    allocated = true, captured_at = app_now(), next_check_at = null where id = :payment and state = 'started';
insert into ledger_entry (transaction_id, book, account_id, order_id, payment_id, line_id, seller_id, amount_minor, currency)
  values (:payment, 'sales', 'bench', :ord, :payment, :line, :seller, -990, 'USD'),
         (:payment, 'gateway', 'bench', :ord, :payment, null, '00000000-0000-7000-8000-000000000001', 990, 'USD');
update vault_key set state = 'sold', unit_id = :unit, sold_at = app_now()
  where id = (select k.id from vault_key k where k.variant_id = :variant and k.state = 'available'
    and k.expires_at > app_now() order by k.expires_at, k.pos limit 1 for update skip locked)
  returning id as key
\gset
update unit set state = 'assigned', assigned_at = app_now() where id = :unit and state = 'unassigned';
update orders set state = 'paid', paid_at = app_now(), delivered_at = app_now()
  where id = :ord and state = 'pending_payment';
insert into event (seller_id, kind, object_id, order_id, actor, body) values
  (:seller, 'line.assigned', :line, :ord, 'system', jsonb_build_object('variant', :variant::text, 'units',
    jsonb_build_array(:unit::text), 'keys', jsonb_build_array(:key::text))),
  ('00000000-0000-7000-8000-000000000001', 'payment.captured', :payment, :ord, 'gateway-bench',
    '{"amount_minor": 990, "currency": "USD", "allocated": true}'),
  ('00000000-0000-7000-8000-000000000001', 'order.paid', :ord, :ord, 'gateway-bench', '{"number": "B000000000"}');
insert into message (id, kind, subject, order_id, recipient, locale, payload, message_id)
  values (:ord::uuid, 'order_delivered', :ord::text, :ord::uuid, :email, 'en',
    jsonb_build_object('lines', jsonb_build_array(:line::text)), '<' || :ord::text || '@bench>');
insert into job (kind, dedupe_key, payload) values ('message.send', :ord, jsonb_build_object('message', :ord::text));
commit;
