//! A shop at Epay's first generation: nothing is paid by a notice alone, nothing refunded twice.

use dispense::base::actor::Actor;
use dispense::base::ids::PaymentId;
use dispense::config::Account;
use dispense::orders::place::Placed;
use dispense::payments::attempts::start::{self, Start, StartOptions};
use dispense::payments::refunds::request::{self, RefundOf, RefundRequest};
use dispense::payments::refunds::work;

use super::gateways_epay::{KEY, keys, notice, platforms};
use super::loopback::Loopback;
use crate::harness::TestApp;

struct Street {
    t: TestApp,
    side: Loopback,
}

impl Street {
    async fn open() -> Self {
        let side = Loopback::start(|_| (200, r#"{"code":-1,"msg":"订单号不存在"}"#.into())).await;
        let keys = keys(&side.base, &[]);
        let account = Account {
            id: "epay".into(),
            gateway: "epay_v1".into(),
            currencies: vec!["CNY".into()],
            secrets: keys.secrets,
            settings: keys.settings,
            api_url: keys.api_url,
            sandbox: true,
            ..Account::default()
        };
        let t = TestApp::start_with(|config| config.accounts = vec![account]).await;
        t.canary(KEY);
        Self { t, side }
    }

    async fn started(&self) -> (Placed, PaymentId) {
        let variant = self.t.selling_keys(1, 990).await;
        self.t.db.sql("insert into price (seller_id, variant_id, currency, unit_minor) select seller_id, variant_id, 'CNY', unit_minor from price where currency = 'USD' on conflict do nothing").await;
        let placed = self.t.place_in(&[(variant, 1)], "CNY").await;
        let wish = Start {
            idempotency_key: format!("start-{}-epay", placed.order.number),
            order_id: placed.order.id,
            access_token: Some(placed.access_token.expose().to_owned()),
            options: StartOptions { method: "epay".into(), ..StartOptions::default() },
        };
        let attempt = start::start(&self.t.app.payments, &Actor::guest(), wish).await.unwrap();
        (placed, attempt.payment.id)
    }

    fn platform_says(&self, number: &str, status: i64, money: &'static str) {
        let number = number.to_owned();
        self.side.answer_by(move |_| (200, platforms(&number, status, money).to_string()));
    }

    async fn get(&self, query: &str) -> (u16, String) {
        let answer = self.t.get(&format!("/webhooks/epay?{query}")).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, form: String) -> (u16, String) {
        let request = self.t.http().post(format!("{}/webhooks/epay", self.t.base)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Rows: P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_notice_pays_nothing_until_the_platform_says_so_itself() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, _) = street.started().await;
    let number = placed.order.number.clone();
    let query = notice(&number, "T1", "9.9", "");
    // Signed with the true key, which somebody has stolen.
    for (status, money) in [(0, "9.90"), (3, "9.90")] {
        street.platform_says(&number, status, money);
        assert_eq!(street.get(&query).await, (503, "fail".into()), "status {status}");
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment", "status {status}");
    }
    street.side.answer_by(|_| (500, String::new()));
    assert_eq!(street.get(&query).await, (503, "fail".into()));
    street.side.answer_by(|_| (200, r#"{"code":-1,"msg":"订单号不存在"}"#.into()));
    assert_eq!(street.get(&query).await, (503, "fail".into()));
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    street.platform_says(&number, 1, "9.90");
    assert_eq!(street.post(query.clone()).await, (200, "success".into()));
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    let asked = street.side.count("GET /api.php");
    assert_eq!(street.get(&query).await, (200, "success".into()));
    assert_eq!(street.side.count("GET /api.php"), asked, "what is known is not asked again");
    // A second trade that only the notice knows of is no money.
    assert_eq!(street.get(&notice(&number, "T2", "9.9", "")).await.0, 200);
    assert_eq!(t.db.one("select count(*) from payment where received_minor is not null").await, "1");
    street.t.finish_with_jobs().await;
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_or_not_asked_properly_is_answered_fail() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, _) = street.started().await;
    street.platform_says(&placed.order.number, 1, "9.90");
    let query = notice(&placed.order.number, "T1", "9.9", "");
    for bad in [
        query.replace("9.9", "9.8"),
        format!("{query}&money=9.9"),
        format!("{query}&money[]=1"),
        "sign=success".into(),
    ] {
        assert_eq!(street.get(&bad).await, (400, "fail".into()), "{bad}");
    }
    let head = t.http().head(format!("{}/webhooks/epay?{query}", t.base)).send().await.unwrap();
    assert!(head.status().as_u16() >= 400, "HEAD settles nothing: {}", head.status());
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
        let answer =
            t.http().request(method, format!("{}/webhooks/epay?{query}", t.base)).send().await.unwrap();
        assert!(answer.status().as_u16() >= 400);
    }
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(street.side.seen().len(), 0, "the platform is asked about genuine notices alone");
    street.t.finish_with_jobs().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_whose_answer_was_lost_is_never_sent_a_second_time() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, payment_id) = street.started().await;
    let number = placed.order.number.clone();
    street.platform_says(&number, 1, "9.90");
    assert_eq!(street.get(&notice(&number, "T1", "9.9", "")).await.0, 200);
    let kept = number.clone();
    street.side.answer_by(move |seen| match seen.what.as_str() {
        "POST /api.php" => (504, String::new()),
        _ => (200, platforms(&kept, 1, "9.90").to_string()),
    });
    let wish = RefundRequest {
        idempotency_key: "refund-epay-once-1".into(),
        of: RefundOf::Payment(payment_id),
        units: Vec::new(),
        amount_minor: Some(400),
        reason: None,
    };
    let refund = request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
    assert_eq!(refund.state.as_str(), "unknown");
    for _ in 0..4 {
        work::work(&t.app.payments, refund.id).await.unwrap();
    }
    assert_eq!(street.side.count("POST /api.php"), 1);
    assert_eq!(t.db.one("select state from refund").await, "unknown");
    assert_eq!(t.db.one("select refunded_minor from payment").await, "0");
    assert_eq!(t.db.one("select string_agg(kind, ' ') from task").await, "refund_unclear", "a person looks");
    street.t.finish_with_jobs().await;
}
