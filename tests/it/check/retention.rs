//! Faults in what is kept and what has left.

use chrono::TimeDelta;

use super::clean::{busy_shop, number};
use super::planted::{Planted, find_all};

/// Rows: D8, D9, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_leave_and_what_left_too_early_is_found() {
    let t = busy_shop().await;
    t.drain_all().await;
    t.sweep().await;
    t.drain().await;
    number(&t).await;
    t.advance(TimeDelta::minutes(1)).await;
    let faults = [
        Planted {
            sql: "do $$ begin execute 'drop table event' || to_char(date_trunc('month', app_now() at time zone 'UTC')
                + interval '2 months', '\"_p\"YYYY\"_\"MM'); end $$;
                insert into event (seller_id, kind, object_id, actor, created_at, xid)
                select seller_id, kind, object_id, actor, date_trunc('month', app_now()) + interval '2 months 2 days', 0 from event limit 1",
            found_by: "no row lies in a default partition because its month has no partition",
            names: "",
        },
        Planted {
            sql: "insert into job (kind, state, finished_at) values ('test.old', 'done', app_now() - interval '9 days')",
            found_by: "a row that is due has left within a day",
            names: "job ",
        },
        Planted {
            sql: "insert into email_code (id, purpose, email_normalised, expires_at)
                values (gen_random_uuid(), 'test', 'x', app_now() - interval '3 days')",
            found_by: "a row that is due has left within a day",
            names: "email_code ",
        },
        Planted {
            sql: "create table event_p2001_01 partition of event for values from ('2001-01-01') to ('2001-02-01')",
            found_by: "a month of which nothing is kept any more has left",
            names: "event_p2001_01",
        },
        Planted {
            sql: "insert into notice (account_id, event_key, verdict, body_sha256, received_at)
                values ('generic', 'lost', 'orphan', sha256('x'), app_now() - interval '400 days');
                update retention_horizon set gone_before = app_now() - interval '180 days' where name = 'notice_body'",
            found_by: "a notice that was not settled has its bytes, however old it is",
            names: "notice ",
        },
        Planted {
            sql: "update event_cursor set seq = 0 where consumer = 'reactions';
                delete from event where id = (select event_id from event_seq where seq = 1)",
            found_by: "an event that a consumer or an endpoint is still to get is there",
            names: "event 1",
        },
        Planted {
            sql: "insert into notice_repeat (account_id, event_key, count) values ('generic', 'never', 1)",
            found_by: "a repeat repeats a notice that is there",
            names: "account generic event never",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
