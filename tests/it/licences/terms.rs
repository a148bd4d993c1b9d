//! Which variants sell licences, and for how many devices.

use serde_json::{Value, json};

use crate::goods::shop::Counter;

const PRODUCT: &str = "query($id: ID!) { node(id: $id) { ... on Variant { goods { ... on KeyGoods {
    licensing activationLimit warrantyDays } } } } }";

/// Rows: K16.
/// Sends: variantUpdate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variant_of_keys_sells_licences_for_so_many_devices_and_nothing_else_does() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let keys = t.selling_keys(3, 500).await;
    let files = t.variant_on_sale("file", 500).await;
    let visitor = t.visitor("198.51.100.7");
    let boss = visitor.signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let edit = async |variant: dispense::base::ids::VariantId, fields: Value| {
        let input = json!({ "variantId": variant.to_string(), "fields": fields });
        boss.act("variantUpdate", input, "variant { id }").await["userErrors"].clone()
    };
    let goods =
        async || visitor.ask(PRODUCT, json!({ "id": keys.to_string() })).await["node"]["goods"].clone();
    let none = json!({ "licensing": false, "activationLimit": null, "warrantyDays": null });
    assert_eq!(goods().await, none);
    for (variant, fields, field) in [
        (files, json!({ "licensing": true }), "licensing"),
        (keys, json!({ "activationLimit": 3 }), "activationLimit"),
        (keys, json!({ "licensing": true, "activationLimit": 0 }), "activationLimit"),
        (keys, json!({ "licensing": false, "activationLimit": 3 }), "activationLimit"),
    ] {
        let no = edit(variant, fields).await;
        assert_eq!((&no[0]["code"], &no[0]["field"][1]), (&json!("INVALID"), &json!(field)), "{no}");
    }
    assert_eq!(goods().await, none);
    assert_eq!(edit(keys, json!({ "licensing": true, "activationLimit": 3 })).await, json!([]));
    assert_eq!(goods().await, json!({ "licensing": true, "activationLimit": 3, "warrantyDays": null }));
    // Another edit leaves them alone, also one by a program of before the terms were one column.
    assert_eq!(edit(keys, json!({ "warrantyDays": 14 })).await, json!([]));
    t.db.sql("update variant set warranty_days = 15").await;
    assert_eq!(goods().await, json!({ "licensing": true, "activationLimit": 3, "warrantyDays": 15 }));

    let early = t.paid_order(keys, 1).await;
    assert_eq!(edit(keys, json!({ "activationLimit": null })).await, json!([]));
    let late = t.paid_order(keys, 1).await;
    for (placed, limit) in [(&early, json!(3)), (&late, json!(null))] {
        assert_eq!(shop.line(placed).await["terms"]["activationLimit"], limit);
    }
    assert_eq!(edit(keys, json!({ "activationLimit": 9 })).await, json!([]));
    assert_eq!(edit(keys, json!({ "licensing": false })).await, json!([]));
    let bare = json!({ "licensing": false, "activationLimit": null, "warrantyDays": 15 });
    assert_eq!(goods().await, bare, "the limit goes with it");
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
