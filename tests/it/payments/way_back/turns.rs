//! Refunds that succeed and fail later, and the other way round.

use serde_json::json;

use super::shop::{Bought, bought, started};
use crate::payments::street::{currency, street};

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_fails_later_is_taken_back_in_books_state_mail_and_queue_and_may_succeed_after_all() {
    let shop = bought(&[(1, 1_900)]).await;
    let asked = shop.staff_refund(json!({})).await;
    let ours = asked["refund"]["id"].as_str().unwrap().to_owned();
    let there = shop.street.there(&shop.placed.order.number)["refunds"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] REFUNDED");
    let failed = |kind, at| shop.refund(kind, &there, 1_900, "failed", Some(&ours), at);
    for event in [failed("refund.failed", 5), failed("refund.updated", 5), failed("refund.failed", 5)] {
        shop.report(&event).await;
    }
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");
    assert_eq!(
        (shop.mails("refund_made").await, shop.mails("refund_failed").await),
        ("1".into(), "1".into())
    );
    assert_eq!(shop.tasks().await, "refund_failed");
    // A sum that was said before the failure, and a success that is older than it, change nothing.
    shop.report(&shop.sum(1_900, -60)).await;
    shop.report(&shop.refund("refund.updated", &there, 1_900, "succeeded", Some(&ours), 1)).await;
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");

    shop.report(&shop.refund("refund.updated", &there, 1_900, "succeeded", Some(&ours), 900)).await;
    assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] REFUNDED");
    assert_eq!(shop.units().await, "revoked:1");
    assert_eq!(
        (shop.mails("refund_made").await, shop.tasks().await),
        ("2".into(), "refund_succeeded_late".into())
    );
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_failed_gives_its_units_free_for_another_and_their_sums_are_told_apart() {
    let shop = bought(&[(2, 1_900)]).await;
    shop.street.simulator.set_trouble(json!({ "refunds": "failed" })).unwrap();
    let unit = shop.deliveries(0).await.remove(0);
    let first = shop.staff_refund(json!({ "units": [unit] })).await;
    assert_eq!((&first["userErrors"], shop.units().await), (&json!([]), "assigned:2".into()));
    shop.street.settled().await;
    shop.street.simulator.set_trouble(json!({})).unwrap();
    assert_eq!(shop.tasks().await, "refund_failed");
    let second = shop.staff_refund(json!({ "units": [unit] })).await;
    assert_eq!(second["refund"]["state"], "SUCCEEDED", "{second}");
    shop.street.settled().await;
    assert_eq!(shop.money().await, "19.00 [FAILED 19.00, SUCCEEDED 19.00] PARTIALLY_REFUNDED");
    assert_eq!(shop.units().await, "assigned:1 revoked:1");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_is_asked_for_the_sum_when_a_refund_fails_late_and_its_answer_may_lower_it() {
    let shop = bought(&[(1, 1_900)]).await;
    shop.report(&shop.sum(1_900, 0)).await;
    assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] REFUNDED");
    let asks = "select count(*) from job where kind = 'refund.ask_sum' and run_at <= app_now()";
    assert_eq!(shop.street.t.db.one(asks).await, "0");
    shop.report(&shop.refund("refund.created", "re_9", 1_900, "succeeded", None, 0)).await;
    shop.report(&shop.refund("refund.failed", "re_9", 1_900, "failed", None, 3)).await;
    assert_eq!(shop.street.t.db.one(asks).await, "1");
    // The simulator's own books never had this refund: nothing went back.
    shop.street.settled().await;
    shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_older_than_the_failure_it_follows_counts_nothing_until_it_is_repeated_later() {
    let shop = bought(&[(1, 1_900)]).await;
    let number = shop.placed.order.number.clone();
    let asked = shop.staff_refund(json!({})).await;
    let ours = asked["refund"]["id"].as_str().unwrap().to_owned();
    let there = shop.street.there(&number)["refunds"][0]["id"].as_str().unwrap().to_owned();
    // The simulator's own books keep the refund: every answer of its names the old sum.
    shop.report(&shop.refund("refund.failed", &there, 1_900, "failed", Some(&ours), 0)).await;
    let queue = "select count(*) filter (where run_at <= app_now()) || ' due, ' || count(*) from job
        where kind = 'refund.ask_sum' and state = 'queued'";
    assert_eq!(shop.street.t.db.one(queue).await, "1 due, 2");
    shop.street.settled().await;
    assert_eq!(
        shop.street.t.db.one("select told_sum_minor || ' ' || told_sum_asked from payment").await,
        "1900 true"
    );
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");
    // The answer begins no chase of questions: what is left comes later.
    let left = shop.street.t.db.one(queue).await;
    assert!(matches!(left.as_str(), "0 due, 1" | "0 due, 2"), "{left}");
    shop.street.t.advance(chrono::TimeDelta::minutes(4)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");
    shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "19.00 [FAILED 19.00, SUCCEEDED 19.00] REFUNDED");
    // Its mail waits for another look, and no question is left after that.
    shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
    shop.street.settled().await;
    assert_eq!(shop.street.t.db.one(queue).await, "0 due, 0");
    assert_eq!(
        (shop.mails("refund_made").await, shop.mails("refund_failed").await),
        ("2".into(), "1".into())
    );
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_between_two_failures_changes_nothing_when_it_is_heard_last() {
    for second in ["failed", "canceled"] {
        let shop = bought(&[(1, 1_900)]).await;
        let event = |kind, status, at| shop.refund(kind, "re_1", 1_900, status, None, at);
        shop.report(&event("refund.failed", "failed", -7_200)).await;
        shop.report(&event("refund.updated", second, -600)).await;
        shop.report(&event("refund.updated", "succeeded", -3_600)).await;
        shop.report(&shop.sum(1_900, -3_600)).await;
        assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED", "{second}");
        assert_eq!(shop.units().await, "assigned:1");
        shop.sound().await;
    }
}

/// Rows: P9, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_its_gateway_leaves_open_is_put_before_a_person_who_says_how_it_ended() {
    for outcome in ["SUCCEEDED", "FAILED"] {
        let shop = bought(&[(1, 1_900)]).await;
        shop.street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
        let asked = shop.staff_refund(json!({})).await;
        shop.street.t.advance(chrono::TimeDelta::hours(21)).await;
        dispense::payments::refunds::work::sweep_forgotten(&shop.street.t.app.payments).await.unwrap();
        assert_eq!(shop.tasks().await, "refund_overdue");
        let query = "mutation($i: RefundConcludeInput!) { refundConclude(input: $i) {
            refund { state } userErrors { code field } } }";
        let conclude = async |reason: &str| {
            let token = shop.street.t.sign_in("support@shop.example").await.tokens.access;
            let staff = crate::graphql::client::Client::new(&shop.street.t.app).with(token.expose());
            let input = json!({ "refundId": asked["refund"]["id"], "outcome": outcome, "reason": reason });
            staff.data(query, json!({ "i": input })).await["refundConclude"].clone()
        };
        let silent = conclude(" ").await;
        assert_eq!(silent["userErrors"], json!([{ "code": "REASON_REQUIRED", "field": ["reason"] }]));
        assert_eq!(conclude("seen in the console").await["refund"]["state"], outcome);
        assert_eq!(conclude("once more").await["userErrors"][0]["code"], "ILLEGAL_TRANSITION");
        let (money, units, tasks) = match outcome {
            "SUCCEEDED" => ("19.00 [SUCCEEDED 19.00] REFUNDED", "revoked:1", ""),
            _ => ("0.00 [FAILED 19.00] CAPTURED", "assigned:1", "refund_failed"),
        };
        assert_eq!(
            (shop.money().await, shop.units().await, shop.tasks().await),
            (money.into(), units.into(), tasks.into())
        );
        shop.sound().await;
    }
}

/// Rows: P9, M1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_first_heard_of_when_it_fails_opens_a_task_and_ends_what_its_mail_said() {
    // Nothing was said of it before: a person is asked all the same, the buyer knew nothing of it.
    let shop = bought(&[(2, 1_900)]).await;
    shop.report(&shop.refund("refund.failed", "re_1", 500, "failed", None, 0)).await;
    assert_eq!(
        (
            shop.money().await.as_str(),
            shop.tasks().await.as_str(),
            shop.mails("refund_failed").await.as_str()
        ),
        ("0.00 [FAILED 5.00] CAPTURED", "refund_failed", "0")
    );
    shop.report(&shop.refund("refund.created", "re_1", 500, "pending", None, -60)).await;
    assert_eq!(shop.money().await, "0.00 [FAILED 5.00] CAPTURED", "its beginning comes late");
    shop.sound().await;

    // A sum counted it, and its buyer was mailed about that: whole or in part, named while it was on its way or not.
    for (amount, named, units) in
        [(500, false, "assigned:2"), (3_800, false, "revoked:2"), (500, true, "assigned:2")]
    {
        let shop = bought(&[(2, 1_900)]).await;
        let number = shop.placed.order.number.clone();
        shop.street.try_act(&number, "refund-sum-alone", json!({ "amount": amount })).unwrap();
        shop.street.settled().await;
        shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
        shop.street.settled().await;
        assert_eq!(shop.mails("refund_made").await, "1");
        let there = shop.street.there(&number)["refunds"][0]["id"].as_str().unwrap().to_owned();
        if named {
            shop.report(&shop.refund("refund.created", &there, amount, "pending", None, -600)).await;
        }
        shop.street.try_act(&number, "fail-refund", json!({ "refund": there })).unwrap();
        shop.street.settled().await;
        shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
        shop.street.settled().await;
        let failed = format!("0.00 [FAILED {}.00] CAPTURED", amount / 100);
        assert_eq!((shop.money().await, shop.units().await), (failed, units.to_owned()));
        assert!(shop.tasks().await.contains("refund_failed"), "{}", shop.tasks().await);
        assert_eq!(shop.mails("refund_failed").await, "1", "{amount} {named}");
        assert_eq!(shop.mails("refund_made").await, "1", "{amount} {named}");
        shop.sound().await;
    }
}

/// Rows: P9, A3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_refund_that_is_heard_before_its_payment_is_not_lost() {
    for gateway in ["stripe", "generic"] {
        let street = street().await;
        for seed in 0..5 {
            let variant = street.selling(gateway, 1, 1_900).await;
            let placed = street.t.place_in(&[(variant, 1)], currency(gateway)).await;
            street.start(&placed, gateway).await;
            let number = placed.order.number.clone();
            let act = async |act: &str, input: serde_json::Value| {
                street.try_act(&number, act, input).unwrap();
                street.t.advance(chrono::TimeDelta::seconds(20)).await;
            };
            act("hold-notices", json!({})).await;
            act("pay", json!({})).await;
            act("refund-slow", json!({ "amount": 500 })).await;
            let refund = street.there(&number)["refunds"][0]["id"].clone();
            act("fail-refund", json!({ "refund": refund })).await;
            act("release-notices", json!({ "seed": seed })).await;
            street.settled().await;
            let sql = format!(
                "select concat(p.state, ' ', r.state, ' ', p.refunded_minor) from payment p \
                 join refund r on r.payment_id = p.id and r.basis = 'refund' where p.order_id = '{}'",
                placed.order.id.0
            );
            let reported = street.reported(&number);
            assert_eq!(street.t.db.one(&sql).await, "captured failed 0", "{gateway} {seed} {reported}");
        }
        street.t.finish_with_jobs().await;
    }
}

/// Rows: P9, A3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_money_back_waits_also_when_the_gateway_says_that_the_money_is_on_its_way() {
    let news = |shop: &Bought| {
        [
            (shop.refund("refund.updated", "re_1", 500, "succeeded", None, 3), "500 1", "pending"),
            (shop.refund("refund.failed", "re_1", 500, "failed", None, 3), "0 1", "pending"),
            // A sum is money: an answer without any is no answer to it.
            (shop.sum(500, 3), "500 0", "started"),
        ]
    };
    for turn in 0..3 {
        let mut shop = started(&[(1, 1_900)]).await;
        let number = shop.placed.order.number.clone();
        shop.street.act(&number, "hold-notices");
        shop.street.act(&number, "pend");
        shop.intent = "pi_notyethere".into();
        let (mut early, _, state) = news(&shop)[turn].clone();
        early.object["metadata"] = json!({ "order_no": number });
        for _ in 0..2 {
            assert_eq!(shop.send(&early).await, 503, "{early:?}");
            assert_eq!(shop.street.t.db.one("select state from payment").await, state);
        }
        shop.street.act(&number, "pay");
        shop.street.act(&number, "release-notices");
        shop.street.settled().await;
        shop.intent = shop.street.t.db.one("select trade_no from payment").await;
        let (event, wanted, _) = news(&shop)[turn].clone();
        shop.report(&event).await;
        let books = "select concat(refunded_minor, ' ', (select count(*) from refund where basis = 'refund')) \
                     from payment";
        assert_eq!(shop.street.t.db.one(books).await, wanted, "{event:?}");
        shop.sound().await;
    }
}
