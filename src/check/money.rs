//! Money is conserved. All amounts are integers of minor units.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 4,
    title: "money is conserved",
    questions: &[
        Question {
            name: "each ledger transaction sums to zero per currency",
            sql: "select 'transaction ' || transaction_id || ' is off by ' || sum(amount_minor) || ' ' || currency as counter
              from ledger_entry group by transaction_id, currency having sum(amount_minor) <> 0",
        },
        Question {
            name: "the gateway's book and its fees hold what a payment received less what it gave back",
            sql: "select 'payment ' || p.id || ': book ' || coalesce(b.held, 0) || ', row '
                || coalesce(p.received_minor, 0) - p.refunded_minor - p.lost_minor as counter
              from payment p left join (select payment_id, sum(amount_minor) as held from ledger_entry
                where book in ('gateway', 'fees') group by 1) b on b.payment_id = p.id
              where coalesce(b.held, 0) <> coalesce(p.received_minor, 0) - p.refunded_minor - p.lost_minor",
        },
        Question {
            name: "the fees' book holds what a payment's gateway kept",
            sql: "select 'payment ' || p.id || ': book ' || coalesce(b.kept, 0) || ', row ' || coalesce(p.fee_minor, 0) as counter
              from payment p left join (select payment_id, sum(amount_minor) as kept from ledger_entry
                where book = 'fees' group by 1) b on b.payment_id = p.id
              where coalesce(b.kept, 0) <> coalesce(p.fee_minor, 0)",
        },
        Question {
            name: "statements' fees are what the fees' book holds",
            sql: "select 'payment ' || p.id || ': statements ' || coalesce(f.kept, 0) || ', book ' || coalesce(b.kept, 0) as counter
              from payment p
              left join (select payment_id, sum(booked_minor) as kept from statement_fact group by 1) f on f.payment_id = p.id
              left join (select payment_id, sum(amount_minor) as kept from ledger_entry where book = 'fees' group by 1) b
                on b.payment_id = p.id
              where coalesce(f.kept, 0) <> coalesce(b.kept, 0)",
        },
        Question {
            name: "a fee is booked as the statement says",
            sql: "select 'fact ' || f.id || ' of ' || f.trade_no || ': stated ' || coalesce(f.fee_minor, 0) || ', booked '
                || coalesce(f.booked_minor, 0) as counter
              from statement_fact f join statement_run r on r.id = f.run_id
              where f.outcome = 'matched' and r.state = 'done' and f.booked_minor is distinct from f.fee_minor",
        },
        Question {
            name: "what a statement says is of the payment and refund that it was found to be",
            sql: "select 'fact ' || f.id || ' of ' || f.trade_no as counter from statement_fact f
                left join payment p on p.id = f.payment_id left join refund r on r.id = f.our_refund
              where (f.payment_id is not null and (p.id is null or p.account_id <> f.account_id))
                or (f.our_refund is not null and r.payment_id is distinct from f.payment_id)
                or (f.outcome = 'matched' and f.payment_id is null)
                or not exists (select 1 from statement_line l where l.fact_id = f.id)",
        },
        Question {
            name: "one payment and one refund is one fact of its account",
            sql: "select 'trade ' || trade_no || ' of ' || account_id || ': ' || count(*) || ' facts' as counter from statement_fact
              group by account_id, trade_no, stated, coalesce(gateway_refund_id, refund_id, unnamed, '') having count(*) > 1",
        },
        Question {
            name: "sellers earned what the allocated payment kept, and nothing of other money",
            sql: "select 'payment ' || p.id || ': earned ' || coalesce(b.earned, 0) as counter
              from payment p left join (select payment_id, -sum(amount_minor) as earned from ledger_entry
                where book = 'sales' group by 1) b on b.payment_id = p.id
              where coalesce(b.earned, 0)
                <> case when p.allocated then coalesce(p.received_minor, 0) - p.refunded_minor - p.lost_minor else 0 end",
        },
        Question {
            name: "no line earned less than nothing or more than its total",
            sql: "select 'line ' || l.id || ' of ' || l.total_minor || ' earned ' || -sum(e.amount_minor) as counter
              from ledger_entry e join order_line l on l.id = e.line_id where e.book = 'sales'
              group by l.id having -sum(e.amount_minor) not between 0 and l.total_minor",
        },
        Question {
            name: "a ledger entry is of its payment's order, account and currency",
            sql: "select 'entry ' || e.id as counter from ledger_entry e left join payment p on p.id = e.payment_id
                left join order_line l on l.id = e.line_id
              where p.id is null or e.order_id <> p.order_id or e.account_id <> p.account_id
                or e.currency is distinct from p.received_currency
                or (e.book = 'sales') <> (e.line_id is not null)
                or (l.id is not null and (l.order_id <> e.order_id or l.seller_id <> e.seller_id))",
        },
        Question {
            name: "an order's total is the sum of its lines and of its units",
            sql: "select 'order ' || o.number || ' of ' || o.total_minor || ': lines ' || coalesce(l.total, 0)
                || ', units ' || coalesce(u.total, 0) as counter
              from orders o
              left join (select order_id, sum(total_minor) as total, sum(unit_minor * quantity) as gross,
                sum(discount_minor) as discount from order_line where parent_line_id is null group by 1) l
                on l.order_id = o.id
              left join (select order_id, sum(total_minor) as total from unit where superseded_by is null group by 1) u
                on u.order_id = o.id
              where coalesce(l.total, 0) <> o.total_minor or coalesce(u.total, 0) <> o.total_minor
                or coalesce(l.gross, 0) <> o.subtotal_minor or coalesce(l.discount, 0) <> o.discount_minor",
        },
        Question {
            name: "a line's total is the sum of its units",
            sql: "select 'line ' || l.id as counter from order_line l
                join unit u on u.line_id = l.id and u.superseded_by is null
              group by l.id having sum(u.total_minor) <> l.total_minor or min(u.total_minor) < 0",
        },
        Question {
            name: "a line is in its order's currency",
            sql: "select 'line ' || l.id as counter from order_line l join orders o on o.id = l.order_id
              where l.currency <> o.currency",
        },
        Question {
            name: "a payment's state says what became of its money",
            sql: "select 'payment ' || p.id || ' is ' || p.state as counter from payment p
                cross join lateral (select exists (select 1 from dispute d where d.payment_id = p.id
                  and d.state = 'opened') as quarrel, p.refunded_minor + p.lost_minor as gone) w
              where (p.received_minor is null and p.state in ('captured', 'partially_refunded', 'refunded', 'disputed', 'lost'))
                or (p.received_minor is not null and p.state <> case
                  when w.gone > 0 and w.gone = p.received_minor and p.lost_minor > 0 then 'lost'
                  when w.quarrel then 'disputed'
                  when w.gone > 0 and w.gone = p.received_minor then 'refunded'
                  when w.gone > 0 then 'partially_refunded' else 'captured' end)",
        },
    ],
};
