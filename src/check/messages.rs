//! Every message is sent, given up before a person, or due; every lease ends.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 8,
    title: "every message is done, given up or due, and its attempts are counted",
    questions: &[
        Question {
            name: "a message that is not done has a job that goes on with it",
            sql: "select 'message ' || m.id || ' is ' || m.state as counter from message m
              where m.state in ('queued', 'sending') and not exists (select 1 from job j where j.kind = 'message.send'
                and j.state in ('queued', 'running') and j.payload ->> 'message' = m.id::text)",
        },
        Question {
            name: "attempts are numbered from 1 without gaps, as many as the message counts",
            sql: "select 'message ' || m.id || ' counts ' || m.attempts || ', has ' || count(a.attempt) as counter
              from message m left join message_attempt a on a.message_id = m.id
              where m.created_at > {attempts_kept} group by m.id having count(a.attempt) <> m.attempts
                or (count(a.attempt) > 0 and (min(a.attempt) <> 1 or max(a.attempt) <> count(a.attempt)))",
        },
        Question {
            // Since it was last put back: an address may be corrected while a server takes the mail for the old one.
            name: "a sent message has one attempt that sent it, its last",
            sql: "select 'message ' || m.id as counter from message m left join message_attempt a on a.message_id = m.id
              where m.state = 'sent' and m.created_at > {attempts_kept} group by m.id
              having count(*) filter (where a.outcome = 'sent' and a.attempt > m.attempts_before) <> 1
                or max(a.attempt) filter (where a.outcome = 'sent') <> max(a.attempt)",
        },
        Question {
            // Or it came back.
            name: "a message whose attempt was accepted is sent",
            sql: "select 'message ' || m.id || ' is ' || m.state as counter from message m
              where m.state <> 'sent' and not (m.state = 'needs_attention' and m.bounced_at is not null)
                and exists (select 1 from message_attempt a where a.message_id = m.id and a.outcome = 'sent'
                  and a.attempt > m.attempts_before)",
        },
        Question {
            name: "an attempt that ended says how",
            sql: "select 'message ' || message_id || ' attempt ' || attempt as counter from message_attempt
              where (ended_at is null) <> (outcome is null)",
        },
        Question {
            name: "a subject is mailed once per kind, under one Message-ID",
            sql: "select 'messages ' || min(id::text) || ' and ' || max(id::text) as counter from message
              group by kind, subject having count(*) > 1
              union all select 'messages ' || min(id::text) || ' and ' || max(id::text) from message
              group by message_id having count(*) > 1",
        },
        Question {
            name: "no lease is older than its limit",
            sql: "select 'job ' || id || ' of kind ' || kind as counter from job
              where state = 'running' and leased_until < app_now() - interval '1 minute'",
        },
        Question {
            name: "a job has no more attempts than it may have, and one that was given up is before a person",
            sql: "select 'job ' || j.id || ' of kind ' || j.kind as counter from job j
              where j.attempt > j.max_attempts or (j.state = 'dead'
                and not exists (select 1 from task t where t.kind = 'job_dead' and t.subject = j.id::text))",
        },
        Question {
            name: "a mail about an order that did not arrive is before a person",
            sql: "select 'message ' || m.id as counter from message m
              where m.state = 'needs_attention' and m.order_id is not null and m.kind <> 'task_opened'
                and not exists (select 1 from task t where t.kind = 'message_undeliverable' and t.subject = m.id::text)",
        },
        Question {
            name: "an address that mail came back from for good is suppressed, or was until staff lifted it",
            sql: "select 'report ' || r.id as counter from mail_report r
              where (r.kind = 'complaint' or (r.kind = 'bounce' and r.permanent)) and r.email_normalised is not null
                and not exists (select 1 from mail_suppression s where s.email_normalised = r.email_normalised)",
        },
        Question {
            // Since it was last put back: before, it may have gone elsewhere. A minute for what ran beside it.
            name: "nothing was sent to an address that was suppressed before",
            sql: "select 'message ' || went.id as counter from mail_suppression s
              join (select m.id, m.attempts_before, lower(m.recipient) as recipient from message m
                union select m.id, m.attempts_before, o.email_normalised from message m
                  join orders o on o.id = m.order_id and o.email = m.recipient) went on went.recipient = s.email_normalised
              join message_attempt a on a.message_id = went.id and a.attempt > went.attempts_before
              where a.outcome in ('sent', 'unknown') and a.started_at > s.created_at + interval '1 minute'
                and (s.lifted_at is null or a.started_at < s.lifted_at - interval '1 minute')",
        },
        Question {
            name: "the goods of a gift are mailed to its recipient alone",
            sql: "select 'message ' || m.id as counter from order_gift g join orders o on o.id = g.order_id
              join message m on m.order_id = g.order_id and m.kind in {goods_mails}
              join message_attempt a on a.message_id = m.id and a.attempt > m.attempts_before
              where a.outcome in ('sent', 'unknown') and m.recipient = o.email and o.email_normalised <> g.email_normalised",
        },
        Question {
            name: "the buyer of every paid order was written to",
            sql: "select 'order ' || o.number as counter from orders o where o.state in ('paid', 'closed')
              and o.email is not null and not exists (select 1 from message m where m.order_id = o.id)
                and not exists (select 1 from hold h where h.order_id = o.id and h.cause = 'review')",
        },
    ],
};
