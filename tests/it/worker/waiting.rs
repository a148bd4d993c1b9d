//! What is paid and not delivered is mended, or put before a person once; and the desk says what waits and for how long.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::ids::{LineId, VariantId};
use dispense::operations::waiting::KINDS;
use serde_json::{Value, json};

use crate::downloads::shop::{FileShop, content};
use crate::faults::shop::server;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, codes, with_generic};
use crate::suppliers::shop::Bazaar;

const NONE: [&str; 0] = [];

async fn staff(t: &TestApp) -> Visitor {
    let known = "select count(*) from app_user where email = 'support@shop.example'";
    if t.db.one(known).await == "0" {
        t.person("support@shop.example", &[Role::Support]).await;
    }
    t.visitor("192.0.2.9").signed_in(&t.sign_in("support@shop.example").await.tokens.access)
}

/// `count` and whether there is an oldest, of one kind of waiting.
async fn waits(who: &Visitor, code: &str) -> (String, bool) {
    let list =
        who.ask("{ desk { health { waiting { code description count oldestSince } } } }", json!({})).await;
    let list = list["desk"]["health"]["waiting"].as_array().unwrap().clone();
    assert_eq!(list.len(), KINDS.len() + 1);
    let row = list.iter().find(|row| row["code"] == code).unwrap_or_else(|| panic!("no {code}"));
    assert!(row["description"].as_str().unwrap().len() > 10);
    (row["count"].as_str().unwrap().to_owned(), row["oldestSince"].is_string())
}

async fn tasks(t: &TestApp, kind: &str) -> String {
    let sql = format!(
        "select coalesce(string_agg(state, ' ' order by created_at, id), '') from task where kind = '{kind}'"
    );
    t.db.one(&sql).await
}

/// Rows: D8.
/// Sends: desk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_desk_counts_what_waits_and_each_question_reads_an_index_of_what_waits() {
    let t = TestApp::start_with(with_generic).await;
    let (keys, by_hand) = (t.variant_on_sale("key", 990).await, t.variant_on_sale("manual", 500).await);
    t.waiting_orders(keys, 2).await;
    t.paid_order(by_hand, 1).await;
    t.drain().await;
    let support = staff(&t).await;
    for (code, count) in [
        ("AWAITING_STOCK", "2"),
        ("AWAITING_PERSON", "1"),
        ("UNASSIGNED", "0"),
        ("REFUNDS_OPEN", "0"),
        ("HOOKS_QUEUED", "0"),
    ] {
        assert_eq!(waits(&support, code).await, (count.to_owned(), count != "0"), "{code}");
    }
    let guest = t.visitor("192.0.2.1").ask("{ desk { health { waiting { code } } } }", json!({})).await;
    assert_eq!(guest["desk"], Value::Null);
    // Whatever the shop has sold: with indexes to choose from, none of the large tables is read as a whole.
    for kind in KINDS {
        let sql = format!("set enable_seqscan = off; explain {}", kind.sql);
        let rows = t.db.sql(&sql).await;
        let plan: String = rows.into_iter().flatten().flatten().map(|line| line + "\n").collect();
        // Which of several such indexes is the cheapest depends on the rows; that the one is there does not.
        let partial = format!(
            "select count(*) from pg_indexes where indexname = '{}' and indexdef like '% WHERE %'",
            kind.index
        );
        assert_eq!(t.db.one(&partial).await, "1", "{}", kind.code);
        assert!(plan.contains("Index"), "{}:\n{plan}", kind.code);
        assert!(!plan.contains("Seq Scan"), "{}:\n{plan}", kind.code);
    }
    let guide = std::fs::read_to_string("docs/OPERATIONS.md").unwrap();
    let codes = KINDS.iter().map(|kind| kind.code).chain(["HOOKS_QUEUED"]);
    for code in codes {
        assert!(guide.contains(&format!("`{code}`")), "{code} is not in docs/OPERATIONS.md");
    }
    // As metrics of a worker.
    let worker = server(&t).start();
    let metric = "dispense_waiting_oldest_seconds{code=\"AWAITING_STOCK\"}";
    let mut text = String::new();
    for _ in 0..200 {
        text = t.http().get(worker.admin("/metrics")).send().await.unwrap().text().await.unwrap();
        if text.contains(metric) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(text.contains(metric), "{text}");
    assert!(text.contains("dispense_waiting{code=\"AWAITING_STOCK\"} 2"), "{text}");
    drop(worker);
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: D8, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_who_wait_too_long_are_one_task_for_each_cause_which_ends_with_it() {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.variant_on_sale("key", 990).await;
    t.waiting_orders(keys, 3).await;
    t.drain().await;
    t.sweep().await;
    assert_eq!(tasks(&t, "goods_overdue").await, "");
    t.advance(TimeDelta::hours(25)).await;
    t.sweep().await;
    t.sweep().await;
    assert_eq!(tasks(&t, "goods_overdue").await, "open", "one, however many wait");
    assert_eq!(t.db.one("select body ->> 'pieces' from task where kind = 'goods_overdue'").await, "3");
    // Staff ends it: it is not opened again for the same wait.
    let support = staff(&t).await;
    let listed = support
        .ask(
            "{ desk { tasks(filter: { kinds: [\"goods_overdue\"] }) { nodes { id subject detail } } } }",
            json!({}),
        )
        .await;
    let task = listed["desk"]["tasks"]["nodes"][0].clone();
    assert_eq!(task["subject"], keys.to_string());
    assert!(task["detail"].as_str().unwrap().contains("AWAITING_STOCK"), "{task}");
    let end = json!({ "taskId": task["id"], "note": "ordered more" });
    assert_eq!(codes(&support.act("taskResolve", end, "").await), NONE);
    t.advance(TimeDelta::hours(25)).await;
    t.sweep().await;
    assert_eq!(tasks(&t, "goods_overdue").await, "resolved");
    // Another wait is another cause, and ends by itself.
    t.import(keys, 3).await;
    t.drain().await;
    t.waiting_orders(keys, 1).await;
    t.drain().await;
    t.advance(TimeDelta::hours(25)).await;
    t.sweep().await;
    assert_eq!(tasks(&t, "goods_overdue").await, "resolved open");
    t.import(keys, 1).await;
    t.drain().await;
    t.sweep().await;
    assert_eq!(tasks(&t, "goods_overdue").await, "resolved resolved");
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: D8, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_whose_task_was_ended_without_a_delivery_comes_back_to_a_person() {
    let t = TestApp::start_with(with_generic).await;
    let by_hand = t.variant_on_sale("manual", 500).await;
    let placed = t.paid_order(by_hand, 1).await;
    t.drain().await;
    assert_eq!(tasks(&t, "delivery_by_hand").await, "open");
    let support = staff(&t).await;
    let listed = support.ask("{ desk { tasks { nodes { id } } } }", json!({})).await;
    let end = json!({ "taskId": listed["desk"]["tasks"]["nodes"][0]["id"], "note": "asked the buyer" });
    assert_eq!(codes(&support.act("taskResolve", end, "").await), NONE);
    t.advance(TimeDelta::hours(23)).await;
    t.sweep().await;
    assert_eq!(tasks(&t, "delivery_by_hand").await, "resolved", "a day of rest");
    t.advance(TimeDelta::hours(2)).await;
    t.sweep().await;
    t.sweep().await;
    assert_eq!(tasks(&t, "delivery_by_hand").await, "resolved open");
    assert_eq!(tasks(&t, "delivery_overdue").await, "open");
    let line = t.db.one("select subject from task where kind = 'delivery_overdue'").await;
    assert!(LineId(line.parse().unwrap()).to_string().starts_with("lin_"));
    // Delivered: both end.
    let unit = t.db.one("select id from unit").await.parse().unwrap();
    let support = staff(&t).await;
    let deliver =
        json!({ "deliveryId": dispense::base::ids::UnitId(unit).to_string(), "secretText": "made by hand" });
    assert_eq!(codes(&support.act("deliveryFulfilManually", deliver, "").await), NONE);
    t.drain().await;
    t.sweep().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(tasks(&t, "delivery_by_hand").await, "resolved resolved");
    assert_eq!(tasks(&t, "delivery_overdue").await, "resolved");
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: D8, L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_order_that_was_given_nothing_is_given_it() {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.selling_keys(2, 990).await;
    let placed = t.order(keys, 1).await;
    let other = t.order(keys, 1).await;
    // As if a program had died between two transactions that are one.
    let pay = format!(
        "update orders set state = 'paid', paid_at = app_now() where id = '{}';
         update payment set state = 'captured', allocated = true, captured_at = app_now(), received_minor = expected_minor,
           received_currency = expected_currency where order_id = '{}'",
        placed.order.id.0, placed.order.id.0
    );
    t.db.sql(&pay).await;
    t.sweep().await;
    assert_eq!(t.unit_states(placed.order.id).await, "unassigned:1", "it is left alone at first");
    t.advance(TimeDelta::minutes(2)).await;
    let support = staff(&t).await;
    assert_eq!(waits(&support, "UNASSIGNED").await, ("1".to_owned(), true));
    t.sweep().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(t.unit_states(other.order.id).await, "unassigned:1", "what is not paid gets nothing");
    assert_eq!(t.db.one("select delivered_at is not null from orders where paid_at is not null").await, "t");
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "1");
    assert_eq!(waits(&support, "UNASSIGNED").await, ("0".to_owned(), false));
    t.drain().await;
    t.finish().await;
}

/// Rows: D8, D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_that_nobody_buys_any_more_is_bought() {
    let shop = Bazaar::open().await;
    let supplier = shop.connect("Gifts").await;
    let variant: VariantId = shop.selling(&[&supplier]).await;
    let placed = shop.t().paid_order(variant, 1).await;
    let lost = "delete from job where kind = 'suppliers.buy';
        update supplier_purchase set state = 'abandoned', ended_at = app_now(), reason = 'LOST'";
    shop.t().db.sql(lost).await;
    shop.t().sweep().await;
    assert_eq!(shop.t().db.one("select count(*) from job where kind = 'suppliers.buy'").await, "0");
    shop.t().advance(TimeDelta::minutes(3)).await;
    shop.t().sweep().await;
    shop.t().sweep().await;
    assert_eq!(shop.t().db.one("select count(*) from job where kind = 'suppliers.buy'").await, "1", "once");
    shop.t().drain().await;
    let state = shop.t().unit_states(placed.order.id).await;
    assert!(["assigned:1", "awaiting_person:1"].contains(&state.as_str()), "{state}");
    shop.t().drain().await;
    shop.counter.t.finish_with_jobs().await;
}

/// Rows: D8, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_content_that_is_gone_is_put_before_a_person_until_it_is_back() {
    let t = TestApp::start_with(with_generic).await;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    files.publish(&t, "book.zip", "1", &content(5_000, 1)).await;
    t.paid_order(files.variant, 1).await;
    t.drain().await;
    t.sweep().await;
    assert_eq!(tasks(&t, "content_missing").await, "");
    assert_eq!(t.db.one("select count(*) from file_version where looked_at is not null").await, "1");
    let key = t.db.one("select blob from file_version").await;
    let found = find(t.data.path(), &key).expect("the content lies in the data folder");
    let aside = t.data.path().join("aside");
    std::fs::rename(&found, &aside).unwrap();
    t.sweep().await;
    assert_eq!(tasks(&t, "content_missing").await, "", "looked at once a day");
    t.advance(TimeDelta::hours(25)).await;
    t.sweep().await;
    t.advance(TimeDelta::hours(2)).await;
    t.sweep().await;
    assert_eq!(tasks(&t, "content_missing").await, "open");
    assert_eq!(waits(&staff(&t).await, "CONTENTS_MISSING").await, ("1".to_owned(), true));
    std::fs::rename(&aside, &found).unwrap();
    t.advance(TimeDelta::hours(2)).await;
    t.sweep().await;
    assert_eq!(tasks(&t, "content_missing").await, "resolved");
    t.drain().await;
    t.finish_with_jobs().await;
}

/// The file of a blob somewhere below a folder.
fn find(folder: &std::path::Path, key: &str) -> Option<std::path::PathBuf> {
    let name = key.rsplit('/').next().unwrap();
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => find(&path, key),
            false => path.file_name()?.to_str()?.contains(name).then_some(path),
        }
    })
}
