//! A payment belongs to one attempt of one database.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 16,
    title: "a payment belongs to one attempt of one database",
    questions: &[
        Question {
            name: "a trade of an account is at one payment",
            sql: "select 'trade ' || trade_no || ' of ' || account_id || ' is at ' || count(*) || ' payments' as counter
              from payment where trade_no is not null group by account_id, trade_no having count(*) > 1",
        },
        // The order's own number is that of its first attempt alone, and only in the life the order was placed in. What
        // was started before the first epoch has the old form.
        Question {
            name: "an attempt goes by its order's number and a random part",
            sql: "select 'payment ' || p.id || ' goes by ' || p.gateway_number as counter
              from payment p join orders o on o.id = p.order_id
              where p.gateway_number is not null and p.account_id <> 'free'
                and p.started_at > (select min(raised_at) from epoch)
                and not (p.gateway_number = o.number and p.attempt = 1 and not exists (select 1 from epoch e
                    where e.raised_at >= o.placed_at and e.raised_at <= p.started_at))
                and (length(p.gateway_number) > 32
                  or p.gateway_number !~ ('^' || o.number || '-' || p.attempt || '-[2-9A-HJKMNP-TV-Z]{5}$'))",
        },
        Question {
            name: "an open attempt is asked about at some time",
            sql: "select 'payment ' || id || ' is ' || state as counter from payment
              where state in ('started', 'pending', 'unknown') and account_id <> 'free' and next_check_at is null",
        },
        Question {
            name: "the lives of the database follow each other",
            sql: "select 'epoch ' || e.id as counter from epoch e
              where e.id > 1 and not exists (select 1 from epoch b where b.id = e.id - 1 and b.raised_at <= e.raised_at
                and b.opened_at <= e.raised_at)
              union all select 'epoch 1 is missing' where not exists (select 1 from epoch where id = 1)",
        },
        // What was on its way when the epoch was raised has a minute.
        Question {
            name: "nothing is sold between a restore and the gateways' answers",
            sql: "select 'order ' || o.number || ' in epoch ' || e.id as counter from epoch e join orders o
                on o.placed_at > e.raised_at + interval '1 minute' and o.placed_at < coalesce(e.opened_at, 'infinity')
              where e.unknown_since is not null
              union all select 'payment ' || p.id || ' in epoch ' || e.id from epoch e join payment p
                on p.started_at > e.raised_at + interval '1 minute' and p.started_at < coalesce(e.opened_at, 'infinity')
              where e.unknown_since is not null and p.gateway_number is not null and p.account_id <> 'free'",
        },
    ],
};
