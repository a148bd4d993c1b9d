//! One notice, and what may happen to it.

use chrono::TimeDelta;
use futures::future::join_all;

use crate::harness::{Said, TestApp, with_generic};

async fn shop() -> TestApp {
    TestApp::start_with(with_generic).await
}

/// The words of one slice may come in any order and as often as they like: the sums stay.
async fn assert_one_fulfilment(t: &TestApp, order: dispense::base::ids::OrderId) {
    let id = order.0;
    assert_eq!(t.order_state(order).await, "paid");
    assert_eq!(
        t.db.one(&format!(
            "select count(*) from vault_key k join unit u on u.id = k.unit_id where u.order_id = '{id}'"
        ))
        .await,
        "1"
    );
    assert_eq!(
        t.db.one(&format!("select count(*) from payment where order_id = '{id}' and allocated")).await,
        "1"
    );
    assert_eq!(t.db.one(&format!("select count(*) from message where order_id = '{id}'")).await, "1");
    assert_eq!(t.db.one(&format!("select coalesce(sum(amount_minor), 0) from ledger_entry where order_id = '{id}' and book = 'gateway'")).await, "990");
}

/// Rows: P3, P4, P6, D1, K6, O3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_notice_pays_the_order_and_assigns_the_key_before_it_is_answered() {
    let t = shop().await;
    let variant = t.selling_keys(3, 990).await;
    let placed = t.order(variant, 1).await;
    let (status, _) = t.notify(&Said::paid(&placed, "T1")).await;
    assert_eq!(status, 200);
    assert_one_fulfilment(&t, placed.order.id).await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(t.db.one("select verdict from notice").await, "applied");
    assert_eq!(t.db.one("select count(*) from notice_body b join notice n on n.id = b.notice_id").await, "1");
    assert_eq!(t.db.one("select string_agg(kind, ' ' order by id) from event where kind in ('payment.captured', 'order.paid', 'line.assigned')").await.split(' ').count(), 3);
    assert_eq!(t.db.one("select delivered_at is not null from orders").await, "t");
    t.finish_with_jobs().await;
}

/// Rows: P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_notice_a_hundred_times_at_once_is_one_assignment_and_a_hundred_successes() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    let placed = t.order(variant, 1).await;
    let said = Said::paid(&placed, "T1");
    let answers = join_all((0..100).map(|_| t.notify(&said))).await;
    assert!(answers.iter().all(|a| a.0 == 200), "{answers:?}");
    assert_one_fulfilment(&t, placed.order.id).await;
    assert_eq!(t.db.one("select count(*) from notice where verdict = 'applied'").await, "1");
    assert_eq!(t.db.one("select count from notice_repeat").await, "99");
    // Those that were signed in another second have other bytes.
    assert!(t.db.one("select count(*) from notice").await.parse::<i64>().unwrap() <= 6);
    t.finish_with_jobs().await;
}

/// Rows: P5, O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_payment_told_by_two_events_is_one_fulfilment() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    let placed = t.order(variant, 1).await;
    let first = Said::paid(&placed, "T1");
    let second = Said { id: "evt_other".into(), ..first.clone() };
    assert_eq!(t.notify(&first).await.0, 200);
    assert_eq!(t.notify(&second).await.0, 200);
    assert_one_fulfilment(&t, placed.order.id).await;
    assert_eq!(t.db.one("select string_agg(verdict, ' ' order by id) from notice").await, "applied recorded");
    t.finish_with_jobs().await;
}

/// Rows: O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_trade_is_kept_apart_and_put_before_a_person() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    let placed = t.order(variant, 1).await;
    assert_eq!(t.notify(&Said::paid(&placed, "T1")).await.0, 200);
    assert_eq!(t.notify(&Said::paid(&placed, "T2")).await.0, 200);
    assert_eq!(t.db.one("select count(*) from payment where state = 'captured'").await, "2");
    assert_eq!(t.db.one("select count(*) from payment where allocated").await, "1");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'payment_double' and state = 'open'").await,
        "1"
    );
    assert_eq!(
        t.db.one("select sum(amount_minor) from ledger_entry where book = 'unallocated'").await,
        "-990"
    );
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    t.finish_with_jobs().await;
}

/// Rows: O6, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_amount_or_currency_is_recorded_and_changes_no_order() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    for (index, (amount, currency, task)) in [
        (989, "USD", "payment_wrong_amount"),
        (991, "USD", "payment_wrong_amount"),
        (990, "EUR", "payment_wrong_currency"),
    ]
    .into_iter()
    .enumerate()
    {
        let placed = t.order(variant, 1).await;
        let said = Said { amount_minor: amount, currency, ..Said::paid(&placed, &format!("T{index}")) };
        assert_eq!(t.notify(&said).await.0, 200);
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
        let id = placed.order.id.0;
        let row = t.db.sql(&format!("select state, allocated, received_minor, received_currency, expected_minor from payment where order_id = '{id}'")).await;
        assert_eq!(
            row[0],
            ["captured", "f", &amount.to_string(), currency, "990"].map(|s| Some(s.to_owned()))
        );
        assert_eq!(t.db.one(&format!("select kind from task where order_id = '{id}'")).await, task);
        assert_eq!(
            t.db.one(&format!(
                "select sum(amount_minor) from ledger_entry where order_id = '{id}' and book = 'unallocated'"
            ))
            .await,
            (-amount).to_string()
        );
    }
    t.finish_with_jobs().await;
}

/// Rows: O6, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_money_delivers_an_expired_order_and_waits_for_a_refund_on_a_cancelled_one() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    let (late, gone) = (t.order(variant, 1).await, t.order(variant, 1).await);
    t.advance(TimeDelta::hours(2)).await;
    assert_eq!(dispense::payments::attempts::close::expire_overdue(&t.app.payments).await.unwrap(), 2);
    assert_eq!(t.order_state(late.order.id).await, "expired");
    t.db.sql(&format!(
        "update orders set state = 'cancelled', cancelled_at = app_now() where id = '{}'",
        gone.order.id.0
    ))
    .await;
    assert_eq!(t.notify(&Said::paid(&late, "T1")).await.0, 200);
    assert_eq!(t.notify(&Said::paid(&gone, "T2")).await.0, 200);
    assert_one_fulfilment(&t, late.order.id).await;
    assert_eq!(t.order_state(gone.order.id).await, "cancelled");
    assert_eq!(t.unit_states(gone.order.id).await, "unassigned:1");
    assert_eq!(t.db.one("select kind from task").await, "payment_for_cancelled_order");
    t.finish_with_jobs().await;
}

/// Rows: P3, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_notice_is_stored_and_changes_nothing() {
    let t = shop().await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    let (headers, body) = Said::paid(&placed, "T1").signed(t.app.clock.unix());
    let mut request = t.http().post(format!("{}/webhooks/generic", t.base)).body(body.replace("T1", "T2"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    assert!(request.send().await.unwrap().status().is_client_error());
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(t.db.one("select verdict from notice").await, "forged");
    t.finish_with_jobs().await;
}

/// Rows: P5, P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_faster_than_its_order_is_refused_and_matched_later_by_the_sweep() {
    let t = shop().await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let said = Said::paid(&placed, "T1");
    assert!(t.notify(&said).await.0 >= 400);
    assert_eq!(t.db.one("select verdict from notice").await, "orphan");
    t.attempt(&placed, 1).await;
    assert_eq!(dispense::payments::notices::orphans::sweep(&t.app.payments).await.unwrap(), 1);
    assert_one_fulfilment(&t, placed.order.id).await;
    assert_eq!(t.notify(&said).await.0, 200);
    t.finish_with_jobs().await;
}

/// The attempt's own transaction is still open when its notice comes: nobody waits for it, nothing is lost.
/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_meets_an_attempt_not_yet_committed_is_refused_and_its_repeat_is_taken() {
    let t = shop().await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let said = Said::paid(&placed, "T1");
    let held = t.db.client().await;
    let attempt = format!(
        "begin; insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
           expected_currency) select gen_random_uuid(), id, 'generic', '{{}}', 1, number, total_minor, currency
         from orders where number = '{}'",
        placed.order.number
    );
    held.batch_execute(&attempt).await.unwrap();
    assert!(t.notify(&said).await.0 >= 400);
    assert_eq!(t.db.one("select verdict from notice").await, "orphan");
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    held.batch_execute("commit").await.unwrap();
    assert_eq!(t.notify(&said).await.0, 200);
    assert_one_fulfilment(&t, placed.order.id).await;
    drop(held);
    t.finish_with_jobs().await;
}

/// Rows: P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_order_gets_failure_for_ten_minutes_then_success_and_a_task() {
    let t = shop().await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let said = Said { number: format!("{}-9", placed.order.number), ..Said::paid(&placed, "T1") };
    assert!(t.notify(&said).await.0 >= 400);
    t.advance(TimeDelta::minutes(9)).await;
    assert!(t.notify(&said).await.0 >= 400);
    t.advance(TimeDelta::minutes(2)).await;
    assert_eq!(t.notify(&said).await.0, 200);
    assert_eq!(t.db.one("select kind from task").await, "notice_orphan");
    t.finish_with_jobs().await;
}

/// Rows: K9, K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_stock_the_payment_stands_and_new_keys_fill_the_line_in_the_order_of_payment() {
    let t = shop().await;
    let variant = t.selling_keys(2, 990).await;
    let orders = [t.order(variant, 1).await, t.order(variant, 1).await];
    t.db.sql("update vault_key set state = 'voided', voided_at = app_now()").await;
    for (index, placed) in orders.iter().enumerate().rev() {
        assert_eq!(t.notify(&Said::paid(placed, &format!("T{index}"))).await.0, 200);
        assert_eq!(t.order_state(placed.order.id).await, "paid");
        assert_eq!(t.unit_states(placed.order.id).await, "awaiting_stock:1");
    }
    assert_eq!(t.db.one("select count(*) from task where kind = 'awaiting_stock'").await, "1");
    // The second order was paid first.
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(orders[1].order.id).await, "assigned:1");
    assert_eq!(t.unit_states(orders[0].order.id).await, "awaiting_stock:1");
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(orders[0].order.id).await, "assigned:1");
    assert_eq!(t.db.one("select state from task where kind = 'awaiting_stock'").await, "resolved");
    t.finish_with_jobs().await;
}

/// Rows: O4, K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_gets_all_its_keys_or_none_and_other_lines_are_delivered() {
    let t = shop().await;
    let (plenty, scarce) = (t.selling_keys(5, 100).await, t.selling_keys(3, 200).await);
    let placed = t.order_of(&[(plenty, 2), (scarce, 3)]).await;
    t.db.sql(&format!("update vault_key set state = 'voided', voided_at = app_now() where id = (select id from vault_key where variant_id = '{}' limit 1)", scarce.0)).await;
    assert_eq!(t.notify(&Said::paid(&placed, "T1")).await.0, 200);
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:2 awaiting_stock:3");
    assert_eq!(
        t.db.one(&format!(
            "select count(*) from vault_key where variant_id = '{}' and state = 'available'",
            scarce.0
        ))
        .await,
        "2"
    );
    t.import(scarce, 1).await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:5");
    t.finish_with_jobs().await;
}

/// Rows: P9, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_refund_seen_at_the_gateway_revokes_everything_in_the_same_transaction() {
    let t = shop().await;
    let variant = t.selling_keys(5, 990).await;
    let placed = t.paid_order(variant, 1).await;
    let said = Said {
        id: "evt_refund".into(),
        kind: "payment.refunded",
        refunded_minor: Some(990),
        ..Said::paid(&placed, &format!("T{}", placed.order.number))
    };
    for _ in 0..2 {
        assert_eq!(t.notify(&said).await.0, 200);
    }
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:1");
    assert_eq!(t.db.one("select state || ' ' || refunded_minor from payment").await, "refunded 990");
    assert_eq!(t.db.one("select sum(amount_minor) from ledger_entry where book = 'gateway'").await, "0");
    assert_eq!(
        t.db.one("select count(*) from refund where state = 'succeeded' and origin = 'gateway'").await,
        "1"
    );
    t.finish_with_jobs().await;
}

/// Rows: O8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_of_nothing_is_settled_by_the_same_function_without_a_gateway() {
    let t = shop().await;
    let variant = t.selling_keys(2, 0).await;
    let placed = t.place(&[(variant, 1)]).await;
    let order =
        dispense::payments::attempts::checkout::settle_free(&t.app.payments, &placed.order).await.unwrap();
    assert!(order.state.is_paid());
    dispense::payments::attempts::checkout::settle_free(&t.app.payments, &placed.order).await.unwrap();
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(t.db.one("select count(*) from payment where account_id = 'free' and allocated").await, "1");
    t.finish_with_jobs().await;
}
