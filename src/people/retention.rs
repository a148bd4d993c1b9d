//! What leaves by age: registrations that nobody confirmed, codes and sign-ins that ended.

use crate::infra::retention::{Leaves, Rule};

/// Rules of the tables of people.
pub const RETENTION: &[Rule] = &[
    // With it leaves a password's hash: at once.
    Rule {
        table: "registration",
        days: |_| 0,
        leaves: crate::infra::retention::old_rows!("registration", "id", "expires_at", "true"),
    },
    Rule {
        table: "email_code",
        days: |config| config.retention.mailed_code_days,
        leaves: crate::infra::retention::old_rows!("email_code", "id", "expires_at", "true"),
    },
    // A sign-in with its whole family of refresh tokens: while it may be used, a spent token shows a thief.
    Rule {
        table: "session",
        days: |config| config.retention.session_days,
        leaves: Leaves::Rows {
            delete: "with gone as materialized (select id from session \
                 where least(revoked_at, expires_at) < app_now() - make_interval(days => $1) \
                 order by least(revoked_at, expires_at) limit $2 for update skip locked), \
               tokens as (delete from refresh_token where session_id in (select id from gone)), \
               sessions as (delete from session where id in (select id from gone) returning 1) \
               select count(*) as count from sessions",
            oldest: "select min(least(revoked_at, expires_at)) as oldest from session",
        },
    },
];
