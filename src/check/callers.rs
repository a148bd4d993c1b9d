//! What callers said is kept as they said it.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 5,
    title: "what a caller named is one thing",
    questions: &[
        Question {
            name: "a reference that was taken is its order's",
            sql: "select 'reference of order ' || o.number as counter from order_reference r join orders o on o.id = r.order_id
              where o.reference is distinct from r.reference",
        },
        Question {
            name: "a person's reference is taken by an order of that person",
            sql: "select 'reference of order ' || o.number as counter from order_reference r join orders o on o.id = r.order_id
              where r.scope like 'user:%' and r.scope <> 'user:' || o.user_id",
        },
        Question {
            name: "an API client's reference is taken by an order of that client",
            sql: "select 'reference of order ' || o.number as counter from order_reference r join orders o on o.id = r.order_id
              where r.scope like 'client:%' and r.scope is distinct from 'client:' || o.api_client_id",
        },
        Question {
            name: "a document is kept under the digest of its own text",
            sql: "select 'document ' || encode(p.hash, 'hex') as counter from persisted_query p
              where p.hash <> sha256(convert_to(p.query, 'UTF8'))",
        },
    ],
};
