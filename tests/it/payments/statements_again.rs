//! Exports of one day read again and in turns: with ids and without, corrected and not, a refund stays the one it is.

use dispense::base::actor::Actor;
use dispense::payments::refunds::request;

use super::statements_facts::{Desk, Export, LINE, Line, file};
use super::street::refund;

const FACTS: &str =
    "select string_agg(amount_minor || ' ' || coalesce(gateway_refund_id, unnamed, '-'), ', ' order by id)
    from statement_fact where stated = 'refund'";

fn back<'a>(trade: &'a str, source: &'a str, gross: &'a str) -> Line<'a> {
    Line { category: "refund", gross, fee: "0.00", source, intent: trade, ..LINE }
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_without_an_id_is_counted_behind_those_of_which_some_got_names() {
    let desk = Desk::open().await;
    let (_, trade, payment) = desk.sale().await;
    for key in ["first-of-two", "second-of-two"] {
        request::request(&desk.s.t.app.payments, &Actor::system(), refund(payment, key, Some(300)))
            .await
            .unwrap();
    }
    desk.s.settled().await;
    let one = |source| back(&trade, source, "-3.00");
    desk.import(desk.day, &file(desk.day, Export::WithoutIds, &[one(""), one("")]));
    let of_first = "select r.gateway_refund_id from statement_fact f join refund r on r.id = f.our_refund order by f.id limit 1";
    let first = desk.one(of_first).await;
    desk.import(desk.day, &file(desk.day, Export::WithoutNumbers, &[one(&first)]));
    desk.import(desk.day, &file(desk.day, Export::WithoutIds, &[one(""), one(""), one("")]));
    let kept =
        "select count(*) || ' ' || count(gateway_refund_id) || ' ' || count(our_refund) from statement_fact";
    assert_eq!(desk.one(kept).await, "3 1 2", "{}", desk.one(FACTS).await);
    let more = [one(""), one(""), one(""), one("")];
    desk.import(desk.day, &file(desk.day, Export::WithoutIds, &more));
    assert_eq!(desk.one(kept).await, "4 1 2", "{}", desk.one(FACTS).await);
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_export_without_ids_is_about_the_refund_that_was_corrected_since() {
    let desk = Desk::open().await;
    let (_, trade, _) = desk.sale().await;
    let old = file(desk.day, Export::WithoutIds, &[back(&trade, "", "-3.00")]);
    desk.import(desk.day, &old);
    desk.import(desk.day, &file(desk.day, Export::WithoutNumbers, &[back(&trade, "re_1", "-3.00")]));
    desk.import(desk.day, &file(desk.day, Export::WithoutNumbers, &[back(&trade, "re_1", "-4.00")]));
    assert_eq!(desk.one(FACTS).await, "400 re_1");
    // A neighbouring day's file is a repeat.
    desk.import(desk.day.pred_opt().unwrap(), &old);
    assert_eq!(desk.one(FACTS).await, "400 re_1");
    // The last reading of the same day counts, whatever it is of.
    desk.import(desk.day, &old);
    assert_eq!(desk.one(FACTS).await, "300 re_1");
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}
