//! Disputes are rows: parts, several at once, inquiries, verdicts that turn.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::bought;
use crate::payments::street::street;

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_about_a_part_that_is_lost_takes_that_part_and_a_person_decides_about_the_goods() {
    let shop = bought(&[(2, 1_900)]).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_1", 500, "needs_response", 0)).await;
    assert_eq!(shop.money().await, "0.00 [] DISPUTED");
    let refused = shop.staff_refund(json!({})).await;
    assert_eq!(
        (&refused["userErrors"][0]["code"], &refused["refund"]),
        (&json!("DISPUTE_OPEN"), &json!(null))
    );
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 500, "lost", 1)).await;
    assert_eq!(shop.money().await, "5.00 [] PARTIALLY_REFUNDED");
    assert_eq!(
        (shop.units().await, shop.tasks().await),
        ("assigned:2".into(), "dispute_lost_in_part".into())
    );
    // The bank turns its verdict around.
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 500, "won", 600)).await;
    assert_eq!(shop.money().await, "0.00 [] CAPTURED");
    assert_eq!(shop.tasks().await, "dispute_won_late");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_disputes_about_one_payment_are_told_apart_and_the_last_one_opens_the_doors() {
    let shop = bought(&[(2, 1_900)]).await;
    for id in ["dp_1", "dp_2"] {
        shop.report(&shop.dispute("charge.dispute.created", id, 1_900, "needs_response", 0)).await;
    }
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "won", 1)).await;
    assert_eq!(shop.money().await, "0.00 [] DISPUTED", "the other one is open");
    shop.report(&shop.dispute("charge.dispute.closed", "dp_2", 1_900, "lost", 2)).await;
    assert_eq!(shop.money().await, "19.00 [] PARTIALLY_REFUNDED");
    // What came late about them changes nothing.
    shop.report(&shop.dispute("charge.dispute.created", "dp_2", 1_900, "needs_response", 0)).await;
    shop.report(&shop.dispute("charge.dispute.funds_withdrawn", "dp_1", 1_900, "needs_response", 0)).await;
    assert_eq!(shop.money().await, "19.00 [] PARTIALLY_REFUNDED");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inquiry_moves_nothing_holds_nothing_and_may_be_refunded() {
    let shop = bought(&[(1, 1_900)]).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_1", 1_900, "warning_needs_response", 0)).await;
    assert_eq!(
        (shop.money().await, shop.tasks().await),
        ("0.00 [] CAPTURED".into(), "dispute_inquiry".into())
    );
    assert_eq!(shop.street.t.db.one("select count(*) from hold").await, "0");
    let done = shop.staff_refund(json!({})).await;
    assert_eq!(done["refund"]["state"], "SUCCEEDED", "{done}");
    shop.street.settled().await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "warning_closed", 60)).await;
    assert_eq!(
        (shop.money().await, shop.tasks().await),
        ("19.00 [SUCCEEDED 19.00] REFUNDED".into(), "".into())
    );
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_during_a_dispute_stands_when_the_dispute_is_given_up_and_an_end_without_a_beginning_counts()
{
    let shop = bought(&[(1, 1_900)]).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_1", 1_900, "needs_response", 0)).await;
    shop.report(&shop.refund("refund.created", "re_1", 1_900, "succeeded", None, 1)).await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_1", 1_900, "lost", 2)).await;
    assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] REFUNDED", "nothing was left to lose");
    assert_eq!(shop.units().await, "revoked:1");
    shop.sound().await;
    let shop = bought(&[(1, 1_900)]).await;
    shop.report(&shop.dispute("charge.dispute.closed", "dp_2", 1_900, "lost", 2)).await;
    shop.report(&shop.dispute("charge.dispute.created", "dp_2", 1_900, "needs_response", 0)).await;
    assert_eq!(shop.money().await, "19.00 [] LOST");
    assert_eq!(shop.units().await, "revoked:1");
    shop.sound().await;
}

/// Rows: P9, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_a_dispute_counts_although_an_answer_without_its_name_came_later() {
    let shop = bought(&[(2, 1_900)]).await;
    let number = shop.placed.order.number.clone();
    shop.street.act(&number, "hold-notices");
    shop.street.try_act(&number, "dispute-part", json!({ "amount": 283 })).unwrap();
    shop.street.t.advance(TimeDelta::minutes(20)).await;
    // A refund that failed late makes the shop ask, and Stripe answers that the charge is disputed.
    shop.report(&shop.refund("refund.created", "re_9", 700, "succeeded", None, -600)).await;
    shop.report(&shop.refund("refund.failed", "re_9", 700, "failed", None, 0)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 7.00] DISPUTED");
    let dispute = shop.street.there(&number)["disputes"][0]["id"].clone();
    shop.street.try_act(&number, "dispute-lost", json!({ "dispute": dispute })).unwrap();
    // It goes on answering so, long after the verdict.
    shop.street.t.advance(TimeDelta::minutes(30)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 7.00] DISPUTED");
    shop.street.try_act(&number, "release-notices", json!({ "seed": 1 })).unwrap();
    shop.street.settled().await;
    assert_eq!(shop.money().await, "2.83 [FAILED 7.00] PARTIALLY_REFUNDED");
    shop.sound().await;
}

/// Rows: P9, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_names_no_dispute_moves_none_that_has_a_name() {
    // Stripe calls a charge disputed for ever; the question of a bank about it holds nothing all the same.
    let shop = bought(&[(2, 1_900)]).await;
    let number = shop.placed.order.number.clone();
    shop.street.try_act(&number, "dispute-part", json!({ "amount": 500 })).unwrap();
    let dispute = shop.street.there(&number)["disputes"][0]["id"].clone();
    shop.street.try_act(&number, "dispute-lost", json!({ "dispute": dispute })).unwrap();
    shop.street.try_act(&number, "inquiry", json!({ "amount": 700 })).unwrap();
    shop.street.settled().await;
    shop.street.t.advance(TimeDelta::minutes(20)).await;
    shop.report(&shop.refund("refund.created", "re_9", 700, "succeeded", None, -600)).await;
    shop.report(&shop.refund("refund.failed", "re_9", 700, "failed", None, 0)).await;
    shop.street.settled().await;
    shop.street.t.advance(TimeDelta::minutes(20)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "5.00 [FAILED 7.00] PARTIALLY_REFUNDED");
    assert_eq!(shop.street.t.db.one("select count(*) from hold").await, "0");
    shop.sound().await;
}

/// PayPal reports that money was taken without saying in which dispute, and news of an earlier one may come after it.
/// Rows: P9, A3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disputes_of_paypal_end_the_same_in_every_order_of_their_news() {
    let street = street().await;
    let mut bought = Vec::new();
    for _ in 0..6 {
        let variant = street.selling("paypal", 1, 1_900).await;
        let placed = street.t.place(&[(variant, 1)]).await;
        street.start(&placed, "paypal").await;
        street.act(&placed.order.number, "pay");
        street.settled().await;
        bought.push(placed.order);
    }
    let each = |act: &str, input: &dyn Fn(&str) -> serde_json::Value| {
        for order in &bought {
            street.try_act(&order.number, act, input(&order.number)).unwrap();
        }
    };
    let nth = |n: usize| {
        let street = &street;
        move |number: &str| json!({ "dispute": street.there(number)["disputes"][n]["id"] })
    };
    each("hold-notices", &|_| json!({}));
    each("dispute", &|_| json!({}));
    street.t.advance(TimeDelta::minutes(20)).await;
    each("dispute-withdrawn", &nth(0));
    street.t.advance(TimeDelta::minutes(20)).await;
    each("dispute-part", &|_| json!({ "amount": 540 }));
    street.t.advance(TimeDelta::minutes(20)).await;
    each("dispute-lost", &nth(1));
    for (seed, order) in bought.iter().enumerate() {
        street.try_act(&order.number, "release-notices", json!({ "seed": seed })).unwrap();
        street.settled().await;
        let sql = format!(
            "select concat(state, ' ', refunded_minor, ' ', lost_minor) from payment where order_id = '{}'",
            order.id.0
        );
        assert_eq!(
            street.t.db.one(&sql).await,
            "partially_refunded 0 540",
            "{}",
            street.reported(&order.number)
        );
    }
    street.t.finish_with_jobs().await;
}
