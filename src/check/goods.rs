//! What was paid for is delivered or waits for something that can come; nothing is delivered that was not paid for.

use crate::check::report::{Invariant, Question};

pub(super) const HANDED_OVER: Invariant = Invariant {
    number: 2,
    title: "every unit of a paid order is in a state of rest",
    questions: &[
        Question {
            name: "no unit of a paid order is unassigned",
            sql: "select 'unit ' || u.id || ' of order ' || o.number as counter from unit u join orders o on o.id = u.order_id
              where o.state in ('paid', 'closed') and u.state = 'unassigned'
                and not exists (select 1 from hold h where h.order_id = o.id and h.cause = 'review')",
        },
        Question {
            name: "no unit of an unpaid order has moved",
            sql: "select 'unit ' || u.id || ' of order ' || o.number || ' is ' || u.state as counter
              from unit u join orders o on o.id = u.order_id
              where o.state not in ('paid', 'closed') and u.state not in ('unassigned', 'cancelled')",
        },
        Question {
            name: "a line has as many units as its quantity, and each number once",
            sql: "select 'line ' || l.id || ' has ' || count(u.id) || ' units of ' || l.quantity as counter
              from order_line l left join unit u on u.line_id = l.id and u.superseded_by is null
              where l.kind not in {bundles} group by l.id having count(u.id) <> l.quantity or count(distinct u.unit_no) <> l.quantity
                or max(u.unit_no) <> l.quantity",
        },
        Question {
            name: "a unit is of its line's order, variant and seller",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where u.order_id <> l.order_id or u.variant_id <> l.variant_id or u.seller_id <> l.seller_id",
        },
        Question {
            name: "a paid order under review is before a person",
            sql: "select 'order ' || o.number as counter from orders o join hold h on h.order_id = o.id and h.cause = 'review'
              where o.state = 'paid' and exists (select 1 from unit u where u.order_id = o.id and u.state = 'unassigned')
                and not exists (select 1 from task t where t.kind = 'order_review' and t.subject = o.id::text)",
        },
        Question {
            name: "a closed order waits for nothing",
            sql: "select 'order ' || o.number as counter from orders o join unit u on u.order_id = o.id
              where o.state = 'closed' and u.state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person')
                and not exists (select 1 from unit old where old.superseded_by = u.id)",
        },
        // Nobody is needed for a unit whose variant has something to deliver: a job must be on its way. Not while its
        // money is disputed or on its way back.
        Question {
            name: "no unit awaits a person although it can be delivered",
            sql: "select 'unit ' || u.id || ' of variant ' || u.variant_id as counter
              from unit u join order_line l on l.id = u.line_id join orders o on o.id = u.order_id
              where u.state = 'awaiting_person' and u.superseded_by is null and o.state in ('paid', 'closed')
                and ((l.kind in {files} and exists (select 1 from file f join file_version v on v.file_id = f.id
                    where f.variant_id = u.variant_id and v.yanked_at is null))
                  or (l.kind in {keys} and (select count(*) from (select 1 from vault_key k
                      where k.variant_id = u.variant_id and k.state = 'available' and k.expires_at > app_now()
                      limit l.quantity) free)
                    >= case when l.partial_delivery then 1 else l.quantity end))
                and not exists (select 1 from job j where j.kind in ('fulfilment.fill', 'vault.keys_freed', 'downloads.published')
                  and j.state in ('queued', 'running') and j.payload ->> 'variant' = u.variant_id::text)
                and not exists (select 1 from hold h where h.order_id = u.order_id
                  and (h.unit_id is null or h.unit_id = u.id))
                and not exists (select 1 from task t where t.kind = 'delivery_failed' and t.subject = l.id::text
                  and t.state <> 'resolved')",
        },
        // The first line of a variant's queue that its free keys would fill must have a job that will do so.
        Question {
            name: "no line sleeps beside free keys",
            sql: "select 'line ' || w.line_id || ' wants ' || w.wanted || ' keys of variant ' || w.variant_id as counter
              from (select distinct on (u.variant_id) u.variant_id, u.line_id, count(*) as wanted,
                  bool_or(l.partial_delivery) as in_parts
                from unit u join order_line l on l.id = u.line_id join orders o on o.id = u.order_id
                where u.state = 'awaiting_stock' and u.superseded_by is null
                  and not exists (select 1 from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id))
                group by u.variant_id, u.line_id, o.paid_at, o.id, l.position
                order by u.variant_id, o.paid_at, o.id, l.position) w
              where (select count(*) from (select 1 from vault_key k where k.variant_id = w.variant_id
                  and k.state = 'available' and k.expires_at > app_now() limit w.wanted) free)
                >= case when w.in_parts then 1 else w.wanted end
              and not exists (select 1 from job j where j.kind in ('fulfilment.fill', 'vault.keys_freed') and j.state in ('queued', 'running')
                and j.payload ->> 'variant' = w.variant_id::text)",
        },
    ],
};

pub(super) const PAID_FOR: Invariant = Invariant {
    number: 3,
    title: "nothing is delivered without a captured payment that matches",
    questions: &[
        Question {
            name: "an order is paid exactly when one payment is allocated to it",
            sql: "select 'order ' || o.number || ' is ' || o.state || ' with ' || count(p.id) || ' allocated payments' as counter
              from orders o left join payment p on p.order_id = o.id and p.allocated
              group by o.id having count(p.id) <> case when o.state in ('paid', 'closed') then 1 else 0 end",
        },
        Question {
            name: "an allocated payment brought what the order costs",
            sql: "select 'payment ' || p.id || ' of order ' || o.number as counter
              from payment p join orders o on o.id = p.order_id
              where p.allocated and (p.received_minor is distinct from o.total_minor
                or p.received_currency is distinct from o.currency or p.expected_minor <> o.total_minor
                or p.expected_currency <> o.currency
                or p.state not in ('captured', 'partially_refunded', 'refunded', 'disputed', 'lost'))",
        },
        Question {
            name: "a unit with goods has an allocated payment behind it",
            sql: "select 'unit ' || u.id || ' is ' || u.state as counter from unit u
              where u.state in ('assigned', 'revealed', 'replaced', 'revoked') and not exists (
                select 1 from payment p where p.order_id = u.order_id and p.allocated and p.captured_at is not null)",
        },
        Question {
            name: "a key of an unpaid order was not sold",
            sql: "select 'key ' || k.id as counter from vault_key k join unit u on u.id = k.unit_id
                join orders o on o.id = u.order_id where o.state not in ('paid', 'closed')",
        },
        Question {
            name: "a grant belongs to a paid order",
            sql: "select 'grant ' || g.id as counter from download_grant g join orders o on o.id = g.order_id
              where o.state not in ('paid', 'closed')",
        },
        // A payment that pays for nothing is never silent.
        Question {
            name: "money that pays for no order is before a person",
            sql: "select 'payment ' || p.id || ' of ' || p.received_minor || ' ' || p.received_currency as counter
              from payment p where p.received_minor > p.refunded_minor + p.lost_minor and not p.allocated
                and not exists (select 1 from task t where t.payment_id = p.id or t.subject = p.id::text)",
        },
    ],
};
