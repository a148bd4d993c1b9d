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
            // Or for one that is left to a person, who looks at the order or at the delivery.
            name: "a held key is held for an unpaid line of its variant",
            sql: "select 'key ' || k.id || ' of line ' || coalesce(k.reserved_line_id::text, 'none') as counter
              from vault_key k left join order_line l on l.id = k.reserved_line_id left join orders o on o.id = l.order_id
              where k.state = 'reserved' and (l.id is null or l.variant_id <> k.variant_id or l.seller_id <> k.seller_id
                or (o.state <> 'pending_payment' and not exists (select 1 from unit u where u.line_id = l.id
                  and u.state in ('awaiting_person', 'unassigned') and u.superseded_by is null)))",
        },
        Question {
            name: "a line has no more keys than pieces",
            sql: "select 'line ' || l.id || ' of ' || l.quantity || ' holds ' || held.keys || ' keys' as counter
              from (select k.reserved_line_id as line_id, count(*) as keys from vault_key k
                  where k.state = 'reserved' group by 1) held
                join order_line l on l.id = held.line_id
              where held.keys > l.quantity - (select count(*) from unit u join vault_key s on s.unit_id = u.id
                where u.line_id = l.id and u.superseded_by is null)",
        },
        // A sweep gives them back within a minute; a shop that was stopped does so soon after it was started.
        Question {
            name: "no hold has been over for a quarter of an hour",
            sql: "select 'key ' || id || ' was held until ' || reserved_until as counter from vault_key
              where state = 'reserved' and reserved_until < app_now() - interval '15 minutes'",
        },
        Question {
            name: "no fingerprint is stored twice within a seller",
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
        Question {
            name: "an import has the keys that are looked at, and none of them once it is over",
            sql: "select 'batch ' || b.id || ' counted ' || b.staged || ' and has ' || count(s.id) as counter
              from key_batch b left join staged_key s on s.batch_id = b.id group by b.id
              having count(s.id) <> b.staged or (count(s.id) > 0 and (b.state in ('done', 'failed')
                or (b.state = 'cancelled' and not exists (select 1 from job j where j.kind = 'vault.clear_import'
                  and j.state in ('queued', 'running') and j.payload ->> 'batch' = b.id::text))))",
        },
        Question {
            name: "a key that is looked at is not sold",
            sql: "select 'key ' || s.id as counter from staged_key s join vault_key k on k.id = s.id",
        },
        Question {
            name: "a committed import has a job that puts its keys on sale",
            sql: "select 'batch ' || b.id as counter from key_batch b where b.state = 'committing'
              and not exists (select 1 from job j where j.kind = 'vault.commit_import' and j.state in ('queued', 'running')
                and j.payload ->> 'batch' = b.id::text)",
        },
    ],
};
