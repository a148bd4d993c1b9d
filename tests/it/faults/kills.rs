//! The program is killed at each step of settling (FAULTS A1 to A3, A6, A7), and the gateway comes again.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::shop::{assert_sound, durable, many_orders, server};
use crate::harness::shop::notify;

/// Rows: P3, P5, P6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_loses_nothing_and_does_nothing_twice() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(20, 990).await;
    // Where the program dies, and whether the database knows of the payment then.
    let steps = [
        ("notice.n0", false),
        ("notice.n1", false),
        ("settle.t1", false),
        ("settle.t2", false),
        ("settle.t3", false),
        ("settle.t4", false),
        ("settle.t5", false),
        ("settle.t6", true),
        ("notice.n3", true),
    ];
    let orders = many_orders(&t, variant, steps.len()).await;
    for (index, ((step, committed), order)) in steps.into_iter().zip(&orders).enumerate() {
        let mut server = server(&t).arg("--no-worker").env("DISPENSE_FAULT", step).start();
        let said = order.paid();
        let answer = notify(t.http(), &server.url(""), t.app.clock.unix(), &said).await;
        assert!(answer.is_err(), "{step}: {answer:?}");
        assert!(server.was_killed(Duration::from_secs(10)), "{step}");
        let stored = t.db.one(&format!("select count(*) from notice where event_key = '{}'", said.id)).await;
        assert_eq!(stored, if committed { "1" } else { "0" }, "{step}");
        t.search_log(&server.log());
        let again = server.setup().without_env("DISPENSE_FAULT").start();
        for _ in 0..2 {
            let (status, _) = notify(t.http(), &again.url(""), t.app.clock.unix(), &said).await.unwrap();
            assert_eq!(status, 200, "{step}");
        }
        assert_sound(&t, index + 1, index + 1).await;
    }
    t.finish_with_jobs().await;
}

/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lost_on_the_wire_is_given_again() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(2, 990).await;
    let order = many_orders(&t, variant, 1).await.remove(0);
    let said = order.paid();
    let (headers, body) = said.signed(t.app.clock.unix());
    let mut request =
        format!("POST /webhooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut socket = tokio::net::TcpStream::connect(t.base.strip_prefix("http://").unwrap()).await.unwrap();
    socket.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
    t.wait_until("select count(*) = 1 from notice where verdict = 'applied'").await;
    drop(socket);
    assert_eq!(t.notify(&said).await.0, 200);
    assert_sound(&t, 1, 1).await;
    t.finish_with_jobs().await;
}
