//! Sellers make, edit, test and pause connections.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::ids::SupplierId;
use serde_json::{Value, json};

use super::shop::Bazaar;
use crate::harness::visitor::Visitor;

const TEST: &str = "mutation($in: SupplierTestInput!) { supplierTest(input: $in) {
    supplier { id } status userErrors { code field } } }";
const LIST: &str = "query($v: ID!) { seller { suppliers { id name state callbackUrl createdAt
    mapping { requestId answerState refused } } supplierOffers(variantId: $v) { supplierId product maxPrice { amount } } } }";

async fn test(by: &Visitor, id: &str) -> Value {
    by.ask(TEST, json!({ "in": { "supplierId": id } })).await["supplierTest"].clone()
}

fn first(answer: &Value) -> Value {
    answer["userErrors"][0].clone()
}

/// Rows: D7 (supplierCreate, supplierUpdate, supplierTest, seller).
/// Sends: supplierCreate, supplierUpdate, supplierTest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_checked_when_they_are_made_tested_and_kept_from_strangers() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let boss = shop.boss().await;
    let boss = &boss;
    let good = shop.connection("Gifts");
    let with = |field: &str, value: Value| {
        let mut input = good.clone();
        input[field] = value;
        input
    };
    let no = |code: &str, field: &str| json!({ "code": code, "field": [field] });
    for (input, wanted) in [
        (with("name", json!("  ")), no("INVALID", "name")),
        (with("url", json!("ftp://127.0.0.1/x")), no("URL_NOT_ALLOWED", "url")),
        (with("url", json!("https://10.0.0.1/x")), no("URL_NOT_ALLOWED", "url")),
        (with("url", json!("https://[::ffff:169.254.169.254]/x")), no("URL_NOT_ALLOWED", "url")),
        (with("url", json!("https://user:pass@supplier.example/x")), no("URL_NOT_ALLOWED", "url")),
        (with("url", json!("https://supplier.example:22/x")), no("URL_NOT_ALLOWED", "url")),
        (with("url", json!("no address")), no("URL_NOT_ALLOWED", "url")),
        (with("statusUrl", json!("https://supplier.example/x")), no("INVALID", "statusUrl")),
        (with("statusUrl", json!("https://167772161/{request_id}")), no("URL_NOT_ALLOWED", "statusUrl")),
        (with("signingSecret", json!("whsec_c2hvcnQ=")), no("SECRET_TOO_WEAK", "signingSecret")),
        (with("signingSecret", json!("")), no("SECRET_TOO_WEAK", "signingSecret")),
        (with("currency", json!("XXX")), no("CURRENCY_NOT_SUPPORTED", "currency")),
        (with("timeoutSeconds", json!(0)), no("INVALID", "timeoutSeconds")),
        (with("timeoutSeconds", json!(31)), no("INVALID", "timeoutSeconds")),
        (
            with("mapping", json!({ "answerState": "state" })),
            json!({ "code": "INVALID", "field": ["mapping", "answerState"] }),
        ),
        (
            with("mapping", json!({ "product": "request_id" })),
            json!({ "code": "INVALID", "field": ["mapping", "requestId"] }),
        ),
        (
            with("mapping", json!({ "delivered": ["ok"], "pending": ["ok"] })),
            json!({ "code": "INVALID", "field": ["mapping", "delivered"] }),
        ),
        (
            with("mapping", json!({ "refused": [] })),
            json!({ "code": "INVALID", "field": ["mapping", "refused"] }),
        ),
    ] {
        assert_eq!(first(&shop.create(boss, input.clone()).await), wanted, "{input}");
    }
    assert_eq!(
        first(&shop.create(&shop.who("ada@buyer.example").await, good.clone()).await),
        no("NOT_FOUND", "sellerId")
    );
    assert_eq!(t.db.one("select count(*) from supplier").await, "0");

    let made = shop.create(boss, with("signingSecret", json!(null))).await;
    let secret = made["signingSecret"].as_str().unwrap();
    t.canary(secret);
    assert!(secret.starts_with("whsec_") && secret.len() > 40);
    let id = made["supplier"]["id"].as_str().unwrap();
    assert_eq!(test(boss, id).await["userErrors"][0]["code"], "SUPPLIER_REFUSED", "it knows another secret");
    let right = shop.update(id, json!({ "signingSecret": shop.simulator.supplier("").1 })).await;
    assert_eq!(right["userErrors"], json!([]));
    assert!(right["supplier"]["oldSecretUntil"].is_string());
    assert_eq!(test(boss, id).await, json!({ "supplier": { "id": id }, "status": 404, "userErrors": [] }));
    let rotated = shop.update(id, json!({ "rotateSecret": true })).await;
    t.canary(rotated["signingSecret"].as_str().unwrap());
    assert_eq!(test(boss, id).await["status"], 404, "the secret before signs too, for a day");
    t.advance(TimeDelta::hours(25)).await;
    let boss = &shop.boss().await;
    assert_eq!(first(&test(boss, id).await)["code"], "SUPPLIER_REFUSED");

    let version = rotated["supplier"]["version"].as_i64().unwrap();
    let stale = shop.update(id, json!({ "name": "Other", "expectedVersion": version - 1 })).await;
    assert_eq!(first(&stale), no("VERSION_CONFLICT", "expectedVersion"));
    let renamed =
        shop.update(id, json!({ "name": "Other", "expectedVersion": version, "statusUrl": null })).await;
    assert_eq!(
        (&renamed["supplier"]["name"], &renamed["supplier"]["statusUrl"]),
        (&json!("Other"), &json!(null))
    );
    assert_eq!(first(&test(boss, id).await), no("INVALID", "supplierId"), "there is nothing to ask");
    assert_eq!(
        first(&shop.update(id, json!({ "url": "https://127.0.0.2:9/" })).await),
        no("URL_NOT_ALLOWED", "url")
    );
    let nobody = SupplierId(t.app.clock.uuid()).to_string();
    assert_eq!(first(&shop.update(&nobody, json!({})).await), no("NOT_FOUND", "supplierId"));
    assert_eq!(first(&test(&shop.who("ada@buyer.example").await, id).await), no("NOT_FOUND", "supplierId"));
    assert_eq!(first(&test(boss, "sup_x").await)["code"], "NOT_FOUND");
    let variant = shop.selling(&[id]).await;
    let listed = boss.ask(LIST, json!({ "v": variant.to_string() })).await["seller"].clone();
    assert_eq!(listed["suppliers"][0]["callbackUrl"], format!("{}/suppliers/{id}/callback", t.base));
    assert_eq!(
        listed["supplierOffers"],
        json!([{ "supplierId": id, "product": "GIFT", "maxPrice": { "amount": "5.00" } }])
    );
    let foreign = shop.who("ada@buyer.example").await.ask(LIST, json!({ "v": variant.to_string() })).await;
    assert_eq!(foreign["seller"], json!(null));
    shop.counter.must_be_sound().await;
    shop.counter.t.finish_with_jobs().await;
}

/// Rows: C2, D7 (supplierOffersSet).
/// Sends: supplierOffersSet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_are_of_the_sellers_own_suppliers_and_decide_whether_it_can_be_bought() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = t.variant_on_sale("supplier", 990).await;
    let offer = |id: &str, product: &str, price: &str| json!({ "supplierId": id, "product": product, "maxPrice": price });
    let seen = shop.offer(variant, json!([])).await;
    assert_eq!(seen["variant"]["availability"], json!({ "level": "OUT_OF_STOCK", "canBuy": false }));
    let at = |field: &str| json!(["offers", "0", field]);
    for (offers, code, field) in [
        (json!([offer("sup_x", "A", "1")]), "NOT_FOUND", at("supplierId")),
        (
            json!([offer(&SupplierId(t.app.clock.uuid()).to_string(), "A", "1")]),
            "NOT_FOUND",
            at("supplierId"),
        ),
        (json!([offer(&supplier, " ", "1")]), "INVALID", at("product")),
        (json!([offer(&supplier, "A", "1.234")]), "INVALID", at("maxPrice")),
        (
            json!([offer(&supplier, "A", "1"), offer(&supplier, "B", "1")]),
            "INVALID",
            json!(["offers", "1", "supplierId"]),
        ),
        (Value::Array(vec![offer(&supplier, "A", "1"); 11]), "TOO_MANY", json!(["offers"])),
    ] {
        let refused = shop.offer(variant, offers.clone()).await;
        assert_eq!(first(&refused), json!({ "code": code, "field": field }), "{offers}");
    }
    let keys = t.selling_keys(0, 500).await;
    let refused = shop.offer(keys, json!([offer(&supplier, "A", "1")])).await;
    assert_eq!(first(&refused), json!({ "code": "INVALID", "field": ["variantId"] }));
    let set = shop.offer(variant, json!([offer(&supplier, "A", "4.00")])).await;
    assert_eq!(set["variant"]["availability"], json!({ "level": "ON_DEMAND", "canBuy": true }));
    assert_eq!(set["variant"]["goods"], json!({ "__typename": "SupplierGoods", "kind": "supplier" }));

    // Of another seller's supplier nothing is bought.
    t.person("olga@other.example", &[Role::Seller]).await;
    let other = t.app.clock.uuid();
    t.db.sql(&format!(
        "insert into seller (id, slug, name) values ('{other}', 'another', 'Another');
         update seller_member set seller_id = '{other}'"
    ))
    .await;
    let olga = shop.who("olga@other.example").await;
    let mut input = shop.connection("Olgas");
    input["sellerId"] = json!(dispense::base::ids::SellerId(other).to_string());
    let foreign = shop.create(&olga, input).await["supplier"]["id"].clone();
    let refused = shop.offer(variant, json!([offer(foreign.as_str().unwrap(), "A", "1")])).await;
    assert_eq!(first(&refused), json!({ "code": "NOT_FOUND", "field": ["offers", "0", "supplierId"] }));

    // Paid while nobody sells it: a person, until an offer is there.
    let placed = t.order(variant, 1).await;
    shop.offer(variant, json!([])).await;
    let said = crate::harness::Said::paid(&placed, "T1");
    assert_eq!(t.notify(&said).await.0, 200);
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_person:1");
    shop.offer(variant, json!([offer(&supplier, "A", "4.00")])).await;
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    shop.sound().await;
}

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_supplier_gets_no_purchase_and_one_that_took_too_much_is_paused_by_itself() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    shop.trouble(&["dear"]);
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(shop.purchases(&placed).await, "quarantined:PRICE_ABOVE_AGREED delivered");
    let seen = shop.update(&first, json!({})).await["supplier"].clone();
    assert_eq!((&seen["state"], &seen["pausedFor"]), (&json!("PAUSED"), &json!("PRICE_ABOVE_AGREED")));
    assert_eq!(t.db.one("select state from task where kind = 'supplier_paused'").await, "open");
    let next = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(shop.purchases(&next).await, "delivered", "the second at once");
    let active = shop.update(&first, json!({ "state": "ACTIVE" })).await["supplier"].clone();
    assert_eq!((&active["state"], &active["pausedFor"]), (&json!("ACTIVE"), &json!(null)));
    assert_eq!(t.db.one("select state from task where kind = 'supplier_paused'").await, "resolved");
    // Paused between the payment and the purchase.
    let waiting = t.paid_order(variant, 1).await;
    shop.update(&first, json!({ "state": "PAUSED" })).await;
    t.drain().await;
    assert_eq!(shop.purchases(&waiting).await, "abandoned:PAUSED delivered");
    shop.sound().await;
}
