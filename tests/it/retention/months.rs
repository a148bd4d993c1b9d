//! Events and what gateways sent leave by whole months.

use std::time::Duration;

use chrono::TimeDelta;
use dispense::audit::{self, Broken};
use dispense::base::actor::Role;
use dispense::check;
use dispense::worker::retention;
use serde_json::{Value, json};

use crate::faults::shop::durable;
use crate::harness::{Said, Server, TestApp, with_generic};
use crate::hooks::receiver::Manner;
use crate::hooks::shop::Relay;

const PARTITIONS: &str = "select coalesce(string_agg(relname, ' ' order by relname), '') from pg_inherits
    join pg_class on oid = inhrelid where inhparent = 'event'::regclass and relname <> 'event_default'";

/// A shop whose events of the first month are in the default partition, and those of the next in one of their own.
async fn aged() -> TestApp {
    let t = TestApp::start_with(with_generic).await;
    t.person("admin@shop.example", &[Role::Admin]).await;
    let variant = t.selling_keys(6, 990).await;
    t.paid_order(variant, 1).await;
    t.drain().await;
    t.advance(TimeDelta::days(40)).await;
    t.sweep().await;
    t.paid_order(variant, 1).await;
    t.drain().await;
    t
}

async fn pull(t: &TestApp, after: i64) -> (u16, Value) {
    let token = t.sign_in("admin@shop.example").await.tokens.access;
    let url = format!("{}/events?after={after}", t.base);
    let answer =
        t.http().get(url).header("authorization", format!("Bearer {}", token.expose())).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn is_sound(t: &TestApp) {
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Rows: D8, D9, C9, K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_events_leave_and_their_seals_their_money_and_their_readers_stay() {
    let t = aged().await;
    let first = t.db.one("select min(seq) from event_seq s join event e on e.id = s.event_id where e.created_at > app_now() - interval '1 day'").await;
    let first: i64 = first.parse().unwrap();
    let tables = "select concat_ws(' ', (select count(*) from event_seq), (select count(*) from ledger_entry),
        (select count(*) from payment), (select count(*) from unit where state = 'assigned'), (select count(*) from notice))";
    let stay = t.db.one(tables).await;
    // A month later nothing has left.
    t.advance(TimeDelta::days(30)).await;
    t.retain().await;
    assert_eq!(pull(&t, 0).await.0, 200);

    // The rows of the first month leave the default partition in batches, at their age.
    t.advance(TimeDelta::days(25)).await;
    t.sweep().await;
    t.retain().await;
    assert_eq!(
        t.db.one("select count(*) from event where created_at < app_now() - interval '90 days'").await,
        "0"
    );
    t.drain().await;
    let (status, problem) = pull(&t, 0).await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("CURSOR_TOO_OLD")));
    assert!(problem["detail"].as_str().unwrap().ends_with(&format!("the number {first}")), "{problem}");
    let (status, page) = pull(&t, first - 1).await;
    assert_eq!((status, &page["events"][0]["seq"]), (200, &json!(first)));
    let verdict = audit::verify(&t.app, None).await.unwrap();
    assert_eq!(verdict.broken, None, "seals go on where events have left");
    is_sound(&t).await;

    // The next month leaves whole.
    let before = t.db.one(PARTITIONS).await;
    t.advance(TimeDelta::days(75)).await;
    t.sweep().await;
    let after = t.db.one(PARTITIONS).await;
    assert!(!before.is_empty() && !after.contains(&before[..15]), "{before} and then {after}");
    assert_eq!(
        t.db.one(&format!(
            "select count(*) from event e join event_seq s on s.event_id = e.id where s.seq = {first}"
        ))
        .await,
        "0"
    );
    assert_eq!(audit::verify(&t.app, None).await.unwrap().broken, None);
    is_sound(&t).await;
    assert!(
        t.db.one(tables)
            .await
            .split(' ')
            .zip(stay.split(' '))
            .all(|(now, then)| now.parse::<i64>().unwrap() >= then.parse().unwrap())
    );

    // Above the horizon an event that is missing is found as before.
    t.sign_in("admin@shop.example").await;
    t.drain().await;
    let last = t.db.one("select max(id) from event").await;
    t.db.sql(&format!("delete from event where id = {last}")).await;
    assert!(matches!(audit::verify(&t.app, None).await.unwrap().broken, Some(Broken::EventMissing { .. })));
    t.finish_with_jobs().await;
}

/// Rows: D8, D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_somebody_is_still_to_get_stays_whatever_its_age() {
    let relay = Relay::open().await;
    let t = &relay.t;
    let variant = relay.selling(2).await;
    relay.receiver.answers("/slow", Manner::Status(503));
    relay.connect("/slow", json!({ "eventTypes": ["order.paid"] })).await;
    t.paid_order(variant, 1).await;
    let count = "select count(*) from event where created_at < app_now() - interval '100 days'";
    // Nobody has numbered them.
    t.advance(TimeDelta::days(130)).await;
    assert!(retention::sweep(&t.app).await.is_ok());
    let all = t.db.one(count).await;
    t.retain().await;
    assert_eq!(t.db.one(count).await, all, "they have no numbers yet");
    // Numbered, and not yet passed by the reactions and the hooks.
    crate::check::clean::number(t).await;
    t.retain().await;
    assert_eq!(t.db.one(count).await, all, "a consumer has not seen them");
    // Passed, and on its way to an endpoint that does not take it.
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from hook_delivery where state = 'queued'").await, "1");
    t.retain().await;
    assert_eq!(t.db.one(count).await, all, "an endpoint is still to get one of them");
    relay.receiver.answers("/slow", Manner::Status(200));
    t.drain_all().await;
    t.advance(TimeDelta::minutes(10)).await;
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from hook_delivery where state = 'delivered'").await, "1");
    t.retain().await;
    assert_eq!(t.db.one(count).await, "0");
    relay.t.finish_with_jobs().await;
}

/// Rows: D8, P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_an_unsettled_notice_outlive_their_month() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(2, 990).await;
    t.advance(TimeDelta::days(40)).await;
    let placed = t.paid_order(variant, 1).await;
    let stray = Said { id: "evt_stray".into(), number: "D2K7M9QX4H2".into(), ..Said::paid(&placed, "T9") };
    t.notify(&stray).await;
    t.drain().await;
    t.advance(TimeDelta::days(230)).await;
    t.retain().await;
    let left = "select count(*) from notice n join notice_body b on b.notice_id = n.id";
    assert_eq!(t.db.one(left).await, "0", "the month has left");
    assert_eq!(t.db.one("select count(*) from notice").await, "2", "what came is known for ever");
    let kept =
        "select string_agg(n.verdict, ' ') from notice_body_kept k join notice n on n.id = k.notice_id";
    assert_eq!(t.db.one(kept).await, "orphan");
    is_sound(&t).await;
    let stored = dispense::payments::notices::store::inbox::list(&mut t.app.db.conn().await.unwrap(), &[2])
        .await
        .unwrap();
    assert!(stored.into_iter().next().unwrap().kept().is_some(), "staff can have it judged again");
    // Handled once, it is no longer needed.
    t.db.sql("update notice set verdict = 'ignored' where verdict = 'orphan'").await;
    t.retain().await;
    assert_eq!(t.db.one("select count(*) from notice_body_kept").await, "0");
    // The handled notice is handled for ever.
    assert_eq!(t.notify(&Said::paid(&placed, &format!("T{}", placed.order.number))).await.0, 200);
    assert_eq!(t.db.one("select count(*) from event where kind = 'payment.captured'").await, "0");
    t.finish_with_jobs().await;
}

/// Rows: D8, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_dropped_when_nobody_holds_it_and_once_by_two_workers() {
    let t = aged().await;
    // What the worker does, but for letting anything leave.
    let months =
        "select make_partitions('event', 'created_at', 2), make_partitions('notice_body', 'received_at', 2)";
    for _ in 0..3 {
        t.advance(TimeDelta::days(43)).await;
        t.db.sql(months).await;
    }
    t.drain().await;
    let month = t.db.one(PARTITIONS).await.split(' ').next().unwrap().to_owned();
    let mut reader = t.db.client().await;
    let tx = reader.transaction().await.unwrap();
    tx.batch_execute("select count(*) from event").await.unwrap();
    retention::sweep(&t.app).await.unwrap();
    assert!(t.db.one(PARTITIONS).await.contains(&month), "somebody reads it");
    // Sales were not kept waiting for long, and go on.
    let variant = t.selling_keys(1, 990).await;
    t.paid_order(variant, 1).await;
    tx.rollback().await.unwrap();
    let both = async || {
        while retention::sweep(&t.app).await.unwrap() > 0 {}
    };
    tokio::join!(both(), both());
    assert!(!t.db.one(PARTITIONS).await.contains(&month), "and now nobody");
    t.drain().await;
    is_sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: D8, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_away_for_months_makes_the_month_that_is_running_too() {
    let t = aged().await;
    t.advance(TimeDelta::days(130)).await;
    let variant = t.selling_keys(1, 990).await;
    t.paid_order(variant, 1).await;
    let astray = "select count(*) > 0 from event_default where created_at > app_now() - interval '1 hour'";
    assert_eq!(t.db.one(astray).await, "t", "nobody has made its month");
    t.sweep().await;
    t.drain().await;
    assert_eq!(t.db.one(astray).await, "f");
    assert_eq!(audit::verify(&t.app, None).await.unwrap().broken, None);
    is_sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: D8, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_while_a_month_leaves_has_done_nothing_or_all() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(3, 990).await;
    t.advance(TimeDelta::days(40)).await;
    t.paid_order(variant, 1).await;
    t.drain_all().await;
    t.advance(TimeDelta::days(130)).await;
    let before = t.db.one(PARTITIONS).await;
    let mut worker = Server::of(&t.db.app_url()).works().env("DISPENSE_FAULT", "retention.dropped").start();
    assert!(worker.was_killed(Duration::from_secs(60)));
    let month = before.split(' ').next().unwrap();
    assert!(t.db.one(PARTITIONS).await.contains(month), "the transaction was never committed");
    t.retain().await;
    assert!(!t.db.one(PARTITIONS).await.contains(month));
    assert_eq!(audit::verify(&t.app, None).await.unwrap().broken, None);
    t.finish_with_jobs().await;
}

/// Rows: K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_program_can_drop_no_young_month_and_hide_no_missing_event() {
    let t = TestApp::start().await;
    t.sweep().await;
    let app = t.db.client_as_app().await;
    for refused in [
        "update retention_horizon set gone_before = now()",
        "insert into retention_horizon values ('other', now())",
        "delete from retention_horizon",
        "insert into notice_body_kept select * from notice_body_kept",
        "delete from notice_repeat",
    ] {
        let error = app.batch_execute(refused).await.expect_err(refused);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{refused}: {error:?}");
    }
    let month = t.db.one(PARTITIONS).await.split(' ').next().unwrap().to_owned();
    for refused in [
        format!("delete from {month}"),
        format!("update {month} set actor = 'x'"),
        format!("drop table {month}"),
    ] {
        let error = app.batch_execute(&refused).await.expect_err(&refused);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{refused}: {error:?}");
    }
    for refused in [
        "select drop_old_partition('event', app_now())",
        "select delete_from_default('event', app_now(), 1000)",
        "select drop_old_partition('orders', app_now() - interval '1 year')",
    ] {
        let error = app.batch_execute(refused).await.expect_err(refused);
        assert_eq!(error.code().map(|code| code.code()), Some("P0001"), "{refused}: {error:?}");
    }
    t.finish_with_jobs().await;
}
