//! A backup of yesterday is restored while the gateways' books have gone on.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::ids::{PaymentId, VariantId};
use dispense::base::outcome::Failure;
use dispense::check;
use dispense::config::Account;
use dispense::orders::place::Placed;
use dispense::payments::attempts::ask;
use dispense::payments::attempts::start::{self, Start, StartOptions};
use dispense::payments::restored;
use serde_json::{Value, json};

use super::street::{GATEWAYS, Street, currency, street};
use crate::graphql::client::Client;
use crate::harness::{Server, TestApp, TestDatabase, with_generic};

/// What one gateway has to do with the story.
struct Corner {
    method: &'static str,
    variant: VariantId,
    /// Ordered and its payment started before the backup, paid after it.
    meanwhile: Placed,
    /// Ordered, paid and delivered after the backup.
    lost: Placed,
}

/// The keys that units of a database hold, as a list of ids.
async fn sold(t: &TestApp) -> Vec<String> {
    let rows = t.db.sql("select id from vault_key where unit_id is not null order by id").await;
    rows.into_iter().flatten().flatten().collect()
}

/// The shop as the restored database makes it, at the same gateways.
async fn second_life(street: &Street, dump: &[u8]) -> TestApp {
    let account = |name: &str| Account {
        id: name.into(),
        currencies: vec![currency(name).to_owned()],
        ..street.simulator.account(name).unwrap()
    };
    let accounts = GATEWAYS.map(account).to_vec();
    let clock = street.t.app.clock.clone();
    let db = TestDatabase::restored(dump).await;
    db.set_clock_offset(clock.offset().num_microseconds().unwrap()).await;
    let t = TestApp::start_by(clock, db, |config| config.accounts = accounts).await;
    for name in GATEWAYS {
        street.simulator.set_notify_url(name, format!("{}/webhooks/{name}", t.base));
    }
    t
}

async fn begin(t: &TestApp, placed: &Placed, method: &str) -> Result<PaymentId, Failure> {
    let wish = Start {
        idempotency_key: format!("again-{}-{method}", placed.order.number),
        order_id: placed.order.id,
        access_token: Some(placed.access_token.expose().to_owned()),
        options: StartOptions { method: method.into(), ..StartOptions::default() },
    };
    Ok(start::start(&t.app.payments, &Actor::guest(), wish).await?.payment.id)
}

/// Rows: P7, P8, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_every_gateways_books_a_restored_shop_gives_no_key_free_or_twice_and_lists_what_it_lost() {
    let mut street = street().await;
    let mut corners = Vec::new();
    for method in GATEWAYS {
        street.bought(method).await;
        let variant = street.selling(method, 6, 990).await;
        let meanwhile = street.place(method, variant).await;
        street.start(&meanwhile, method).await;
        corners.push((method, variant, meanwhile));
    }
    let dump = street.t.db.dump();
    let since = street.t.app.clock.now();
    let before = sold(&street.t).await;

    // The day that the backup does not know.
    street.t.advance(TimeDelta::minutes(10)).await;
    let mut story: Vec<Corner> = Vec::new();
    for (method, variant, meanwhile) in corners {
        street.act(&meanwhile.order.number, "pay");
        street.settled().await;
        let lost = street.place(method, variant).await;
        street.start(&lost, method).await;
        street.act(&lost.order.number, "pay");
        street.settled().await;
        assert_eq!(street.t.unit_states(lost.order.id).await, "assigned:1", "{method}");
        story.push(Corner { method, variant, meanwhile, lost });
    }
    let given: Vec<String> = sold(&street.t).await.into_iter().filter(|key| !before.contains(key)).collect();
    assert_eq!(given.len(), 2 * GATEWAYS.len());
    street.t.stop_serving().await;

    // The day after: the disk is gone, the dump is restored.
    street.t.advance(TimeDelta::hours(42)).await;
    let t = second_life(&street, &dump).await;
    let report = restored::run(&t.app.payments, Some(since), false).await.unwrap();
    let reported = report.to_string();
    assert!(report.opened, "{reported}");
    assert_eq!(report.found, GATEWAYS.len(), "{reported}");
    for Corner { method, variant, meanwhile, lost } in &story {
        let (method, number) = (*method, &lost.order.number);
        let trade = street.there(number)["captures"][0]["trade_no"].as_str().unwrap().to_owned();
        let named = |found: &Value| found["trade"] == trade.as_str() && found["account"] == method;
        let listed = report.unknown.iter().filter(|found| named(&found.body)).count();
        let asked = report.questions.iter().filter(|q| q.account_id == method);
        if method == "generic" {
            assert_eq!(asked.map(|q| q.state.as_str()).collect::<Vec<_>>(), ["unanswerable"], "{reported}");
        } else {
            assert_eq!(listed, 1, "{method}: {reported}");
            assert!(reported.contains(&trade), "{reported}");
            let unknown: i32 = asked.map(|q| q.unknown_lines).sum();
            assert_eq!(unknown, 1, "{method}: {reported}");
        }
        // Paid meanwhile: found by asking; its key may have been handed over already, so none is given.
        assert_eq!(t.order_state(meanwhile.order.id).await, "paid", "{method}: {reported}");
        assert_eq!(t.unit_states(meanwhile.order.id).await, "awaiting_stock:1", "{method}");
        let free = format!(
            "select count(*) from vault_key where variant_id = '{}' and state = 'available'",
            variant.0
        );
        assert_eq!(t.db.one(&free).await, "0", "{method}: what may be sold is not on sale");
        assert!(reported.contains(&format!("frozen 6 keys of {variant}")), "{reported}");
    }
    assert_eq!(sold(&t).await, before, "nothing was given");

    // New orders of the second life are never paid by trades of the first.
    for corner in &story {
        let (method, variant) = (corner.method, street_stock(&t, corner.method).await);
        let placed = t.place_in(&[(variant, 1)], currency(method)).await;
        let id = begin(&t, &placed, method).await.unwrap();
        let journal = street.simulator.journal();
        let number = t.db.one(&format!("select gateway_number from payment where id = '{}'", id.0)).await;
        let same = |p: &&Value| p["number"].as_str().is_some_and(|n| n.replace('_', "-") == number);
        let there: Vec<&Value> = journal["payments"].as_array().unwrap().iter().filter(same).collect();
        assert!(there.iter().all(|p| p["captures"].as_array().unwrap().is_empty()), "{method}");
        ask::check(&t.app.payments, id).await.unwrap();
        t.drain().await;
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment", "{method}");
        // Even under the very number of a lost trade, which chance does not bring about.
        let taken = corner.lost.order.number.clone();
        let reference = "gateway_reference = case when gateway_reference is null then null else $$R$$ end";
        let there = street.there(&taken);
        let reference = reference.replace("$$R$$", &format!("'{}'", there["id"].as_str().unwrap()));
        t.db.sql(&format!(
            "update payment set gateway_number = '{taken}', {reference} where id = '{}'",
            id.0
        ))
        .await;
        ask::check(&t.app.payments, id).await.unwrap();
        street.simulator.act(there["id"].as_str().unwrap(), "repeat-notice", json!({})).unwrap();
        street.simulator.settled().await;
        t.drain().await;
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment", "{method}");
        let task = format!("select string_agg(kind, ' ') from task where order_id = '{}'", placed.order.id.0);
        assert_eq!(t.db.one(&task).await, "trade_older_than_attempt", "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "unassigned:1", "{method}");
        t.db.sql(&format!("update payment set gateway_number = '{number}' where id = '{}'", id.0)).await;
    }
    assert_eq!(sold(&t).await, before);

    // An order that is older than the backup and is paid another way gets a number of its own even for a first attempt.
    let proof = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(proof.is_clean(), "{proof}");

    // A person decides: the first two keys of each were given in the other life.
    for Corner { method, variant, meanwhile, .. } in &story {
        let released = restored::release(&t.app.payments, &Actor::system(), *variant, 2).await.unwrap();
        assert_eq!(released, 4, "{method}");
        t.drain().await;
        assert_eq!(t.unit_states(meanwhile.order.id).await, "assigned:1", "{method}");
    }
    let now = sold(&t).await;
    assert!(now.iter().all(|key| !given.contains(key)), "no key is given twice");
    assert_eq!(now.len(), before.len() + GATEWAYS.len());
    t.finish_with_jobs().await;
    street.t.finish_with_jobs().await;
}

/// Fresh stock of the second life.
async fn street_stock(t: &TestApp, method: &str) -> VariantId {
    let variant = t.selling_keys(2, 990).await;
    let code = currency(method);
    t.db.sql(&format!("update price set currency = '{code}' where variant_id = '{}'", variant.0)).await;
    variant
}

/// Rows: P7, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_gateway_does_not_answer_nothing_is_sold_and_the_command_goes_on_where_it_was() {
    let street = street().await;
    let t = &street.t;
    let variant = street.selling("stripe", 3, 990).await;
    let placed = street.place("stripe", variant).await;
    street.start(&placed, "stripe").await;
    street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    let report = restored::run(&t.app.payments, None, false).await.unwrap();
    assert!(!report.opened && report.to_string().ends_with("or with --open"), "{report}");

    let query = "mutation($i: OrderPlaceInput!) { orderPlace(input: $i) { order { id } userErrors { code retryAfterSeconds } } }";
    let other = street.selling("stripe", 0, 990).await;
    t.import(other, 2).await;
    let lines = json!([{ "key": "1", "variantId": other.to_string(), "quantity": 1 }]);
    let input = json!({ "idempotencyKey": "held-0123456789abcdef", "lines": lines, "currency": "USD",
        "expectedTotal": "9.90", "email": "ann@buyer.example" });
    let refused = Client::new(&t.app).data(query, json!({ "i": input })).await["orderPlace"].clone();
    assert_eq!(refused["userErrors"], json!([{ "code": "NOT_ON_SALE", "retryAfterSeconds": 30 }]));
    let again = Start {
        idempotency_key: "held-start-0123456789".into(),
        order_id: placed.order.id,
        access_token: Some(placed.access_token.expose().to_owned()),
        options: StartOptions { method: "generic".into(), ..StartOptions::default() },
    };
    let refused = start::start(&t.app.payments, &Actor::guest(), again).await;
    assert!(format!("{refused:?}").contains("MethodNotAvailable"), "{refused:?}");

    street.simulator.set_trouble(json!({})).unwrap();
    let again = restored::run(&t.app.payments, None, false).await.unwrap();
    assert!(again.opened, "{again}");
    assert_eq!((again.epoch, report.epoch), (2, 2), "it goes on, it does not begin again");
    let kinds = "select string_agg(kind, ' ' order by id) from event where kind like 'shop.%'";
    assert_eq!(t.db.one(kinds).await, "shop.restored shop.opened");
    let placed = Client::new(&t.app).data(query, json!({ "i": input })).await["orderPlace"].clone();
    assert_eq!(placed["userErrors"], json!([]), "{placed}");
    street.t.finish_with_jobs().await;
}

/// Rows: P8, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_statement_says_that_nothing_was_sold_the_stock_goes_back_by_itself_but_what_is_free() {
    let street = street().await;
    let t = &street.t;
    let method = "stripe";
    let kept = t.app.payments.accounts.find(method).unwrap();
    t.app.payments.accounts.replace(dispense::payments::accounts::Accounts::of(vec![kept]));
    street.bought(method).await;
    let priced = street.selling(method, 3, 990).await;
    let free = t.selling_keys(2, 0).await;
    t.advance(TimeDelta::hours(30)).await;
    let report =
        restored::run(&t.app.payments, Some(t.app.clock.now() - TimeDelta::hours(1)), false).await.unwrap();
    assert!(report.opened, "{report}");
    let states = |variant: VariantId| {
        format!(
            "select string_agg(distinct state, ' ') from vault_key where variant_id = '{}' and unit_id is null",
            variant.0
        )
    };
    let task = "select count(*) from task where kind = 'restored_stock_frozen' and state = 'open'";
    if report.questions.iter().any(|q| q.state == "waiting") {
        assert_eq!(t.db.one(&states(priced)).await, "frozen", "{report}");
        // The statement of today is made tomorrow.
        t.advance(TimeDelta::hours(30)).await;
        restored::sweep(&t.app.payments).await.unwrap();
    }
    assert_eq!(t.db.one(&states(priced)).await, "available");
    assert_eq!(t.db.one(&states(free)).await, "frozen", "no gateway knows of orders of nothing");
    assert_eq!(t.db.one(task).await, "1");
    assert_eq!(restored::release(&t.app.payments, &Actor::system(), free, 0).await.unwrap(), 2);
    assert_eq!(t.db.one(&states(free)).await, "available");
    assert_eq!(t.db.one(task).await, "0");
    street.t.finish_with_jobs().await;
}

/// Rows: K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reports_opens_and_releases_and_killed_half_way_is_run_again() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(3, 990).await;
    t.paid_order(variant, 1).await;
    let open = t.order(variant, 1).await;
    let setup = Server::of(&t.db.app_url());
    let run = |setup: &crate::harness::Setup, arguments: &[&str]| {
        let output = setup.command(arguments).output().unwrap();
        let reported = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), reported, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, _, log) = run(&setup, &["restored", "--since", "2099-01-01T00:00:00Z"]);
    assert!(!done && log.contains("a time to come"), "{log}");
    assert_eq!(t.db.one("select count(*) from epoch").await, "1");
    let (done, _, _) = run(&setup.clone().env("DISPENSE_FAULT", "restored.raised:1"), &["restored"]);
    assert!(!done);
    assert_eq!(t.db.one("select string_agg(id || state, ' ' order by id) from epoch").await, "1open 2held");
    let (done, reported, log) = run(&setup, &["restored"]);
    assert!(done && reported.contains("epoch 2") && reported.ends_with("sales go on\n"), "{reported}{log}");
    assert!(reported.contains(&format!("frozen 2 keys of {variant}")), "{reported}");
    assert_eq!(t.db.one("select string_agg(id || state, ' ' order by id) from epoch").await, "1open 2open");
    let (done, reported, log) =
        run(&setup, &["restored", "--release", &variant.to_string(), "--but-first", "1"]);
    assert!(done && reported.contains("1 keys are on sale again"), "{reported}{log}");
    let (done, _, log) = run(&setup, &["restored", "--release", "nonsense"]);
    assert!(!done && log.contains("not the id of a variant"), "{log}");
    // An attempt of an order of before has a part that no attempt of the other life can have had.
    let other = t.attempt(&open, 2).await;
    let bare = t.place(&[(variant, 1)]).await;
    let first = t.attempt(&bare, 1).await;
    let number = |id: PaymentId| format!("select gateway_number from payment where id = '{}'", id.0);
    assert!(t.db.one(&number(other)).await.starts_with(&format!("{}-2-", open.order.number)));
    assert_eq!(t.db.one(&number(first)).await, bare.order.number);
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
