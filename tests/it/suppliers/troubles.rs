//! Everything that a supplier may do wrong (FAULTS F1 and F3 to F5): nothing is bought twice, nothing unfit is sold, nothing
//! that was paid for is lost.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::Bazaar;

/// One supplier, one trouble: what becomes of the unit and of the purchase, and how often it was ordered.
struct Case {
    next: &'static [&'static str],
    unit: &'static str,
    purchases: &'static str,
    orders: u64,
    tasks: &'static str,
}

const CASES: [Case; 16] = [
    case(&["lose_answer"], "assigned:1", "delivered", 1, ""),
    case(&["lose_request"], "assigned:1", "delivered", 1, ""),
    case(&["spoil"], "assigned:1", "delivered", 1, ""),
    case(&["bad_json"], "assigned:1", "delivered", 1, ""),
    case(&["huge"], "assigned:1", "delivered", 1, ""),
    case(&["error_inside"], "assigned:1", "delivered", 1, ""),
    case(&["down"], "assigned:1", "delivered", 1, ""),
    case(&["busy"], "assigned:1", "delivered", 1, ""),
    case(&["pending", "pending"], "assigned:1", "delivered", 1, ""),
    case(&["lose_answer", "down", "lose_answer"], "assigned:1", "delivered", 1, ""),
    case(
        &["two"],
        "awaiting_person:1",
        "quarantined:WRONG_COUNT",
        1,
        "delivery_by_hand purchase_quarantined",
    ),
    case(
        &["nothing"],
        "awaiting_person:1",
        "quarantined:WRONG_COUNT",
        1,
        "delivery_by_hand purchase_quarantined",
    ),
    case(
        &["dear"],
        "awaiting_person:1",
        "quarantined:PRICE_ABOVE_AGREED",
        1,
        "delivery_by_hand purchase_quarantined supplier_paused",
    ),
    case(
        &["other_currency"],
        "awaiting_person:1",
        "quarantined:PRICE_ABOVE_AGREED",
        1,
        "delivery_by_hand purchase_quarantined supplier_paused",
    ),
    case(
        &["other_request"],
        "awaiting_person:1",
        "quarantined:OTHER_PURCHASE",
        1,
        "delivery_by_hand purchase_quarantined",
    ),
    case(&["unauthorised"], "awaiting_person:1", "refused:UNAUTHORISED", 0, "delivery_by_hand"),
];

const fn case(
    next: &'static [&'static str],
    unit: &'static str,
    purchases: &'static str,
    orders: u64,
    tasks: &'static str,
) -> Case {
    Case { next, unit, purchases, orders, tasks }
}

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_supplier_answers_is_bought_once_and_sold_only_when_it_is_fit() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    for case in &CASES {
        let supplier = shop.connect(&format!("{:?}", case.next)).await;
        let variant = shop.selling(&[&supplier]).await;
        t.db.sql("update task set state = 'resolved', resolved_at = app_now() where state <> 'resolved'")
            .await;
        shop.trouble(case.next);
        let placed = t.paid_order(variant, 1).await;
        shop.pass(TimeDelta::minutes(4)).await;
        let what = case.next;
        assert_eq!(t.unit_states(placed.order.id).await, case.unit, "{what:?}");
        assert_eq!(shop.purchases(&placed).await, case.purchases, "{what:?}");
        let unit = shop.units(placed.order.id).await[0].to_string();
        let orders = shop.sold_of(&unit).map_or(0, |sold| sold["orders"].as_u64().unwrap());
        assert_eq!(orders, case.orders, "{what:?}");
        let tasks =
            "select coalesce(string_agg(kind, ' ' order by kind), '') from task where state <> 'resolved'";
        assert_eq!(t.db.one(tasks).await, case.tasks, "{what:?}");
        if case.unit.starts_with("awaiting") {
            let on_sale = "select count(*) from vault_key where state = 'available'";
            assert_eq!(t.db.one(on_sale).await, "0", "{what:?}: what is unfit is out of sale");
        } else {
            assert_eq!(shop.counter.texts(&placed).await.len(), 1, "{what:?}");
        }
    }
    let key = "select count(*) from vault_key where state = 'frozen'";
    assert_eq!(t.db.one(key).await, "5", "what was paid for and is unfit lies in the vault");
    shop.sound().await;
}

/// Rows: D7, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_known_is_never_sold_again_wherever_it_came_from() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    let one = t.paid_order(variant, 1).await;
    t.drain().await;
    shop.trouble(&["sold_before"]);
    let other = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(
        shop.purchases(&other).await,
        "quarantined:KEY_KNOWN delivered",
        "the next supplier sold another"
    );
    let (one, other) = (shop.counter.texts(&one).await, shop.counter.texts(&other).await);
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_ne!(one, other);
    assert_eq!(t.db.one("select count(*) from task where kind = 'purchase_quarantined'").await, "1");
    // Nor is it taken in as a key of another variant.
    let keys = t.selling_keys(0, 500).await;
    t.import_texts(keys, &one).await;
    assert_eq!(t.db.one("select count(*) from vault_key where batch_id in (select id from key_batch where origin = 'import')").await, "0");
    shop.sound().await;
}

/// A supplier that neither delivers nor refuses is asked further, and a person hears of it; nobody else is asked meanwhile.
/// Rows: D7, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_supplier_is_put_before_a_person_and_nothing_is_bought_elsewhere_meanwhile() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    shop.always(Some("pending"));
    let placed = t.paid_order(variant, 1).await;
    shop.pass(TimeDelta::minutes(29)).await;
    t.sweep().await;
    let task = "select coalesce(string_agg(state, ' '), '') from task where kind = 'supplier_silent'";
    assert_eq!(t.db.one(task).await, "");
    shop.pass(TimeDelta::minutes(2)).await;
    t.sweep().await;
    t.sweep().await;
    assert_eq!(t.db.one(task).await, "open");
    assert_eq!(shop.purchases(&placed).await, "pending");
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_supplier:1");
    shop.always(None);
    shop.pass(TimeDelta::hours(2)).await;
    assert_eq!(t.db.one(task).await, "resolved");
    assert_eq!(shop.purchases(&placed).await, "delivered");
    assert_eq!(shop.sold().len(), 1);
    shop.sound().await;
}

/// A supplier that cannot be asked: the lost answer is for a person, and its callback ends it.
/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_of_a_supplier_that_cannot_be_asked_waits_for_its_callback_or_a_person() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let mut input = shop.connection("Deaf");
    input["statusUrl"] = json!(null);
    let supplier = shop.create(&shop.boss().await, input).await["supplier"]["id"].clone();
    let variant = shop.selling(&[supplier.as_str().unwrap()]).await;
    shop.trouble(&["lose_answer"]);
    let placed = t.paid_order(variant, 1).await;
    shop.pass(TimeDelta::minutes(40)).await;
    t.sweep().await;
    assert_eq!(shop.purchases(&placed).await, "unknown");
    assert_eq!(t.db.one("select state from task where kind = 'supplier_silent'").await, "open");
    let unit = shop.units(placed.order.id).await[0].to_string();
    assert_eq!(shop.simulator.supplier_calls_back(&unit, None).await, Ok(204));
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(t.db.one("select state from task where kind = 'supplier_silent'").await, "resolved");
    t.drain().await;
    shop.sound().await;
}

const DECIDE: &str = "mutation($in: QuarantineDecideInput!) { quarantineDecide(input: $in) {
    task { state } userErrors { code field } } }";

/// Rows: D6, D7 (quarantineDecide).
/// Sends: quarantineDecide.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_releases_or_voids_what_a_supplier_delivered_that_was_not_sold() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    let boss = shop.boss().await;
    let boss = &boss;
    let decide = async |id: &str, decision: &str, note: &str| {
        let input = json!({ "in": { "taskId": id, "decision": decision, "note": note } });
        boss.ask(DECIDE, input).await["quarantineDecide"].clone()
    };
    let task_of = async |order: dispense::base::ids::OrderId| {
        let sql =
            format!("select id from task where kind = 'purchase_quarantined' and order_id = '{}'", order.0);
        dispense::base::ids::TaskId(t.db.one(&sql).await.parse().unwrap()).to_string()
    };
    shop.trouble(&["two"]);
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_person:1");
    let task = task_of(placed.order.id).await;
    assert_eq!(decide(&task, "RELEASE", " ").await["userErrors"][0]["code"], "REASON_REQUIRED");
    let ada = shop.who("ada@buyer.example").await;
    let input = json!({ "in": { "taskId": task, "decision": "VOID", "note": "x" } });
    assert_eq!(ada.raw(DECIDE, input).await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let done = decide(&task, "RELEASE", "both codes are good").await;
    assert_eq!(done, json!({ "task": { "state": "RESOLVED" }, "userErrors": [] }));
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "the line that waited gets one of them");
    assert_eq!(
        t.db.one("select string_agg(state, ' ' order by state) from vault_key").await,
        "available sold"
    );
    let next = t.paid_order(variant, 1).await;
    assert_eq!(t.unit_states(next.order.id).await, "assigned:1", "the other is the next buyer's");

    shop.trouble(&["other_request"]);
    let spoilt = t.paid_order(variant, 1).await;
    t.drain().await;
    let task = task_of(spoilt.order.id).await;
    assert_eq!(decide(&task, "VOID", "it is somebody else's").await["userErrors"], json!([]));
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'voided'").await, "1");
    shop.trouble(&["nothing"]);
    let empty = t.paid_order(variant, 1).await;
    t.drain().await;
    let task = task_of(empty.order.id).await;
    let refused = decide(&task, "VOID", "there is nothing").await;
    assert_eq!(refused["userErrors"][0]["code"], "ILLEGAL_TRANSITION");
    let by_hand = "select id from task where kind = 'delivery_by_hand' and state <> 'resolved' limit 1";
    let other = dispense::base::ids::TaskId(t.db.one(by_hand).await.parse().unwrap()).to_string();
    assert_eq!(
        decide(&other, "VOID", "x").await["userErrors"],
        json!([{ "code": "INVALID", "field": ["taskId"] }])
    );
    t.drain().await;
    shop.sound().await;
}
