use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::secret::Secret;
use dispense::config::Config;
use dispense::mail;

use crate::harness::{Said, SmtpServer, TestApp, Trouble, shop};

fn by_server(config: &mut Config, server: &SmtpServer, options: &str) {
    shop::with_generic(config);
    config.mail.url = Some(Secret::new(format!("smtp://{}{options}", server.address)));
    config.mail.timeout_seconds = 2;
    config.shop.support_email = Some("help@shop.example".into());
}

/// A paid order whose mail waits: the shop, its mail server, and the key it was given.
async fn waiting_mail() -> (TestApp, SmtpServer, String) {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| by_server(config, &server, "?tls=none")).await;
    let variant = t.selling_keys(0, 990).await;
    let key = t.import(variant, 1).await.remove(0);
    t.canary(&key);
    let placed = t.order(variant, 1).await;
    t.notify(&Said::paid(&placed, "T1")).await;
    (t, server, key)
}

async fn state(t: &TestApp) -> String {
    t.db.one("select state || ' ' || attempts from message where kind = 'order_delivered'").await
}

async fn outcomes(t: &TestApp) -> String {
    t.db.one("select string_agg(outcome, ' ' order by attempt) from message_attempt a join message m on m.id = a.message_id \
        where m.kind = 'order_delivered'").await
}

/// Rows: D3, D4, D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_later_at_any_stage_gets_the_same_message_again() {
    for stage in ["greeting", "MAIL", "RCPT", "DATA", "."] {
        let (t, server, key) = waiting_mail().await;
        server.next(Trouble::Say(stage, "451 later please"));
        t.drain().await;
        assert_eq!(state(&t).await, "queued 1", "{stage}");
        assert_eq!(
            t.db.one("select count(*) from unit where state = 'assigned'").await,
            "1",
            "the goods stay"
        );
        t.drain_all().await;
        assert_eq!(state(&t).await, "sent 2", "{stage}");
        assert_eq!(outcomes(&t).await, "retry sent", "{stage}");
        let last = server.taken().pop().unwrap();
        assert!(last.body().contains(&key));
        // The sender's domain, and the same again in the row, which reports of mail services name.
        let id = last.header("Message-ID").unwrap();
        assert!(id.ends_with("@localhost>"), "{id}");
        let kept = t.db.one("select message_id from message where kind = 'order_delivered'").await;
        assert_eq!(id, format!("<{kept}>"));
        t.finish().await;
    }
}

/// Rows: D4, D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lost_after_the_final_dot_is_unknown_and_the_repeat_is_the_same_mail() {
    for trouble in [Trouble::CutAfterDot, Trouble::SilentAfterDot] {
        let (t, server, key) = waiting_mail().await;
        server.next(trouble.clone());
        t.drain().await;
        assert_eq!(state(&t).await, "queued 1", "{trouble:?}");
        assert_eq!(
            t.db.one("select count(*) from vault_key where mailed_at is not null").await,
            "1",
            "it may have been read"
        );
        t.drain_all().await;
        assert_eq!(outcomes(&t).await, "unknown sent", "{trouble:?}");
        let taken = server.taken();
        assert_eq!(taken.len(), 2, "a duplicate is the price");
        assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
        assert_eq!(taken[0].body(), taken[1].body());
        assert_eq!(taken[0].text, taken[1].text.clone(), "the same to the last byte");
        assert!(taken[1].body().contains(&key));
        t.finish().await;
    }
}

/// Rows: D4, D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_has_the_pieces_of_its_first_attempt_and_what_came_meanwhile_has_a_mail_of_its_own() {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| {
        by_server(config, &server, "?tls=none");
        // The trouble is for the buyer's mail, not for one to staff.
        config.shop.support_email = None;
    })
    .await;
    let variant = t.selling_keys(0, 990).await;
    t.db.sql("update variant set partial_delivery = true").await;
    let keys = t.import(variant, 2).await;
    let placed = t.order(variant, 2).await;
    // Somebody else is faster.
    t.paid_order(variant, 1).await;
    t.notify(&Said::paid(&placed, "T1")).await;
    // The other buyer's mail, the one about what waits, and the one with the goods.
    for _ in 0..3 {
        server.next(Trouble::CutAfterDot);
    }
    t.drain().await;
    let cut = server.taken();
    let ours = |key: &String| {
        cut.iter().any(|mail| mail.body().contains(&placed.order.number) && mail.body().contains(key))
    };
    let first = keys.into_iter().find(ours).unwrap();
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1 awaiting_stock:1");
    let second = t.import(variant, 1).await.remove(0);
    t.canary(&first);
    t.canary(&second);
    t.drain_all().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:2");
    let taken = server.taken();
    let with = |key: &str| taken.iter().filter(|mail| mail.body().contains(key)).collect::<Vec<_>>();
    let (of_first, of_second) = (with(&first), with(&second));
    let name = of_first[0].header("Message-ID");
    let repeats: Vec<_> = taken.iter().filter(|mail| mail.header("Message-ID") == name).collect();
    assert_eq!(repeats.len(), 2);
    assert_eq!(repeats[0].text, repeats[1].text, "the same to the last byte");
    assert!(of_second.iter().any(|mail| mail.header("Message-ID") != name));

    // To another address it is another mail, which has all that is there.
    let id = t
        .db
        .one(&format!("select id from message where '<' || message_id || '>' = '{}'", name.clone().unwrap()))
        .await
        .parse()
        .unwrap();
    t.db.sql(&format!("update message set state = 'needs_attention', sent_at = null where id = '{id}'"))
        .await;
    mail::again::send_again(&t.app, &Actor::system(), id, Some("right@buyer.example")).await.unwrap();
    t.drain().await;
    let last = server.taken().pop().unwrap();
    assert_eq!(last.to, ["right@buyer.example"]);
    assert!(last.body().contains(&first) && last.body().contains(&second));
    t.finish().await;
}

/// Rows: D4, D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_mailbox_goes_to_a_person_at_once_who_corrects_the_address() {
    for stage in ["RCPT", "DATA", "."] {
        let (t, server, key) = waiting_mail().await;
        let buyer = t.db.one("select recipient from message where kind = 'order_delivered'").await;
        server.next(Trouble::Say(stage, "550 5.1.1 <somebody@buyer.example>: no such person"));
        t.drain().await;
        assert_eq!(state(&t).await, "needs_attention 1", "{stage}");
        let reason = t.db.one("select reason from message_attempt where outcome = 'refused'").await;
        assert!(reason.contains("550") && !reason.contains("somebody@buyer.example"), "{reason}");
        assert_eq!(t.db.one("select count(*) from task where kind = 'message_undeliverable'").await, "1");
        let alert = server.taken().into_iter().find(|m| m.to == ["help@shop.example"]);
        assert!(alert.is_some(), "staff was reported by mail");
        assert_eq!(t.drain_all().await, 0, "nothing is tried again by itself");

        let id = t.db.one("select id from message where kind = 'order_delivered'").await.parse().unwrap();
        let refused = mail::again::send_again(&t.app, &Actor::guest(), id, None).await;
        assert!(refused.is_err());
        mail::again::send_again(&t.app, &Actor::system(), id, Some("right@buyer.example")).await.unwrap();
        t.drain().await;
        assert_eq!(state(&t).await, "sent 2", "{stage}");
        let last = server.taken().pop().unwrap();
        assert_eq!(last.to, ["right@buyer.example"]);
        assert_ne!(buyer, "right@buyer.example");
        assert!(last.body().contains(&key));
        t.finish().await;
    }
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_last_gap_the_message_goes_to_a_person() {
    let (t, server, _) = waiting_mail().await;
    for _ in 0..6 {
        server.next(Trouble::Say("MAIL", "451 later please"));
    }
    let mut gaps = Vec::new();
    for expected in [60, 300, 1_800, 7_200, 43_200] {
        t.drain().await;
        let wait: f64 =
            t.db.one(
                "select extract(epoch from run_at - app_now()) from job where kind = 'message.send' \
            and state = 'queued'",
            )
            .await
            .parse()
            .unwrap();
        assert!((wait / f64::from(expected) - 1.0).abs() < 0.25, "{wait} for {expected}");
        gaps.push(wait);
        t.advance(TimeDelta::seconds(wait as i64 + 1)).await;
    }
    t.drain().await;
    assert_eq!(state(&t).await, "needs_attention 6");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'message_undeliverable' and state = 'open'").await,
        "1"
    );
    t.drain_all().await;
    t.finish().await;
}

/// Rows: D3, X1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tls_nothing_is_said_to_the_server_by_default() {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| by_server(config, &server, "")).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    t.notify(&Said::paid(&placed, "T1")).await;
    t.drain().await;
    assert_eq!(state(&t).await, "queued 1");
    assert!(server.taken().is_empty());
    assert!(server.connections() > 0);
    t.finish().await;
}

/// Rows: D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_greets_holds_no_transaction_and_is_left_in_time() {
    let (t, server, _) = waiting_mail().await;
    server.next(Trouble::NoGreeting);
    let app = t.app.clone();
    let draining = tokio::spawn(async move { dispense::worker::drain(&app.worker()).await });
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let open = "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'";
    assert_eq!(t.db.one(open).await, "0");
    draining.await.unwrap().unwrap();
    assert_eq!(state(&t).await, "queued 1");
    assert_eq!(
        t.db.one(
            "select outcome from message_attempt a join message m on m.id = a.message_id \
        where kind = 'order_delivered'"
        )
        .await,
        "retry"
    );
    t.finish().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_died_in_the_middle_of_an_attempt_is_followed_by_another() {
    let (t, server, key) = waiting_mail().await;
    // As a kill between the attempt's first transaction and its second leaves it.
    t.db.sql("update message set state = 'sending', attempts = 1 where kind = 'order_delivered'; \
        insert into message_attempt (message_id, attempt, recipient) select id, 1, 'b…' from message where kind = 'order_delivered'").await;
    t.drain().await;
    assert_eq!(state(&t).await, "sent 2");
    assert_eq!(outcomes(&t).await, "unknown sent");
    assert!(server.taken()[0].body().contains(&key));
    t.finish().await;
}

/// Rows: D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_lost_its_job_is_found_and_sent() {
    let (t, server, _) = waiting_mail().await;
    t.db.sql("delete from job").await;
    t.sweep().await;
    assert_eq!(t.drain().await, 0, "it may still be on its way");
    t.advance(TimeDelta::minutes(11)).await;
    t.sweep().await;
    t.drain().await;
    assert_eq!(state(&t).await, "sent 1");
    assert_eq!(server.taken().len(), 1);
    t.finish().await;
}

/// Rows: D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_with_line_breaks_grows_no_header() {
    let (t, server, _) = waiting_mail().await;
    t.db.sql("update order_line set title = E'Thing\\r\\nBcc: victim@example.com\\r\\n\\r\\nhello'").await;
    t.drain().await;
    let taken = server.taken();
    assert_eq!(taken[0].to.len(), 1);
    assert_eq!(taken[0].header("Bcc"), None);
    assert!(!taken[0].body().lines().any(|l| l.starts_with("Bcc:")));
    assert_eq!(taken[0].header("Auto-Submitted").as_deref(), Some("auto-generated"));
    t.finish().await;
}
