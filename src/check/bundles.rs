//! A bundle is its parts, neither more nor less.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 21,
    title: "a bundle was sold as its parts, for its price",
    questions: &[
        Question {
            name: "a bundle's line has the parts that it was bought with, and no units",
            sql: "select 'line ' || l.id || ' has ' || count(distinct part.id) || ' parts of ' || coalesce(l.part_count, 0)
                as counter
              from order_line l left join order_line part on part.parent_line_id = l.id
                left join unit u on u.line_id = l.id
              where l.kind in {bundles} group by l.id
              having count(distinct part.id) is distinct from l.part_count or count(u.id) > 0",
        },
        Question {
            name: "the shares of a bundle's parts sum to its price",
            sql: "select 'line ' || l.id || ' of ' || l.total_minor || ' has shares of ' || sum(part.total_minor) as counter
              from order_line l join order_line part on part.parent_line_id = l.id
              group by l.id having sum(part.total_minor) <> l.total_minor or min(part.total_minor) < 0",
        },
        Question {
            name: "each bundle of a line costs the same, and its pieces cost what it costs",
            sql: "select 'line ' || l.id || ': bundle ' || p.bundle || ' costs ' || sum(p.total_minor) as counter
              from order_line l join (select part.parent_line_id, (u.unit_no - 1) / part.part_quantity as bundle, u.total_minor
                  from order_line part join unit u on u.line_id = part.id and u.superseded_by is null) p
                on p.parent_line_id = l.id
              where l.discount_minor = 0 group by l.id, p.bundle having sum(p.total_minor) <> l.unit_minor",
        },
        Question {
            name: "a part has as many pieces as its bundles have",
            sql: "select 'line ' || part.id || ' has ' || part.quantity || ' pieces' as counter
              from order_line part join order_line l on l.id = part.parent_line_id
              where part.quantity <> part.part_quantity * l.quantity",
        },
        Question {
            name: "a part is of its bundle's order, seller and currency, right behind it, and no bundle itself",
            sql: "select 'line ' || part.id as counter
              from order_line part left join order_line l on l.id = part.parent_line_id
              where part.parent_line_id is not null and (l.id is null or l.kind not in {bundles} or part.kind in {bundles}
                or part.order_id <> l.order_id or part.seller_id <> l.seller_id or part.currency <> l.currency
                or part.position - l.position not between 1 and l.part_count)",
        },
        Question {
            name: "no money is booked on a bundle's own line",
            sql: "select 'entry ' || e.id as counter from ledger_entry e join order_line l on l.id = e.line_id
              where l.kind in {bundles}",
        },
        Question {
            name: "what is sold as a bundle consists of variants that are none",
            sql: "select 'variant ' || b.bundle_id || ' has the part ' || b.part_id as counter
              from bundle_part b join variant v on v.id = b.bundle_id join variant p on p.id = b.part_id
              where v.kind not in {bundles} or p.kind in {bundles} or v.seller_id <> p.seller_id",
        },
    ],
};
