//! A licence is used on as many devices as were bought, and only while somebody has it.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 20,
    title: "licences are used on as many devices as were bought, and only by who has them",
    questions: &[
        Question {
            name: "no licence is used on more devices than were bought",
            sql: "select 'unit ' || u.id || ' is used on ' || count(*) || ' devices of ' || (l.terms ->> 'activation_limit') as counter
              from licence_activation a join unit u on u.id = a.unit_id join order_line l on l.id = u.line_id
              where a.removed_at is null and l.terms ? 'activation_limit'
              group by u.id, l.terms having count(*) > (l.terms ->> 'activation_limit')::int",
        },
        Question {
            name: "a device uses a licence once",
            sql: "select 'unit ' || unit_id as counter from licence_activation where removed_at is null
              group by unit_id, device having count(*) > 1",
        },
        // The devices of a key that was taken back are ended afterwards; each question asks for the key's standing before that.
        Question {
            name: "a device uses a key that its unit holds, or whose end is on its way",
            sql: "select 'activation ' || a.id || ' of key ' || a.key_id as counter from licence_activation a
              where a.removed_at is null
                and not exists (select 1 from vault_key k where k.id = a.key_id and k.unit_id = a.unit_id and k.state = 'sold')
                and not exists (select 1 from event e left join event_seq q on q.event_id = e.id
                  where e.object_id = a.key_id and e.kind in ('key.voided', 'key.restocked')
                    and coalesce(q.seq > (select seq from event_cursor where consumer = 'reactions'), true))
                and not exists (select 1 from job j where j.kind = 'licences.close' and j.payload ->> 'licence_key' = a.key_id::text
                  and j.state in ('queued', 'running'))",
        },
        Question {
            name: "a licence is a key of its unit's variant and seller, whose order was paid",
            sql: "select 'activation ' || a.id || ' of unit ' || a.unit_id as counter
              from licence_activation a join unit u on u.id = a.unit_id join vault_key k on k.id = a.key_id
                join orders o on o.id = u.order_id
              where k.variant_id <> u.variant_id or k.seller_id <> u.seller_id or a.seller_id <> u.seller_id
                or o.state not in ('paid', 'closed')",
        },
        Question {
            name: "a device was seen after it was activated and before it was removed",
            sql: "select 'activation ' || id as counter from licence_activation
              where last_seen_at < activated_at or removed_at < last_seen_at",
        },
    ],
};
