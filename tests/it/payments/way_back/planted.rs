//! Each fault of money that goes back, put into a sound shop behind the program's back, is found by `dispense check`.

use serde_json::json;

use super::shop::bought;
use crate::check::planted::{Planted, find_all};

/// Rows: P9, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_way_back_is_found() {
    let shop = bought(&[(3, 1_900), (1, 500)]).await;
    let units = shop.deliveries(0).await;
    // One refund by name that is done, one by name that is open, one that only a sum named, a dispute lost in part,
    // one that is open, and a key that was mailed.
    shop.staff_refund(json!({ "units": [units[0]] })).await;
    shop.street.settled().await;
    shop.street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    shop.staff_refund(json!({ "units": [units[1]] })).await;
    shop.street.simulator.set_trouble(json!({})).unwrap();
    // The open one counts at the gateway from the moment it is made.
    shop.report(&shop.sum(3_900, 1)).await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 200, "lost", 1)).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_2", 300, "needs_response", 1)).await;
    let faults = [
        // The same refund counted twice, as a sum and by itself.
        Planted {
            sql: "update payment set refunded_minor = refunded_minor + 1900 where allocated",
            found_by: "what a payment gave back is what its refunds count",
            names: "payment ",
        },
        Planted {
            sql: "update refund set amount_minor = amount_minor + 100, counted_minor = counted_minor + 100 where basis = 'sum'
                and amount_minor > 0",
            found_by: "a sum that a gateway named is explained by its refunds",
            names: "payment ",
        },
        Planted {
            sql: "update payment set lost_minor = lost_minor + 1 where allocated",
            found_by: "what a payment lost is what its disputes count",
            names: "payment ",
        },
        // All booked as lost where a part was.
        Planted {
            sql: "update payment set lost_minor = received_minor where allocated",
            found_by: "refunds and lost disputes do not exceed what was received",
            names: "payment ",
        },
        // A refund that failed later, and whose money still counts.
        Planted {
            sql: "update refund set state = 'failed', succeeded_at = null where state = 'succeeded' and basis = 'refund'",
            found_by: "a refund counts its whole amount unless the payment had less",
            names: "refund ",
        },
        Planted {
            sql: "update refund set mailed_minor = 0 where basis = 'sum' and counted_minor > 0;
                update payment set told_sum_heard_at = app_now() - interval '1 hour' where told_sum_heard_at is not null",
            found_by: "money that went back was mailed about",
            names: "refund ",
        },
        Planted {
            sql: "delete from ledger_entry where refund_id is not null",
            found_by: "the ledger holds what each refund counts",
            names: "refund ",
        },
        Planted {
            sql: "update ledger_entry set dispute_id = null where dispute_id is not null",
            found_by: "the ledger holds what each dispute counts",
            names: "dispute ",
        },
        // A unit refunded twice, the second time on another line.
        Planted {
            sql: "insert into refund_unit (refund_id, unit_id, amount_minor) select (select refund_id from refund_unit ru
                join refund r on r.id = ru.refund_id where r.state = 'pending' limit 1), unit_id, 0 from refund_unit ru
                join refund r on r.id = ru.refund_id where r.state = 'succeeded' limit 1",
            found_by: "a unit is named by one refund that is open or succeeded",
            names: "unit ",
        },
        Planted {
            sql: "update refund set counted_minor = 0 where basis = 'sum';
                update ledger_entry set line_id = (select id from order_line order by position desc limit 1) where refund_id =
                  (select refund_id from refund_unit ru join refund r on r.id = ru.refund_id where r.state = 'succeeded' limit 1)
                  and book = 'sales'",
            found_by: "a refund by name is booked on the lines of its units",
            names: "refund ",
        },
        Planted {
            sql: "update unit set state = 'assigned' where state = 'revoked'",
            found_by: "units that a refund names are of its order and lost their goods with it",
            names: "unit ",
        },
        Planted {
            sql: "update unit set revoked_for = gen_random_uuid() where state = 'revoked'",
            found_by: "a unit that was taken back has its reason",
            names: "unit ",
        },
        // A door left open while money goes back, and one that nobody opened again.
        Planted {
            sql: "delete from hold where cause = 'refund'",
            found_by: "the holds of an order are those of its open refunds and disputes",
            names: "order ",
        },
        Planted {
            sql: "update dispute set state = 'won', decided_at = app_now() where state = 'opened'",
            found_by: "the holds of an order are those of its open refunds and disputes",
            names: "order ",
        },
        Planted {
            sql: "update unit set assigned_at = app_now() + interval '1 second' where state = 'assigned'",
            found_by: "nothing was filled or assigned while it was held",
            names: "unit ",
        },
        Planted {
            sql: "update vault_key set state = 'available', unit_id = null, sold_at = null where state = 'sold'",
            found_by: "a key that may have been read never went back on sale",
            names: "key ",
        },
        Planted {
            sql: "update refund set requested_at = app_now() - interval '25 hours' where state = 'pending'",
            found_by: "no refund is open longer than a day without a person knowing",
            names: "refund ",
        },
        Planted {
            sql: "update payment set state = 'captured' where allocated",
            found_by: "a payment's state says what became of its money",
            names: "payment ",
        },
        Planted {
            sql: "update dispute set account_id = 'free' where state = 'opened'",
            found_by: "a dispute is of its payment's order, account and currency",
            names: "dispute ",
        },
        Planted {
            sql: "update payment set refunded_minor = received_minor - lost_minor where allocated",
            found_by: "an order's ledger is what its payments are worth",
            names: "order ",
        },
    ];
    find_all(&shop.street.t, &faults).await;
    shop.street.t.finish_with_jobs().await;
}
