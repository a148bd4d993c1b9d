//! Downloads are counted once per session, and never beyond the grant.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 11,
    title: "downloads are counted, bounded and end with their grant",
    questions: &[
        Question {
            name: "a grant has used as many downloads as it has sessions",
            // Some are not kept any more, and are counted where they were.
            sql: "select 'grant ' || g.id || ' used ' || g.used || ', has ' || g.forgotten + count(s.id) || ' sessions' as counter
              from download_grant g left join download_session s on s.grant_id = g.id
              group by g.id having g.used <> g.forgotten + count(s.id)",
        },
        Question {
            name: "no grant is used more often than it may be",
            sql: "select 'grant ' || id || ' used ' || used || ' of ' || max_downloads as counter from download_grant
              where used > max_downloads or used < 0",
        },
        Question {
            name: "a grant has at most one open session",
            sql: "select 'grant ' || grant_id as counter from download_session
              where closed_at is null group by grant_id having count(*) > 1",
        },
        Question {
            // Rows that are still to be closed serve nothing: each use asks for the grant's state.
            name: "a revoked grant has no open session and no link that works",
            sql: "select 'grant ' || g.id as counter from download_grant g where g.state = 'revoked'
              and (exists (select 1 from download_session s where s.grant_id = g.id and s.closed_at is null)
                or exists (select 1 from download_link l where l.grant_id = g.id and l.revoked_at is null))
              and not exists (select 1 from event e left join event_seq q on q.event_id = e.id
                where e.order_id = g.order_id and e.object_id = g.id and e.kind = 'grant.revoked'
                  and coalesce(q.seq > (select seq from event_cursor where consumer = 'reactions'), true))
              and not exists (select 1 from job j where j.kind = 'delivery.close_grant'
                and j.payload ->> 'grant' = g.id::text and j.state in ('queued', 'running'))",
        },
        Question {
            name: "a unit that was taken back, or got nothing yet, has no active grant",
            sql: "select 'grant ' || g.id || ' of a unit that is ' || u.state as counter
              from download_grant g join unit u on u.id = g.unit_id
              where g.state = 'active' and u.state not in ('assigned', 'revealed')",
        },
        Question {
            name: "a delivered unit of files has a grant",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where l.kind in {files} and u.state in ('assigned', 'revealed')
                and not exists (select 1 from download_grant g where g.unit_id = u.id)",
        },
        Question {
            name: "a grant is for a file of its unit's variant, line and order",
            sql: "select 'grant ' || g.id as counter from download_grant g join unit u on u.id = g.unit_id
                join file f on f.id = g.file_id join file_version v on v.id = g.file_version_id
              where f.variant_id <> u.variant_id or g.line_id <> u.line_id or g.order_id <> u.order_id
                or v.file_id <> g.file_id",
        },
        Question {
            name: "a session began within its grant's time, by a link of the grant, for a version of its file",
            sql: "select 'session ' || s.id as counter from download_session s join download_grant g on g.id = s.grant_id
                join download_link l on l.id = s.link_id join file_version v on v.id = s.file_version_id
              where s.opened_at > g.expires_at or s.opened_at < g.created_at or l.grant_id <> g.id
                or v.file_id <> g.file_id",
        },
        Question {
            name: "a link joined a session of its own grant",
            sql: "select 'link ' || l.id as counter from download_link l join download_session s on s.id = l.session_id
              where s.grant_id <> l.grant_id",
        },
        Question {
            name: "no session served more than its cap",
            sql: "select 'session ' || id || ' served ' || served_bytes || ' of ' || byte_cap as counter
              from download_session where served_bytes > byte_cap or served_bytes < 0",
        },
        Question {
            name: "a session has reserved what its bodies still need, and no more than it may serve",
            sql: "select 'session ' || s.id || ' reserved ' || s.reserved_bytes as counter from download_session s
              cross join lateral (select coalesce(sum(d.bytes_left), 0) as bytes from download_stream d
                where d.session_id = s.id) d
              where s.reserved_bytes <> d.bytes or s.served_bytes + s.reserved_bytes > s.byte_cap",
        },
        Question {
            name: "a body of which nothing is heard has given back what it reserved",
            sql: "select 'stream ' || id as counter from download_stream where alive_until < app_now() - interval '1 day'",
        },
    ],
};
