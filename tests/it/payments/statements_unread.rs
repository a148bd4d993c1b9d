//! What stands in a statement and cannot be read: reported with its place, put before a person, and no reason to leave the
//! other lines without their verdict.

use chrono::{NaiveDate, TimeDelta};
use dispense::base::actor::{Actor, Role};
use dispense::payments::gateways::epay_v1::EpayV1;
use dispense::payments::gateways::gateway::{Call, Calls, Gateway, Statement};
use dispense::payments::statements;
use serde_json::{Value, json};

use super::gateways_epay::{NOW, call, keys, platforms};
use super::gateways_notices::outbound;
use super::loopback::Loopback;
use super::stated;
use crate::graphql::client::Client;
use crate::harness::shop::GENERIC;
use crate::harness::{Said, TestApp, with_generic};

/// An order of the platform's on a day, changed.
fn order(n: usize, day: &str, change: &dyn Fn(&mut Value)) -> Value {
    let mut order = platforms(&format!("D{n}"), 1, "9.90");
    order["trade_no"] = format!("T{n}").into();
    (order["addtime"], order["endtime"]) =
        (format!("{day} 10:00:00").into(), format!("{day} 10:01:00").into());
    change(&mut order);
    order
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_frozen_or_malformed_leaves_the_others_of_its_day_and_is_nothing_to_other_days() {
    let orders = json!([
        order(1, "2027-01-16", &|o| o["status"] = 3.into()),
        order(2, "2027-01-15", &|_| {}),
        order(3, "2027-01-15", &|o| o["status"] = 3.into()),
        order(4, "2027-01-15", &|o| o["endtime"] = Value::Null),
        order(5, "2027-01-15", &|o| o["money"] = json!(9.9)),
        order(6, "2027-01-15", &|o| o["refundmoney"] = json!(1.5)),
        order(7, "2027-01-15", &|o| o["status"] = "later".into()),
        order(8, "2027-01-15", &|o| o["money"] = "9.9".into()),
        order(9, "2027-01-14", &|o| o["money"] = "nine".into()),
    ]);
    let answer = json!({ "code": 1, "data": orders }).to_string();
    let body = answer.clone();
    let side = Loopback::start(move |_| (200, body.clone())).await;
    let (epay, keys) = (EpayV1::new(outbound()), keys(&side.base, &[]));
    let late = Call { now_unix: NOW + 200_000, ..call(&keys) };
    let Statement::Entries(entries) = epay.statement(&late, "2027-01-15".parse().unwrap()).await else {
        panic!()
    };
    let of_the_day = [
        "order 3: the platform has frozen this order (T3)",
        "order 4: endtime_missing (T4)",
        "order 5: amount_malformed (T5)",
        "order 6: refundmoney_malformed (T6)",
        "order 7: the order has no known status (T7)",
    ];
    assert_eq!(stated::unread(&entries), of_the_day);
    let read: Vec<_> = entries.iter().filter_map(|e| e.said.as_ref().ok()).collect();
    assert_eq!(read.iter().map(|l| l.trade_no.as_str()).collect::<Vec<_>>(), ["T2", "T8"]);
    // A file of the same list says nothing of days.
    let file = epay.read_statement(&keys, answer.as_bytes()).unwrap();
    assert_eq!((file.len(), stated::unread(&file).len()), (9, 7));
    let others = answer.replacen("1001", "1002", 1);
    assert_eq!(epay.read_statement(&keys, others.as_bytes()).unwrap_err(), "order 1: of another merchant");
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_one_task_until_the_days_statement_can_be_read() {
    let t = TestApp::start_with(with_generic).await;
    let gateway = stated::put(&t);
    let variant = t.selling_keys(2, 990).await;
    let now = t.app.clock.now();
    let noon = (now.date_naive() + TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap().and_utc();
    t.advance(noon - now).await;
    let mut lines = Vec::new();
    for trade in ["T1", "T2"] {
        let placed = t.order(variant, 1).await;
        assert_eq!(t.notify(&Said::paid(&placed, trade)).await.0, 200);
        lines.push(stated::paid(&placed.order.number, trade, 990, 59, noon));
    }
    t.advance(TimeDelta::days(2)).await;
    let day = noon.date_naive();
    let (good, bad) = (stated::file(&lines[..1]), stated::file(&lines[1..]));
    let torn = String::from_utf8(bad).unwrap().replace("990", "nine");
    let file = [&good[..], b"\n", torn.as_bytes(), b"\nsomething,else"].concat();
    let import = async |day: NaiveDate, file: &[u8]| {
        let run =
            statements::import_file(&t.app.payments, &Actor::system(), GENERIC, day, file).await.unwrap();
        (run.lines, run.new_lines, run.matched)
    };
    assert_eq!(import(day, &file).await, (3, 1, 1));
    let tasks = "select coalesce(string_agg(kind || ' ' || (body ->> 'why'), ', ' order by body ->> 'why'), '') from task
        where kind like 'statement%' and state <> 'resolved'";
    let both = "statement_unreadable line 2: is no line, statement_unreadable line 3: is no line";
    assert_eq!(t.db.one(tasks).await, both);
    assert_eq!(import(day, &file).await, (3, 0, 0));
    assert_eq!(t.db.one("select count(*) from task").await, "2", "once, however often it is read");
    t.person("support@shop.example", &[Role::Support]).await;
    let tokens = t.sign_in("support@shop.example").await.tokens;
    let desk = Client::new(&t.app).with(tokens.access.expose());
    let runs = "{ desk { statements { nodes { state counts { kind count } differences { kind subject there { amount } } } } } }";
    let reported = desk.data(runs, json!({})).await["desk"]["statements"]["nodes"][1].clone();
    assert_eq!(
        (&reported["state"], &reported["counts"]),
        (&json!("DONE"), &json!([{ "kind": "unreadable", "count": 2 }]))
    );
    assert_eq!(reported["differences"][0], json!({ "kind": "unreadable", "subject": "T2", "there": null }));
    // Around the day all is read: the statement speaks of the second payment all the same.
    for near in [day - TimeDelta::days(1), day + TimeDelta::days(1)] {
        gateway.hand_out(near, Vec::new());
        statements::import_fetched(&t.app.payments, &Actor::system(), GENERIC, near).await.unwrap();
    }
    import(day, &file).await;
    assert_eq!(
        t.db.one("select count(*) from statement_difference where kind = 'paid_here_only'").await,
        "0"
    );
    // The day's statement again, now well.
    assert_eq!(import(day, &stated::file(&lines)).await, (2, 1, 1));
    let open = "select count(*) from statement_difference where ended_at is null";
    assert_eq!(t.db.one(open).await, "0");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
