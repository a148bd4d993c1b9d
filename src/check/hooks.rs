//! Every event reaches the endpoints that want it, and no others.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 23,
    title: "events reach the endpoints that want them, in time, and no others",
    questions: &[
        Question {
            // Who sees which kinds follows from their first word. Of what is over rows are kept for longer than this looks back.
            name: "an event that an endpoint wants is on its way there, or was",
            sql: "select 'endpoint ' || e.id || ' lacks event ' || s.seq as counter
              from hook_endpoint e join event_seq s on s.seq > e.since_seq
                and s.seq <= (select seq from event_cursor where consumer = 'hooks')
                join event v on v.id = s.event_id left join orders o on o.id = v.order_id
              where e.state = 'active' and v.created_at > app_now() - interval '30 days'
                and (e.event_types = '{}' or v.kind = any(e.event_types))
                and (e.api_client_id is null and v.seller_id = e.seller_id and split_part(v.kind, '.', 1) = any('{order,line,unit,
                    delivery,payment,refund,dispute,grant,download,licence,stock,file,upload,keys,key,secret,supplier,purchase,
                    product,variant,hook}')
                  or e.api_client_id = o.api_client_id and split_part(v.kind, '.', 1) = any('{order,line,unit,delivery,payment,
                    refund,dispute,grant,download,licence}'))
                and not exists (select 1 from hook_delivery h where h.endpoint_id = e.id and h.seq = s.seq)",
        },
        Question {
            name: "an event goes to its own seller's endpoints, or to those of the API client whose order it is about",
            sql: "select 'delivery ' || h.id as counter from hook_delivery h join hook_endpoint e on e.id = h.endpoint_id
                join event_seq s on s.seq = h.seq join event v on v.id = s.event_id left join orders o on o.id = v.order_id
              where h.seller_id <> e.seller_id or v.kind <> h.event_type or v.order_id is distinct from h.order_id
                or case when e.api_client_id is null then v.seller_id <> e.seller_id
                  else o.api_client_id is distinct from e.api_client_id end",
        },
        Question {
            name: "nothing waits beyond its time at an endpoint that takes what it is sent",
            sql: "select 'delivery ' || h.id || ' is ' || h.state as counter
              from hook_delivery h join hook_endpoint e on e.id = h.endpoint_id
              where h.state in ('queued', 'sending') and h.next_at < app_now() - interval '15 minutes'
                and e.state = 'active' and e.failing_since is null
                and (e.api_client_id is null or exists (select 1 from api_client c
                  where c.id = e.api_client_id and c.state = 'active' and 'events:read' = any(c.scopes)))
                and not exists (select 1 from hook_delivery b where b.endpoint_id = e.id and b.id <> h.id
                  and (b.state = 'sending' and b.next_at > app_now()
                    or e.ordered and b.state in ('queued', 'sending') and b.seq < h.seq))",
        },
        Question {
            name: "attempts at endpoints are numbered from 1 without gaps, as many as the delivery counts",
            sql: "select 'delivery ' || h.id || ' counts ' || h.attempts || ', has ' || count(a.attempt) as counter
              from hook_delivery h left join hook_attempt a on a.delivery_id = h.id
              group by h.id having count(a.attempt) <> h.attempts
                or (count(a.attempt) > 0 and (min(a.attempt) <> 1 or max(a.attempt) <> count(a.attempt)))",
        },
        Question {
            name: "a delivered event was taken by its last attempt",
            sql: "select 'delivery ' || h.id as counter from hook_delivery h
              where h.state = 'delivered' and not exists (select 1 from hook_attempt a where a.delivery_id = h.id
                and a.attempt = h.attempts and a.outcome = 'delivered')",
        },
        Question {
            name: "an event that an endpoint took is not sent again by itself",
            sql: "select 'delivery ' || h.id || ' is ' || h.state as counter from hook_delivery h
              where h.state <> 'delivered' and exists (select 1 from hook_attempt a where a.delivery_id = h.id
                and a.attempt > h.attempts_before and a.outcome = 'delivered')",
        },
        Question {
            name: "an endpoint that the program disabled was put before a person",
            sql: "select 'endpoint ' || e.id as counter from hook_endpoint e where e.disabled_for is not null
              and not exists (select 1 from task t where t.kind = 'hook_disabled' and t.subject = e.id::text)",
        },
    ],
};
