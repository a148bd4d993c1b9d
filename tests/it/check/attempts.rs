//! Faults in whose trade a payment is, and in the lives of the database.

use super::clean::busy_shop;
use super::planted::{Planted, find_all};

/// Rows: P3, P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_another_attempt_or_another_life_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update payment p set trade_no = o.trade_no from payment o
                where p.id = (select min(id::text)::uuid from payment where state = 'captured')
                  and o.id = (select max(id::text)::uuid from payment where state = 'captured')",
            found_by: "a trade of an account is at one payment",
            names: "trade ",
        },
        Planted {
            sql: "update payment set gateway_number = gateway_number || '-1'
                where id = (select id from payment where gateway_number is not null limit 1)",
            found_by: "an attempt goes by its order's number and a random part",
            names: "payment ",
        },
        Planted {
            sql: "update payment set attempt = 7
                where id = (select id from payment where gateway_number is not null limit 1)",
            found_by: "an attempt goes by its order's number and a random part",
            names: "payment ",
        },
        Planted {
            sql: "insert into epoch (id, unknown_since, opened_at, raised_at)
                select 2, min(placed_at), app_now(), max(placed_at) from orders;
                update payment set started_at = app_now() + interval '1 minute'",
            found_by: "an attempt goes by its order's number and a random part",
            names: "payment ",
        },
        Planted {
            sql: "update payment set next_check_at = null where state = 'started'",
            found_by: "an open attempt is asked about at some time",
            names: "payment ",
        },
        Planted {
            sql: "insert into epoch (id, unknown_since, opened_at) values (3, app_now(), app_now())",
            found_by: "the lives of the database follow each other",
            names: "epoch 3",
        },
        Planted {
            sql: "insert into epoch (id, unknown_since, opened_at, raised_at) values
                (2, app_now(), app_now(), app_now() - interval '10 years')",
            found_by: "the lives of the database follow each other",
            names: "epoch 2",
        },
        Planted {
            sql: "insert into epoch (id, state, unknown_since, raised_at)
                select 2, 'held', min(placed_at), min(placed_at) - interval '2 minutes' from orders",
            found_by: "nothing is sold between a restore and the gateways' answers",
            names: "order ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
