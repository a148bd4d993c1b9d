//! One text for all its buyers.

use serde_json::json;

use super::shop::Counter;
use crate::check::planted::{Planted, find_all};
use crate::harness::Said;

const ONE: &str = "CANARY-SHARED-one: user reader, password 71";
const TWO: &str = "CANARY-SHARED-two: user reader, password 72";

/// Rows: K12, C2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_secret_is_sold_to_many_and_its_next_version_reaches_those_it_belongs_to() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-SHARED-");
    let variant = t.variant_on_sale("secret", 500).await;
    let first = shop.publish(&shop.boss, variant, ONE).await;
    assert_eq!((&first["secretVersion"]["number"], &first["userErrors"]), (&json!(1), &json!([])));
    assert_eq!(first["variant"]["availability"]["canBuy"], true);
    let again = shop.publish(&shop.boss, variant, ONE).await;
    assert_eq!(again["secretVersion"], first["secretVersion"], "the same text again is the same version");

    let follower = t.paid_order(variant, 2).await;
    assert_eq!(t.unit_states(follower.order.id).await, "assigned:2");
    assert_eq!(shop.edit(variant, json!({ "updatesIncluded": false })).await, None);
    let settler = t.paid_order(variant, 1).await;
    let masked = shop.line(&settler).await["deliveries"]["nodes"][0]["masked"].clone();
    assert_eq!(masked, "****71");
    assert_eq!(shop.texts(&follower).await, [ONE, ONE]);
    assert_eq!(shop.publish(&shop.boss, variant, TWO).await["secretVersion"]["number"], 2);
    assert_eq!(shop.texts(&follower).await, [TWO, TWO], "later versions belong to it");
    assert_eq!(shop.texts(&settler).await, [ONE], "it keeps the one it bought");
    let shown = shop.reveal(&settler).await["secrets"][0].clone();
    assert_eq!(shown["fields"], json!([{ "name": "text", "label": "Access", "value": ONE }]));
    assert_eq!(
        (&shown["delivery"]["kind"], &shown["delivery"]["state"]),
        (&json!("secret"), &json!("REVEALED"))
    );

    t.drain().await;
    let mailed = "select count(*) from unit_secret where mailed_at is not null";
    assert_eq!(t.db.one(mailed).await, "3", "the mail carries it as it carries keys");
    shop.refund(&settler).await;
    assert_eq!(shop.reveal(&settler).await["userErrors"][0]["code"], "REFUNDED");
    t.drain().await;
    shop.must_be_sound().await;
    crate::check::clean::number(t).await;
    find_all(t, &FAULTS).await;
    shop.t.finish_with_jobs().await;
}

const FAULTS: [Planted; 6] = [
    Planted {
        sql: "delete from unit_secret where unit_id = (select id from unit where state = 'revealed' limit 1)",
        found_by: "a delivered unit of a shared secret has a version of it",
        names: "unit ",
    },
    Planted {
        sql: "update unit set state = 'cancelled' where id = (select id from unit where state = 'revealed' limit 1)",
        found_by: "a text is that of a delivered unit of its own variant and seller, whose order is paid",
        names: "unit ",
    },
    Planted {
        sql: "update unit_secret set taken_back_at = null where taken_back_at is not null",
        found_by: "a text was taken back exactly when its unit was",
        names: "unit ",
    },
    Planted {
        sql: "insert into product (id, seller_id, slug) select '00000000-0000-7000-8000-0000000000aa', seller_id, 'other' from product limit 1;
            insert into variant (id, seller_id, product_id, kind) select '00000000-0000-7000-8000-0000000000bb', seller_id,
              '00000000-0000-7000-8000-0000000000aa', kind from variant limit 1;
            update secret_version set variant_id = '00000000-0000-7000-8000-0000000000bb' where number = 1",
        found_by: "a unit has a version of its own variant's secret",
        names: "unit ",
    },
    Planted {
        sql: "update secret_version set number = 5 where number = 2",
        found_by: "the versions of a secret are numbered from one without holes",
        names: "variant ",
    },
    Planted {
        sql: "update secret_version set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) where number = 1",
        found_by: "the text of a secret opens in its row, under its variant, by its data key",
        names: "version ",
    },
];

/// Rows: K12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_seller_publishes_a_secret_and_only_where_one_is_sold() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-SHARED-");
    let variant = t.variant_on_sale("secret", 500).await;
    let keys = t.selling_keys(1, 500).await;
    let refused = |answer: serde_json::Value| answer["userErrors"][0].clone();
    let of = |code: &str, field: &str| json!({ "code": code, "field": [field] });
    assert_eq!(refused(shop.publish(&shop.buyer, variant, ONE).await), of("NOT_FOUND", "variantId"));
    assert_eq!(refused(shop.publish(&shop.boss, keys, ONE).await), of("INVALID", "variantId"));
    assert_eq!(refused(shop.publish(&shop.boss, variant, " ").await), of("INVALID", "secretText"));
    let long = "x".repeat(10_001);
    assert_eq!(refused(shop.publish(&shop.boss, variant, &long).await), of("INVALID", "secretText"));
    let input = json!({ "in": { "variantId": variant.to_string(), "secretText": ONE } });
    let guest = "mutation($in: SecretVersionPublishInput!) { secretVersionPublish(input: $in) { userErrors { code } } }";
    assert_eq!(shop.guest.ask(guest, input).await.code(), "UNAUTHENTICATED");
    let cap = shop.edit(keys, json!({ "saleCap": 3 })).await.unwrap();
    let uncapped = json!({ "code": "INVALID", "field": ["fields", "saleCap"] });
    assert_eq!(cap, uncapped);
    assert_eq!(shop.edit(variant, json!({ "saleCap": -1 })).await.unwrap(), uncapped);
    assert_eq!(t.db.one("select count(*) from secret_version").await, "0");

    // Two at once: of one text one version, of two texts two, numbered without a hole.
    let (a, b) = tokio::join!(shop.publish(&shop.boss, variant, ONE), shop.publish(&shop.boss, variant, ONE));
    assert_eq!(a["secretVersion"], b["secretVersion"]);
    tokio::join!(
        shop.publish(&shop.boss, variant, TWO),
        shop.publish(&shop.boss, variant, "CANARY-SHARED-3")
    );
    let numbers = "select string_agg(number::text, ' ' order by number) from secret_version";
    assert_eq!(t.db.one(numbers).await, "1 2 3");
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: K12, K5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_piece_under_a_cap_goes_to_one_buyer_and_the_other_waits_until_there_is_room() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-SHARED-");
    let variant = t.variant_on_sale("secret", 500).await;
    shop.publish(&shop.boss, variant, ONE).await;
    assert_eq!(shop.edit(variant, json!({ "saleCap": 2 })).await, None);
    t.paid_order(variant, 1).await;
    let (a, b, c) = (t.order(variant, 1).await, t.order(variant, 1).await, t.order(variant, 1).await);
    let (said_a, said_b) =
        (Said::paid(&a, &format!("T{}", a.order.number)), Said::paid(&b, &format!("T{}", b.order.number)));
    let (one, other) = tokio::join!(t.notify(&said_a), t.notify(&said_b));
    assert_eq!((one.0, other.0), (200, 200));
    let states = async || {
        let mut states = [t.unit_states(a.order.id).await, t.unit_states(b.order.id).await];
        states.sort();
        states
    };
    assert_eq!(states().await, ["assigned:1", "awaiting_stock:1"]);
    let buy = shop.publish(&shop.boss, variant, ONE).await["variant"]["availability"].clone();
    assert_eq!(buy, json!({ "canBuy": false, "text": "Out of stock" }));

    // A refund before anybody can have read it makes room.
    let (first, waiting) = if t.unit_states(a.order.id).await == "assigned:1" { (&a, &b) } else { (&b, &a) };
    shop.refund(first).await;
    t.drain().await;
    assert_eq!(t.unit_states(waiting.order.id).await, "assigned:1");
    assert_eq!(shop.texts(waiting).await, [ONE]);
    // One that was read keeps its place; the next waits until the seller raises the cap.
    assert_eq!(t.notify(&Said::paid(&c, &format!("T{}", c.order.number))).await.0, 200);
    shop.refund(waiting).await;
    t.drain().await;
    assert_eq!(t.unit_states(c.order.id).await, "awaiting_stock:1");
    assert_eq!(shop.edit(variant, json!({ "saleCap": 3 })).await, None);
    t.drain().await;
    assert_eq!(t.unit_states(c.order.id).await, "assigned:1");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'awaiting_stock' and state <> 'resolved'").await,
        "0"
    );
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
