//! What leaves by age: what gateways sent, once it was settled, what was no notice at all, and the keys of requests whose order
//! cannot be paid for any more.

use crate::infra::retention::{Leaves, Rule};

/// Rules of the tables of payments.
pub const RETENTION: &[Rule] = &[
    Rule {
        table: "notice_body",
        days: |config| config.retention.notice_days,
        leaves: Leaves::Months {
            oldest: "select received_at as oldest from notice_body order by notice_id limit 1",
        },
    },
    // Kept because it was not settled: it leaves once it is.
    Rule {
        table: "notice_body_kept",
        days: |config| config.retention.notice_days,
        leaves: crate::infra::retention::old_rows!(
            "notice_body_kept",
            "notice_id",
            "received_at",
            "exists (select 1 from notice n join notice h on h.account_id = n.account_id and h.event_key = n.event_key \
               and h.verdict in ('applied', 'recorded', 'ignored') where n.id = notice_id)"
        ),
    },
    Rule {
        table: "refused_body",
        days: |config| config.limits.forged_days,
        leaves: crate::infra::retention::old_rows!("refused_body", "notice_id", "received_at", "true"),
    },
    // The runtime role deletes no notice; the function deletes these alone.
    Rule {
        table: "notice",
        days: |config| config.retention.refused_notice_days,
        leaves: Leaves::Rows {
            delete: "select delete_refused_notices($1, $2::int)::bigint as count",
            oldest: "select min(received_at) as oldest from notice where verdict in ('forged', 'malformed')",
        },
    },
    Rule {
        table: "refused_tally",
        days: |config| config.limits.forged_days,
        leaves: Leaves::Rows {
            delete: "with gone as (delete from refused_tally where (account_id, day) in ( \
                 select account_id, day from refused_tally \
                 where day < (app_now() at time zone 'UTC' - make_interval(days => $1))::date \
                 order by day limit $2 for update skip locked) returning 1) select count(*) as count from gone",
            oldest: "select min(day)::timestamptz as oldest from refused_tally",
        },
    },
    // While an order may be paid for, who asks again means the same order and the same payment.
    Rule {
        table: "idempotency",
        days: |config| config.retention.idempotency_days,
        leaves: crate::infra::retention::old_rows!(
            "idempotency",
            "scope, operation, key",
            "created_at",
            "operation not in ('orderRefund', 'caseAnswer', 'deliveryReplace', 'keyBatchRecall') \
             and operation in ('orderPlace', 'paymentStart') \
             and not exists (select 1 from orders o where o.id = result_id and o.state = 'pending_payment') \
             and not exists (select 1 from payment p join orders o on o.id = p.order_id \
               where p.id = result_id and o.state = 'pending_payment')"
        ),
    },
];
