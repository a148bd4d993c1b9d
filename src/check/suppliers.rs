//! What was bought at suppliers.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 10,
    title: "what was bought at suppliers is recorded, was wanted, and is somebody's",
    questions: &[
        Question {
            name: "a delivered purchase has a key of its variant from its supplier",
            sql: "select 'purchase ' || p.id as counter from supplier_purchase p
              where p.state = 'delivered' and not exists (select 1 from vault_key k join key_batch b on b.id = k.batch_id
                where k.id = p.key_id and k.variant_id = p.variant_id and b.supplier_id = p.supplier_id)",
        },
        Question {
            name: "a key from a supplier that may be sold or was sold is that of a purchase",
            sql: "select 'key ' || k.id as counter from vault_key k join key_batch b on b.id = k.batch_id
              where b.origin = 'bought' and k.state in ('available', 'reserved', 'sold')
                and not exists (select 1 from supplier_purchase p where p.key_id = k.id and p.state = 'delivered')
                and not exists (select 1 from supplier_quarantine q where q.key_id = k.id)",
        },
        Question {
            name: "nothing is bought for an order that was never paid",
            sql: "select 'purchase ' || p.id as counter from supplier_purchase p join orders o on o.id = p.order_id
              where p.sent_at is not null and o.paid_at is null",
        },
        Question {
            name: "nothing was bought above the price that was agreed",
            sql: "select 'purchase ' || id || ' cost ' || price_minor as counter from supplier_purchase
              where state = 'delivered' and price_minor > max_price_minor",
        },
        Question {
            name: "a unit that waits for a supplier is being bought, or somebody looks after it",
            sql: "select 'unit ' || u.id as counter from unit u
              where u.state = 'awaiting_supplier' and u.superseded_by is null
                and not exists (select 1 from supplier_purchase p where p.unit_id = u.id
                  and p.state in ('queued', 'sending', 'pending', 'unknown'))
                and not exists (select 1 from job j where j.kind = 'suppliers.buy' and j.state in ('queued', 'running')
                  and j.payload ->> 'piece' = u.id::text)",
        },
        Question {
            name: "a purchase is that of its unit's order, variant and seller",
            sql: "select 'purchase ' || p.id as counter from supplier_purchase p join unit u on u.id = p.unit_id
              where u.order_id <> p.order_id or u.variant_id <> p.variant_id or u.seller_id <> p.seller_id",
        },
        Question {
            name: "a delivered unit of bought goods has a key, or a text of a person",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where l.kind in {supplier} and u.state in ('assigned', 'revealed')
                and not exists (select 1 from vault_key k where k.unit_id = u.id)
                and not exists (select 1 from unit_secret s where s.unit_id = u.id and s.sealed is not null)",
        },
    ],
};
