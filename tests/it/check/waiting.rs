//! Things that wait and that nobody would look after.

use super::clean::busy_shop;
use super::planted::{Planted, find_all};

/// Rows: K4, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_and_is_before_nobody_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update unit set waiting_since = null where id = (select id from unit where state = 'awaiting_stock' limit 1)",
            found_by: "a piece that waits says since when",
            names: "unit ",
        },
        Planted {
            sql: "update unit set paid_at = null where id = (select id from unit where state = 'awaiting_stock' limit 1)",
            found_by: "a piece that waits for stock or a person has its place in the queue",
            names: "unit ",
        },
        Planted {
            sql: "update unit set state = 'awaiting_person' where id = (select id from unit where state = 'awaiting_stock' limit 1)",
            found_by: "a piece that is left to a person was put before one",
            names: "unit ",
        },
        Planted {
            sql: "delete from task where kind = 'awaiting_stock'",
            found_by: "stock that buyers wait for was put before a person",
            names: "unit ",
        },
        Planted {
            sql: "update file_version set missing_since = app_now()",
            found_by: "a content that was seen to be missing was put before a person",
            names: "version ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
