//! A seller makes a bundle, from nothing to its sale.

use dispense::base::actor::Role;
use dispense::base::ids::VariantId;
use serde_json::{Value, json};

use super::shop::Shelf;
use crate::harness::codes;

/// Rows: C2 (productCreate, variantCreate, variantUpdate, productSubmit, productApprove).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_made_of_own_variants_that_are_sold_in_its_currencies_and_of_nothing_else() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    let boss = shop.boss().await;
    let new = json!({ "slug": "starter-set", "texts": [{ "locale": "en", "name": "Starter Set" }] });
    let product = boss.act("productCreate", new, "product { id }").await["product"]["id"].clone();
    let price = |currency: &str, unit: &str| json!({ "currency": currency, "unit": unit });
    let part = |id: &VariantId, quantity: i32| json!({ "variantId": id.to_string(), "quantity": quantity });
    let create = async |fields: Value| {
        let input = json!({ "productId": product, "kind": "bundle", "fields": fields });
        let fields = "variant { id version goods { kind ... on BundleGoods { items { quantity } } } }";
        boss.act("variantCreate", input, fields).await
    };
    // What nobody of this seller sells looks like what does not exist.
    let stranger = VariantId(t.app.clock.uuid());
    let foreign = t.variant_on_sale("key", 100).await;
    let other = t.app.clock.uuid();
    t.db.sql(&format!(
        "insert into seller (id, slug, name) values ('{other}', 'another', 'Another');
         alter table variant drop constraint variant_product_fkey; alter table price drop constraint price_variant_fkey;
         update variant set seller_id = '{other}' where id = '{0}'; update price set seller_id = '{other}' where variant_id = '{0}'",
        foreign.0
    ))
    .await;
    let retired = t.variant_on_sale("key", 100).await;
    t.db.sql(&format!("update variant set state = 'retired' where id = '{}'", retired.0)).await;
    let one = |given: Value| json!({ "parts": [given] });
    let many: Vec<Value> = (0..21).map(|_| part(&VariantId(t.app.clock.uuid()), 1)).collect();
    for (fields, code, field) in [
        (json!({ "parts": [] }), "INVALID", json!(["fields", "parts"])),
        (json!({ "parts": many }), "INVALID", json!(["fields", "parts"])),
        (one(part(&shop.key, 0)), "INVALID", json!(["fields", "parts", "0", "quantity"])),
        (one(part(&shop.key, -1)), "INVALID", json!(["fields", "parts", "0", "quantity"])),
        (one(part(&shop.key, 101)), "INVALID", json!(["fields", "parts", "0", "quantity"])),
        (
            json!({ "parts": [part(&shop.key, 60), part(&shop.file, 41)] }),
            "INVALID",
            json!(["fields", "parts"]),
        ),
        (
            json!({ "parts": [part(&shop.key, 1), part(&shop.key, 1)] }),
            "INVALID",
            json!(["fields", "parts", "1", "variantId"]),
        ),
        (one(part(&shop.bundle, 1)), "INVALID", json!(["fields", "parts", "0", "variantId"])),
        (one(part(&retired, 1)), "INVALID", json!(["fields", "parts", "0", "variantId"])),
        (one(part(&foreign, 1)), "NOT_FOUND", json!(["fields", "parts", "0", "variantId"])),
        (one(part(&stranger, 1)), "NOT_FOUND", json!(["fields", "parts", "0", "variantId"])),
        (one(json!({ "variantId": "nonsense" })), "NOT_FOUND", json!(["fields", "parts", "0", "variantId"])),
        (
            json!({ "prices": [price("USD", "9.00"), price("EUR", "8.00")], "parts": [part(&shop.key, 1)] }),
            "PRICE_INVALID",
            json!(["fields", "parts", "0", "variantId"]),
        ),
        (json!({ "saleCap": 3 }), "INVALID", json!(["fields", "saleCap"])),
        (json!({ "reservationMinutes": 3 }), "INVALID", json!(["fields", "reservationMinutes"])),
    ] {
        let refused = create(fields.clone()).await;
        let reported = &refused["userErrors"][0];
        assert_eq!((&reported["code"], &reported["field"]), (&json!(code), &field), "{fields}: {refused}");
        assert_eq!(refused["variant"], Value::Null);
    }
    assert_eq!(t.db.one("select count(*) from bundle_part").await, "4", "what was refused left nothing");
    assert_eq!(shop.edit(shop.key, one(part(&shop.file, 1))).await, json!(["INVALID", ["fields", "parts"]]));

    // One without parts is a draft that nobody can submit.
    let made = create(json!({ "prices": [price("USD", "9.99")] })).await;
    assert_eq!((codes(&made), &made["variant"]["goods"]["items"]), (vec![], &json!([])));
    let bundle = VariantId::parse(made["variant"]["id"].as_str().unwrap()).unwrap();
    let submit =
        async || boss.act("productSubmit", json!({ "productId": product }), "product { state }").await;
    let lacking = submit().await;
    assert_eq!(codes(&lacking), ["NOT_SUBMITTABLE"]);
    assert!(lacking["userErrors"][0]["message"].as_str().unwrap().contains("no parts"), "{lacking}");
    // A file that is not there yet is missing from the bundle, too; keys may come later.
    let empty = t.variant_on_sale("file", 100).await;
    shop.consists_of(bundle, &[(empty, 1), (shop.key, 1)]).await;
    assert_eq!(codes(&submit().await), ["NOT_SUBMITTABLE"]);
    shop.consists_of(bundle, &[(shop.key, 3), (shop.file, 1)]).await;
    assert_eq!(
        shop.edit(bundle, json!({ "prices": [price("EUR", "9.00")] })).await,
        json!(["PRICE_INVALID", ["fields", "prices"]])
    );
    assert_eq!(codes(&submit().await), Vec::<&str>::new());
    let approved = boss
        .act("productApprove", json!({ "productId": product }), "product { onSale availability { canBuy } }")
        .await;
    assert_eq!(approved["product"], json!({ "onSale": true, "availability": { "canBuy": false } }));
    t.import(shop.key, 3).await;
    let placed = t
        .visitor("192.0.2.4")
        .order(&bundle.to_string(), 1, "9.99", json!({ "email": "ada@example.com" }))
        .await;
    assert_eq!(codes(&placed), Vec::<&str>::new());
    // A part lost its price in the order's currency.
    t.db.sql(&format!("update price set currency = 'EUR' where variant_id = '{}'", shop.file.0)).await;
    assert_eq!(shop.problems(bundle, 1).await, [("CURRENCY_NOT_SOLD".into(), Value::Null)]);
    // Nobody else edits it.
    t.person("sam@shop.example", &[Role::Seller]).await;
    t.db.sql(&format!("update seller_member set seller_id = '{other}' where user_id = (select id from app_user where email = 'sam@shop.example')")).await;
    let sam = shop.who("sam@shop.example").await;
    let input = json!({ "variantId": bundle.to_string(), "fields": one(part(&foreign, 1)) });
    assert_eq!(codes(&sam.act("variantUpdate", input, "variant { id }").await), ["NOT_FOUND"]);
    t.drain().await;
    shop.t.finish_with_jobs().await;
}
