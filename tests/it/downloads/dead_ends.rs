//! Units that were left to a person get their goods once there are some.

use dispense::base::actor::{Actor, Role};
use dispense::base::ids::{OrderId, VariantId};
use dispense::files;
use serde_json::{Value, json};

use super::shop::{FileShop, content, link};
use crate::harness::{Said, TestApp, with_generic};

async fn ask(t: &TestApp, token: Option<&str>, query: &str, variables: Value) -> Value {
    let mut request = t.http().post(format!("{}/graphql", t.base)).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let body = json!({ "query": query, "variables": variables }).to_string();
    let answer: Value =
        serde_json::from_str(&request.body(body).send().await.unwrap().text().await.unwrap()).unwrap();
    t.sent.record(query, None, &answer);
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

const LOOK: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { stage whyNotDelivered { code message }
    lines { state deliveries(first: 5) { nodes { id } } grants { id } } } }";

const RETRY: &str = "mutation($i: DeliveryRetryInput!) { deliveryRetry(input: $i) {
    results { queued userErrors { code } } userErrors { code } } }";

async fn boss(t: &TestApp) -> String {
    t.person("boss@shop.example", &[Role::Admin]).await;
    t.sign_in("boss@shop.example").await.tokens.access.expose().to_owned()
}

async fn clean(t: &TestApp) {
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Rows: L1, L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_file_was_yanked_is_served_once_a_version_is_published() {
    let t = TestApp::start_with(with_generic).await;
    let boss = boss(&t).await;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    let one = files.publish(&t, "book.zip", "1", &content(500, 1)).await;
    t.drain().await;
    let order = t.order(files.variant, 2).await;
    files::yank_version(&t.app, &Actor::system(), one.id).await.unwrap();
    assert_eq!(t.notify(&Said::paid(&order, "T-1")).await.0, 200);
    t.drain().await;
    assert_eq!(t.unit_states(order.order.id).await, "awaiting_person:2");
    let look = json!({ "n": order.order.number, "t": order.access_token.expose() });
    let seen = ask(&t, None, LOOK, look.clone()).await["order"].clone();
    assert_eq!(
        (&seen["stage"], &seen["whyNotDelivered"]["code"]),
        (&json!("NEEDS_ATTENTION"), &json!("AWAITING_PERSON"))
    );
    let kinds = "select string_agg(kind, ' ' order by kind) from message where order_id is not null and kind like 'order_%'";
    assert_eq!(t.db.one(kinds).await, "order_awaiting_person", "no word of stock");
    let units: Vec<String> = seen["lines"][0]["deliveries"]["nodes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    let units = if units.is_empty() { ids(&t).await } else { units };
    let retried = ask(&t, Some(&boss), RETRY, json!({ "i": { "deliveryIds": units } })).await;
    assert_eq!(
        retried["deliveryRetry"]["results"][0]["userErrors"][0]["code"], "ILLEGAL_TRANSITION",
        "{retried}"
    );
    clean(&t).await;

    files.publish(&t, "book.zip", "2", &content(600, 2)).await;
    clean(&t).await;
    t.drain().await;
    assert_eq!(t.unit_states(order.order.id).await, "assigned:2");
    let seen = ask(&t, None, LOOK, look).await["order"].clone();
    assert_eq!((&seen["stage"], &seen["whyNotDelivered"]), (&json!("DELIVERED"), &Value::Null));
    assert_eq!(seen["lines"][0]["grants"].as_array().unwrap().len(), 2);
    assert_eq!(t.db.one(kinds).await, "order_awaiting_person order_delivered");
    assert_eq!(t.db.one("select state from task where kind = 'delivery_by_hand'").await, "resolved");
    clean(&t).await;
    t.finish_with_jobs().await;
}

/// Shows the free keys to buyers, or hides them, behind the program's back.
async fn show(t: &TestApp, shown: bool) {
    let (from, to) = if shown { ("frozen", "available") } else { ("available", "frozen") };
    t.db.sql(&format!("update vault_key set state = '{to}' where state = '{from}'")).await;
}

/// An order for one key that was placed beside stock and paid without.
async fn short(t: &TestApp, variant: VariantId) -> OrderId {
    show(t, true).await;
    let order = t.order(variant, 1).await;
    show(t, false).await;
    assert_eq!(t.notify(&Said::paid(&order, &format!("T{}", order.order.number))).await.0, 200);
    t.drain().await;
    order.order.id
}

async fn ids(t: &TestApp) -> Vec<String> {
    let rows = t.db.sql("select id from unit order by id").await;
    rows.into_iter()
        .map(|row| dispense::base::ids::UnitId(row[0].as_ref().unwrap().parse().unwrap()).to_string())
        .collect()
}

/// Rows: L1, L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_published_while_the_payment_was_settled_is_seen() {
    let t = TestApp::start_with(with_generic).await;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    let one = files.publish(&t, "book.zip", "1", &content(400, 0)).await;
    t.drain().await;
    let order = t.order(files.variant, 1).await;
    files::yank_version(&t.app, &Actor::system(), one.id).await.unwrap();
    assert_eq!(t.notify(&Said::paid(&order, "T-1")).await.0, 200);
    // As if the publishing had committed, and its job had run, just before the settling did.
    files.publish(&t, "book.zip", "2", &content(500, 1)).await;
    t.db.sql("update job set state = 'done' where kind = 'downloads.published'").await;
    t.drain().await;
    assert_eq!(t.unit_states(order.order.id).await, "assigned:1");
    t.finish_with_jobs().await;
}

/// Rows: L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_bought_a_version_without_updates_gets_the_next_one_once_theirs_was_withdrawn() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    t.db.sql("update variant set updates_included = false").await;
    let one = shop.publish(&t, "a.bin", "1", b"one").await;
    let (_, grant) = shop.granted(&t, None).await;
    shop.publish(&t, "a.bin", "2", b"two").await;
    assert_eq!(link(&t, grant).await.file.version, "1");
    files::yank_version(&t.app, &Actor::system(), one.id).await.unwrap();
    let served = link(&t, grant).await;
    assert_eq!(served.file.version, "2");
    assert_eq!(t.http().get(&served.url).send().await.unwrap().text().await.unwrap(), "two");
    t.drain().await;
    t.finish().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_the_sweep_and_a_retry_lead_on_from_a_person_too() {
    let t = TestApp::start_with(with_generic).await;
    let boss = boss(&t).await;
    let variant = t.selling_keys(1, 500).await;
    let by_hand = async || {
        let order = short(&t, variant).await;
        t.db.sql(&format!("update unit set state = 'awaiting_person' where order_id = '{}'", order.0)).await;
        order
    };
    let by_stock = by_hand().await;
    let second = by_hand().await;
    let waiting = short(&t, variant).await;
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(by_stock).await, "assigned:1", "the one that waits longest");
    assert_eq!(t.unit_states(second).await, "awaiting_person:1");
    t.import(variant, 1).await;
    assert_eq!(
        (t.unit_states(second).await, t.unit_states(waiting).await),
        ("assigned:1".into(), "awaiting_stock:1".into())
    );
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(waiting).await, "assigned:1");
    clean(&t).await;

    // By a retry, and by the sweep, beside a key that came free without a job.
    for by_retry in [true, false] {
        let order = by_hand().await;
        let unit = t.db.one(&format!("select id from unit where order_id = '{}'", order.0)).await;
        let unit = dispense::base::ids::UnitId(unit.parse().unwrap()).to_string();
        let retry =
            async || ask(&t, Some(&boss), RETRY, json!({ "i": { "deliveryIds": [unit.clone()] } })).await;
        assert_eq!(retry().await["deliveryRetry"]["results"][0]["queued"], false);
        show(&t, true).await;
        if by_retry {
            assert_eq!(retry().await["deliveryRetry"]["results"][0]["queued"], true);
            t.drain().await;
        } else {
            t.sweep().await;
        }
        assert_eq!(t.unit_states(order).await, "assigned:1", "{by_retry}");
        t.import(variant, 1).await;
    }
    t.finish_with_jobs().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_handed_over_stops_no_other_and_goes_before_a_person() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 500).await;
    let poisoned = short(&t, variant).await;
    let next = short(&t, variant).await;
    t.db.sql(&format!(
        "update unit set state = 'awaiting_person' where order_id = '{0}';
         create function poison() returns trigger language plpgsql as $$ begin
           if new.order_id = '{0}' and new.state = 'assigned' then raise exception 'poison'; end if; return new; end $$;
         create trigger poison before update on unit for each row execute function poison()",
        poisoned.0
    ))
    .await;
    t.import(variant, 2).await;
    assert_eq!(
        (t.unit_states(poisoned).await, t.unit_states(next).await),
        ("awaiting_person:1".into(), "assigned:1".into())
    );
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'delivery_failed' and state = 'open'").await,
        "1"
    );
    clean(&t).await;
    t.db.sql("drop trigger poison on unit; drop function poison()").await;
    t.sweep().await;
    assert_eq!(t.unit_states(poisoned).await, "assigned:1");
    assert_eq!(t.db.one("select state from task where kind = 'delivery_failed'").await, "resolved");
    t.finish_with_jobs().await;
}

/// Rows: C9, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_address_is_told_that_a_person_has_to_hand_the_goods_over() {
    let t = TestApp::start_with(with_generic).await;
    let boss = boss(&t).await;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    let one = files.publish(&t, "book.zip", "1", &content(500, 1)).await;
    t.drain().await;
    let order = t.order(files.variant, 1).await;
    files::yank_version(&t.app, &Actor::system(), one.id).await.unwrap();
    assert_eq!(t.notify(&Said::paid(&order, "T-1")).await.0, 200);
    t.drain().await;
    assert_eq!(t.unit_states(order.order.id).await, "awaiting_person:1");
    let correct = "mutation($i: DeliveryCorrectAddressInput!) { deliveryCorrectAddress(input: $i) { userErrors { code } } }";
    let input =
        json!({ "orderId": order.order.id.to_string(), "email": "right@example.com", "reason": "typo" });
    let done = ask(&t, Some(&boss), correct, json!({ "i": input })).await;
    assert_eq!(done["deliveryCorrectAddress"]["userErrors"], json!([]));
    t.drain().await;
    let reported =
        "select string_agg(kind || ' ' || state, ',') from message where recipient = 'right@example.com'";
    assert_eq!(t.db.one(reported).await, "order_awaiting_person sent");
    t.finish_with_jobs().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_of_what_is_held_says_that_it_is_held() {
    let t = TestApp::start_with(with_generic).await;
    let boss = boss(&t).await;
    let variant = t.selling_keys(1, 500).await;
    let order = short(&t, variant).await;
    let id = t.db.one(&format!("select id from unit where order_id = '{}'", order.0)).await;
    let unit = dispense::base::ids::UnitId(id.parse().unwrap()).to_string();
    let retry = "mutation($i: DeliveryRetryInput!) { deliveryRetry(input: $i) {
        results { queued userErrors { code message } } userErrors { code } } }";
    for state in ["awaiting_stock", "awaiting_person"] {
        t.db.sql(&format!(
            "update unit set state = '{state}' where id = '{id}'; delete from hold;
             insert into hold (order_id, cause, cause_id) values ('{0}', 'dispute', '{0}')",
            order.0
        ))
        .await;
        let reported = ask(&t, Some(&boss), retry, json!({ "i": { "deliveryIds": [unit] } })).await;
        let no = &reported["deliveryRetry"]["results"][0]["userErrors"][0];
        assert_eq!(no["code"], "ILLEGAL_TRANSITION", "{reported}");
        assert!(no["message"].as_str().unwrap().contains("held"), "{reported}");
    }
    t.db.sql("delete from hold").await;
    t.finish_with_jobs().await;
}
