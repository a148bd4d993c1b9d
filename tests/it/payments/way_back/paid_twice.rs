//! An order that was paid twice, and money that is not what was asked for.

use serde_json::json;

use super::shop::{Bought, bought};
use crate::graphql::client::Client;
use crate::payments::street::{currency, street};

async fn twice() -> Bought {
    let shop = bought(&[(1, 1_900)]).await;
    shop.street.act(&shop.placed.order.number, "pay-twice");
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [] CAPTURED CAPTURED");
    shop
}

/// Rows: O6, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_paid_twice_keeps_its_goods_when_the_first_payment_goes_back() {
    let shop = twice().await;
    shop.report(&shop.sum(1_900, 0)).await;
    assert_eq!(shop.money().await, "0.00 [SUCCEEDED 19.00] REFUNDED CAPTURED");
    assert_eq!(
        (shop.units().await, shop.order().await["stage"].clone()),
        ("assigned:1".into(), json!("DELIVERED"))
    );
    assert_eq!(shop.tasks().await, "", "the second payment pays for the order: nobody has to give it back");
    assert_eq!(
        shop.street.t.db.one("select count(*) from event where kind = 'payment.allocated'").await,
        "1"
    );
    // Now the second goes back too, by staff: the goods with it.
    let done = shop.staff_refund(json!({})).await;
    assert_eq!(done["userErrors"], json!([]));
    shop.street.settled().await;
    assert_eq!(shop.units().await, "revoked:1");
    shop.sound().await;
}

/// Rows: O6, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_gives_its_place_to_another_leaves_the_lines_whole_whatever_moves_with_it() {
    // In one transaction the row of a sum gives way to the refund of all that it was a part of.
    let shop = twice().await;
    shop.report(&shop.sum(500, 0)).await;
    assert_eq!(shop.money().await, "5.00 [SUCCEEDED 5.00] PARTIALLY_REFUNDED CAPTURED");
    shop.report(&shop.refund("refund.created", "re_1", 1_900, "succeeded", None, 0)).await;
    assert_eq!(shop.money().await, "0.00 [SUCCEEDED 19.00] REFUNDED CAPTURED");
    assert_eq!(shop.units().await, "assigned:1");
    shop.sound().await;
    // The same with a refund by name that fails and a sum that takes all, and back again.
    let shop = twice().await;
    shop.report(&shop.refund("refund.created", "re_1", 500, "succeeded", None, 0)).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_1", 1_900, "needs_response", 1)).await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "lost", 2)).await;
    shop.report(&shop.refund("refund.failed", "re_1", 500, "failed", None, 900)).await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "won", 1_800)).await;
    shop.street.settled().await;
    shop.sound().await;
}

/// Rows: O6, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_refund_of_an_order_is_the_same_refund_also_when_another_payment_pays_by_then() {
    let shop = twice().await;
    let wish = json!({ "idempotencyKey": "give the order back" });
    let first = shop.staff_refund(wish.clone()).await;
    shop.street.settled().await;
    assert_eq!(shop.units().await, "assigned:1", "the second payment pays now");
    let again = shop.staff_refund(wish).await;
    assert_eq!((&again["refund"]["id"], &again["userErrors"]), (&first["refund"]["id"], &json!([])));
    assert_eq!(shop.money().await, "0.00 [SUCCEEDED 19.00] REFUNDED CAPTURED");
    let other = shop.staff_refund(json!({ "idempotencyKey": "give the order back", "amount": "1.00" })).await;
    assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_CONFLICT");
    shop.sound().await;
}

/// Rows: P9, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_a_second_trade_that_comes_before_its_payment_waits_for_it() {
    let shop = bought(&[(1, 1_900)]).await;
    let number = shop.placed.order.number.clone();
    shop.street.act(&number, "hold-notices");
    shop.street.act(&number, "pay-twice");
    let second = shop.street.there(&number)["captures"][1]["trade_no"].clone();
    let mut refunded = shop.sum(500, 1);
    refunded.object["payment_intent"] = second.clone();
    refunded.object["metadata"] = json!({ "order_no": number });
    assert_eq!(shop.send(&refunded).await, 503, "the other trade is not known yet");
    assert_eq!(shop.money().await, "0.00 [] CAPTURED");
    shop.street.act(&number, "release-notices");
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [] CAPTURED CAPTURED");
    shop.report(&refunded).await;
    let given = format!("select refunded_minor from payment where trade_no = {second}").replace('"', "'");
    assert_eq!(shop.street.t.db.one(&given).await, "500");
    assert_eq!(shop.units().await, "assigned:1");
    shop.sound().await;
}

/// Rows: O6, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_payment_that_is_going_back_itself_does_not_cover_and_a_person_decides_meanwhile() {
    let shop = twice().await;
    shop.street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    let second = shop.street.t.db.one("select id from payment where not allocated").await;
    let second = dispense::base::ids::PaymentId(second.parse().unwrap()).to_string();
    let give_back =
        "mutation($p: ID!) { paymentRefund(input: { idempotencyKey: \"give it back 0001\", paymentId: $p }) {
        refund { state } userErrors { code } } }";
    let answer = shop.staff.data(give_back, json!({ "p": second })).await["paymentRefund"].clone();
    assert_eq!(answer["refund"]["state"], "PENDING");
    shop.report(&shop.sum(1_900, 0)).await;
    assert_eq!(
        (shop.units().await, shop.order().await["stage"].clone()),
        ("assigned:1".into(), json!("NEEDS_ATTENTION"))
    );
    assert!(shop.tasks().await.contains("order_uncovered"), "{}", shop.tasks().await);
    let reveal =
        "mutation($l: ID!, $t: String) { deliveryReveal(input: { target: { lineId: $l }, accessToken: $t }) {
        secrets { text } userErrors { code } } }";
    let line = shop.order().await["lines"][0]["id"].clone();
    let token = shop.placed.access_token.expose().to_owned();
    let shown = Client::new(&shop.street.t.app).data(reveal, json!({ "l": line, "t": token })).await;
    assert_eq!(shown["deliveryReveal"], json!({ "secrets": [], "userErrors": [{ "code": "REVOKED" }] }));
    // The second refund ends: no money is left, so the goods go.
    shop.street.simulator.set_trouble(json!({})).unwrap();
    shop.street.act(&shop.placed.order.number, "finish-refund");
    shop.street.settled().await;
    shop.street.t.advance(chrono::TimeDelta::hours(1)).await;
    shop.street.settled().await;
    assert_eq!(shop.units().await, "revoked:1");
    shop.sound().await;
}

/// Rows: O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_is_not_what_was_asked_for_is_looked_at_and_nobody_is_asked_to_pay_again() {
    let street = crate::payments::street::street().await;
    for (act, input, due) in [
        ("wrong-amount", json!({ "amount": 1_710 }), "1.90"),
        ("wrong-amount", json!({ "amount": 2_500 }), "0.00"),
        ("wrong-currency", json!({ "currency": "EUR" }), "19.00"),
    ] {
        let variant = street.t.selling_keys(1, 1_900).await;
        let placed = street.t.place(&[(variant, 1)]).await;
        street.start(&placed, "stripe").await;
        street.try_act(&placed.order.number, act, input).unwrap();
        street.settled().await;
        let token = placed.access_token.expose().to_owned();
        let buyer = Client::new(&street.t.app);
        let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id state stage canPay canCancel
            due { amount } whyNotDelivered { code } paymentMethods { id } } }";
        let order = buyer.data(query, json!({ "n": placed.order.number, "t": token })).await["order"].clone();
        assert_eq!(
            (&order["state"], &order["stage"]),
            (&json!("PENDING_PAYMENT"), &json!("NEEDS_ATTENTION")),
            "{act}"
        );
        assert_eq!((&order["canPay"], &order["canCancel"]), (&json!(false), &json!(false)));
        assert_eq!((&order["due"]["amount"], &order["paymentMethods"]), (&json!(due), &json!([])));
        assert_eq!(order["whyNotDelivered"]["code"], "PAYMENT_NEEDS_ATTENTION");
        let start = "mutation($i: PaymentStartInput!) { paymentStart(input: $i) { payment { id } userErrors { code } } }";
        let wish = json!({ "orderId": order["id"], "accessToken": token, "idempotencyKey": "another try to pay",
            "options": { "methodId": "mth_generic", "accepts": ["REDIRECT"] } });
        let refused = buyer.data(start, json!({ "i": wish })).await["paymentStart"].clone();
        assert_eq!(refused["userErrors"][0]["code"], "NEEDS_ATTENTION", "{refused}");
        let cancel = "mutation($i: OrderCancelInput!) { orderCancel(input: $i) { userErrors { code } } }";
        let wish = json!({ "orderId": order["id"], "accessToken": token });
        let refused = buyer.data(cancel, json!({ "i": wish })).await["orderCancel"].clone();
        assert_eq!(refused["userErrors"][0]["code"], "PAYMENT_IN_PROGRESS", "{refused}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P9, A3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_one_of_two_trades_is_its_own_in_every_order_of_their_news() {
    for gateway in ["stripe", "generic"] {
        let street = street().await;
        for seed in 0..6 {
            let variant = street.selling(gateway, 1, 1_900).await;
            let placed = street.t.place_in(&[(variant, 1)], currency(gateway)).await;
            street.start(&placed, gateway).await;
            let number = placed.order.number.clone();
            street.act(&number, "hold-notices");
            street.act(&number, "pay-twice");
            street.t.advance(chrono::TimeDelta::seconds(20)).await;
            let trade = street.there(&number)["captures"][1]["trade_no"].clone();
            let part = json!({ "amount": 500, "trade_no": trade });
            street.try_act(&number, "refund-part", part).unwrap();
            street.t.advance(chrono::TimeDelta::seconds(20)).await;
            street.try_act(&number, "release-notices", json!({ "seed": seed })).unwrap();
            // What waited for its trade's money is sent again.
            for _ in 0..4 {
                street.settled().await;
                street.t.advance(chrono::TimeDelta::minutes(2)).await;
            }
            let sql = format!(
                "select string_agg(concat(trade_no, ' ', state, ' ', refunded_minor), ', ' order by refunded_minor) \
                 from payment where order_id = '{}'",
                placed.order.id.0
            );
            let books = street.t.db.one(&sql).await;
            let wanted = format!("{} partially_refunded 500", trade.as_str().unwrap());
            assert!(
                books.contains(" captured 0, ") && books.ends_with(&wanted),
                "{gateway} {seed} {books} {}",
                street.reported(&number)
            );
        }
        street.t.finish_with_jobs().await;
    }
}
