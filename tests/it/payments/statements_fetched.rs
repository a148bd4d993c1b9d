//! Statements of every gateway that hands them out, fetched through GraphQL from the gateways' own books.

use chrono::TimeDelta;
use dispense::base::actor::{Actor, Role};
use dispense::payments::refunds::request;
use serde_json::json;

use super::street::{refund, street};
use crate::graphql::client::Client;

const IMPORT: &str =
    "mutation($a: String!, $d: String!) { statementImport(input: { accountId: $a, day: $d }) {
    run { state } userErrors { code } } }";

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gateways_state_agrees_with_a_shop_that_heard_of_it_however_often_it_is_read() {
    let s = street().await;
    let t = &s.t;
    // Noon: nothing falls on the neighbouring days.
    let now = t.app.clock.now();
    let noon = (now.date_naive() + TimeDelta::days(1)).and_hms_opt(5, 0, 0).unwrap().and_utc();
    t.advance(noon - now).await;
    let methods = ["stripe", "paypal", "alipay", "wechatpay", "epay_v1", "epay_v2"];
    let mut numbers = Vec::new();
    for method in methods {
        let (placed, payment) = s.bought(method).await;
        if method != "epay_v1" {
            let wish = refund(payment, &format!("{method}-of-ours"), Some(300));
            request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
            s.settled().await;
        }
        numbers.push(placed.order.number.clone());
    }
    t.advance(TimeDelta::days(1)).await;
    let mail = "support@shop.example";
    t.person(mail, &[Role::Support]).await;
    let desk = Client::new(&t.app).with(t.sign_in(mail).await.tokens.access.expose());
    let import = async || {
        for method in methods {
            for back in [0, 1, 2] {
                let day = (noon.date_naive() - TimeDelta::days(1) + TimeDelta::days(back)).to_string();
                let answer =
                    desk.data(IMPORT, json!({ "a": method, "d": day })).await["statementImport"].clone();
                let refused = answer["userErrors"][0]["code"] == "INVALID";
                assert!(refused || answer["run"]["state"] == "REQUESTED", "{method} {day}: {answer}");
            }
        }
        s.settled().await;
    };
    import().await;
    let states = "select coalesce(string_agg(account_id || ' ' || day || ' ' || state, ', '), '') from statement_run where state = 'failed'";
    assert_eq!(t.db.one(states).await, "");
    let facts = "select string_agg(account_id || ' ' || stated || ' ' || amount_minor || ' ' || outcome, ', '
        order by account_id, stated) from statement_fact";
    let wanted = "alipay payment 990 matched, alipay refund 300 matched, epay_v1 payment 990 matched, \
        epay_v2 payment 990 matched, epay_v2 refund_sum 300 matched, paypal payment 990 matched, paypal refund 300 matched, \
        stripe payment 990 matched, stripe refund 300 matched, wechatpay payment 990 matched, wechatpay refund 300 matched";
    assert_eq!(t.db.one(facts).await, wanted);
    assert_eq!(t.db.one("select count(*) from task where kind like 'statement%'").await, "0");
    let ledger = "select count(*) || ' ' || sum(amount_minor) filter (where book = 'fees') from ledger_entry";
    let booked = t.db.one(ledger).await;
    import().await;
    assert_eq!(t.db.one(ledger).await, booked);

    // Two refunds in the platform's console, which no notice reports: one sum there, asked about and then the same here.
    for (number, act) in [(&numbers[4], "refund-part"), (&numbers[5], "refund-part")] {
        s.try_act(number, act, json!({ "amount": 200 })).unwrap();
    }
    import().await;
    let sums =
        "select string_agg(account_id || ' ' || amount_minor || ' ' || outcome, ', ' order by account_id)
        from statement_fact where stated = 'refund_sum'";
    assert_eq!(t.db.one(sums).await, "epay_v1 200 matched, epay_v2 500 matched");
    assert_eq!(t.db.one(facts).await.matches("matched").count(), 12);
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    s.t.finish_with_jobs().await;
}
