//! A paid order is closed when nothing of it waits and its warranty is over, and nothing changes for its buyer.

use chrono::{DateTime, TimeDelta};
use dispense::orders::close::{OPEN_FOR, stays_open_until, sweep};
use dispense::orders::place::Placed;
use dispense::orders::store::Finished;
use serde_json::json;

use crate::goods::shop::Counter;
use crate::harness::Said;

async fn close(shop: &Counter, after: TimeDelta) -> usize {
    shop.t.advance(after).await;
    sweep(&shop.t.app).await.unwrap()
}

/// Rows: O3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_closed_when_nothing_of_it_waits_and_its_warranty_is_over() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let plain = t.selling_keys(3, 500).await;
    let guaranteed = t.selling_keys(1, 500).await;
    assert_eq!(shop.edit(guaranteed, json!({ "warrantyDays": 60 })).await, None);
    let short = t.selling_keys(1, 500).await;
    assert_eq!(shop.edit(short, json!({ "warrantyDays": 5 })).await, None);
    let done = t.paid_order(plain, 1).await;
    let both = t.order_of(&[(short, 1), (guaranteed, 1)]).await;
    assert_eq!(t.notify(&Said::paid(&both, "BOTH")).await.0, 200);
    // Placed while there were two keys, paid when there is one.
    let waiting = t.order(plain, 2).await;
    t.paid_order(plain, 1).await;
    assert_eq!(t.notify(&Said::paid(&waiting, "WAITING")).await.0, 200);
    let unpaid = t.place(&[(plain, 1)]).await;
    let states = async || {
        let mut states = Vec::new();
        for placed in [&done, &both, &waiting, &unpaid] {
            states.push(shop.state(placed).await);
        }
        states.join(" ")
    };

    assert_eq!(close(&shop, OPEN_FOR - TimeDelta::minutes(1)).await, 0);
    assert!(states().await.starts_with("PAID PAID PAID "));
    assert_eq!(close(&shop, TimeDelta::minutes(2)).await, 2, "what was paid first, with nothing that waits");
    assert!(states().await.starts_with("CLOSED PAID PAID "), "{}", states().await);
    assert_eq!(
        close(&shop, TimeDelta::zero()).await,
        0,
        "what is not finished is not looked at again at once"
    );

    t.import(plain, 5).await;
    t.drain().await;
    assert_eq!(close(&shop, TimeDelta::days(1)).await, 1, "the line that waited was filled");
    assert_eq!(close(&shop, TimeDelta::days(28)).await, 0);
    assert!(states().await.starts_with("CLOSED PAID CLOSED "));
    assert_eq!(close(&shop, TimeDelta::days(2)).await, 1, "the longest warranty is over");
    assert!(states().await.starts_with("CLOSED CLOSED CLOSED "));
    assert_ne!(shop.state(&unpaid).await, "CLOSED");
    let reported =
        "select count(distinct object_id) || ' ' || count(*) from event where kind = 'order.closed'";
    assert_eq!(t.db.one(reported).await, "4 4");
    shop.must_be_sound().await;
    t.drain().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: O3, P9, L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_order_shows_its_goods_and_its_money_can_go_back() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let variant = t.selling_keys(2, 500).await;
    let (kept, refunded) = (t.paid_order(variant, 1).await, t.paid_order(variant, 1).await);
    let seen = shop.texts(&kept).await;
    assert_eq!(close(&shop, TimeDelta::days(31)).await, 2);
    assert_eq!((shop.state(&kept).await.as_str(), shop.texts(&kept).await), ("CLOSED", seen));
    shop.refund(&refunded).await;
    assert_eq!(shop.state(&refunded).await, "CLOSED");
    assert_eq!(shop.reveal(&refunded).await["userErrors"][0]["code"], "REFUNDED");
    // A second payment of an order that is closed is money that came twice.
    assert_eq!(t.notify(&Said::paid(&kept, "TWICE")).await.0, 200);
    assert_eq!(
        t.db.one("select string_agg(kind, ' ') from task where kind = 'payment_double'").await,
        "payment_double"
    );
    shop.must_be_sound().await;
    t.drain().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: O3, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_close_an_order_once() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let variant = t.selling_keys(8, 500).await;
    let mut placed: Vec<Placed> = Vec::new();
    for _ in 0..8 {
        placed.push(t.paid_order(variant, 1).await);
    }
    t.advance(TimeDelta::days(31)).await;
    let (one, other) = tokio::join!(sweep(&t.app), sweep(&t.app));
    let left = sweep(&t.app).await.unwrap();
    assert_eq!(one.unwrap() + other.unwrap() + left, 8);
    assert_eq!(t.db.one("select count(*) from event where kind = 'order.closed'").await, "8");
    shop.must_be_sound().await;
    t.drain().await;
    shop.t.finish_with_jobs().await;
}

#[test]
fn an_order_stays_open_for_its_usual_time_its_longest_warranty_or_another_day() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let order = |days_ago, waits, warranty_days| Finished {
        id: dispense::base::ids::OrderId(uuid::Uuid::nil()),
        paid_at: now - TimeDelta::days(days_ago),
        waits,
        warranty_days,
    };
    let left = |order| stays_open_until(&order, now).map(|until| (until - now).num_days());
    assert_eq!(left(order(30, false, 0)), None);
    assert_eq!(left(order(29, false, 0)), Some(1));
    assert_eq!(left(order(30, false, 7)), None);
    assert_eq!(left(order(30, false, 60)), Some(30));
    assert_eq!(left(order(60, false, 60)), None);
    assert_eq!(left(order(90, true, 0)), Some(1));
}
