//! Many at once, over two server processes.

use dispense::fulfilment;
use futures::future::join_all;

use super::shop::{assert_sound, many_orders, server};
use crate::harness::shop::notify;
use crate::harness::{TestApp, with_generic};

/// Rows: K6, K9, K10, P5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_buyers_race_for_fifty_keys_over_two_servers_and_later_keys_fill_the_rest_in_order() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(50, 990).await;
    let orders = many_orders(&t, variant, 200).await;
    let servers = [server(&t).arg("--no-worker").start(), server(&t).arg("--no-worker").start()];
    let at = t.app.clock.unix();
    let answers = join_all(orders.iter().enumerate().map(|(index, order)| {
        let base = servers[index % 2].url("");
        let said = order.paid();
        let http = t.http();
        async move { notify(http, &base, at, &said).await.unwrap().0 }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    // Two slices in flight may pass over each other's keys; the fill they leave behind makes that good.
    fulfilment::fill::run(&t.app, variant).await.unwrap();
    assert_sound(&t, 200, 50).await;
    assert_eq!(t.db.one("select count(*) from unit where state = 'awaiting_stock'").await, "150");

    let first_waiting = "select string_agg(id::text, ',' order by paid_at, id) from (select o.id, o.paid_at from orders o
        join unit u on u.order_id = o.id where u.state = 'awaiting_stock' order by o.paid_at, o.id limit 70) w";
    let expected = t.db.one(first_waiting).await;
    t.import(variant, 70).await;
    let filled: Vec<String> = expected.split(',').map(|id| format!("'{id}'")).collect();
    let sql =
        format!("select count(*) from unit where state = 'assigned' and order_id in ({})", filled.join(","));
    assert_eq!(t.db.one(&sql).await, "70", "the earliest paid come first");
    t.import(variant, 80).await;
    assert_sound(&t, 200, 200).await;
    for server in &servers {
        t.search_log(&server.log());
    }
    t.finish_with_jobs().await;
}

/// Rows: P5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_notice_a_hundred_times_over_two_servers_is_one_assignment_and_a_hundred_successes() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(5, 990).await;
    let order = many_orders(&t, variant, 1).await.remove(0);
    let servers = [server(&t).arg("--no-worker").start(), server(&t).arg("--no-worker").start()];
    let (at, said) = (t.app.clock.unix(), order.paid());
    let answers = join_all((0..100).map(|index| {
        let (base, said, http) = (servers[index % 2].url(""), said.clone(), t.http());
        async move { notify(http, &base, at, &said).await.unwrap().0 }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_sound(&t, 1, 1).await;
    assert_eq!(t.db.one("select count(*) from notice").await, "1");
    assert_eq!(t.db.one("select count from notice_repeat").await, "99");
    t.finish_with_jobs().await;
}

/// Rows: K9, K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_that_is_imported_while_a_notice_settles_reaches_the_order_in_either_interleaving() {
    // The import holds the variant first; the notice finds nothing and leaves a fill behind.
    let t = TestApp::start_with(with_generic).await;
    let variant = t.variant_on_sale("key", 990).await;
    let orders = many_orders(&t, variant, 2).await;
    let holder = t.db.client().await;
    let lock = format!("select pg_advisory_xact_lock(hashtextextended('fill:' || '{}', 0))", variant.0);
    holder.batch_execute(&format!("begin; {lock}")).await.unwrap();
    let import = t.import(variant, 1);
    let notice = async {
        // The import waits for the variant; the notice settles meanwhile.
        t.wait_for_lock_waiter().await;
        assert_eq!(t.notify(&orders[0].paid()).await.0, 200);
        assert_eq!(t.unit_states(orders[0].id).await, "awaiting_stock:1");
        holder.batch_execute("rollback").await.unwrap();
    };
    tokio::join!(import, notice);
    assert_eq!(t.unit_states(orders[0].id).await, "assigned:1", "the import itself fills the line");

    // The notice has seen no stock and holds its order; keys arrive and cannot see the line; its fill comes after.
    let blocker = t.db.client().await;
    blocker.batch_execute("begin; lock table message in share mode").await.unwrap();
    let said = orders[1].paid();
    let settling = async { assert_eq!(t.notify(&said).await.0, 200) };
    let importing = async {
        t.wait_for_lock_waiter().await;
        t.import(variant, 1).await;
        blocker.batch_execute("rollback").await.unwrap();
    };
    tokio::join!(settling, importing);
    assert_eq!(t.unit_states(orders[1].id).await, "awaiting_stock:1");
    t.drain().await;
    assert_eq!(t.unit_states(orders[1].id).await, "assigned:1", "the fill left by the notice finds the key");
    t.finish().await;
}
