//! Faults in what was kept of gateways' statements.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::payments::statements;

use super::clean::number;
use super::planted::{Planted, find_all};
use crate::harness::shop::GENERIC;
use crate::harness::{Said, TestApp, with_generic};
use crate::payments::stated;

/// Rows: K4, P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_that_is_not_in_the_books_as_it_was_told_and_a_fact_of_something_else_are_found() {
    let t = TestApp::start_with(with_generic).await;
    stated::put(&t);
    let variant = t.selling_keys(2, 990).await;
    let day = t.app.clock.now().date_naive();
    let noon = day.and_hms_opt(12, 0, 0).unwrap().and_utc();
    let mut lines = Vec::new();
    for trade in ["T1", "T2"] {
        let placed = t.order(variant, 1).await;
        assert_eq!(t.notify(&Said::paid(&placed, trade)).await.0, 200);
        lines.push(stated::paid(&placed.order.number, trade, 990, 59, noon));
    }
    t.advance(TimeDelta::days(1)).await;
    statements::import_file(&t.app.payments, &Actor::system(), GENERIC, day, &stated::file(&lines))
        .await
        .unwrap();
    number(&t).await;
    let faults = [
        Planted {
            sql: "with fee as (select *, gen_random_uuid() as t from ledger_entry where book = 'fees' order by id limit 1)
                insert into ledger_entry (transaction_id, book, account_id, order_id, payment_id, seller_id, amount_minor, currency)
                  select t, b, account_id, order_id, payment_id, seller_id, sign * 59, currency from fee,
                    (values ('fees', 1), ('gateway', -1)) legs (b, sign);
                update payment set fee_minor = 118 where id = (select payment_id from ledger_entry where book = 'fees' order by id desc limit 1)",
            found_by: "statements' fees are what the fees' book holds",
            names: "payment ",
        },
        Planted {
            sql: "update statement_fact set booked_minor = null where trade_no = 'T1'",
            found_by: "statements' fees are what the fees' book holds",
            names: "payment ",
        },
        Planted {
            sql: "update statement_fact set fee_minor = 69 where trade_no = 'T1'",
            found_by: "a fee is booked as the statement says",
            names: "fact ",
        },
        Planted {
            sql: "update statement_fact set account_id = 'free' where trade_no = 'T1'",
            found_by: "what a statement says is of the payment and refund that it was found to be",
            names: "fact ",
        },
        Planted {
            sql: "update statement_fact set payment_id = null, booked_minor = null where trade_no = 'T2'",
            found_by: "what a statement says is of the payment and refund that it was found to be",
            names: "fact ",
        },
        Planted {
            sql: "update statement_line set fact_id = (select min(id) from statement_fact)",
            found_by: "what a statement says is of the payment and refund that it was found to be",
            names: "fact ",
        },
        Planted {
            sql: "drop index statement_fact_trade; update statement_fact set trade_no = 'T1'",
            found_by: "one payment and one refund is one fact of its account",
            names: "trade T1 ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
