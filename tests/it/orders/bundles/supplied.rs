//! A part that is bought at a supplier.

use dispense::base::ids::UnitId;
use serde_json::{Value, json};

use crate::suppliers::shop::Bazaar;

/// One piece of the part is refused by its supplier and made by a person, the other one comes; the rest of the bundle waits for
/// neither.
/// Rows: C2, D7 (deliveryFulfilManually).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_from_a_supplier_comes_later_than_the_keys_beside_it() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let (gift, key) = (shop.selling(&[&supplier]).await, t.selling_keys(1, 500).await);
    let bundle = t.variant_on_sale("bundle", 1_000).await;
    let part = |id: dispense::base::ids::VariantId, n| json!({ "variantId": id.to_string(), "quantity": n });
    let edit =
        json!({ "variantId": bundle.to_string(), "fields": { "parts": [part(gift, 2), part(key, 1)] } });
    let fields = "variant { goods { delivery { instant withinSeconds } } }";
    let edited = shop.boss().await.act("variantUpdate", edit, fields).await;
    assert_eq!(edited["variant"]["goods"]["delivery"], json!({ "instant": false, "withinSeconds": 60 }));
    shop.trouble(&["refuse"]);
    let placed = t.paid_order(bundle, 1).await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1 awaiting_supplier:2");
    let line = shop.counter.line(&placed).await;
    assert_eq!(line["state"], "AWAITING_SUPPLIER");
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:2 awaiting_person:1");
    let query = "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { lines { whyNotDelivered { code } parts { kind
        deliveredQuantity whyNotDelivered { code } } } } }";
    let asked = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
    let seen = t.visitor("192.0.2.1").ask(query, asked).await["order"]["lines"][0].clone();
    let person = json!({ "code": "AWAITING_PERSON" });
    assert_eq!(
        seen,
        json!({ "whyNotDelivered": person, "parts": [
            { "kind": "supplier", "deliveredQuantity": 1, "whyNotDelivered": person },
            { "kind": "key", "deliveredQuantity": 1, "whyNotDelivered": Value::Null } ] })
    );
    let waiting = t.db.one("select id from unit where state = 'awaiting_person'").await;
    let id = UnitId(waiting.parse().unwrap()).to_string();
    let input = json!({ "deliveryId": id, "secretText": "SUP-made by hand" });
    let done =
        shop.boss().await.act("deliveryFulfilManually", input, "line { state partOf { state } }").await;
    assert_eq!(done["line"], json!({ "state": "ASSIGNED", "partOf": { "state": "ASSIGNED" } }));
    assert_eq!(shop.counter.texts(&placed).await.len(), 3);
    t.drain().await;
    shop.sound().await;
}
