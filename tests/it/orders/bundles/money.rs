//! The price of a bundle, shared out to its parts, and given back by part or whole.

use dispense::base::ids::LineId;
use dispense::orders::lines::shares;
use serde_json::{Value, json};

use super::shop::Shelf;
use crate::payments::street::{Street, street};
use crate::payments::way_back::shop::{Bought, paid, placed};

/// Numbers that look like chance and are the same each time.
fn numbers(mut seed: u64) -> impl FnMut(i64) -> i64 {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as i64) % below
    }
}

/// Rows: C2.
#[test]
fn shares_sum_to_the_price_and_follow_what_the_parts_cost() {
    assert_eq!(shares(1_999, &[(700, 2), (500, 1), (300, 1), (1_000, 1)]), [875, 312, 187, 625]);
    assert_eq!(shares(100, &[(1, 1), (1, 1), (1, 1)]), [34, 33, 33], "the first of equals takes the rest");
    assert_eq!(shares(500, &[(0, 3), (999, 1), (0, 1)]), [0, 500, 0], "what costs nothing has no share");
    assert_eq!(shares(500, &[(0, 3), (0, 1), (0, 1)]), [300, 100, 100], "unless nothing costs anything");
    assert_eq!(shares(0, &[(700, 2), (0, 1)]), [0, 0], "a bundle may be a gift");
    assert_eq!(shares(i64::MAX / 8, &[(i64::MAX, 100), (i64::MAX, 100)]).iter().sum::<i64>(), i64::MAX / 8);
    let mut any = numbers(20_261_128);
    for _ in 0..5_000 {
        let parts: Vec<(i64, i32)> =
            (0..1 + any(20)).map(|_| (any(3) * any(100_000), 1 + any(9) as i32)).collect();
        let price = any(4) * any(1_000_000);
        let found = shares(price, &parts);
        assert_eq!(found.iter().sum::<i64>(), price, "{price} {parts:?}");
        let whole: i128 = parts.iter().map(|(cost, each)| i128::from(*cost) * i128::from(*each)).sum();
        for ((cost, each), share) in parts.iter().zip(&found).filter(|_| whole > 0) {
            let exact = i128::from(price) * i128::from(*cost) * i128::from(*each);
            assert!((i128::from(*share) * whole - exact).abs() < whole, "{price} {parts:?} {found:?}");
        }
    }
}

/// Rows: C2, O4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_sums_over_odd_prices_to_the_unit_of_each_bundle() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    let mut any = numbers(7);
    t.import(shop.key, 40).await;
    let free = t.variant_on_sale("file", 0).await;
    crate::downloads::shop::FileShop { variant: free }.publish(t, "a", "1", b"free").await;
    shop.consists_of(shop.bundle, &[(shop.key, 3), (free, 2), (shop.secret, 1), (shop.manual, 1)]).await;
    let mut wanted = 0;
    for round in 0..24 {
        let price = [1, 2, 7, 99, 100, 101, 3_333, 1_000_003][round % 8] + any(3);
        let list = format!(
            "update price set unit_minor = {price} where variant_id = '{}'; \
             update price set unit_minor = {} where variant_id = '{}'",
            shop.bundle.0,
            any(2_000),
            shop.key.0
        );
        t.db.sql(&list).await;
        let placed = t.place(&[(shop.bundle, 1 + any(4) as i32), (shop.secret, 1)]).await;
        wanted += 1;
        let free_units = format!(
            "select coalesce(sum(total_minor), 0) from unit where order_id = '{}' and variant_id = '{}'",
            placed.order.id.0, free.0
        );
        assert_eq!(t.db.one(&free_units).await, "0");
    }
    assert_eq!(t.db.one("select count(*) from orders").await, wanted.to_string());
    // The invariants of money and of bundles look at each of them.
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Two bundles of two keys, a file and a shared secret, ordered at Stripe for 26.74.
async fn ordered() -> Bought {
    let Street { t, simulator } = street().await;
    let shelf = Shelf::over(t).await;
    shelf.consists_of(shelf.bundle, &[(shelf.key, 2), (shelf.file, 1), (shelf.secret, 1)]).await;
    shelf
        .t
        .db
        .sql(&format!("update price set unit_minor = 1337 where variant_id = '{}'", shelf.bundle.0))
        .await;
    shelf.t.import(shelf.key, 4).await;
    let Shelf { t, bundle, .. } = shelf;
    placed(Street { t, simulator }, &[(bundle, 2)]).await
}

/// The states of an order's units by the kind of their part.
async fn states(shop: &Bought) -> String {
    let sql = "select string_agg(kind || ' ' || state || ':' || n, ', ' order by kind, state) from
        (select l.kind, u.state, count(*) n from unit u join order_line l on l.id = u.line_id group by 1, 2) s";
    shop.street.t.db.one(sql).await
}

/// Ids of lines as clients know them, of the bundle and of its part of this kind.
async fn line(shop: &Bought, kind: &str) -> String {
    let id = shop.street.t.db.one(&format!("select id from order_line where kind = '{kind}'")).await;
    LineId(id.parse().unwrap()).to_string()
}

/// Minor units that the lines' sales are worth, by kind.
async fn earned(shop: &Bought) -> String {
    let sql = "select coalesce(string_agg(kind || ' ' || n, ', ' order by kind), '') from (select l.kind, -sum(e.amount_minor) n
        from ledger_entry e join order_line l on l.id = e.line_id where e.book = 'sales' group by 1) s";
    shop.street.t.db.one(sql).await
}

async fn refund(shop: &Bought, wish: Value) -> Value {
    let mut input = json!({ "orderId": shop.placed.order.id.to_string(),
        "idempotencyKey": hex::encode(dispense::base::clock::random::<12>()) });
    input.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    let t = &shop.street.t;
    let staff = t.visitor("198.51.100.9").signed_in(&t.sign_in("support@shop.example").await.tokens.access);
    let done = staff.act("orderRefund", input, "refund { id state amount { amount } }").await;
    shop.street.settled().await;
    match done["userErrors"].get(0) {
        Some(error) => json!([error["code"], error["field"]]),
        None => json!([done["refund"]["amount"]["amount"], done["refund"]["id"]]),
    }
}

/// Rows: C2, P9 (orderRefund).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_one_part_takes_that_part_alone_and_the_rest_goes_back_with_the_line() {
    let shop = paid(ordered().await).await;
    let t = &shop.street.t;
    // 13.37 over 14.00, 5.00 and 3.00, and each key half of its part's share.
    assert_eq!(earned(&shop).await, "file 608, key 1702, secret 364");
    let whole = "file assigned:2, key assigned:4, secret assigned:2";
    assert_eq!(states(&shop).await, whole);
    let all = shop.deliveries(0).await;
    assert_eq!(all.len(), 8);
    let (bundle, file) = (line(&shop, "bundle").await, line(&shop, "file").await);
    let nobody = LineId(t.app.clock.uuid()).to_string();
    for (wish, wanted) in [
        (json!({ "lineId": nobody }), json!(["NOT_FOUND", ["lineId"]])),
        (json!({ "lineId": "nonsense" }), json!(["NOT_FOUND", ["lineId"]])),
        (json!({ "lineId": file, "units": [all[0]] }), json!(["INVALID", ["lineId"]])),
        (json!({ "lineId": file, "amount": "6.09" }), json!(["REFUND_TOO_LARGE", ["amount"]])),
    ] {
        assert_eq!(refund(&shop, wish).await, wanted);
    }
    assert_eq!(states(&shop).await, whole);

    let one_key = refund(&shop, json!({ "units": [all[0]] })).await;
    assert_eq!(one_key[0], "4.26", "a cent more than the second");
    assert_eq!(states(&shop).await, "file assigned:2, key assigned:3, key revoked:1, secret assigned:2");
    assert_eq!(t.db.one("select string_agg(state || ':' || n, ' ' order by state) from (select state, count(*) n from vault_key group by 1) s").await, "sold:3 voided:1");
    let one_part = refund(&shop, json!({ "lineId": file })).await;
    assert_eq!(one_part[0], "6.08");
    assert_eq!(states(&shop).await, "file revoked:2, key assigned:3, key revoked:1, secret assigned:2");
    assert_eq!(refund(&shop, json!({ "lineId": file })).await[0], "ALREADY_REFUNDED");
    assert_eq!(earned(&shop).await, "file 0, key 1276, secret 364");
    let order = shop.order().await;
    assert_eq!(order["lines"][0]["refunded"]["amount"], "10.34", "the sum of what went back of its parts");
    assert_eq!(order["refunded"]["amount"], "10.34");

    // The same request again is the same refund.
    let wish = json!({ "lineId": bundle, "idempotencyKey": "the-same-key-of-support" });
    let rest = refund(&shop, wish.clone()).await;
    assert_eq!(rest[0], "16.40");
    assert_eq!(refund(&shop, wish).await, rest);
    assert_eq!(states(&shop).await, "file revoked:2, key revoked:4, secret revoked:2");
    let order = shop.order().await;
    assert_eq!((&order["stage"], &order["refunded"]["amount"]), (&json!("REFUNDED"), &json!("26.74")));
    assert_eq!(order["lines"][0]["refunded"]["amount"], "26.74");
    assert_eq!(earned(&shop).await, "file 0, key 0, secret 0");
    assert_eq!(shop.street.refunded(&shop.placed.order.number), 2_674, "the gateway says the same");
    shop.sound().await;
}

/// One of two bundles goes back by its pieces, for exactly what one costs; then the buyer disputes the payment and loses
/// nothing else: a dispute is of the whole payment.
/// Rows: C2, P9 (orderRefund).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pieces_of_one_bundle_cost_what_it_costs_and_a_lost_dispute_takes_all_parts() {
    let shop = paid(ordered().await).await;
    let all = shop.deliveries(0).await;
    // Two keys, a file and the secret: the first of each.
    let first = [&all[0], &all[1], &all[4], &all[6]];
    assert_eq!(refund(&shop, json!({ "units": first })).await[0], "13.37");
    assert_eq!(
        states(&shop).await,
        "file assigned:1, file revoked:1, key assigned:2, key revoked:2, secret assigned:1, secret revoked:1"
    );
    let dispute = |kind, status, at| shop.dispute(kind, "dp_1", 1_337, status, at);
    shop.report(&dispute("charge.dispute.created", "needs_response", 10)).await;
    assert_eq!(shop.order().await["whyNotDelivered"]["code"], "PAYMENT_DISPUTED");
    shop.report(&dispute("charge.dispute.closed", "lost", 20)).await;
    shop.street.settled().await;
    assert_eq!(states(&shop).await, "file revoked:2, key revoked:4, secret revoked:2");
    assert_eq!(earned(&shop).await, "file 0, key 0, secret 0");
    shop.sound().await;
}
