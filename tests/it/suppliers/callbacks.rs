//! Late answers: believed only with the connection's own signature, bound to connection and purchase, applied once.

use dispense::base::ids::SupplierId;
use dispense::base::secret::Secret;
use dispense::infra::webhook_signature;
use serde_json::{Value, json};

use super::shop::Bazaar;

/// Sends a callback as whoever has this secret; the status and the code of a problem.
async fn send(shop: &Bazaar, supplier: &str, secret: &str, at: i64, body: &str) -> (u16, String) {
    let secret = Secret::new(secret);
    let headers = webhook_signature::sign([&secret].into_iter(), "cb_1", at, body.as_bytes()).unwrap();
    let url = format!("{}/suppliers/{supplier}/callback", shop.t().base);
    let mut call = shop.t().http().post(url).header("content-type", "application/json");
    for (name, value) in headers {
        call = call.header(name, value);
    }
    let answer = call.body(body.to_owned()).send().await.unwrap();
    let status = answer.status().as_u16();
    let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_verified_bound_to_its_purchase_and_applied_once() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Late").await;
    let variant = shop.selling(&[&supplier]).await;
    shop.trouble(&["pending"]);
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    let unit = shop.units(placed.order.id).await[0].to_string();
    let (_, secret) = shop.simulator.supplier("");
    let now = t.app.clock.unix();
    let body = json!({ "request_id": unit, "state": "delivered", "texts": ["SUP-late-1"] }).to_string();

    let other = webhook_signature::new_secret();
    assert_eq!(send(&shop, &supplier, other.expose(), now, &body).await, (401, "UNAUTHENTICATED".into()));
    assert_eq!(send(&shop, &supplier, &secret, now - 301, &body).await, (401, "UNAUTHENTICATED".into()));
    let nobody = SupplierId(t.app.clock.uuid()).to_string();
    assert_eq!(send(&shop, &nobody, &secret, now, &body).await, (404, "NOT_FOUND".into()));
    assert_eq!(send(&shop, "x", &secret, now, &body).await, (404, "NOT_FOUND".into()));
    let unsigned = t.post(&format!("/suppliers/{supplier}/callback"), &json!({})).await;
    assert_eq!(unsigned.status().as_u16(), 401);
    for (said, wanted) in [
        ("not JSON", (400, "INVALID".to_owned())),
        ("{}", (400, "INVALID".to_owned())),
        (&json!({ "request_id": unit, "state": "who knows" }).to_string(), (400, "INVALID".to_owned())),
        (
            &json!({ "request_id": "dlv_none", "state": "delivered" }).to_string(),
            (404, "NOT_FOUND".to_owned()),
        ),
    ] {
        assert_eq!(send(&shop, &supplier, &secret, now, said).await, wanted, "{said}");
    }
    // Another connection's purchase, signed by the right secret of the wrong connection.
    let mut input = shop.connection("Foreign");
    input["signingSecret"] = json!(null);
    let foreign = shop.create(&shop.boss().await, input).await;
    let (id, made) =
        (foreign["supplier"]["id"].as_str().unwrap(), foreign["signingSecret"].as_str().unwrap());
    t.canary(made);
    assert_eq!(send(&shop, id, made, now, &body).await, (404, "NOT_FOUND".into()));
    assert_eq!(shop.purchases(&placed).await, "pending", "nothing of it was applied");
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_supplier:1");

    let sends = (0..8).map(|_| shop.simulator.supplier_calls_back(&unit, None));
    let answers = futures::future::join_all(sends).await;
    assert!(answers.iter().all(|answer| *answer == Ok(204)), "{answers:?}");
    assert_eq!(shop.purchases(&placed).await, "delivered");
    assert_eq!(shop.counter.texts(&placed).await.len(), 1);
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "1");
    shop.sound().await;
}

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_goods_under_a_delivered_purchase_are_kept_out_of_sale_and_a_late_no_changes_nothing() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Fickle").await;
    let variant = shop.selling(&[&supplier]).await;
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    let unit = shop.units(placed.order.id).await[0].to_string();
    let shown = shop.counter.texts(&placed).await;
    let no = json!({ "request_id": unit, "state": "refused", "reason": "never mind" });
    assert_eq!(shop.simulator.supplier_calls_back(&unit, Some(no)).await, Ok(204));
    let more = json!({ "request_id": unit, "state": "delivered", "texts": ["SUP-more-1"] });
    assert_eq!(shop.simulator.supplier_calls_back(&unit, Some(more.clone())).await, Ok(204));
    assert_eq!(shop.simulator.supplier_calls_back(&unit, Some(more)).await, Ok(204));
    assert_eq!(shop.purchases(&placed).await, "delivered");
    assert_eq!(shop.counter.texts(&placed).await, shown);
    assert_eq!(t.db.one("select string_agg(state, ' ' order by state) from vault_key").await, "frozen sold");
    assert_eq!(t.db.one("select count(*) from task where kind = 'purchase_quarantined'").await, "1");
    t.drain().await;
    shop.counter.must_be_sound().await;
    shop.counter.t.finish_with_jobs().await;
}

/// A refusal by callback sends the unit to the next supplier; a delivery after it is a supplier that thought better of it.
/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_by_callback_goes_to_the_next_supplier_and_goods_after_it_are_stock() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    shop.trouble(&["pending"]);
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    let unit = shop.units(placed.order.id).await[0].to_string();
    let no = json!({ "request_id": unit, "state": "refused", "reason": "out of stock" });
    let secret = shop.simulator.supplier("").1;
    let now = t.app.clock.unix();
    assert_eq!(send(&shop, &first, &secret, now, &no.to_string()).await.0, 204);
    assert_eq!(shop.purchases(&placed).await, "refused:OUT_OF_STOCK");
    let yes = json!({ "request_id": unit, "state": "delivered", "texts": ["SUP-after-all"] });
    assert_eq!(send(&shop, &first, &secret, now, &yes.to_string()).await.0, 204);
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "the unit was still waiting");
    t.drain().await;
    assert_eq!(shop.purchases(&placed).await, "delivered:OUT_OF_STOCK");
    assert_eq!(shop.counter.texts(&placed).await, ["SUP-after-all"]);
    shop.counter.must_be_sound().await;
    shop.counter.t.finish_with_jobs().await;
}
