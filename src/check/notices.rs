//! Every notice that got an answer is in the log, and every handled one had its effect.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 7,
    title: "every notice is kept, and handled once",
    questions: &[
        Question {
            name: "no event of an account is handled twice",
            sql: "select 'account ' || account_id || ' notices ' || min(id) || ' and ' || max(id) as counter from notice
              where verdict in ('applied', 'recorded') group by account_id, event_key having count(*) > 1",
        },
        Question {
            name: "a handled notice names a payment of its account and that payment's order",
            sql: "select 'notice ' || n.id as counter from notice n left join payment p on p.id = n.payment_id
              where n.verdict in ('applied', 'recorded') and (p.id is null or p.account_id <> n.account_id
                or n.order_id is distinct from p.order_id or n.event_key is null or n.verified_by is null)",
        },
        // The transaction's time is in all its rows: what an applied notice did carries the same instant.
        Question {
            name: "an applied notice had its effect in its own transaction",
            sql: "select 'notice ' || n.id as counter from notice n
              where n.verdict = 'applied' and n.received_at > {events_kept}
                and not exists (select 1 from event e where e.order_id = n.order_id and e.created_at = n.received_at)",
        },
        Question {
            name: "an applied notice moved its payment",
            sql: "select 'notice ' || n.id as counter from notice n join payment p on p.id = n.payment_id
              where n.verdict = 'applied' and p.state = 'started' and n.received_at > {events_kept} and not exists (select 1 from event e
                where e.kind = 'payment.reopened' and e.object_id = p.id)",
        },
        Question {
            name: "a repeat repeats something handled",
            sql: "select 'notice ' || n.id as counter from notice n
              where n.verdict = 'duplicate' and not exists (select 1 from notice h where h.account_id = n.account_id
                and h.event_key = n.event_key and h.verdict in ('applied', 'recorded'))",
        },
        Question {
            name: "a notice that was authentic has its bytes",
            sql: "select 'notice ' || n.id || ' is ' || n.verdict as counter from notice n
                left join notice_body b on b.notice_id = n.id and b.received_at = n.received_at
              where b.notice_id is null and n.verdict not in ('forged', 'malformed')
                and n.received_at >= (select gone_before from retention_horizon where name = 'notice_body')",
        },
        Question {
            name: "the bytes of a notice are those that came",
            sql: "select 'notice ' || n.id as counter from notice n
                join (select notice_id, method, query, body, sealed from notice_body
                  union all select notice_id, method, query, body, sealed from refused_body) b on b.notice_id = n.id
              where b.sealed is null and n.body_sha256 <> sha256(int8send(octet_length(b.method)) || convert_to(b.method, 'UTF8')
                || int8send(octet_length(b.query)) || convert_to(b.query, 'UTF8')
                || int8send(octet_length(b.body)) || b.body)",
        },
        Question {
            name: "a payment is captured, and an order paid, once",
            sql: "select kind || ' ' || object_id || ' ' || count(*) || ' times' as counter from event
              where kind in ('payment.captured', 'order.paid') group by kind, object_id having count(*) > 1",
        },
        Question {
            name: "a trade that was taken for another's sale is no payment's",
            sql: "select 'payment ' || p.id || ' trade ' || p.trade_no as counter from asked_trade a
                join payment p on p.account_id = a.account_id and p.trade_no = a.trade_no where a.number is null",
        },
        Question {
            name: "a trade of an account is one payment",
            sql: "select 'payments ' || min(id::text) || ' and ' || max(id::text) as counter from payment
              where trade_no is not null group by account_id, trade_no having count(*) > 1",
        },
    ],
};
