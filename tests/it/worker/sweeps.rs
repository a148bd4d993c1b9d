//! Sweeps run by themselves: neither a gateway that hangs nor a row that cannot be worked on keeps others from their turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::secret::Secret;
use dispense::config::{Account, Config};
use dispense::worker;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::check::planted::{Planted, find_all};
use crate::harness::{TestApp, with_generic};

/// A gateway that takes every connection and says nothing.
async fn silence() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    address
}

fn with_silent(config: &mut Config, api_url: &str) {
    with_generic(config);
    config.accounts.push(Account {
        id: "silent".into(),
        gateway: "stripe".into(),
        currencies: vec!["USD".into()],
        secrets: vec![Secret::new("whsec_of_a_gateway_that_says_nothing")],
        api_key: Some(Secret::new("sk_test_of_a_silent_account")),
        api_url: Some(api_url.into()),
        settings: BTreeMap::new(),
        sandbox: true,
        ..Account::default()
    });
}

/// Rows: X4, P7, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_hangs_on_close_keeps_no_other_order_and_no_other_sweep_from_its_turn() {
    let api_url = silence().await;
    let t = TestApp::start_with(|config| with_silent(config, &api_url)).await;
    let variant = t.selling_keys(40, 990).await;
    let mut silent = Vec::new();
    for n in 0..24 {
        let placed = t.order(variant, 1).await;
        t.db.sql(&format!(
            "update payment set account_id = 'silent', gateway_reference = 'cs_{n}', action = '{{}}' where order_id = '{}'",
            placed.order.id.0
        ))
        .await;
        silent.push(placed.order.id.0.to_string());
    }
    t.advance(TimeDelta::minutes(1)).await;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(t.order(variant, 1).await.order.id.0.to_string());
    }
    t.db.sql("update variant set low_stock_alert = 100").await;
    t.advance(TimeDelta::hours(2)).await;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let running = tokio::spawn(worker::run(t.app.worker(), stop.clone()));
    let states = |ids: &[String]| {
        format!("select string_agg(distinct state, ' ') from orders where id in ('{}')", ids.join("', '"))
    };
    let mended = async {
        while t.db.one(&states(&others)).await != "expired"
            || t.db.one("select count(*) from task where kind = 'stock_low'").await != "1"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Closing takes ten seconds there; one after the other the first ones alone would take a minute.
    tokio::time::timeout(Duration::from_secs(25), mended).await.expect("others had to wait");
    println!("others expired after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(t.db.one(&states(&silent)).await, "pending_payment", "nothing is concluded from silence");
    let asked_to_stop = Instant::now();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("whatever runs").unwrap();
    println!("ended after {:.1} s", asked_to_stop.elapsed().as_secs_f64());
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: X4, D8.
/// Sends: desk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_worked_on_is_put_off_by_itself_and_comes_before_a_person() {
    let t = TestApp::start_with(with_generic).await;
    let (poisoned, sound) = (t.selling_keys(1, 990).await, t.selling_keys(1, 990).await);
    t.db.sql(&format!(
        "create function poison() returns trigger language plpgsql as $$ begin raise 'poisoned'; end $$;
         create trigger poison before insert on stock_alert for each row when (new.variant_id = '{}')
           execute function poison();
         update variant set low_stock_alert = 5",
        poisoned.0
    ))
    .await;
    let low = |id: dispense::base::ids::VariantId| {
        format!("select count(*) from task where kind = 'stock_low' and subject = '{}'", id.0)
    };
    let stuck = "select coalesce(string_agg(sweep || ' ' || failures, ','), '') from stuck_row";
    for (failures, minutes) in [(1, 2), (2, 6), (3, 31), (4, 0)] {
        t.sweep().await;
        assert_eq!(t.db.one(stuck).await, format!("low_stock {failures}"));
        t.sweep().await;
        assert_eq!(t.db.one(stuck).await, format!("low_stock {failures}"), "it waits for its time");
        assert_eq!((t.db.one(&low(sound)).await, t.db.one(&low(poisoned)).await), ("1".into(), "0".into()));
        t.advance(TimeDelta::minutes(minutes)).await;
    }
    t.person("support@shop.example", &[Role::Support]).await;
    let support = t.visitor("192.0.2.9").signed_in(&t.sign_in("support@shop.example").await.tokens.access);
    let query = "{ desk { tasks(first: 20) { nodes { kind subject state } } } }";
    let seen = support.ask(query, json!({})).await;
    let tasks = seen["desk"]["tasks"]["nodes"].as_array().unwrap().clone();
    let task = tasks.iter().find(|task| task["kind"] == "row_stuck").unwrap_or_else(|| panic!("{tasks:?}"));
    assert_eq!(task["subject"], format!("low_stock:{poisoned}"), "a public id");
    crate::check::clean::number(&t).await;
    find_all(&t, &[] as &[Planted]).await;

    t.db.sql("drop trigger poison on stock_alert").await;
    t.advance(TimeDelta::hours(3)).await;
    t.sweep().await;
    assert_eq!(t.db.one(&low(poisoned)).await, "1");
    assert_eq!(t.db.one(stuck).await, "");
    assert_eq!(t.db.one("select state from task where kind = 'row_stuck'").await, "resolved");
    t.drain_all().await;
    t.finish_with_jobs().await;
}
