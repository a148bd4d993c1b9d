//! What of the tables of this layer leaves.

use crate::infra::retention::{Leaves, Rule};

/// Bodies of events, done jobs, idempotency keys, mails that are about no order.
pub const RETENTION: &[Rule] = &[
    Rule {
        table: "event",
        days: |config| config.retention.event_days,
        leaves: Leaves::Months { oldest: "select created_at as oldest from event order by id limit 1" },
    },
    Rule {
        table: "job",
        days: |config| config.retention.job_days,
        leaves: crate::infra::retention::old_rows!("job", "id", "finished_at", "state = 'done'"),
    },
    // Keys of what moves money or gives goods a second time stay, see the index `idempotency_leaving`. Those that make orders
    // and payments are judged by who knows orders (payments/retention.rs).
    Rule {
        table: "idempotency",
        days: |config| config.retention.idempotency_days,
        leaves: crate::infra::retention::old_rows!(
            "idempotency",
            "scope, operation, key",
            "created_at",
            "operation not in ('orderRefund', 'caseAnswer', 'deliveryReplace', 'keyBatchRecall') \
             and operation not in ('orderPlace', 'paymentStart')"
        ),
    },
    // An alert about a task is what says that staff was written to: it stays while the task is open.
    Rule {
        table: "message",
        days: |config| config.retention.other_mail_days,
        leaves: crate::infra::retention::old_rows!(
            "message",
            "id",
            "created_at",
            "order_id is null and state = 'sent' \
             and not exists (select 1 from task t where t.state <> 'resolved' and t.id::text = message.subject)"
        ),
    },
];
