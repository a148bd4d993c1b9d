//! Each key is sold at most once.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 1,
    title: "each key is sold at most once",
    questions: &[
        Question {
            name: "a unit holds at most one key",
            sql: "select 'unit ' || unit_id || ' holds ' || count(*) || ' keys' as counter from vault_key
              where unit_id is not null group by unit_id having count(*) > 1",
        },
        Question {
            name: "a sold key belongs to one delivered unit of its own variant and seller",
            sql: "select 'key ' || k.id || ' of unit ' || coalesce(k.unit_id::text, 'none') as counter
              from vault_key k left join unit u on u.id = k.unit_id
              where k.state = 'sold' and (u.id is null or u.variant_id <> k.variant_id or u.seller_id <> k.seller_id
                or u.state not in ('assigned', 'revealed'))",
        },
        Question {
            name: "a delivered unit of a key product holds a sold key",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where l.kind in {keys} and u.state in ('assigned', 'revealed')
                and not exists (select 1 from vault_key k where k.unit_id = u.id and k.state = 'sold')",
        },
        Question {
            name: "as many keys of a variant are sold as units of it are delivered",
            sql: "select 'variant ' || variant_id || ': ' || sum(keys) || ' keys, ' || sum(units) || ' units' as counter
              from (select variant_id, count(*) as keys, 0 as units from vault_key where state = 'sold' group by 1
                union all
                select u.variant_id, 0, count(*) from unit u join order_line l on l.id = u.line_id
                  where u.state in ('assigned', 'revealed') and (l.kind in {keys} or l.kind in {supplier}
                    and not exists (select 1 from unit_secret s where s.unit_id = u.id)) group by 1) both_sides
              group by variant_id having sum(keys) <> sum(units)",
        },
        Question {
            name: "no key is both free and sold",
            sql: "select 'key ' || id || ' is ' || state as counter from vault_key
              where state not in ('sold', 'voided') and (unit_id is not null or sold_at is not null)",
        },
        Question {
            name: "a unit that waits or was cancelled holds no key",
            sql: "select 'unit ' || u.id || ' is ' || u.state as counter from vault_key k join unit u on u.id = k.unit_id
              where u.state in ('unassigned', 'awaiting_stock', 'awaiting_supplier', 'awaiting_person', 'cancelled')",
        },
        Question {
            name: "no fingerprint stands twice within a seller",
            sql: "select 'keys ' || min(id::text) || ' and ' || max(id::text) as counter from vault_key
              group by seller_id, fp having count(*) > 1
              union all select 'keys ' || min(id::text) || ' and ' || max(id::text) from vault_key
              where fp_next is not null group by seller_id, fp_next having count(*) > 1",
        },
        Question {
            name: "a batch has the keys that it counted",
            sql: "select 'batch ' || b.id || ' counted ' || b.added || ' and has ' || count(k.id) as counter
              from key_batch b left join vault_key k on k.batch_id = b.id group by b.id having count(k.id) <> b.added",
        },
    ],
};
