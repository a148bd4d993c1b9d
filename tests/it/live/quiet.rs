//! Streams on which nothing happens.

use std::time::Duration;

use super::client::{Events, Socket};
use super::{FOLLOW, LiveShop, of};

/// Rows: O7, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_socket_and_a_quiet_stream_outlive_every_time_out_of_requests() {
    let shop = LiveShop::open_with(|config| {
        let c = &mut config.connections;
        (c.head_seconds, c.body_seconds, c.idle_seconds, c.stall_seconds) = (1, 1, 1, 1);
        config.live.heartbeat_seconds = 60;
    })
    .await;
    let order = shop.order().await;
    let mut socket = Socket::open(&shop.t).await;
    socket.subscribe("o", FOLLOW, of(&order)).await;
    socket.next("o").await;
    let mut events = Events::post(&shop.t.base, FOLLOW, of(&order), &[]).await.unwrap();
    events.next().await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    shop.touch(&order).await;
    assert_eq!(socket.next("o").await["data"]["orderChanged"]["event"], "order.mail_asked_again");
    assert!(events.next().await.to_string().contains("order.mail_asked_again"));
    shop.finish().await;
}
