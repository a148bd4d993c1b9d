//! What leaves by age: links and sessions of downloads.

use crate::infra::retention::{Leaves, Rule};

/// Rules of the tables of deliveries.
pub const RETENTION: &[Rule] = &[
    Rule {
        table: "download_link",
        days: |config| config.retention.link_days,
        leaves: crate::infra::retention::old_rows!("download_link", "id", "expires_at", "session_id is null"),
    },
    // A download with the links it was made by. What was downloaded may have to be proven to a bank: not while it asks. The
    // database itself goes on counting it (the trigger `download_session_forgotten`).
    Rule {
        table: "download_session",
        days: |config| config.retention.download_days,
        leaves: Leaves::Rows {
            delete: "with gone as materialized (select s.id, s.link_id from download_session s \
                 where s.closed_at < app_now() - make_interval(days => $1) \
                   and not exists (select 1 from download_grant g join dispute d on d.order_id = g.order_id \
                     where g.id = s.grant_id and d.state in ('inquiry', 'opened')) \
                 order by s.closed_at limit $2 for update of s skip locked), \
               links as (delete from download_link \
                 where session_id in (select id from gone) or id in (select link_id from gone)), \
               sessions as (delete from download_session where id in (select id from gone) returning 1) \
               select count(*) as count from sessions",
            oldest: "select min(closed_at) as oldest from download_session where closed_at is not null",
        },
    },
];
