//! Disputes, refunds that fail, and money that pays for nothing, through the doors that people use.

use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::street::{Street, street};
use crate::downloads::shop::{FileShop, content, refusal};
use crate::graphql::client::Client;
use crate::harness::signing;

const REVEAL: &str = "mutation($line: ID!, $t: String) { deliveryReveal(input: { target: { lineId: $line }, accessToken: $t }) {
    secrets { text } userErrors { code } } }";
const ORDER: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
    state payments { id state } refunds { id state amount { amount } }
    lines { id kind state grants { id canDownload } deliveries { nodes { state } } } } }";
const LINK: &str =
    "mutation($g: ID!, $t: String) { downloadLinkCreate(input: { grantId: $g, accessToken: $t }) {
    link { url } userErrors { code } } }";

async fn support(street: &Street) -> Client {
    street.t.person("support@shop.example", &[Role::Support]).await;
    let token = street.t.sign_in("support@shop.example").await.tokens.access;
    Client::new(&street.t.app).with(token.expose())
}

/// Stripe reports a dispute about a payment intent.
async fn report(street: &Street, id: &str, kind: &str, intent: &str, status: &str) {
    let t = &street.t;
    let event = json!({ "id": id, "object": "event", "livemode": false, "created": t.app.clock.unix(), "type": kind,
        "data": { "object": { "id": "dp_1", "object": "dispute", "amount": 1_980, "currency": "usd",
            "payment_intent": intent, "status": status } } });
    let account = street.simulator.account("stripe").unwrap();
    let raw = signing::stripe(account.secrets[0].expose(), t.app.clock.unix(), &event.to_string());
    let mut request = t.http().post(format!("{}/webhooks/stripe", t.base)).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200, "{kind}");
}

/// Rows: P9, L8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_closes_every_door_a_won_one_opens_them_and_a_lost_one_takes_the_goods() {
    let street = street().await;
    let t = &street.t;
    let keys = t.selling_keys(1, 990).await;
    let files = FileShop { variant: t.variant_on_sale("file", 990).await };
    files.publish(t, "book.zip", "1", &content(5_000, 7)).await;
    let placed = t.place(&[(keys, 1), (files.variant, 1)]).await;
    street.start(&placed, "stripe").await;
    street.act(&placed.order.number, "pay");
    street.settled().await;
    let (buyer, token) = (Client::new(&t.app), placed.access_token.expose().to_owned());
    let order =
        async || buyer.data(ORDER, json!({ "n": placed.order.number, "t": token })).await["order"].clone();
    let seen = order().await;
    let line = |kind: &str| {
        let lines = seen["lines"].as_array().unwrap();
        lines.iter().find(|l| l["kind"] == kind).unwrap().clone()
    };
    let (key_line, grant) = (line("key")["id"].clone(), line("file")["grants"][0]["id"].clone());
    let doors = async || {
        let revealed =
            buyer.data(REVEAL, json!({ "line": key_line, "t": token })).await["deliveryReveal"].clone();
        let linked = buyer.data(LINK, json!({ "g": grant, "t": token })).await["downloadLinkCreate"].clone();
        let word = |payload: &Value| payload["userErrors"][0]["code"].as_str().unwrap_or("open").to_owned();
        let url = linked["link"]["url"].as_str().map(str::to_owned);
        (word(&revealed), word(&linked), url)
    };
    let fetch = async |url: &str| {
        let path = url.strip_prefix(&t.base).unwrap();
        let answer = t.get(path).await;
        if answer.status().is_success() { "open".to_owned() } else { refusal(answer).await }
    };
    let (reveal, link, url) = doors().await;
    let url = url.unwrap();
    assert_eq!((reveal.as_str(), link.as_str(), fetch(&url).await.as_str()), ("open", "open", "open"));

    let intent = t.db.one("select trade_no from payment").await;
    report(&street, "evt_d1", "charge.dispute.created", &intent, "needs_response").await;
    let (reveal, link, none) = doors().await;
    assert_eq!((reveal.as_str(), link.as_str(), none), ("REVOKED", "REVOKED", None));
    assert_eq!(fetch(&url).await, "403 REVOKED", "a link that was made before");
    assert_eq!(order().await["payments"][0]["state"], "DISPUTED");
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1 revealed:1", "the goods stay the buyer's");
    assert_eq!(t.db.one("select count(*) from task where kind = 'payment_disputed'").await, "1");

    report(&street, "evt_d2", "charge.dispute.closed", &intent, "won").await;
    let (reveal, link, _) = doors().await;
    assert_eq!((reveal.as_str(), link.as_str(), fetch(&url).await.as_str()), ("open", "open", "open"));

    report(&street, "evt_d3", "charge.dispute.created", &intent, "needs_response").await;
    report(&street, "evt_d4", "charge.dispute.closed", &intent, "lost").await;
    let (reveal, link, _) = doors().await;
    assert_eq!((reveal.as_str(), link.as_str()), ("REVOKED", "REVOKED"), "every door says the same");
    assert!(fetch(&url).await.starts_with("403 "));
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:2");
    assert_eq!(order().await["payments"][0]["state"], "LOST");
    let held = "select coalesce(sum(amount_minor), 0) from ledger_entry where book = 'gateway'";
    assert_eq!(t.db.one(held).await, "0");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    street.t.finish_with_jobs().await;
}

/// Rows: O6, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_came_twice_is_given_back_with_one_mutation() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    street.start(&placed, "generic").await;
    street.act(&placed.order.number, "pay-twice");
    street.settled().await;
    let support = support(&street).await;
    let tasks =
        "{ desk { tasks(filter: { kinds: [\"payment_double\"] }) { nodes { kind paymentId orderId } } } }";
    let task = support.data(tasks, json!({})).await["desk"]["tasks"]["nodes"][0].clone();
    let give_back =
        "mutation($p: ID!) { paymentRefund(input: { idempotencyKey: \"give it back 0001\", paymentId: $p }) {
        refund { state amount { amount } } order { state } userErrors { code } } }";
    for _ in 0..2 {
        let done = support.data(give_back, json!({ "p": task["paymentId"] })).await["paymentRefund"].clone();
        assert_eq!(done["userErrors"], json!([]));
        assert_eq!(done["refund"], json!({ "state": "SUCCEEDED", "amount": { "amount": "9.90" } }));
        assert_eq!(done["order"]["state"], "PAID");
    }
    street.settled().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "the order's own goods are not touched");
    let left = "select string_agg(state || ' ' || allocated || ' ' || received_minor - refunded_minor, ', ' order by attempt)
        from payment";
    assert_eq!(t.db.one(left).await, "captured true 990, refunded false 0");
    // The gateway reports it too, by the order's number and the second trade's: no trouble comes of that.
    let open = "select coalesce(string_agg(kind, ','), '') from task where kind <> 'payment_double'";
    assert_eq!(t.db.one(open).await, "");
    let guest = Client::new(&t.app).ask(give_back, json!({ "p": task["paymentId"] })).await;
    assert_eq!(guest.code(), "FORBIDDEN");
    street.t.finish_with_jobs().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_failed_is_tried_again_and_one_that_was_made_is_not() {
    let street = street().await;
    let t = &street.t;
    for method in ["stripe", "generic"] {
        let (placed, _) = street.bought(method).await;
        let email = format!("{method}@shop.example");
        t.person(&email, &[Role::Support]).await;
        let support = Client::new(&t.app).with(t.sign_in(&email).await.tokens.access.expose());
        street.simulator.set_trouble(json!({ "refunds": "failed" })).unwrap();
        let refund =
            "mutation($o: ID!, $k: String!) { orderRefund(input: { idempotencyKey: $k, orderId: $o }) {
            refund { id state } userErrors { code } } }";
        let key = format!("the first try of {method}");
        let first = support.data(refund, json!({ "o": placed.order.id.to_string(), "k": key })).await;
        let first = first["orderRefund"]["refund"].clone();
        street.settled().await;
        let again =
            "mutation($r: ID!, $k: String!) { refundRetry(input: { idempotencyKey: $k, refundId: $r }) {
            refund { id state } order { refunds { state } } userErrors { code } } }";
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "{method}");
        street.simulator.set_trouble(json!({})).unwrap();
        let key = format!("the second try of {method}");
        let retry = async |refund: &Value, key: &str| {
            support.data(again, json!({ "r": refund, "k": key })).await["refundRetry"].clone()
        };
        let second = retry(&first["id"], &key).await;
        street.settled().await;
        assert_eq!(second["userErrors"], json!([]), "{method}");
        assert_eq!(retry(&first["id"], &key).await["refund"]["id"], second["refund"]["id"], "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "revoked:1", "{method}");
        assert_eq!(street.refunded(&placed.order.number), 990, "{method}");
        let made = retry(&second["refund"]["id"], "one try too many 01").await;
        assert_eq!(made["userErrors"][0]["code"], "ILLEGAL_TRANSITION", "{method}");
        assert_eq!(retry(&json!("ref_0"), "one try too many 02").await["userErrors"][0]["code"], "NOT_FOUND");
    }
    street.t.finish_with_jobs().await;
}
