//! Faults in replacements, cases and recalls that the proof finds.

use serde_json::json;

use super::shop::{boss, recall, replace, sold_batch, units};
use crate::check::planted::{Planted, find_all};
use crate::graphql::doors::shop::refusal;
use crate::harness::{TestApp, with_generic};

/// A shop with a replaced piece, an answered and an open case, a batch that was recalled, and one that was not.
async fn shop() -> TestApp {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(6, 500).await;
    t.db.sql("update variant set terms = terms || '{\"replacement_limit\": 1}'").await;
    t.paid_order(variant, 3).await;
    let boss = boss(&t).await;
    let pieces = units(&t, "select id from unit order by unit_no").await;
    assert_eq!(refusal(&replace(&boss, &pieces[0], json!({})).await), "done");
    t.import(variant, 6).await;
    t.db.sql(
        "insert into delivery_case (id, seller_id, order_id, line_id, unit_id, problem, wish)
           select gen_random_uuid(), seller_id, order_id, line_id, id, 'invalid_key', 'help' from unit where unit_no = 3",
    )
    .await;
    assert_eq!(refusal(&recall(&boss, &sold_batch(&t).await, "REPLACE").await), "done");
    t.drain().await;
    t
}

/// Rows: K13, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replacement_or_a_recall_forgot_is_found() {
    let t = shop().await;
    let faults = [
        Planted {
            sql: "delete from replacement",
            found_by: "a replaced piece has one successor, of its line, number and price, and one record of why",
            names: "unit ",
        },
        Planted {
            sql: "update unit set superseded_by = (select id from unit where superseded_by is null limit 1)
                where superseded_by is not null",
            found_by: "a replaced piece has one successor, of its line, number and price, and one record of why",
            names: "unit ",
        },
        Planted {
            sql: "update vault_key set state = 'sold', voided_at = null
                where unit_id = (select id from unit where state = 'replaced' limit 1)",
            found_by: "what a replaced piece had is taken back",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set state = 'available', voided_at = null, unit_id = null, sold_at = null
                where unit_id = (select id from unit where state = 'replaced' limit 1)",
            found_by: "a key that was replaced is never anybody's again",
            names: "key ",
        },
        Planted {
            sql: "update replacement set cause = 'warranty';
                update order_line set terms = terms || '{\"replacement_limit\": 0}'",
            found_by: "no piece was replaced more often than its line says, unless staff let it pass",
            names: "line ",
        },
        Planted {
            sql: "insert into refund (id, order_id, payment_id, amount_minor, currency, state, succeeded_at)
                  select gen_random_uuid(), order_id, id, 500, 'USD', 'succeeded', app_now() from payment where allocated limit 1;
                insert into refund_unit (refund_id, unit_id, amount_minor, active)
                  select r.id, u.id, 500, true from refund r, unit u where u.superseded_by is not null
                    and not exists (select 1 from refund_unit x where x.unit_id = u.superseded_by)
                  order by r.succeeded_at desc limit 1",
            found_by: "a piece whose money went back by name has no successor with goods",
            names: "unit ",
        },
        Planted {
            sql: "update vault_key set state = 'available' where id = (select k.id from vault_key k join key_batch b
                on b.id = k.batch_id where b.recalled_at is not null and k.state = 'frozen' limit 1)",
            found_by: "no key of a recalled batch may be sold",
            names: "key ",
        },
        Planted {
            sql: "update key_batch set recalled_at = null where recalled_at is not null",
            found_by: "a recalled batch takes no keys in, and has a recall",
            names: "batch ",
        },
        Planted {
            sql: "update vault_key set batch_id = (select batch_id from batch_recall)
                where id = (select id from vault_key where state = 'sold' limit 1)",
            found_by: "whoever holds a key of a recalled batch is listed in its recall",
            names: "key ",
        },
        Planted {
            sql: "update recall_piece set state = 'open', successor_id = null, refund_id = null, code = null,
                handled_at = null",
            found_by: "a recall that is over has seen to everybody, and one that is not has a job",
            names: "recall ",
        },
        Planted {
            sql: "update batch_recall set state = 'running', finished_at = null",
            found_by: "a recall that is over has seen to everybody, and one that is not has a job",
            names: "recall ",
        },
        Planted {
            sql: "update recall_piece set successor_id = unit_id where state = 'replaced'",
            found_by: "a piece that a recall replaced or refunded no longer holds its key, or its money is on its way back",
            names: "unit ",
        },
        Planted {
            sql: "insert into delivery_case (id, seller_id, order_id, line_id, unit_id, problem, wish)
                  select gen_random_uuid(), seller_id, order_id, line_id, unit_id, 'again', 'help'
                    from delivery_case, generate_series(1, 2)",
            found_by: "a case is of its piece's line and order, and one at a time waits for its answer",
            names: "unit ",
        },
        Planted {
            sql: "update delivery_case set state = 'closed', outcome = 'refunded', answered_at = app_now(), closed_at = app_now()",
            found_by: "a case that was replaced or refunded has what it says",
            names: "case ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
