//! The limit of devices, when many ask at once and when the program dies.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::shop::{LicenceShop, send};
use crate::check::planted::{Planted, find_all};
use crate::faults::shop::{durable, server};

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_devices_at_once_get_the_three_that_were_bought() {
    let s = LicenceShop::open(3, Some(3)).await;
    for round in 0..3 {
        let sold = s.buy().await;
        let devices: Vec<String> = (0..30).map(|n| format!("device {round} {n}")).collect();
        let answers = join_all(devices.iter().map(|device| s.activate(&sold, device))).await;
        let count = |status| answers.iter().filter(|answer| answer.0 == status).count();
        assert_eq!((count(201), count(403)), (3, 27), "{answers:?}");
        let refused = answers.iter().filter(|answer| answer.0 == 403);
        assert!(refused.into_iter().all(|answer| answer.1["code"] == "DEVICE_LIMIT_REACHED"));
        assert_eq!(s.validate(&sold, None).await["licence"]["activationsUsed"], 3);
    }
    s.sound().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_device_that_asks_many_times_at_once_is_one_activation() {
    let s = LicenceShop::open(1, Some(1)).await;
    let sold = s.buy().await;
    let answers = join_all((0..20).map(|_| s.activate(&sold, "d"))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.0).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 19], vec![201]].concat());
    let ids: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer.1["activation"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    let freed = join_all((0..10).map(|_| s.deactivate(&sold, "d"))).await;
    assert!(freed.iter().all(|answer| answer.0 == 200), "{freed:?}");
    let events = "select string_agg(kind, ' ' order by id) from event where kind like 'licence.%'";
    assert_eq!(s.shop.t.db.one(events).await, "licence.activated licence.deactivated");
    s.sound().await;
}

/// Rows: K16, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_commit_leaves_no_device_and_a_repeat_is_one() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(1, 990).await;
    t.db.sql("update variant set terms = terms || '{\"licensing\": true, \"activation_limit\": 1}'::jsonb")
        .await;
    t.paid_order(variant, 1).await;
    let product = super::shop::product_of(&t, variant).await;
    let key = {
        let unit = t.db.one("select id from unit").await.parse().unwrap();
        let mut conn = t.app.db.conn().await.unwrap();
        let opened =
            dispense::vault::reveal::open(&mut conn, &t.app, &[dispense::base::ids::UnitId(unit)]).await;
        opened.unwrap().remove(0).text.expose().to_owned()
    };
    let body = json!({ "productId": product, "key": key, "device": "d" });
    let active = "select count(*) from licence_activation where removed_at is null";
    for (step, verb, before, after) in
        [("licence.activated", "activate", "0", "1"), ("licence.deactivated", "deactivate", "1", "0")]
    {
        let mut server = server(&t).arg("--no-worker").env("DISPENSE_FAULT", step).start();
        let request = t.http().post(server.url(&format!("/licences/{verb}")));
        let request = request.header("content-type", "application/json").body(body.to_string());
        assert!(request.send().await.is_err(), "{step}");
        assert!(server.was_killed(Duration::from_secs(10)), "{step}");
        t.search_log(&server.log());
        assert_eq!(t.db.one(active).await, before, "{step}");
        for _ in 0..2 {
            let (status, answer) = send(&t, verb, &body).await;
            assert!(status < 300, "{answer}");
        }
        assert_eq!(t.db.one(active).await, after, "{step}");
    }
    assert_eq!(t.db.one("select count(*) from event where kind like 'licence.%'").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn licences_that_are_used_too_often_or_by_nobodys_device_are_found() {
    let s = LicenceShop::open(3, Some(2)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    s.buy().await;
    for device in ["a", "b"] {
        assert_eq!(s.activate(&sold, device).await.0, 201);
    }
    t.drain().await;
    crate::check::clean::number(t).await;
    find_all(t, &FAULTS).await;
    s.sound().await;
}

const FAULTS: [Planted; 5] = [
    Planted {
        sql: "insert into licence_activation (id, seller_id, key_id, unit_id, device, name)
            select gen_random_uuid(), seller_id, key_id, unit_id, sha256(device), name from licence_activation limit 1",
        found_by: "no licence is used on more devices than were bought",
        names: "unit ",
    },
    Planted {
        sql: "update licence_activation set device = sha256('')",
        found_by: "a device uses a licence once",
        names: "unit ",
    },
    Planted {
        sql: "update vault_key set state = 'voided', voided_at = app_now() where unit_id in (select unit_id from licence_activation)",
        found_by: "a device uses a key that its unit holds, or whose end is on its way",
        names: "activation ",
    },
    Planted {
        sql: "update licence_activation set seller_id = gen_random_uuid()",
        found_by: "a licence is a key of its unit's variant and seller, whose order was paid",
        names: "activation ",
    },
    Planted {
        sql: "update licence_activation set last_seen_at = activated_at - interval '1 second'",
        found_by: "a device was seen after it was activated and before it was removed",
        names: "activation ",
    },
];
