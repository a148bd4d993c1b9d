//! Nobody gets more than a buyer may have, and nobody who was shut out gets in.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 13,
    title: "limits per buyer hold, and revoked access stays revoked",
    questions: &[
        // Counted in the order of payment; pieces that were taken back leave room. A piece of a line without a limit was
        // bought before there was one.
        Question {
            name: "nobody has paid for more pieces than one buyer gets, unless a task says so",
            sql: "select 'order ' || o.number || ' has pieces beyond ' || l.limit_per_buyer || ' of variant ' || l.variant_id
                as counter
              from order_line l join orders o on o.id = l.order_id
              where l.limit_per_buyer is not null and o.state in ('paid', 'closed')
                and exists (select 1 from unit u where u.line_id = l.id and u.superseded_by is null
                  and u.state not in ('revoked', 'cancelled'))
                and l.limit_per_buyer < (select count(*) from unit u join order_line b_line on b_line.id = u.line_id
                    join orders b on b.id = u.order_id
                  where u.variant_id = l.variant_id and b_line.limit_per_buyer is not null
                    and b.state in ('paid', 'closed') and (b.paid_at, b.id) <= (o.paid_at, o.id)
                    and (b.user_id = o.user_id or (b.mailbox_proven and o.mailbox_proven and b.mailbox = o.mailbox))
                    and u.superseded_by is null and u.state not in ('revoked', 'cancelled'))
                and not exists (select 1 from task t where t.kind = 'payment_over_buyer_limit' and t.order_id = o.id)",
        },
        Question {
            name: "nobody has paid for more bundles than one buyer gets, unless a task says so",
            sql: "with kept as (select l.order_id, l.variant_id, max((p.pieces + part.part_quantity - 1) / part.part_quantity)
                  as bundles
                from order_line l join order_line part on part.parent_line_id = l.id
                  cross join lateral (select count(*) as pieces from unit u where u.line_id = part.id
                    and u.superseded_by is null and u.state not in ('revoked', 'cancelled')) p
                where l.limit_per_buyer is not null group by l.id)
              select 'order ' || o.number || ' has bundles beyond ' || l.limit_per_buyer || ' of variant ' || l.variant_id
                as counter
              from order_line l join orders o on o.id = l.order_id
                join kept own on own.order_id = l.order_id and own.variant_id = l.variant_id and own.bundles > 0
              where l.kind in {bundles} and l.limit_per_buyer is not null and o.state in ('paid', 'closed')
                and l.limit_per_buyer < (select sum(k.bundles) from kept k join orders b on b.id = k.order_id
                  where k.variant_id = l.variant_id and b.state in ('paid', 'closed') and (b.paid_at, b.id) <= (o.paid_at, o.id)
                    and (b.user_id = o.user_id or (b.mailbox_proven and o.mailbox_proven and b.mailbox = o.mailbox)))
                and not exists (select 1 from task t where t.kind = 'payment_over_buyer_limit' and t.order_id = o.id)",
        },
        Question {
            name: "an order of limited goods counts for somebody who is known",
            sql: "select 'order ' || o.number as counter from orders o join order_line l on l.order_id = o.id
              where l.limit_per_buyer is not null and (not o.limited or (o.user_id is null and not o.mailbox_proven)
                or (o.mailbox_proven and o.mailbox is null))",
        },
        Question {
            name: "an access generation never falls",
            sql: "select 'order ' || o.number || ' is at ' || o.access_generation as counter
              from orders o join event e on e.order_id = o.id and e.kind = 'order.access_revoked'
              where (e.body ->> 'generation')::int > o.access_generation",
        },
        Question {
            name: "a claimed order's access was revoked",
            sql: "select 'order ' || o.number as counter from orders o join event e on e.order_id = o.id
              where e.kind in ('order.claimed', 'order.address_corrected') and o.access_generation < 2",
        },
        Question {
            name: "no link is of an access generation that its order never had",
            sql: "select 'link ' || l.id as counter from download_link l join download_grant g on g.id = l.grant_id
                join orders o on o.id = g.order_id where l.generation not between 1 and o.access_generation",
        },
        // A session that was being opened at that very moment is no finding.
        Question {
            name: "no download began by a link that had been revoked",
            sql: "select 'session ' || s.id as counter from download_session s join download_link l on l.id = s.link_id
                join download_grant g on g.id = l.grant_id
                join event e on e.order_id = g.order_id and e.kind = 'order.access_revoked'
              where l.generation < (e.body ->> 'generation')::int and s.opened_at > e.created_at + interval '1 minute'",
        },
        Question {
            name: "a key that staff has seen counts as seen",
            sql: "select 'key ' || k.id as counter from staff_act a join vault_key k on k.unit_id = a.unit_id
              where a.kind = 'delivery_shown' and k.revealed_at is null",
        },
    ],
};
