//! Who sees an order. The address alone reveals nothing.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::caller::Caller;
use dispense::base::outcome::Failure;
use dispense::base::secret::Secret;
use dispense::base::text::Locale;
use dispense::delivery::resend;
use dispense::delivery::reveal::reveal;
use dispense::orders::access::{self, AccessLevel, access_level};
use dispense::orders::lost;
use dispense::orders::unit::Target;
use dispense::people::code::{self, Purpose};

use crate::harness::{TestApp, with_generic};

fn refused<T>(result: Result<T, Failure>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(Failure::Refused(refusal)) => refusal.code.as_str(),
        Err(Failure::Fault(fault)) => panic!("{fault}"),
    }
}

/// Rows: C7, L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_shows_the_key_by_the_orders_token_alone_and_the_first_time_is_recorded() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.variant_on_sale("key", 990).await;
    let texts = t.import(variant, 1).await;
    let placed = t.paid_order(variant, 1).await;
    let line = t.db.one("select id from order_line").await;
    let target = Target::Line(dispense::base::ids::LineId(line.parse().unwrap()));
    let guest = Actor::guest();
    for wrong in
        [None, Some(""), Some("oat_00"), placed.order.email.as_deref(), Some(placed.order.number.as_str())]
    {
        assert_eq!(
            refused(reveal(&t.app, &guest, &target, wrong, 10, 0, None).await),
            "NOT_FOUND",
            "{wrong:?}"
        );
    }
    let (ticket, _) = access::watch_ticket(&t.app, placed.order.id, placed.order.access_generation);
    assert_eq!(refused(reveal(&t.app, &guest, &target, Some(&ticket), 10, 0, None).await), "FORBIDDEN");
    assert_eq!(t.db.one("select revealed_at is null from vault_key").await, "t");
    let token = placed.access_token.expose().to_owned();
    let first = reveal(&t.app, &guest, &target, Some(&token), 10, 0, None).await.unwrap();
    assert_eq!(first.secrets[0].text.expose(), texts[0]);
    let seen = t.db.one("select revealed_at from vault_key").await;
    let again = reveal(&t.app, &guest, &target, Some(&token), 10, 0, None).await.unwrap();
    assert_eq!(again.secrets[0].text.expose(), texts[0]);
    assert_eq!(t.db.one("select revealed_at from vault_key").await, seen);
    assert_eq!(t.db.one("select count(*) from event where kind = 'unit.revealed'").await, "1");
    assert_eq!(t.unit_states(placed.order.id).await, "revealed:1");
    t.finish_with_jobs().await;
}

/// Rows: C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ticket_ends_and_a_grown_generation_revokes_the_token() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    let guest = Actor::guest();
    let (ticket, ends) = access::watch_ticket(&t.app, placed.order.id, placed.order.access_generation);
    assert_eq!(access_level(&t.app, &guest, &placed.order, Some(&ticket)), Some(AccessLevel::Status));
    t.advance(ends - t.app.clock.now() + TimeDelta::seconds(1)).await;
    assert_eq!(access_level(&t.app, &guest, &placed.order, Some(&ticket)), None);
    let token = placed.access_token.expose();
    assert_eq!(access_level(&t.app, &guest, &placed.order, Some(token)), Some(AccessLevel::Buyer));
    let (ticket, _) = access::watch_ticket(&t.app, placed.order.id, placed.order.access_generation);
    let mut grown = placed.order.clone();
    grown.access_generation += 1;
    assert_eq!(access_level(&t.app, &guest, &grown, Some(&ticket)), None);
    assert_eq!(access_level(&t.app, &guest, &grown, Some(token)), None);
    t.finish_with_jobs().await;
}

/// Rows: C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_order_is_found_by_a_mailed_code_and_unknown_addresses_are_answered_alike() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    let email = placed.order.email.clone().unwrap();
    lost::request(&t.app, &Caller::local(), "nobody@buyer.example", None, Locale::En).await.unwrap();
    t.answer_requests().await;
    assert_eq!(t.db.one("select count(*) from message").await, "0");
    lost::request(&t.app, &Caller::local(), &email, None, Locale::En).await.unwrap();
    t.answer_requests().await;
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_access_code'").await, "1");
    let id = t.db.one("select payload->>'code' from message").await.parse().unwrap();
    let right = code::text(&t.app.config.secrets.access, Purpose::OrderAccess, id);
    let wrong = lost::redeem(&t.app, &email, &Secret::new("AAAAA-AAAAA")).await;
    assert_eq!(refused(wrong), "ACCESS_CODE_WRONG");
    assert_eq!(refused(lost::redeem(&t.app, "nobody@buyer.example", &right).await), "ACCESS_CODE_WRONG");
    let found = lost::redeem(&t.app, &email, &right).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, placed.access_token);
    assert_eq!(refused(lost::redeem(&t.app, &email, &right).await), "ACCESS_CODE_WRONG", "a code works once");
    t.finish_with_jobs().await;
}

/// Rows: L7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mail_is_sent_again_when_asked_but_not_without_end() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    let token = placed.access_token.expose().to_owned();
    let ask = async || resend::resend(&t.app, &Actor::guest(), placed.order.id, Some(&token)).await;
    assert_eq!(refused(ask().await), "NOT_PAID");
    t.notify(&crate::harness::Said::paid(&placed, "T1")).await;
    let mut sent = 0;
    for _ in 0..12 {
        match refused(ask().await) {
            "done" => sent += 1,
            code => assert_eq!(code, "RESEND_TOO_SOON"),
        }
        t.advance(TimeDelta::seconds(61)).await;
    }
    assert_eq!(sent, 5, "the shop allows five an hour");
    t.finish_with_jobs().await;
}
