//! What is paid and not delivered comes by itself, or a person knows of it.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 24,
    title: "what the program cannot deliver by itself was put before a person",
    questions: &[
        Question {
            name: "a piece that waits says since when",
            sql: "select 'unit ' || id as counter from unit
              where state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person') and waiting_since is null",
        },
        Question {
            name: "a piece that waits for stock or a person has its place in the queue",
            sql: "select 'unit ' || u.id as counter from unit u join orders o on o.id = u.order_id
              where u.state in ('awaiting_stock', 'awaiting_person') and u.superseded_by is null
                and u.paid_at is distinct from o.paid_at",
        },
        Question {
            name: "a piece that is left to a person was put before one",
            sql: "select 'unit ' || u.id as counter from unit u
              where u.state = 'awaiting_person' and u.superseded_by is null and not exists (select 1 from task t
                where t.kind in ('delivery_by_hand', 'delivery_failed') and t.subject = u.line_id::text)",
        },
        Question {
            name: "stock that buyers wait for was put before a person",
            sql: "select 'unit ' || u.id || ' of variant ' || u.variant_id as counter from unit u
              where u.state = 'awaiting_stock' and u.superseded_by is null and not exists (select 1 from task t
                where t.kind in ('awaiting_stock', 'goods_overdue') and t.subject = u.variant_id::text)",
        },
        Question {
            name: "a content that was seen to be missing was put before a person",
            sql: "select 'version ' || v.id as counter from file_version v
              where v.missing_since is not null and not exists (select 1 from task t
                where t.kind = 'content_missing' and t.subject = v.id::text)",
        },
    ],
};
