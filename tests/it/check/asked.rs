//! `dispense check --ask`: what gateways say against what is written here, through the command line.

use dispense::base::actor::Actor;
use dispense::base::ids::PaymentId;
use dispense::payments::refunds::request;
use serde_json::json;

use crate::harness::Setup;
use crate::payments::street::{GATEWAYS, Street, refund, street};

const MONEY: &str = "a payment received what its gateway says it took";
const BACK: &str = "a payment gave back what its gateway says went back";
const STATE: &str = "a payment that its gateway has ended is not open here";
const DISPUTE: &str = "a dispute is open here when its gateway says so";

fn ask(setup: &Setup, more: &[&str]) -> (Option<i32>, String) {
    let output = setup.command(&[&["check", "--ask"], more].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

/// It ends with 1, and this question names so many payments.
fn finds(setup: &Setup, question: &str, payments: usize) {
    let (code, said) = ask(setup, &[]);
    let begin = format!("{question}\n             first of {payments}: payment ");
    assert!(code == Some(1) && said.contains(&begin), "{question}: {payments}\n{said}");
}

fn is_clean(setup: &Setup) -> String {
    let (code, said) = ask(setup, &[]);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// A payment that nobody has paid yet.
async fn opened(s: &Street, method: &str) -> (String, PaymentId) {
    let variant = s.selling(method, 1, 990).await;
    let placed = s.place(method, variant).await;
    let attempt = s.start(&placed, method).await;
    (placed.order.number, attempt.payment.id)
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_heard_everything_agrees_with_all_its_gateways_and_names_whom_it_could_not_ask() {
    let s = street().await;
    let setup = s.setup();
    for method in GATEWAYS {
        let (_, payment) = s.bought(method).await;
        if method != "epay_v1" {
            let wish = refund(payment, &format!("{method}-part"), Some(300));
            request::request(&s.t.app.payments, &Actor::system(), wish).await.unwrap();
        }
        opened(&s, method).await;
        let (number, _) = opened(&s, method).await;
        s.act(&number, "pay");
        s.settled().await;
        s.act(&number, "refund");
        s.settled().await;
    }
    // Of the first and second Epay no notice reports what went back: it is found, and after a question it is known.
    for method in ["epay_v1", "epay_v2"] {
        let ids = format!(
            "select id from payment where account_id = '{method}' and state = 'captured' and refunded_minor = 0"
        );
        for row in s.t.db.sql(&ids).await {
            let id = PaymentId(row[0].as_ref().unwrap().parse().unwrap());
            let payment =
                dispense::payments::attempts::store::find(&mut s.t.app.db.conn().await.unwrap(), id)
                    .await
                    .unwrap();
            dispense::payments::attempts::ask::reconcile(&s.t.app.payments, &payment.unwrap()).await.unwrap();
        }
    }
    s.settled().await;
    let said = is_clean(&setup);
    assert!(said.contains("gateways were asked about 21 payments, 0 were not asked about; of "), "{said}");
    // An account that left, and a gateway that is down.
    s.t.db.sql("insert into gateway_account (id, gateway, currencies, sandbox, active) values ('gone', 'stripe', '{}', true, false)").await;
    s.t.db
        .sql(
            "update payment set account_id = 'gone' where account_id = 'stripe' and state = 'pending'
        or account_id = 'stripe' and state = 'started'",
        )
        .await;
    let gone = s.t.db.one("select id from payment where account_id = 'gone'").await;
    let said = is_clean(&setup);
    assert!(
        said.contains(&format!("not asked    1 of gone, the account is not in the configuration: {gone}")),
        "{said}"
    );
    s.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    let said = is_clean(&setup);
    assert!(said.contains("asked about 0 payments, 21 were not asked about"), "{said}");
    assert!(said.contains("not asked    3 of alipay, its gateway gave no clear answer: "), "{said}");
    s.simulator.set_trouble(json!({})).unwrap();
    // What is finished and has not moved since is left alone; what is open never is.
    let (code, said) = ask(&setup, &["--since", "2199-01-01"]);
    assert!(code == Some(0) && said.contains("asked about 6 payments, 1 were not"), "{said}");
    assert_eq!(ask(&setup, &["--since", "soon"]).0, Some(2));
    let plain = setup.command(&["check"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&plain.stdout).contains("asked about"));
    s.t.finish_with_jobs().await;
}

/// Takes payments out of what is asked about.
async fn put_away(s: &Street) {
    s.t.db.sql("update payment set account_id = 'free', gateway_number = null, gateway_reference = null where account_id <> 'free'").await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_only_one_side_knows_of_is_found_at_each_gateway() {
    let s = street().await;
    let (setup, db) = (s.setup(), &s.t.db);
    // Paid there, and nobody reported.
    for method in GATEWAYS.into_iter().filter(|method| *method != "paypal") {
        let (number, _) = opened(&s, method).await;
        s.act(&number, "lose-notice");
    }
    let (_, forgotten) = s.bought("paypal").await;
    db.sql(&format!(
        "update payment set state = 'expired', received_minor = null, received_currency = null, captured_at = null,
           allocated = false where id = '{}'", forgotten.0
    )).await;
    finds(&setup, MONEY, GATEWAYS.len());
    put_away(&s).await;
    // Written here: another amount, another currency, money that never came.
    let mut bought = Vec::new();
    for method in GATEWAYS {
        bought.push(s.bought(method).await.1);
    }
    is_clean_of(&setup);
    db.sql("alter table payment drop constraint payment_allocated").await;
    let here = "where account_id <> 'free'";
    db.sql(&format!("update payment set received_minor = 989 {here}")).await;
    finds(&setup, MONEY, GATEWAYS.len());
    db.sql(&format!("update payment set received_minor = 990, received_currency = 'EUR' {here}")).await;
    finds(&setup, MONEY, GATEWAYS.len());
    put_away(&s).await;
    for method in GATEWAYS {
        opened(&s, method).await;
    }
    is_clean_of(&setup);
    db.sql(&format!(
        "update payment set state = 'captured', received_minor = 990, received_currency = expected_currency,
           captured_at = app_now() {here}"
    ))
    .await;
    finds(&setup, MONEY, GATEWAYS.len());
    s.t.finish_with_jobs().await;
}

/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_ends_and_disputes_that_only_one_side_knows_of_are_found_at_each_gateway() {
    let s = street().await;
    let (setup, db) = (s.setup(), &s.t.db);
    let mut numbers = Vec::new();
    for method in GATEWAYS {
        numbers.push(s.bought(method).await.0.order.number.clone());
    }
    let here = "where account_id <> 'free'";
    // Given back here, and not there: seen by the payment's own answer, or by that about the refund.
    db.sql(&format!(
        "insert into refund (id, order_id, payment_id, state, amount_minor, currency, origin, gateway_refund_id, succeeded_at)
           select gen_random_uuid(), order_id, id, 'succeeded', 300, expected_currency, 'staff', 'never_made', app_now()
           from payment {here};
         update payment set refunded_minor = 300, state = 'partially_refunded' {here}"
    )).await;
    finds(&setup, BACK, GATEWAYS.len());
    db.sql(&format!("delete from refund; update payment set refunded_minor = 0, state = 'captured' {here}"))
        .await;
    is_clean_of(&setup);
    // Given back there, and forgotten here.
    for number in &numbers {
        s.act(number, "refund");
    }
    s.settled().await;
    db.sql(&format!(
        "update refund set basis = 'refund', state = 'failed', succeeded_at = null, counted_minor = 0;
         update payment set refunded_minor = 0, state = 'captured' {here}"
    ))
    .await;
    finds(&setup, BACK, GATEWAYS.len());
    put_away(&s).await;
    // Ended there, open here. Epay's payments never end, and PayPal forgets those that lapse.
    let ending = ["stripe", "generic", "alipay", "wechatpay"];
    for method in ending {
        let (number, _) = opened(&s, method).await;
        s.act(&number, "expire");
    }
    s.settled().await;
    db.sql(&format!("update payment set state = 'started', closed_at = null {here}")).await;
    finds(&setup, STATE, ending.len());
    put_away(&s).await;
    // A dispute that was forgotten here, and one that is only here.
    let (disputed, payment) = s.bought("stripe").await;
    s.act(&disputed.order.number, "dispute");
    s.settled().await;
    let (_, other) = s.bought("stripe").await;
    is_clean_of(&setup);
    db.sql(&format!("update payment set state = 'captured' where id = '{}'", payment.0)).await;
    finds(&setup, DISPUTE, 1);
    db.sql(&format!("update payment set state = 'disputed' where id in ('{}', '{}')", payment.0, other.0))
        .await;
    finds(&setup, DISPUTE, 1);
    s.t.finish_with_jobs().await;
}

/// No question that gateways answer finds anything.
fn is_clean_of(setup: &Setup) {
    let (_, said) = ask(setup, &[]);
    for question in [MONEY, BACK, STATE, DISPUTE] {
        assert!(!said.contains(question), "{said}");
    }
}
