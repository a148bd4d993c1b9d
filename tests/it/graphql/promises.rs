//! What the schema promises is kept by a shop that has data: nodes, totals, defaults, times, references, quotes.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use serde_json::{Value, json};

use super::stocked::{BUYER, Stocked};
use super::wire::Wire;
use crate::harness::{TestApp, with_generic};

/// The interfaces an object type implements, and its fields: name and type.
type Shape = (Vec<String>, Vec<(String, String)>);

/// Object types of the schema by their names.
fn objects() -> BTreeMap<String, Shape> {
    let mut found = BTreeMap::new();
    for definition in parse_schema(dispense::graphql::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        if let TypeKind::Object(object) = &definition.node.kind {
            let implements = object.implements.iter().map(|i| i.node.to_string()).collect();
            let fields =
                object.fields.iter().map(|f| (f.node.name.node.to_string(), f.node.ty.node.to_string()));
            found.insert(definition.node.name.node.to_string(), (implements, fields.collect()));
        }
    }
    found
}

const NODE: &str = "query($id: ID!) { node(id: $id) { __typename id } }";

/// Foreign things look exactly like missing ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_a_node_is_found_by_its_id_by_whoever_may_see_it() {
    let shop = Stocked::open().await;
    let (buyer, admin) = (shop.buyer().await, shop.admin().await);
    let (stranger, guest) = (shop.stranger().await, Wire::new(&shop.t));
    let nodes = shop.nodes().await;
    let promised: BTreeSet<String> = objects()
        .into_iter()
        .filter(|(_, (implements, _))| implements.iter().any(|i| i == "Node"))
        .map(|(name, _)| name)
        .collect();
    let shown: BTreeSet<String> = nodes.iter().map(|node| node.0.to_owned()).collect();
    assert_eq!(promised, shown, "a type that is a Node is tried here");
    for (name, id, public) in &nodes {
        let wanted = json!({ "__typename": name, "id": id });
        // What belongs to the shop is an admin's, what was bought and who bought it the buyer's.
        let own = if ["KeyBatch", "Task"].contains(name) { &admin } else { &buyer };
        assert_eq!(own.data(NODE, json!({ "id": id })).await["node"], wanted, "{name}");
        for other in [&stranger, &guest] {
            let seen = other.data(NODE, json!({ "id": id })).await["node"].clone();
            assert_eq!(seen, if *public { wanted.clone() } else { Value::Null }, "{name}");
        }
        let missing = format!("{}1", &id[..id.len() - 1]);
        if missing != *id {
            assert_eq!(buyer.data(NODE, json!({ "id": missing })).await["node"], Value::Null, "{name}");
        }
    }
    // What is withdrawn is only its seller's and its buyers'; what is not on sale nobody's.
    shop.t.db.sql("update product set state = 'retired', on_sale_at = null").await;
    let file = json!({ "id": shop.file.to_string() });
    assert_eq!(guest.data(NODE, file.clone()).await["node"], Value::Null);
    assert_eq!(stranger.data(NODE, file.clone()).await["node"], Value::Null);
    assert_eq!(buyer.data(NODE, file.clone()).await["node"]["__typename"], "FileVersion");
    assert_eq!(admin.data(NODE, file).await["node"]["__typename"], "FileVersion");
    let seller = json!({ "id": dispense::base::ids::SHOP.to_string() });
    assert_eq!(guest.data(NODE, seller).await["node"], Value::Null);
    let all: Vec<&String> = nodes.iter().map(|node| &node.1).collect();
    let many = buyer.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": all })).await;
    assert_eq!(many["nodes"].as_array().unwrap().len(), nodes.len());
    shop.finish().await;
}

/// How each field that gives a connection is reached, and how many rows it has in the stocked shop.
const LISTS: [(&str, &str, &str); 19] = [
    ("Query.products", "{ products { totalCount nodes { id } } }", ""),
    ("Query.myOrders", "{ myOrders { totalCount nodes { id } } }", ""),
    ("Query.myDownloads", "{ myDownloads { totalCount nodes { id } } }", ""),
    (
        "OrderLine.deliveries",
        "{ myDownloads(first: 1) { nodes { deliveries { totalCount nodes { id } } } } }",
        "/nodes/0/deliveries",
    ),
    ("Desk.orders", "{ desk { orders { totalCount nodes { id } } } }", "/orders"),
    ("Desk.users", "{ desk { users { totalCount nodes { id } } } }", "/users"),
    ("Desk.tasks", "{ desk { tasks { totalCount nodes { id } } } }", "/tasks"),
    ("Desk.blocks", "{ desk { blocks { totalCount nodes { id } } } }", "/blocks"),
    ("Desk.notices", "{ desk { notices { totalCount nodes { id } } } }", "/notices"),
    ("Desk.statements", "{ desk { statements { totalCount nodes { id } } } }", "/statements"),
    (
        "Desk.mailSuppressions",
        "{ desk { mailSuppressions { totalCount nodes { id } } } }",
        "/mailSuppressions",
    ),
    ("Seller.products", "{ seller { products { totalCount nodes { id } } } }", "/products"),
    ("Seller.stock", "{ seller { stock { totalCount nodes { sold } } } }", "/stock"),
    ("Seller.keyBatches", "{ seller { keyBatches { totalCount nodes { id } } } }", "/keyBatches"),
    ("Seller.imports", "{ seller { imports { totalCount nodes { id } } } }", "/imports"),
    ("Seller.cases", "{ seller { cases { totalCount nodes { id } } } }", "/cases"),
    ("Seller.orderLines", "{ seller { orderLines { totalCount nodes { id } } } }", "/orderLines"),
    (
        "HookEndpoint.deliveries",
        "{ seller { hookEndpoints { deliveries { totalCount nodes { id } } } } }",
        "/hookEndpoints/0/deliveries",
    ),
    (
        "ApiClient.orders",
        "{ desk { apiClients { orders { totalCount nodes { id } } } } }",
        "/apiClients/0/orders",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_says_how_many_rows_it_has_when_asked() {
    let shop = Stocked::open().await;
    let (buyer, admin) = (shop.buyer().await, shop.admin().await);
    let mut promised = BTreeSet::new();
    for (name, (_, fields)) in objects() {
        for (field, ty) in fields {
            if ty.trim_end_matches('!').ends_with("Connection") {
                promised.insert(format!("{name}.{field}"));
            }
        }
    }
    let tried: BTreeSet<String> = LISTS.iter().map(|list| list.0.to_owned()).collect();
    assert_eq!(promised, tried, "every list is tried here");
    let gone = "insert into mail_suppression (id, email_normalised, cause) \
        values ('00000000-0000-7000-8000-000000000001', 'gone@buyer.example', 'bounce')";
    shop.t.db.sql(gone).await;
    let blocked = "insert into block_entry (id, kind, value, shown, reason) \
        values ('00000000-0000-7000-8000-000000000002', 'mailbox', 'mallory@example.com', 'mallory@example.com', 'fraud')";
    shop.t.db.sql(blocked).await;
    for (name, query, below) in LISTS {
        let of_admin = ["Desk", "Seller", "HookEndpoint", "ApiClient"];
        let client = if of_admin.iter().any(|own| name.starts_with(own)) { &admin } else { &buyer };
        let data = client.data(query, json!({})).await;
        let root = data.as_object().unwrap().values().next().unwrap();
        let list = root.pointer(below).unwrap_or_else(|| panic!("{name}: {data}"));
        let rows = list["nodes"].as_array().unwrap().len();
        assert!(rows > 0, "{name} has rows here: {data}");
        assert_eq!(list["totalCount"], rows, "{name}");
    }
    // The total is of the whole list, narrowed as it is, whatever the page.
    let of = async |query: &str| admin.data(query, json!({})).await;
    let narrowed = of("{ desk { orders(first: 1, search: \"nobody\") { totalCount } users(first: 1, search: \"BUYER\") { totalCount }
        tasks(first: 1, filter: {kinds: [\"test\"], states: [RESOLVED]}) { totalCount } notices(filter: {accounts: [\"none\"]}) { totalCount }
        statements(filter: {differing: true}) { totalCount } } seller { stock(low: true) { totalCount } products(filter: {kinds: [\"key\"]}) { totalCount } } }")
    .await;
    assert_eq!(
        narrowed,
        json!({ "desk": { "orders": { "totalCount": 0 }, "users": { "totalCount": 1 }, "tasks": { "totalCount": 0 },
            "notices": { "totalCount": 0 }, "statements": { "totalCount": 0 } },
            "seller": { "stock": { "totalCount": 0 }, "products": { "totalCount": 1 } } })
    );
    let since =
        "{ desk { orders(first: 1, filter: {changedSince: \"2026-01-01T00:00:00Z\"}) { totalCount } } }";
    assert_eq!(of(since).await["desk"]["orders"]["totalCount"], 3);
    // Exact up to 10,000, unknown above.
    let add = |count: usize| {
        format!(
            "insert into task (id, kind, subject) select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
               'test.many', n::text from generate_series(1, {count}) n on conflict do nothing"
        )
    };
    let count = "{ desk { tasks(first: 1, filter: {kinds: [\"test.many\"]}) { totalCount nodes { id } } } }";
    shop.t.db.sql(&add(10_000)).await;
    assert_eq!(of(count).await["desk"]["tasks"]["totalCount"], 10_000);
    shop.t.db.sql(&add(10_001)).await;
    let above = of(count).await;
    assert_eq!(above["desk"]["tasks"]["totalCount"], Value::Null);
    assert_eq!(above["desk"]["tasks"]["nodes"].as_array().unwrap().len(), 1);
    shop.finish().await;
}

/// An app sends what its generator makes of an optional argument: nothing, null, or a number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_sizes_may_be_left_out_or_null_and_are_then_the_documented_ones() {
    let shop = Stocked::open().await;
    let many = shop.t.paid_order(shop.keys, 7).await;
    let query = "query($n: String!, $t: String, $f: Int) { order(number: $n, accessToken: $t) { lines {
        implicit: deliveries { nodes { id } } given: deliveries(first: $f) { nodes { id } pageInfo { hasNextPage } } } } }";
    let guest = Wire::new(&shop.t);
    let number = &many.order.number;
    for (first, wanted) in
        [(json!({}), 5), (json!({ "f": null }), 5), (json!({ "f": 7 }), 7), (json!({ "f": 1 }), 1)]
    {
        let mut variables = json!({ "n": number, "t": many.access_token.expose() });
        variables.as_object_mut().unwrap().extend(first.as_object().unwrap().clone());
        let line = guest.data(query, variables).await["order"]["lines"][0].clone();
        assert_eq!(line["implicit"]["nodes"].as_array().unwrap().len(), 5);
        assert_eq!(line["given"]["nodes"].as_array().unwrap().len(), wanted, "{first}");
        assert_eq!(line["given"]["pageInfo"]["hasNextPage"], wanted < 7);
    }
    let wrong = guest.ask(query, json!({ "n": number, "t": many.access_token.expose(), "f": 101 })).await;
    assert_eq!(wrong.code(), "BAD_REQUEST");
    let reveal = "mutation($l: ID!, $t: String, $f: Int) { deliveryReveal(input: {target: {lineId: $l}, accessToken: $t, first: $f}) {
        secrets { text } userErrors { code } } }";
    let line =
        shop.t.db.one(&format!("select id from order_line where order_id = '{}'", many.order.id.0)).await;
    let line = dispense::base::ids::LineId(line.parse().unwrap()).to_string();
    let shown = guest.data(reveal, json!({ "l": line, "t": many.access_token.expose(), "f": null })).await;
    assert_eq!(shown["deliveryReveal"]["secrets"].as_array().unwrap().len(), 7);
    let admin = shop.admin().await;
    let nulls = "{ seller { stock(low: null) { nodes { sold } } keyBatches { nodes { problems(first: null) { line } } } } }";
    assert!(admin.data(nulls, json!({})).await["seller"]["stock"]["nodes"][0].is_object());
    shop.finish().await;
}

/// Every form of RFC 3339 is the same moment; what is none is refused before anything runs, and the field is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_time_of_rfc_3339_is_read_and_nothing_else() {
    let t = TestApp::start().await;
    let admin = Wire::person(&t, "admin@example.com", &[dispense::base::actor::Role::Admin]).await;
    let variant = t.variant_on_sale("key", 100).await.to_string();
    let kept = async |text: &str| {
        let open = "mutation($v: ID!, $at: DateTime) { keyImportCreate(input: {variantId: $v, keysExpireAt: $at}) { batch { id } userErrors { code field } } }";
        let said = admin.ask(open, json!({ "v": variant, "at": text })).await;
        let json = said.json();
        if json.get("errors").is_some() {
            assert_eq!(said.code(), "VALIDATION_FAILED", "{text}: {json}");
            assert!(
                said.text.contains("keysExpireAt")
                    || said.text.contains("\\\"at\\\"")
                    || said.text.contains("$at"),
                "{text}: {json}"
            );
            return None;
        }
        assert!(json["data"]["keyImportCreate"]["batch"]["id"].is_string(), "{text}: {json}");
        let sql = "select to_char(keys_expire_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') from key_batch order by id desc limit 1";
        Some(t.db.one(sql).await)
    };
    for (text, wanted) in [
        ("2031-01-02T07:10:00Z", "2031-01-02T07:10:00"),
        ("2031-01-02T07:10:00.123Z", "2031-01-02T07:10:00"),
        ("2031-01-02T07:10:00.999999999999Z", "2031-01-02T07:10:00"),
        ("2031-01-02T15:10:00+08:00", "2031-01-02T07:10:00"),
        ("2031-01-02T15:10:00.5+08:00", "2031-01-02T07:10:00"),
        ("2031-01-01T23:40:00-07:30", "2031-01-02T07:10:00"),
        ("2031-01-02t07:10:00z", "2031-01-02T07:10:00"),
        ("2031-01-02 07:10:00Z", "2031-01-02T07:10:00"),
        ("2031-01-02T07:10:00-00:00", "2031-01-02T07:10:00"),
        ("2030-12-31T23:59:60Z", "2031-01-01T00:00:00"),
        ("2031-01-01T08:59:60.7+09:00", "2031-01-01T00:00:00"),
        ("2032-02-29T00:00:00Z", "2032-02-29T00:00:00"),
    ] {
        assert_eq!(kept(text).await.as_deref(), Some(format!("{wanted}.000000").as_str()), "{text}");
    }
    for nonsense in [
        "",
        "now",
        "2031-01-02",
        "2031-01-02T07:10Z",
        "2031-01-02T07:10:00",
        "2031-01-02T07:10:00.Z",
        "2031-02-29T00:00:00Z",
        "2031-13-01T00:00:00Z",
        "2031-01-02T24:00:00Z",
        "2031-01-02T07:60:00Z",
        "2031-01-02T07:10:60Z",
        "2031-01-02T07:10:61Z",
        "2031-01-02T07:10:00+8:00",
        "2031-01-02T07:10:00+0800",
        "2031-01-02T07:10:00+24:00",
        "2031-01-02T07:10:00+08:60",
        "2031-01-02T07:10:00 Z",
        " 2031-01-02T07:10:00Z",
        "2031-01-02T07:10:00Z ",
        "2031-01-02T07:10:00ZZ",
        "2031-01-02_07:10:00Z",
        "31-01-02T07:10:00Z",
        "+2031-01-02T07:10:00Z",
        "٢٠٣١-01-02T07:10:00Z",
        "2031-01-02T07:10:00\u{2212}08:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00+01:00",
        "1767337800",
    ] {
        assert_eq!(kept(nonsense).await, None, "{nonsense}");
    }
    let number = admin
        .ask(
            "query($d: DateTime) { products(filter: {changedSince: $d}) { totalCount } }",
            json!({ "d": 1_767_337_800 }),
        )
        .await;
    assert_eq!(number.code(), "VALIDATION_FAILED");
    t.finish_with_jobs().await;
}

fn order(variant: &str, key: &str, more: Value) -> Value {
    let mut input = json!({
        "idempotencyKey": format!("a key of the test {key}"), "currency": "USD", "expectedTotal": "12.50",
        "lines": [{ "key": "a", "variantId": variant, "quantity": 1 }], "email": format!("{key}@example.com"),
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "in": input })
}

const PLACE: &str = "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { replayed order { number reference } userErrors { code field } } }";

/// Rows: O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_uses_a_reference_for_one_order_and_learns_nothing_of_others() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(30, 1_250).await.to_string();
    t.buyer(BUYER).await;
    t.buyer("other@example.com").await;
    let guest = Wire::new(&t);
    let (buyer, other) = (Wire::signed_in(&t, BUYER).await, Wire::signed_in(&t, "other@example.com").await);
    let taken = json!([{ "code": "REFERENCE_TAKEN", "field": ["reference"] }]);
    for (who, client) in [("guest", &guest), ("buyer", &buyer), ("other", &other)] {
        let one = order(&variant, &format!("{who}-one"), json!({ "reference": " R-1 " }));
        let first = client.data(PLACE, one.clone()).await["orderPlace"].clone();
        assert_eq!(
            (&first["userErrors"], &first["order"]["reference"]),
            (&json!([]), &json!("R-1")),
            "{who}"
        );
        let again = client.data(PLACE, one).await["orderPlace"].clone();
        assert_eq!(
            (&again["replayed"], &again["order"]),
            (&json!(true), &first["order"]),
            "{who}: a repeat is no second order"
        );
        let two =
            client.data(PLACE, order(&variant, &format!("{who}-two"), json!({ "reference": "R-1" }))).await;
        assert_eq!(two["orderPlace"]["userErrors"], taken, "{who}");
        assert_eq!(two["orderPlace"]["order"], Value::Null);
        let free =
            client.data(PLACE, order(&variant, &format!("{who}-two"), json!({ "reference": "R-2" }))).await;
        assert_eq!(free["orderPlace"]["userErrors"], json!([]), "{who}: a refusal stores nothing");
    }
    let crowd = (0..6).map(|n| {
        let (client, input) =
            (guest.clone(), order(&variant, &format!("crowd-{n}"), json!({ "reference": "R-9" })));
        async move { client.data(PLACE, input).await["orderPlace"]["userErrors"].clone() }
    });
    let answers = futures::future::join_all(crowd).await;
    assert_eq!(answers.iter().filter(|a| **a == json!([])).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|a| **a == taken).count(), 5, "{answers:?}");
    let empty = guest.data(PLACE, order(&variant, "empty", json!({ "reference": "" }))).await;
    assert_eq!(empty["orderPlace"]["userErrors"][0]["code"], "INVALID");
    assert_eq!(t.db.one("select count(*) from orders").await, "7");
    assert_eq!(t.db.one("select count(*) from order_reference").await, "7");
    t.finish_with_jobs().await;
}

const QUOTE: &str = "query($in: QuoteInput!) { quote(input: $in) { canPlace total { amount } lines { unit { amount } problems { code available } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_holds_a_signed_in_buyer_to_the_limit_and_says_what_is_wrong_with_a_quantity_alone() {
    let shop = Stocked::open().await;
    shop.t.db.sql(&format!("update variant set limit_per_buyer = 3 where id = '{}'", shop.keys.0)).await;
    let (buyer, guest) = (shop.buyer().await, Wire::new(&shop.t));
    let quoted = async |client: &Wire<'_>, quantity: i64| {
        let cart = json!([{ "key": "a", "variantId": shop.keys.to_string(), "quantity": quantity }]);
        let quote =
            client.data(QUOTE, json!({ "in": { "lines": cart, "currency": "USD" } })).await["quote"].clone();
        (
            quote["canPlace"] == true,
            quote["lines"][0]["problems"].clone(),
            quote["lines"][0]["unit"]["amount"].clone(),
        )
    };
    // Two were bought before.
    assert!(quoted(&buyer, 1).await.0);
    let (may, problems, _) = quoted(&buyer, 2).await;
    assert_eq!((may, problems), (false, json!([{ "code": "BUYER_LIMIT_REACHED", "available": 1 }])));
    shop.t.db.sql("update variant set limit_per_buyer = null").await;
    for quantity in [0, -1, i64::from(i32::MIN)] {
        let (may, problems, unit) = quoted(&guest, quantity).await;
        assert_eq!(
            (may, problems),
            (false, json!([{ "code": "QUANTITY_TOO_SMALL", "available": null }])),
            "{quantity}"
        );
        assert_eq!(unit, "12.50");
    }
    shop.t.import(shop.keys, 1_000).await;
    for quantity in [1_001, i64::from(i32::MAX)] {
        let (may, problems, _) = quoted(&guest, quantity).await;
        assert_eq!(
            (may, problems),
            (false, json!([{ "code": "QUANTITY_TOO_LARGE", "available": null }])),
            "{quantity}"
        );
    }
    let beyond = guest
        .ask(QUOTE, json!({ "in": { "lines": [{ "key": "a", "variantId": shop.keys.to_string(), "quantity": 3_000_000_000_i64 }] } }))
        .await;
    assert_eq!(beyond.code(), "BAD_REQUEST", "no Int of GraphQL has more than 32 bits");
    shop.t.db.sql("update vault_key set state = 'frozen' where state = 'available'").await;
    let (_, problems, _) = quoted(&guest, 1).await;
    assert_eq!(problems, json!([{ "code": "OUT_OF_STOCK", "available": 0 }]));
    shop.finish().await;
}
