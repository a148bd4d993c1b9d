//! What is old leaves, and nothing that somebody needs has left.

use crate::check::report::{Invariant, Question};

/// Rows that should have left a day before the worker last went by its rules, and by those. A worker that was away for long is
/// late and breaks nothing.
macro_rules! overdue {
    ($name:literal, $shown:literal, $column:literal, $from:literal) => {
        concat!(
            "select '",
            $name,
            " ' || ",
            $shown,
            " as counter from ",
            $from,
            " and ",
            $column,
            " < (select swept_at - make_interval(days => days + 1) from retention_rule where name = '",
            $name,
            "')"
        )
    };
}

pub(super) const INVARIANT: Invariant = Invariant {
    number: 26,
    title: "what is old leaves in time, and nothing that is needed has left",
    questions: &[
        Question {
            name: "the months to come have partitions",
            sql: "select t.name || ' of ' || to_char(m.start, 'YYYY-MM') as counter
              from (values ('event'), ('notice_body')) t (name) cross join lateral (
                select date_trunc('month', app_now() at time zone 'UTC') + make_interval(months => n) as start
                from generate_series(0, 1) n) m
              where (select max(swept_at) from retention_rule) > app_now() - interval '1 day'
                and to_regclass(t.name || to_char(m.start, '\"_p\"YYYY\"_\"MM')) is null
                and exists (select 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid
                  where i.inhparent = to_regclass(t.name) and c.relname < t.name || to_char(m.start, '\"_p\"YYYY\"_\"MM')
                    and c.relname like t.name || '\\_p%')",
        },
        Question {
            // Rows of the time before there were partitions are there until they leave.
            name: "no row lies in a default partition because its month has no partition",
            sql: "with made as (select i.inhparent::regclass::text as name,
                  min((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz) as since
                from pg_inherits i join pg_class c on c.oid = i.inhrelid group by 1)
              select 'event ' || e.id as counter from event_default e
                where e.created_at >= (select since from made where name = 'event')
                  and e.created_at >= date_trunc('month', app_now() at time zone 'UTC') at time zone 'UTC'
                  and (select max(swept_at) from retention_rule) > app_now() - interval '1 day'
              union all select 'notice ' || b.notice_id from notice_body_default b
                where b.received_at >= (select since from made where name = 'notice_body')
                  and b.received_at >= date_trunc('month', app_now() at time zone 'UTC') at time zone 'UTC'
                  and (select max(swept_at) from retention_rule) > app_now() - interval '1 day'",
        },
        Question {
            name: "a month of which nothing is kept any more has left",
            sql: "select c.relname as counter from pg_inherits i join pg_class c on c.oid = i.inhrelid
                join retention_rule r on r.name = i.inhparent::regclass::text
              where (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz
                < r.swept_at - make_interval(days => r.days + 1)",
        },
        Question {
            name: "a row that is due has left within a day",
            sql: concat!(
                overdue!("event", "id", "created_at", "event_default where true"),
                " union all ",
                overdue!("notice_body", "notice_id", "received_at", "notice_body_default where true"),
                " union all ",
                overdue!("job", "id", "finished_at", "job where state = 'done'"),
                " union all ",
                overdue!(
                    "idempotency",
                    "operation",
                    "created_at",
                    "idempotency i where operation not in ('orderRefund', 'caseAnswer', 'deliveryReplace', 'keyBatchRecall')
                      and not exists (select 1 from orders o where o.id = i.result_id and o.state = 'pending_payment')
                      and not exists (select 1 from payment p join orders o on o.id = p.order_id
                        where p.id = i.result_id and o.state = 'pending_payment')"
                ),
                " union all ",
                overdue!(
                    "message",
                    "id",
                    "created_at",
                    "message m where order_id is null and state = 'sent' and not exists (select 1 from task t
                      where t.state <> 'resolved' and t.id::text = m.subject)"
                ),
                " union all ",
                overdue!("registration", "id", "expires_at", "registration where true"),
                " union all ",
                overdue!("email_code", "id", "expires_at", "email_code where true"),
                " union all ",
                overdue!("session", "id", "least(revoked_at, expires_at)", "session where true"),
                " union all ",
                overdue!("upload", "id", "expires_at", "upload where state = 'expired'"),
                " union all ",
                overdue!("order_visit", "id", "at", "order_visit where true"),
                " union all ",
                overdue!("refused_body", "notice_id", "received_at", "refused_body where true"),
                " union all ",
                overdue!("notice", "id", "received_at", "notice where verdict in ('forged', 'malformed')"),
                " union all ",
                overdue!("download_link", "id", "expires_at", "download_link where session_id is null"),
                " union all ",
                overdue!(
                    "download_session",
                    "s.id",
                    "s.closed_at",
                    "download_session s join download_grant g on g.id = s.grant_id
                     where not exists (select 1 from dispute d where d.order_id = g.order_id and d.state in ('inquiry', 'opened'))"
                ),
                " union all ",
                overdue!("hook_delivery", "id", "ended_at", "hook_delivery where state = 'delivered'"),
                " union all ",
                overdue!("hook_delivery.given_up", "id", "ended_at", "hook_delivery where state = 'needs_attention'"),
                " union all ",
                overdue!(
                    "message_attempt",
                    "a.message_id",
                    "a.started_at",
                    "message_attempt a join message m on m.id = a.message_id where m.state = 'sent'"
                ),
                " union all ",
                overdue!("mail_report", "id", "received_at", "mail_report where true")
            ),
        },
        Question {
            name: "a notice that was not settled has its bytes, however old it is",
            sql: "select 'notice ' || n.id || ' is ' || n.verdict as counter from notice n
              where n.verdict in ('orphan', 'fault')
                and not exists (select 1 from notice h where h.account_id = n.account_id and h.event_key = n.event_key
                  and h.verdict in ('applied', 'recorded', 'ignored'))
                and not exists (select 1 from notice_body b where b.notice_id = n.id and b.received_at = n.received_at)
                and not exists (select 1 from notice_body_kept k where k.notice_id = n.id)",
        },
        Question {
            name: "an event that a consumer or an endpoint is still to get is there",
            sql: "select 'event ' || s.seq as counter from event_seq s
              where s.seq > (select min(seq) from event_cursor) and not exists (select 1 from event e where e.id = s.event_id)
              union all select 'delivery ' || h.id from hook_delivery h
                join hook_endpoint p on p.id = h.endpoint_id and p.state = 'active'
                left join event_seq s on s.seq = h.seq
              where h.state in ('queued', 'sending') and not exists (select 1 from event e where e.id = s.event_id)",
        },
        Question {
            name: "a repeat repeats a notice that is there",
            sql: "select 'account ' || r.account_id || ' event ' || r.event_key as counter from notice_repeat r
              where not exists (select 1 from notice n where n.account_id = r.account_id and n.event_key = r.event_key)",
        },
    ],
};
