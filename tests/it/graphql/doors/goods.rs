//! Files and keys that sellers bring in.

use serde_json::{Value, json};

use super::shop::{BOOK, Shop, deliveries, denied, import, new_keys, publish, refusal, shop, upload};
use crate::harness::visitor::Visitor;
use crate::vault::fingerprints::store_before;

/// The versions that the book's page offers.
async fn offered(shop: &Shop) -> Vec<Value> {
    let query = "query($s: String!) { product(by: { slug: $s }) { variants { goods { ... on FileGoods { files { version size } } } } } }";
    let seen = shop.guest.ask(query, json!({ "s": shop.book.slug })).await;
    seen["product"]["variants"][0]["goods"]["files"].as_array().unwrap().clone()
}

/// Sends: fileUploadCreate, fileVersionPublish, fileVersionYank.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_uploads_a_second_version_and_withdraws_it() {
    let shop = shop().await;
    let t = shop.t();
    let new = |size: &str, name: &str| json!({ "name": name, "size": size });
    assert_eq!(denied(&shop.guest, "fileUploadCreate", new("5", "a.zip")).await, "UNAUTHENTICATED");
    let announce = async |who: &Visitor, input: Value| refusal(&who.act("fileUploadCreate", input, "").await);
    assert_eq!(announce(&shop.buyer, new("5", "a.zip")).await, "FORBIDDEN");
    assert_eq!(announce(&shop.seller, new("-5", "a.zip")).await, "INVALID size");
    assert_eq!(offered(&shop).await, [json!({ "version": "1", "size": BOOK.len().to_string() })]);

    let content = [BOOK, b" And a preface."].concat();
    let uploaded = upload(t, &shop.seller, "book.zip", &content).await;
    let publish_as = async |who: &Visitor, variant: &str, version: &str| {
        let input = json!({ "variantId": variant, "uploadId": uploaded, "version": version });
        who.act("fileVersionPublish", input, "fileVersion { id version sha256 }").await
    };
    let empty = shop.seller.act("fileUploadCreate", new("5", "b.zip"), "upload { id }").await;
    let early = json!({ "variantId": shop.book.variant, "uploadId": empty["upload"]["id"], "version": "9" });
    assert_eq!(refusal(&shop.seller.act("fileVersionPublish", early, "").await), "FILE_NOT_READY uploadId");
    assert_eq!(refusal(&publish_as(&shop.buyer, &shop.book.variant, "2").await), "NOT_FOUND variantId");
    assert_eq!(refusal(&publish_as(&shop.seller, &shop.keys.variant, "2").await), "INVALID variantId");
    assert_eq!(refusal(&publish_as(&shop.seller, &shop.book.variant, "1").await), "INVALID version");
    let published = publish_as(&shop.seller, &shop.book.variant, "2").await;
    assert_eq!(refusal(&published), "done");
    let now = offered(&shop).await;
    assert_eq!(now, [json!({ "version": "2", "size": content.len().to_string() })], "the newest of the file");
    let version = published["fileVersion"]["id"].clone();

    let yank = async |who: &Visitor, id: &Value| {
        let fields = "fileVersion { yankedAt }";
        who.act("fileVersionYank", json!({ "fileVersionId": id }), fields).await
    };
    assert_eq!(refusal(&yank(&shop.buyer, &version).await), "NOT_FOUND");
    assert_eq!(refusal(&yank(&shop.seller, &json!("nonsense")).await), "NOT_FOUND fileVersionId");
    let yanked = yank(&shop.seller, &version).await;
    assert!(refusal(&yanked) == "done" && yanked["fileVersion"]["yankedAt"].is_string(), "{yanked}");
    assert_eq!(offered(&shop).await[0]["version"], "1", "buyers get the one before");
    assert_eq!(yank(&shop.seller, &json!(shop.version)).await["userErrors"], json!([]));
    assert_eq!(offered(&shop).await, Vec::<Value>::new());
    publish(t, &shop.seller, &shop.book.variant, "3", b"A third").await;
    assert_eq!(offered(&shop).await[0]["version"], "3");
    shop.sound().await;
}

async fn stock(shop: &Shop) -> (Value, Value) {
    let query = "{ seller { stock { nodes { variant { id } available } } keyBatches { nodes { origin added refused note } } } }";
    let seller = shop.seller.ask(query, json!({})).await["seller"].clone();
    let keys = seller["stock"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["variant"]["id"] == *shop.keys.variant);
    (keys.unwrap()["available"].clone(), seller["keyBatches"]["nodes"][0].clone())
}

/// Rows: K3 (keyImportCreate, keysGenerate, seller).
/// Sends: keyImportCreate, keysGenerate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_brings_more_keys_in_and_has_others_made() {
    let shop = shop().await;
    let t = shop.t();
    let open =
        async |who: &Visitor, input: Value| refusal(&who.act("keyImportCreate", input, "uploadUrl").await);
    let of = |goods: &str| json!({ "variantId": goods });
    assert_eq!(denied(&shop.guest, "keyImportCreate", of(&shop.keys.variant)).await, "UNAUTHENTICATED");
    assert_eq!(open(&shop.buyer, of(&shop.keys.variant)).await, "NOT_FOUND variantId");
    assert_eq!(open(&shop.seller, of(&shop.book.variant)).await, "INVALID variantId");
    let over = json!({ "variantId": shop.keys.variant, "keysExpireAt": "2020-01-31T12:00:00Z" });
    assert_eq!(open(&shop.seller, over).await, "INVALID keysExpireAt");
    assert_eq!(stock(&shop).await.0, "7");
    let keys = new_keys(t, 3);
    let said = import(t, &shop.seller, &shop.keys.variant, &keys).await;
    assert_eq!((&said["added"], &said["refused"]), (&json!(3), &json!(0)), "{said}");
    let again = import(t, &shop.seller, &shop.keys.variant, &keys[..2]).await;
    assert_eq!((&again["added"], &again["refused"]), (&json!(0), &json!(2)), "{again}");
    let (available, batch) = stock(&shop).await;
    assert_eq!((&available, &batch["added"], &batch["refused"]), (&json!("10"), &json!("0"), &json!("2")));

    let generate = async |who: &Visitor, quantity: i32, format: Value| {
        let input =
            json!({ "variantId": shop.keys.variant, "quantity": quantity, "format": format, "note": "made" });
        refusal(&who.act("keysGenerate", input, "batch { added }").await)
    };
    assert_eq!(generate(&shop.buyer, 4, Value::Null).await, "NOT_FOUND variantId");
    assert_eq!(generate(&shop.seller, 0, Value::Null).await, "TOO_MANY quantity");
    let weak = json!({ "groups": 1, "groupLength": 4 });
    assert!(generate(&shop.seller, 4, weak).await.starts_with("FORMAT_TOO_WEAK"));
    assert_eq!(generate(&shop.seller, 4, json!({ "prefix": "ED-" })).await, "done");
    let (available, batch) = stock(&shop).await;
    assert_eq!(available, "14");
    assert_eq!(batch, json!({ "origin": "GENERATED", "added": "4", "refused": "0", "note": "made" }));
    shop.sound().await;
}

/// Sends: keyTwinDecide.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_decides_about_two_keys_of_one_text() {
    let shop = shop().await;
    let t = shop.t();
    // Keys of one text can only come from before the fingerprints: there is no way to bring them in.
    let variant = dispense::base::ids::VariantId::parse(&shop.keys.variant).unwrap();
    store_before(t, variant, &["TWIN-1", "\u{feff}TWIN-1", "TWIN-2", "\u{ad}TWIN-2"]).await;
    while dispense::fulfilment::key_texts::sweep(&t.app).await.unwrap() > 0 {}
    let query = "tasks(filter: { kinds: [\"key_text_twin\"], states: [OPEN, TAKEN, RESOLVED] }) { nodes { id state } }";
    let tasks = async || shop.desk(query).await["tasks"]["nodes"].as_array().unwrap().clone();
    let found = tasks().await;
    assert_eq!(found.len(), 2);
    assert_eq!(stock(&shop).await.0, "9", "one of each two is out of sale");
    let decide = async |who: &Visitor, task: &Value, decision: &str, note: &str| {
        let input = json!({ "taskId": task, "decision": decision, "note": note });
        refusal(&who.act("keyTwinDecide", input, "task { state }").await)
    };
    let input = json!({ "taskId": found[0]["id"], "decision": "VOID", "note": "x" });
    assert_eq!(denied(&shop.seller, "keyTwinDecide", input).await, "FORBIDDEN");
    assert_eq!(decide(&shop.support, &found[0]["id"], "VOID", " ").await, "REASON_REQUIRED note");
    assert_eq!(decide(&shop.support, &json!("nonsense"), "VOID", "x").await, "NOT_FOUND taskId");
    assert_eq!(decide(&shop.support, &found[0]["id"], "VOID", "the same key").await, "done");
    assert_eq!(stock(&shop).await.0, "9");
    assert_eq!(decide(&shop.support, &found[1]["id"], "RELEASE", "two keys").await, "done");
    assert_eq!(stock(&shop).await.0, "10");
    assert!(tasks().await.iter().all(|task| task["state"] == "RESOLVED"));
    assert_eq!(decide(&shop.support, &found[1]["id"], "VOID", "after all").await, "ILLEGAL_TRANSITION");
    let sold = deliveries(&shop.see(&shop.by_guest).await, "key");
    assert_eq!(sold.len(), 2, "what was sold is not touched");
    shop.sound().await;
}
