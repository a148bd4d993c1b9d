//! Products and variants: made, edited, reviewed, shown, retired.

use serde_json::{Value, json};

use super::shop::{Shop, denied, draft, order, put_on_sale, refusal, shop};
use crate::harness::visitor::Visitor;

async fn list_all(shop: &Shop, arguments: &str) -> Vec<Value> {
    let query = format!("{{ products{arguments} {{ nodes {{ slug name }} totalCount }} }}");
    let products = shop.guest.ask(&query, json!({})).await["products"].clone();
    assert_eq!(products["totalCount"], products["nodes"].as_array().unwrap().len());
    products["nodes"].as_array().unwrap().iter().map(|p| p["slug"].clone()).collect()
}

/// Sends: productCreate, productUpdate, productSubmit, productApprove, productReject, productRetire, product, products.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_goes_through_review_on_sale_and_off_again_beside_others() {
    let shop = shop().await;
    let new = |slug: &str| json!({ "slug": slug, "texts": [{ "locale": "en", "name": "A globe" }] });
    assert_eq!(denied(&shop.guest, "productCreate", new("globe")).await, "UNAUTHENTICATED");
    let create =
        async |who: &Visitor, slug: &str| who.act("productCreate", new(slug), "product { id }").await;
    assert_eq!(refusal(&create(&shop.buyer, "globe").await), "FORBIDDEN sellerId");
    assert_eq!(refusal(&create(&shop.seller, "book").await), "SLUG_TAKEN slug");
    let made = create(&shop.seller, "globe").await;
    assert_eq!(refusal(&made), "done");
    let id = made["product"]["id"].clone();
    let which = json!({ "productId": id });
    let nobody = json!({ "productId": "prd_00000000000000000000000001" });

    let submit = async |who: &Visitor, which: &Value| {
        refusal(&who.act("productSubmit", which.clone(), "product { state }").await)
    };
    assert_eq!(submit(&shop.seller, &which).await, "NOT_SUBMITTABLE productId", "it has no variant");
    assert_eq!(submit(&shop.buyer, &which).await, "NOT_FOUND productId");
    let variant = json!({ "productId": id, "kind": "key", "fields": { "prices": [{ "currency": "USD", "unit": "7.00" }] } });
    assert_eq!(refusal(&shop.seller.act("variantCreate", variant, "").await), "done");

    let update = async |who: &Visitor, version: i32, name: &str| {
        let input = json!({ "productId": id, "expectedVersion": version, "slug": "big-globe", "tags": ["maps"],
            "texts": [{ "locale": "en", "name": name, "summary": "Round." }] });
        who.act("productUpdate", input, "product { version slug }").await
    };
    let look = "query($id: ID!) { product(by: { id: $id }) { id slug name summary tags state version onSale review { state reason } } }";
    let seen = async |who: &Visitor| who.ask(look, json!({ "id": id })).await["product"].clone();
    let version = seen(&shop.seller).await["version"].as_i64().unwrap() as i32;
    assert_eq!(refusal(&update(&shop.seller, version + 7, "x").await), "VERSION_CONFLICT expectedVersion");
    assert_eq!(refusal(&update(&shop.buyer, version, "x").await), "NOT_FOUND productId");
    assert_eq!(refusal(&update(&shop.seller, version, "A big globe").await), "done");
    let product = seen(&shop.seller).await;
    assert_eq!(
        (&product["name"], &product["slug"], &product["summary"], &product["tags"], &product["state"]),
        (&json!("A big globe"), &json!("big-globe"), &json!("Round."), &json!(["maps"]), &json!("DRAFT"))
    );
    assert_eq!(seen(&shop.guest).await, Value::Null, "a draft is its seller's alone");

    let reject = async |who: &Visitor, which: &Value, reason: &str| {
        let mut input = which.clone();
        input["reason"] = json!(reason);
        refusal(&who.act("productReject", input, "product { state }").await)
    };
    let approve = async |who: &Visitor, which: &Value| {
        refusal(&who.act("productApprove", which.clone(), "product { state onSale }").await)
    };
    assert_eq!(approve(&shop.support, &which).await, "NOT_IN_REVIEW");
    assert_eq!(submit(&shop.seller, &which).await, "done");
    assert_eq!(reject(&shop.seller, &which, "no").await, "FORBIDDEN");
    assert_eq!(reject(&shop.support, &which, " ").await, "REASON_REQUIRED reason");
    assert_eq!(reject(&shop.support, &nobody, "no").await, "NOT_FOUND productId");
    assert_eq!(reject(&shop.support, &which, "The picture is blurred.").await, "done");
    assert_eq!(
        seen(&shop.seller).await["review"],
        json!({ "state": "REJECTED", "reason": "The picture is blurred." })
    );
    assert_eq!(submit(&shop.seller, &which).await, "done");
    assert_eq!(approve(&shop.seller, &which).await, "FORBIDDEN");
    assert_eq!(approve(&shop.support, &nobody).await, "NOT_FOUND productId");
    assert_eq!(approve(&shop.support, &which).await, "done");
    let product = seen(&shop.guest).await;
    assert_eq!((&product["onSale"], &product["name"]), (&json!(true), &json!("A big globe")));
    assert_eq!(list_all(&shop, "").await, ["big-globe", "book", "editor"]);
    assert_eq!(list_all(&shop, "(search: \"GLOBE\")").await, ["big-globe"]);
    assert_eq!(list_all(&shop, "(filter: { kinds: [\"file\"] })").await, ["book"]);
    assert_eq!(list_all(&shop, "(filter: { tags: [\"maps\"] })").await, ["big-globe"]);
    assert_eq!(list_all(&shop, "(sort: PRICE_LOW)").await, ["book", "big-globe", "editor"]);
    assert_eq!(list_all(&shop, "(filter: { priceMin: \"8.00\" })").await, ["editor"]);
    let bad = shop.guest.raw("{ products(first: 101) { totalCount } }", json!({})).await;
    assert_eq!(bad["errors"][0]["extensions"]["code"], "BAD_REQUEST");

    let retire = async |who: &Visitor, which: &Value| {
        refusal(&who.act("productRetire", which.clone(), "product { state }").await)
    };
    assert_eq!(retire(&shop.buyer, &which).await, "NOT_FOUND productId");
    assert_eq!(retire(&shop.seller, &which).await, "done");
    assert_eq!(submit(&shop.seller, &which).await, "NOT_SUBMITTABLE");
    assert_eq!(seen(&shop.seller).await["state"], "RETIRED");
    assert_eq!(
        (seen(&shop.guest).await, list_all(&shop, "").await),
        (Value::Null, vec![json!("book"), json!("editor")])
    );
    shop.sound().await;
}

/// Sends: variantCreate, variantUpdate, variantRetire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variant_joins_a_product_on_sale_is_edited_and_taken_off() {
    let shop = shop().await;
    let create = async |who: &Visitor, kind: &str, unit: &str, sku: &str| {
        let fields = json!({ "sku": sku, "texts": [{ "locale": "en", "name": "Team" }], "prices": [{ "currency": "USD", "unit": unit }] });
        let input = json!({ "productId": shop.keys.product, "kind": kind, "fields": fields });
        who.act("variantCreate", input, "variant { id version }").await
    };
    let input = json!({ "productId": shop.keys.product, "kind": "key" });
    assert_eq!(denied(&shop.guest, "variantCreate", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&create(&shop.seller, "hat", "40.00", "T-1").await), "INVALID kind");
    assert_eq!(refusal(&create(&shop.buyer, "key", "40.00", "T-1").await), "NOT_FOUND productId");
    assert_eq!(
        refusal(&create(&shop.seller, "key", "40.001", "T-1").await),
        "PRICE_INVALID fields.prices.0.unit"
    );
    let made = create(&shop.seller, "key", "40.00", "T-1").await;
    assert_eq!(refusal(&made), "done");
    assert_eq!(refusal(&create(&shop.seller, "key", "41.00", "T-1").await), "SKU_TAKEN fields.sku");
    let id = made["variant"]["id"].clone();
    let variants = async || {
        let fields = "variants { id name sku active minQuantity maxQuantity price { unit { amount } } }";
        let query = format!("query($s: String!) {{ product(by: {{ slug: $s }}) {{ {fields} }} }}");
        let found = shop.guest.ask(&query, json!({ "s": shop.keys.slug })).await;
        found["product"]["variants"].as_array().unwrap().clone()
    };
    let added = variants().await.into_iter().find(|v| v["id"] == id).unwrap();
    assert_eq!((&added["name"], &added["price"]["unit"]["amount"]), (&json!("Team"), &json!("40.00")));

    let update = async |who: &Visitor, version: Value, fields: Value| {
        let input = json!({ "variantId": id, "expectedVersion": version, "fields": fields });
        who.act("variantUpdate", input, "variant { version }").await
    };
    let version = made["variant"]["version"].clone();
    let fields =
        json!({ "minQuantity": 2, "maxQuantity": 5, "prices": [{ "currency": "USD", "unit": "39.00" }] });
    assert_eq!(
        refusal(&update(&shop.seller, json!(99), fields.clone()).await),
        "VERSION_CONFLICT expectedVersion"
    );
    assert_eq!(refusal(&update(&shop.buyer, version.clone(), fields.clone()).await), "NOT_FOUND variantId");
    let wrong = json!({ "minQuantity": 5, "maxQuantity": 2 });
    assert_eq!(refusal(&update(&shop.seller, version.clone(), wrong).await), "INVALID fields.minQuantity");
    assert_eq!(refusal(&update(&shop.seller, version, fields).await), "done");
    let edited = variants().await.into_iter().find(|v| v["id"] == id).unwrap();
    assert_eq!(
        (&edited["minQuantity"], &edited["maxQuantity"], &edited["price"]["unit"]["amount"]),
        (&json!(2), &json!(5), &json!("39.00"))
    );
    let cart = json!({ "lines": [{ "key": "a", "variantId": id, "quantity": 1 }], "currency": "USD" });
    let quoted = shop
        .guest
        .ask(
            "query($i: QuoteInput!) { quote(input: $i) { lines { problems { code } } } }",
            json!({ "i": cart }),
        )
        .await;
    assert_eq!(quoted["quote"]["lines"][0]["problems"][0]["code"], "QUANTITY_TOO_SMALL", "{quoted}");

    let retire = async |who: &Visitor| {
        refusal(&who.act("variantRetire", json!({ "variantId": id }), "variant { active }").await)
    };
    assert_eq!(retire(&shop.buyer).await, "NOT_FOUND variantId");
    assert_eq!(retire(&shop.seller).await, "done");
    assert_eq!(variants().await.iter().map(|v| &v["id"]).collect::<Vec<_>>(), [&json!(shop.keys.variant)]);
    assert_eq!(refusal(&update(&shop.seller, Value::Null, json!({ "sku": "T-2" })).await), "INVALID");
    shop.sound().await;
}

/// Sends: shop, seller, node, nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_its_seller_and_things_by_their_ids_are_shown_to_whom_they_concern() {
    let shop = shop().await;
    let about = shop
        .guest
        .ask("{ shop { name currencies defaultCurrency locales guestCheckout now } }", json!({}))
        .await;
    let about = &about["shop"];
    assert_eq!(
        (&about["defaultCurrency"], &about["guestCheckout"]),
        (&json!("USD"), &json!(true)),
        "{about}"
    );
    assert!(about["currencies"].as_array().unwrap().contains(&json!("USD")), "{about}");

    // A draft that nobody else sees, and one more sale.
    let globe = draft(&shop.seller, "globe", "A globe", "key", "7.00").await;
    let sale = "{ seller { products { totalCount nodes { slug } }
        stock { nodes { variant { id } available sold waiting low } }
        keyBatches { nodes { origin state added variant { id } } }
        orderLines { totalCount nodes { title quantity total { amount } order { email } } } } }";
    for nobody in [&shop.guest, &*shop.buyer, &*shop.support] {
        assert_eq!(nobody.ask(sale, json!({})).await["seller"], Value::Null);
    }
    let seen = shop.seller.ask(sale, json!({})).await["seller"].clone();
    assert_eq!(seen["products"]["totalCount"], 3);
    let stock = seen["stock"]["nodes"].as_array().unwrap();
    let keys = stock.iter().find(|s| s["variant"]["id"] == *shop.keys.variant).unwrap();
    // Ten keys came in, three were sold; the key of the order that is not paid is not taken yet.
    assert_eq!(
        (&keys["available"], &keys["sold"], &keys["waiting"]),
        (&json!("7"), &json!("3"), &json!("0"))
    );
    let batch = &seen["keyBatches"]["nodes"][0];
    assert_eq!(
        (&batch["added"], &batch["state"], &batch["origin"]),
        (&json!("10"), &json!("DONE"), &json!("IMPORT"))
    );
    assert_eq!(seen["orderLines"]["totalCount"], 3, "{seen}");
    for line in seen["orderLines"]["nodes"].as_array().unwrap() {
        let email = line["order"]["email"].as_str().unwrap();
        assert!(!email.contains("guest@") && !email.contains("buyer@"), "who bought is masked: {email}");
    }
    let foreign = "{ seller(id: \"sel_00000000000000000000000009\") { products { totalCount } } }";
    assert_eq!(shop.seller.ask(foreign, json!({})).await["seller"], Value::Null);

    let node =
        "query($id: ID!) { node(id: $id) { __typename id ... on Order { number } ... on Product { slug } } }";
    let by_id = async |who: &Visitor, id: &str| who.ask(node, json!({ "id": id })).await["node"].clone();
    let mine = by_id(&shop.buyer, &shop.by_buyer.id).await;
    assert_eq!((&mine["__typename"], &mine["number"]), (&json!("Order"), &json!(shop.by_buyer.number)));
    assert_eq!(by_id(&shop.support, &shop.by_buyer.id).await["number"], json!(shop.by_buyer.number));
    assert_eq!(by_id(&shop.guest, &shop.by_buyer.id).await, Value::Null);
    assert_eq!(
        (by_id(&shop.guest, &globe.product).await, by_id(&shop.guest, "nonsense").await),
        (Value::Null, Value::Null)
    );
    assert_eq!(by_id(&shop.seller, &globe.product).await["slug"], "globe");

    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let ids = [&shop.book.variant, &shop.by_buyer.id, &shop.buyer.id, &shop.version, &shop.by_guest.payment];
    let types = async |who: &Visitor| {
        let found = who.ask(nodes, json!({ "ids": ids })).await["nodes"].clone();
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["__typename"].as_str().unwrap_or("none").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(types(&shop.guest).await, ["Variant", "none", "none", "FileVersion", "none"]);
    assert_eq!(types(&shop.buyer).await, ["Variant", "Order", "User", "FileVersion", "none"]);
    assert_eq!(types(&shop.support).await, ["Variant", "Order", "User", "FileVersion", "Payment"]);
    let many = vec![shop.book.variant.clone(); 101];
    let refused = shop.guest.raw(nodes, json!({ "ids": many })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{refused}");

    // What was a draft is sold as everything else once it was reviewed.
    put_on_sale(&shop.seller, &shop.support, &globe).await;
    let made = json!({ "variantId": globe.variant, "quantity": 2 });
    assert_eq!(refusal(&shop.seller.act("keysGenerate", made, "").await), "done");
    order(&shop.street, &shop.guest, &[(&globe, 1)], "7.00", Some("c@people.example")).await;
    shop.sound().await;
}
