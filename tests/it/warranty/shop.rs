//! What these tests ask of a shop, and see of its orders.

use dispense::base::actor::Role;
use dispense::base::ids::{BatchId, UnitId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::graphql::doors::shop::{Bought, Goods, Shop, once, refusal};
use crate::harness::TestApp;
use crate::harness::visitor::Visitor;

const LINE: &str =
    "lines { id canReport deliveredQuantity deliveries(first: 50) { nodes { id state replacedBy } }
    cases { id state outcome problem wish text answers { action text byStaff replacedBy refundId } } }";

/// Replaces a delivery; what is in `more` is added to the input.
pub async fn replace(who: &Visitor, delivery: &str, more: Value) -> Value {
    let mut input =
        json!({ "idempotencyKey": once(), "deliveryId": delivery, "reason": "its publisher refuses it" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    who.act("deliveryReplace", input, "replayed delivery { id state replacedBy } line { id }").await
}

/// What is offered with a variant.
pub async fn promise(shop: &Shop, goods: &Goods, fields: Value) {
    let input = json!({ "variantId": goods.variant, "fields": fields });
    assert_eq!(refusal(&shop.seller.act("variantUpdate", input, "").await), "done");
}

/// The first line of an order, as its holder sees it.
pub async fn line(shop: &Shop, bought: &Bought) -> Value {
    let who = if bought.token.is_null() { &shop.buyer } else { &shop.guest };
    let query =
        format!("query($n: String!, $t: String) {{ order(number: $n, accessToken: $t) {{ {LINE} }} }}");
    let order = who.ask(&query, json!({ "n": bought.number, "t": bought.token })).await;
    order["order"]["lines"][0].clone()
}

/// A delivery of a line.
pub fn piece(line: &Value, id: &str) -> Value {
    let nodes = line["deliveries"]["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["id"] == id).unwrap_or_else(|| panic!("no {id}: {line}")).clone()
}

/// The states of a line's deliveries, in the order of the alphabet.
pub fn states(line: &Value) -> String {
    let nodes = line["deliveries"]["nodes"].as_array().unwrap();
    let mut states: Vec<&str> = nodes.iter().map(|node| node["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    states.join(" ")
}

/// What `deliveryReveal` answers a guest.
pub async fn reveal(shop: &Shop, bought: &Bought, target: Value) -> Value {
    let input = json!({ "target": target, "accessToken": bought.token });
    shop.guest.act("deliveryReveal", input, "secrets { text delivery { id } }").await
}

/// The texts that an order's first line shows to its guest.
pub async fn texts(shop: &Shop, bought: &Bought) -> Vec<String> {
    let line = line(shop, bought).await["id"].clone();
    let shown = reveal(shop, bought, json!({ "lineId": line })).await;
    let secrets = shown["secrets"].as_array().unwrap();
    secrets.iter().map(|secret| secret["text"].as_str().unwrap().to_owned()).collect()
}

/// Somebody who may do everything, in a shop that has no people yet.
pub async fn boss(t: &TestApp) -> Visitor {
    t.person("boss@shop.example", &[Role::Admin]).await;
    let session = t.sign_in("boss@shop.example").await;
    t.visitor("198.51.100.9").signed_in(&session.tokens.access)
}

/// Ids as the API gives them, of a query that gives one column of them.
pub async fn ids(t: &TestApp, sql: &str) -> Vec<Uuid> {
    t.db.sql(sql).await.into_iter().map(|mut row| row.remove(0).unwrap().parse().unwrap()).collect()
}

/// The deliveries of a query for ids of units.
pub async fn units(t: &TestApp, sql: &str) -> Vec<String> {
    ids(t, sql).await.into_iter().map(|id| UnitId(id).to_string()).collect()
}

/// The batch of which keys were sold.
pub async fn sold_batch(t: &TestApp) -> String {
    let sql = "select batch_id from vault_key where state = 'sold' order by sold_at limit 1";
    BatchId(ids(t, sql).await.remove(0)).to_string()
}

/// Recalls a batch.
pub async fn recall(who: &Visitor, batch: &str, action: &str) -> Value {
    let input =
        json!({ "idempotencyKey": once(), "batchId": batch, "action": action, "reason": "they were leaked" });
    let fields =
        "batch { id recalledAt } job { id kind state done total } recall { id action holders frozen open }";
    who.act("keyBatchRecall", input, fields).await
}

/// How far a recall has come, as one line.
pub async fn progress(who: &Visitor, batch: &str) -> String {
    let query = "query($id: ID!) { node(id: $id) { ... on KeyBatch { recall {
        action holders open replaced waiting refunded skipped failed } } } }";
    let recall = who.ask(query, json!({ "id": batch })).await["node"]["recall"].clone();
    let count = |name: &str| format!("{name} {}", recall[name].as_str().unwrap());
    let counts = ["open", "replaced", "waiting", "refunded", "skipped", "failed"].map(count);
    let all = format!("{} of {}: ", recall["action"].as_str().unwrap(), recall["holders"].as_str().unwrap());
    all + &counts.into_iter().filter(|count| !count.ends_with(" 0")).collect::<Vec<_>>().join(", ")
}

/// How many keys are in each state, as `available:1 sold:2`.
pub async fn keys(t: &TestApp) -> String {
    let sql = "select coalesce(string_agg(state || ':' || n, ' ' order by state), '') from
        (select state, count(*) n from vault_key group by state) s";
    t.db.one(sql).await
}
