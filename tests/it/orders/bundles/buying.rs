//! A bundle is bought, and each part delivered by itself.

use serde_json::{Value, json};

use super::shop::{SECRET, Shelf};
use crate::check::clean::number;
use crate::check::planted::{Planted, find_all};
use crate::harness::Said;

fn amounts(parts: &Value) -> Vec<(&str, i64, &str, &str, &str)> {
    let text = |value: &Value| value["amount"].as_str().unwrap().to_owned();
    let part = |part: &Value| {
        let leak = |text: String| -> &'static str { text.leak() };
        (
            leak(part["kind"].as_str().unwrap().to_owned()),
            part["quantity"].as_i64().unwrap(),
            leak(text(&part["unit"])),
            leak(text(&part["discount"])),
            leak(text(&part["total"])),
        )
    };
    parts.as_array().unwrap().iter().map(part).collect()
}

/// The faults that are planted at the end are in what every sound shop with a bundle has.
/// Rows: C2 (orderPlace, deliveryReveal, deliveryFulfilManually), D2, L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_of_four_kinds_is_one_line_whose_parts_are_delivered_each_by_itself() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    let keys = t.import(shop.key, 5).await;
    assert_eq!(shop.availability(shop.bundle).await["canBuy"], true);
    let email = json!({ "email": "ada@example.com" });
    let answer = t.visitor("192.0.2.7").order(&shop.bundle.to_string(), 2, "39.98", email).await;
    let placed = t.placed(&answer).await;
    t.attempt(&placed, 1).await;
    let paid = Said::paid(&placed, "T1");
    let twice = tokio::join!(t.notify(&paid), t.notify(&paid));
    assert_eq!((twice.0.0, twice.1.0), (200, 200));
    assert_eq!(
        shop.states(&placed).await,
        "file assigned:2, key assigned:4, manual awaiting_person:2, secret assigned:2"
    );

    let order = shop.see(&placed).await;
    let lines = order["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    let shown = |line: &Value| {
        json!([line["kind"], line["quantity"], line["unit"]["amount"], line["total"]["amount"]])
    };
    assert_eq!(shown(line), json!(["bundle", 2, "19.99", "39.98"]));
    // 8.75 + 3.12 + 1.87 + 6.25 are 19.99, by largest remainder over 14, 5, 3 and 10.
    assert_eq!(
        amounts(&line["parts"]),
        [
            ("key", 4, "7.00", "10.50", "17.50"),
            ("file", 2, "5.00", "3.76", "6.24"),
            ("secret", 2, "3.00", "2.26", "3.74"),
            ("manual", 2, "10.00", "7.50", "12.50"),
        ]
    );
    assert!(line["parts"].as_array().unwrap().iter().all(|part| part["partOf"]["id"] == line["id"]));
    assert!(line["parts"].as_array().unwrap().iter().all(|part| part["parts"] == json!([])));
    assert_eq!((&line["deliveredQuantity"], &line["state"]), (&json!(0), &json!("AWAITING_PERSON")));
    assert_eq!(line["parts"][0]["deliveredQuantity"], 4);
    assert_eq!(line["deliveries"]["totalCount"], 10);
    let kinds: Vec<&str> =
        line["deliveries"]["nodes"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["key", "key", "key", "key", "file", "file", "secret", "secret", "manual", "manual"]);
    assert_eq!(line["grants"], json!([{ "canDownload": true }, { "canDownload": true }]));
    assert_eq!(
        (&order["stage"], &order["whyNotDelivered"]),
        (&json!("NEEDS_ATTENTION"), &line["whyNotDelivered"])
    );
    assert_eq!(line["whyNotDelivered"]["code"], "AWAITING_PERSON");
    let made_by_hand = t.db.one("select title from order_line where kind = 'manual'").await;
    let why = line["whyNotDelivered"]["message"].as_str().unwrap();
    assert!(why.starts_with(&format!("{made_by_hand}: ")), "{why}");

    t.drain().await;
    let read =
        |file: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(file.unwrap().path()).unwrap();
    let mails: Vec<String> = std::fs::read_dir(t.data.path().join("mail"))
        .unwrap()
        .map(|file| read(file).replace("=\r\n", "").replace("=E2=80=93", "–"))
        // The text; the page beside it says the same.
        .map(|mail| mail.split("text/html").next().unwrap().to_owned())
        .collect();
    let bundle = line["title"].as_str().unwrap();
    let plain = mails
        .iter()
        .find(|mail| mail.contains("Thank you for your order"))
        .unwrap_or_else(|| panic!("{}", mails.join("\n")));
    assert_eq!(plain.matches(&format!("{bundle}: ")).count(), 3, "{plain}");
    let own: Vec<&String> = keys.iter().filter(|key| plain.contains(key.as_str())).collect();
    assert_eq!((own.len(), plain.matches("CANARY-SHARED").count()), (4, 2), "{plain}");
    let waits = mails
        .iter()
        .find(|mail| mail.contains("still to come"))
        .unwrap_or_else(|| panic!("{}", mails.join("\n")));
    assert!(waits.contains(&format!("{bundle}: {made_by_hand}")), "{waits}");

    // Pages of three go through all parts.
    let texts = shop.texts(&placed, &line["id"], 3).await;
    assert_eq!(texts.len(), 6, "four keys, and the secret twice");
    assert_eq!(texts.iter().filter(|text| *text == SECRET).count(), 2);
    assert!(own.iter().all(|key| texts.contains(key)));
    let part = &line["parts"][2]["id"];
    assert_eq!(shop.texts(&placed, part, 100).await, [SECRET, SECRET], "a part is a line too");

    assert_eq!(shop.fulfil(&placed).await, 2);
    let order = shop.see(&placed).await;
    assert_eq!((&order["stage"], &order["whyNotDelivered"]), (&json!("DELIVERED"), &Value::Null));
    assert_eq!(order["lines"][0]["deliveredQuantity"], 2);
    assert_eq!(t.db.one("select delivered_at is not null from orders").await, "t");
    t.drain().await;
    shop.must_be_sound().await;
    number(t).await;
    find_all(t, &FAULTS).await;
    shop.t.finish_with_jobs().await;
}

const FAULTS: [Planted; 9] = [
    Planted {
        sql: "update order_line set parent_line_id = null, part_quantity = null where kind = 'file'",
        found_by: "a bundle's line has the parts that it was bought with, and no units",
        names: "line ",
    },
    Planted {
        sql: "update unit set line_id = (select id from order_line where kind = 'bundle')
            where id = (select u.id from unit u join order_line l on l.id = u.line_id where l.kind = 'file' limit 1)",
        found_by: "a bundle's line has the parts that it was bought with, and no units",
        names: "line ",
    },
    Planted {
        sql: "update order_line set total_minor = total_minor + 1 where kind = 'file'",
        found_by: "the shares of a bundle's parts sum to its price",
        names: "line ",
    },
    Planted {
        sql: "update unit u set total_minor = u.total_minor + case u.unit_no when 1 then 1 else -1 end
            from order_line l where l.id = u.line_id and l.kind = 'file'",
        found_by: "each bundle of a line costs the same, and its pieces cost what it costs",
        names: "line ",
    },
    Planted {
        sql: "update order_line set part_quantity = 2 where kind = 'file'",
        found_by: "a part has as many pieces as its bundles have",
        names: "line ",
    },
    Planted {
        sql: "update order_line set position = 77 where kind = 'file'",
        found_by: "a part is of its bundle's order, seller and currency, right behind it, and no bundle itself",
        names: "line ",
    },
    Planted {
        sql: "update ledger_entry set line_id = (select id from order_line where kind = 'bundle')
            where line_id = (select id from order_line where kind = 'file')",
        found_by: "no money is booked on a bundle's own line",
        names: "entry ",
    },
    Planted {
        sql: "update variant set kind = 'bundle' where kind = 'file'",
        found_by: "what is sold as a bundle consists of variants that are none",
        names: "variant ",
    },
    Planted {
        sql: "update order_line set total_minor = 0, discount_minor = unit_minor * quantity where kind = 'bundle'",
        found_by: "an order's total is the sum of its lines and of its units",
        names: "order ",
    },
];

/// Rows: C2, K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_short_waits_while_the_others_are_delivered_and_is_filled() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    shop.consists_of(shop.bundle, &[(shop.key, 2), (shop.file, 1), (shop.secret, 1)]).await;
    t.import(shop.key, 2).await;
    let (quick, late) = (t.order(shop.bundle, 1).await, t.order(shop.bundle, 1).await);
    for (placed, trade) in [(&quick, "T1"), (&late, "T2")] {
        assert_eq!(t.notify(&Said::paid(placed, trade)).await.0, 200);
    }
    assert_eq!(shop.states(&quick).await, "file assigned:1, key assigned:2, secret assigned:1");
    assert_eq!(shop.states(&late).await, "file assigned:1, key awaiting_stock:2, secret assigned:1");
    let order = shop.see(&late).await;
    assert_eq!(
        (&order["stage"], &order["lines"][0]["state"]),
        (&json!("PARTLY_DELIVERED"), &json!("AWAITING_STOCK"))
    );
    assert_eq!(order["whyNotDelivered"]["code"], "AWAITING_STOCK");
    assert_eq!(shop.texts(&late, &order["lines"][0]["id"], 2).await, [SECRET], "what is there is shown");
    assert_eq!(
        shop.availability(shop.bundle).await,
        json!({ "level": "OUT_OF_STOCK", "quantity": null, "canBuy": false, "reason": "OUT_OF_STOCK", "text": "Out of stock" })
    );
    assert_eq!(shop.problems(shop.bundle, 1).await, [("OUT_OF_STOCK".into(), json!(0))]);
    t.drain().await;
    shop.must_be_sound().await;
    // All its units or none, as for a line of keys.
    t.import(shop.key, 1).await;
    t.drain().await;
    assert_eq!(shop.states(&late).await, "file assigned:1, key awaiting_stock:2, secret revealed:1");
    t.import(shop.key, 1).await;
    t.drain().await;
    assert_eq!(shop.states(&late).await, "file assigned:1, key assigned:2, secret revealed:1");
    assert_eq!(shop.see(&late).await["stage"], "DELIVERED");
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2, O4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bundle_consists_of_later_changes_no_order_and_a_part_that_is_not_sold_closes_it() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    t.import(shop.key, 5).await;
    let placed = t.order(shop.bundle, 1).await;
    shop.consists_of(shop.bundle, &[(shop.key, 1), (shop.secret, 3)]).await;
    t.db.sql(&format!("update price set unit_minor = 9 where variant_id = '{}'", shop.key.0)).await;
    assert_eq!(t.notify(&Said::paid(&placed, "T1")).await.0, 200);
    assert_eq!(
        shop.states(&placed).await,
        "file assigned:1, key assigned:2, manual awaiting_person:1, secret assigned:1"
    );
    let order = shop.see(&placed).await;
    let kinds: Vec<&str> = amounts(&order["lines"][0]["parts"]).iter().map(|part| part.0).collect();
    assert_eq!(kinds, ["key", "file", "secret", "manual"]);
    let items = "query($id: ID!) { node(id: $id) { ... on Variant { goods { kind title
        delivery { instant withinSeconds text } ... on BundleGoods { items { quantity variant { id } } } } } } }";
    let seen = async |visitor: &crate::harness::visitor::Visitor| {
        visitor.ask(items, json!({ "id": shop.bundle.to_string() })).await["node"]["goods"].clone()
    };
    let (guest, boss) = (t.visitor("192.0.2.5"), shop.boss().await);
    let part = |id: &dispense::base::ids::VariantId, quantity| json!({ "quantity": quantity, "variant": { "id": id.to_string() } });
    let both = json!([part(&shop.key, 1), part(&shop.secret, 3)]);
    assert_eq!(
        seen(&guest).await,
        json!({ "kind": "bundle", "title": "Bundle", "items": both, "delivery": { "instant": true, "withinSeconds": 60,
            "text": "Each part is delivered as soon as it can be had" } })
    );
    // The scarcest part decides: three keys are left.
    assert_eq!(shop.edit(shop.bundle, json!({ "stockDisplay": "EXACT" })).await, Value::Null);
    assert_eq!(shop.availability(shop.bundle).await["quantity"], 3);
    assert_eq!(shop.problems(shop.bundle, 4).await, [("NOT_ENOUGH_STOCK".into(), json!(3))]);
    // A part that is bought beside the bundle is counted with it.
    let line = |id: dispense::base::ids::VariantId, n| json!({ "key": "1", "variantId": id.to_string(), "quantity": n });
    let lines = json!([line(shop.key, 2), line(shop.bundle, 2)]);
    let query = "query($i: QuoteInput!) { quote(input: $i) { lines { problems { code available } } } }";
    let quote = guest.ask(query, json!({ "i": { "lines": lines } })).await["quote"]["lines"].clone();
    let short = |available| json!({ "problems": [{ "code": "NOT_ENOUGH_STOCK", "available": available }] });
    assert_eq!(quote, json!([short(3), short(3)]));
    let shown = async |filter: Value| {
        let query = "query($f: ProductFilter) { products(first: 50, filter: $f) { nodes { variants { id goods { ... on BundleGoods { items { quantity } } } } } } }";
        let found = guest.ask(query, json!({ "f": filter })).await["products"]["nodes"].clone();
        found.to_string().contains(&shop.bundle.to_string())
    };
    assert!(shown(json!({ "inStock": true, "kinds": ["bundle"] })).await);

    let retired = json!({ "variantId": shop.secret.to_string() });
    let retired = boss.act("variantRetire", retired, "variant { active }").await;
    assert_eq!(retired["userErrors"], json!([]));
    assert_eq!(
        shop.availability(shop.bundle).await,
        json!({ "level": "OUT_OF_STOCK", "quantity": null, "canBuy": false, "reason": "NOT_ON_SALE", "text": "A part of it is not on sale" })
    );
    assert_eq!(shop.problems(shop.bundle, 1).await, [("NOT_ON_SALE".into(), Value::Null)]);
    assert!(!shown(json!({ "inStock": true })).await && shown(json!({ "inStock": false })).await);
    assert_eq!(seen(&guest).await["items"], json!([part(&shop.key, 1)]), "what nobody may see is left out");
    assert_eq!(seen(&boss).await["items"], both);
    let refused =
        guest.order(&shop.bundle.to_string(), 1, "19.99", json!({ "email": "ada@example.com" })).await;
    assert_eq!(crate::harness::codes(&refused), ["NOT_ON_SALE"]);
    // Its product goes off sale, with the other part.
    shop.consists_of(shop.bundle, &[(shop.key, 1)]).await;
    assert_eq!(shop.problems(shop.bundle, 1).await, []);
    t.db.sql(&format!(
        "update product set state = 'in_review' where id = (select product_id from variant where id = '{}')",
        shop.key.0
    ))
    .await;
    assert_eq!(shop.problems(shop.bundle, 1).await, [("NOT_ON_SALE".into(), Value::Null)]);
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
