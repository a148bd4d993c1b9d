//! What waits in the shop, by how long: one list for the desk, the metrics and the guide of operations.

mod store;

pub use store::{WaitingRow, list};

/// Something that can wait.
#[derive(Clone, Copy, Debug)]
pub struct WaitingKind {
    /// Open code.
    pub code: &'static str,
    /// What is counted, and since when it counts as waiting.
    pub doc: &'static str,
    /// The index that holds what waits and nothing else.
    pub index: &'static str,
    /// How many there are and when the oldest began: `count` and `oldest`.
    pub sql: &'static str,
}

// Codes of which the shop's health names the figures apart too.
pub const AWAITING_STOCK: &str = "AWAITING_STOCK";
pub const MAILS_QUEUED: &str = "MAILS_QUEUED";
pub const MAILS_UNDELIVERED: &str = "MAILS_UNDELIVERED";
pub const JOBS_DUE: &str = "JOBS_DUE";
pub const JOBS_DEAD: &str = "JOBS_DEAD";
pub const TASKS_OPEN: &str = "TASKS_OPEN";

/// Everything that can wait, beside what is sent to hook endpoints.
pub const KINDS: &[WaitingKind] = &[
    WaitingKind {
        code: "IN_REVIEW",
        doc: "paid orders of blocked buyers that a person looks at, since their payment",
        index: "orders_undelivered",
        sql: "select count(*) as count, min(o.paid_at) as oldest from orders o where o.state = 'paid' and o.delivered_at is null
          and exists (select 1 from hold h where h.order_id = o.id and h.cause = 'review')",
    },
    WaitingKind {
        code: "UNASSIGNED",
        doc: "paid orders with pieces that have nothing and wait for nothing, since their payment: a defect, mended by a sweep",
        index: "orders_undelivered",
        sql: "select count(*) as count, min(o.paid_at) as oldest from orders o where o.state = 'paid' and o.delivered_at is null
          and exists (select 1 from unit u where u.order_id = o.id and u.state = 'unassigned' and u.superseded_by is null)
          and not exists (select 1 from hold h where h.order_id = o.id)",
    },
    WaitingKind {
        code: AWAITING_STOCK,
        doc: "paid pieces that wait for stock",
        index: "unit_waits",
        sql: "select count(*) as count, min(waiting_since) as oldest from unit where state = 'awaiting_stock'",
    },
    WaitingKind {
        code: "AWAITING_SUPPLIER",
        doc: "paid pieces that are being bought at suppliers",
        index: "unit_waits",
        sql: "select count(*) as count, min(waiting_since) as oldest from unit where state = 'awaiting_supplier'",
    },
    WaitingKind {
        code: "AWAITING_PERSON",
        doc: "paid pieces that a person delivers",
        index: "unit_waits",
        sql: "select count(*) as count, min(waiting_since) as oldest from unit where state = 'awaiting_person'",
    },
    WaitingKind {
        code: "REPLACEMENTS",
        doc: "pieces that take the place of others and have no goods yet; they are among those above",
        index: "unit_waits",
        sql: "select count(*) as count, min(u.waiting_since) as oldest from unit u
          where u.state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person')
            and exists (select 1 from unit old where old.superseded_by = u.id)",
    },
    WaitingKind {
        code: "PAYMENTS_UNCERTAIN",
        doc: "payments that were made and not confirmed, or of which nobody knows the end, since they were started",
        index: "payment_uncertain",
        sql: "select count(*) as count, min(started_at) as oldest from payment where state in ('pending', 'unknown')",
    },
    WaitingKind {
        code: "REFUNDS_OPEN",
        doc: "refunds that have not come to their end, since they were asked for",
        index: "refund_open",
        sql: "select count(*) as count, min(requested_at) as oldest from refund
          where state in ('requested', 'pending', 'unknown')",
    },
    WaitingKind {
        code: "DISPUTES_OPEN",
        doc: "disputes and inquiries that are not decided, since they were opened",
        index: "dispute_undecided",
        sql: "select count(*) as count, min(opened_at) as oldest from dispute where state in ('inquiry', 'opened')",
    },
    WaitingKind {
        code: "NOTICES_ORPHAN",
        doc: "genuine notices about orders and payments that are not known here, since they were put before a person",
        index: "task_open",
        sql: "select count(*) as count, min(created_at) as oldest from task
          where kind = 'notice_orphan' and state <> 'resolved'",
    },
    WaitingKind {
        code: MAILS_QUEUED,
        doc: "mails that are still to be sent, or are being tried again, since they were written",
        index: "message_unsent",
        sql: "select count(*) as count, min(created_at) as oldest from message where state in ('queued', 'sending')",
    },
    WaitingKind {
        code: MAILS_UNDELIVERED,
        doc: "mails that did not arrive and that a person looks at, since they were written",
        index: "message_undelivered",
        sql: "select count(*) as count, min(created_at) as oldest from message where state in ('failed', 'needs_attention')",
    },
    WaitingKind {
        code: "PURCHASES_UNKNOWN",
        doc: "purchases at suppliers of which nobody knows the end, since they were sent",
        index: "supplier_purchase_due",
        sql: "select count(*) as count, min(sent_at) as oldest from supplier_purchase where state = 'unknown'",
    },
    WaitingKind {
        code: "SUPPLIERS_DOWN",
        doc: "connections to suppliers whose calls fail in a row, since that was put before a person",
        index: "task_open",
        sql: "select count(*) as count, min(created_at) as oldest from task
          where kind = 'supplier_down' and state <> 'resolved'",
    },
    WaitingKind {
        code: "RESERVATIONS_LAPSED",
        doc: "keys that are held although their time is over, since it is",
        index: "vault_key_reserved_until",
        sql: "select count(*) as count, min(reserved_until) as oldest from vault_key
          where state = 'reserved' and reserved_until < app_now()",
    },
    WaitingKind {
        code: "IMPORTS_STALLED",
        doc: "imports and generations of keys that have not gone on for 15 minutes, since their last step",
        index: "key_batch_running",
        sql: "select count(*) as count, min(b.last) as oldest from (
            select coalesce((select e.created_at from event e where e.object_id = key_batch.id and e.order_id is null
              order by e.id desc limit 1), created_at) as last
            from key_batch where state in ('running', 'committing') and origin <> 'bought') b
          where b.last < app_now() - interval '15 minutes'",
    },
    WaitingKind {
        code: "RECALLS_OPEN",
        doc: "recalls that go on, since they began",
        index: "batch_recall_running",
        sql: "select count(*) as count, min(created_at) as oldest from batch_recall where state = 'running'",
    },
    WaitingKind {
        code: "CASES_OPEN",
        doc: "buyers' reports that wait for an answer, since they were made",
        index: "delivery_case_unanswered",
        sql: "select count(*) as count, min(opened_at) as oldest from delivery_case where state = 'open'",
    },
    WaitingKind {
        code: "CONTENTS_MISSING",
        doc: "contents of files that are not stored any more, since that was seen",
        index: "file_version_missing",
        sql: "select count(*) as count, min(missing_since) as oldest from file_version where missing_since is not null",
    },
    WaitingKind {
        code: JOBS_DUE,
        doc: "jobs that should run now, since they should",
        index: "job_due",
        sql: "select count(*) as count, min(run_at) as oldest from job where state = 'queued' and run_at <= app_now()",
    },
    WaitingKind {
        code: JOBS_DEAD,
        doc: "jobs that were given up, since then",
        index: "job_dead",
        sql: "select count(*) as count, min(finished_at) as oldest from job where state = 'dead'",
    },
    WaitingKind {
        code: TASKS_OPEN,
        doc: "tasks that wait for a person, since they were opened",
        index: "task_open",
        sql: "select count(*) as count, min(created_at) as oldest from task where state <> 'resolved'",
    },
];
