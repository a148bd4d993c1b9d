//! Orders that lock each other's goods in reversed order (row C2), and a rotation of the vault's keys that is killed in its
//! middle (row C4).

use std::time::Duration;

use dispense::infra::data_keys;
use futures::future::join_all;

use crate::faults::town::{Town, check};
use crate::harness::{Said, Server, Setup};

/// Rows: K6, P6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_the_same_goods_in_reversed_order_all_get_them_at_two_servers() {
    let town = Town::open().await;
    let t = town.t();
    let (one, other) = (t.selling_keys(120, 500).await, t.selling_keys(120, 490).await);
    let mut orders = Vec::new();
    for n in 0..40 {
        let lines = if n % 2 == 0 { [(one, 2), (other, 3)] } else { [(other, 3), (one, 2)] };
        orders.push(t.order_of(&lines).await);
    }
    let servers = [town.server().start(), town.server().start()];
    // Each is said twice, once at each server.
    let say = |n: usize| {
        let said = Said::paid(&orders[n / 2], &format!("T{}", n / 2));
        let server = &servers[(n / 2 + n) % 2];
        let town = &town;
        async move { town.say(server, &said).await }
    };
    let answers = join_all((0..2 * orders.len()).map(say)).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    for placed in &orders {
        assert_eq!(town.states(placed.order.id).await, "assigned:5");
    }
    let keys = "select count(*) || ' ' || count(distinct unit_id) from vault_key where state = 'sold'";
    assert_eq!(t.db.one(keys).await, "200 200");
    town.check("C2");
    let logs: Vec<String> = servers.iter().map(Server::log).collect();
    drop(servers);
    t.drain().await;
    town.finish(&logs).await;
}

/// Data keys that the rotation has to wrap again: it takes a hundred in one transaction.
const DATA_KEYS: usize = 250;

/// The set-up with these vault keys alone.
fn ring(setup: Setup, ring: &str) -> Setup {
    setup.edit(|config| {
        let lines = config.lines().map(|line| if line.starts_with("vault = ") { ring } else { line });
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Rows: K4, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_of_the_vaults_keys_that_is_killed_goes_on_and_no_server_starts_without_a_key_it_needs() {
    let town = Town::open().await;
    let t = town.t();
    let variant = t.selling_keys(3, 990).await;
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    {
        let mut conn = t.app.db.conn().await.unwrap();
        for _ in 0..DATA_KEYS {
            data_keys::create(&mut conn, &t.app.sealer, t.app.clock.uuid()).await.unwrap();
        }
    }
    let wrapped = async |kek: &str| {
        t.db.one(&format!("select count(*) from data_key where kek_id = '{kek}'"))
            .await
            .parse::<usize>()
            .unwrap()
    };
    let all = wrapped("k1").await;
    let mut old = String::new();
    let plain = town.server().edit(|config| {
        old = config.lines().find(|line| line.starts_with("vault = ")).unwrap().to_owned();
        config
    });
    let fresh = format!("k2:{}", hex::encode(dispense::base::clock::random::<32>()));
    let both = old.replace("[", &format!("[\"{fresh}\", "));
    let new = format!("vault = [\"{fresh}\"]");
    // In the middle of its second hundred, after that was written and before it was committed.
    let mut dying = ring(town.worker(), &both).env("DISPENSE_FAULT", "vault.rewrapped:2").start();
    assert!(dying.was_killed(Duration::from_secs(20)));
    assert_eq!((wrapped("k2").await, wrapped("k1").await), (100, all - 100));
    for (what, setup) in
        [("the old key alone", plain.clone()), ("the new key alone", ring(plain.clone(), &new))]
    {
        let log = setup.try_start().err().unwrap_or_else(|| panic!("it started with {what}"));
        assert!(log.contains("k1") || log.contains("k2"), "{what}: {log}");
    }
    check(&ring(plain.clone(), &both), "C4, half-way");
    // Sales go on half-way, and what was sold opens.
    let selling = ring(plain.clone(), &both).start();
    let more = t.order(variant, 1).await;
    assert_eq!(town.pay(&selling, &more).await, 200);
    drop(selling);
    let going_on = ring(town.worker(), &both).start();
    town.until("the rotation", "select not exists (select 1 from data_key where kek_id = 'k1')").await;
    drop(going_on);
    let server = ring(plain.clone(), &new).start();
    for placed in [&placed, &more] {
        let buyer = t.visitor("192.0.2.9").at(&server.url(""));
        let shown = town.reveal(&buyer, placed).await;
        let text = shown["secrets"][0]["text"].as_str().unwrap_or_else(|| panic!("{shown}"));
        assert!(text.starts_with("CANARY-KEY-"));
    }
    check(&ring(plain, &new), "C4");
    let log = server.log();
    drop(server);
    t.search_log(&log);
    t.search_log(&dying.log());
    // The test's own program has the old key alone: it can end nothing of this shop.
    town.shop.counter.t.finish_with_jobs().await;
}
