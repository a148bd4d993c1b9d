//! A shop whose buyer paid at Stripe, and Stripe's events about that payment, signed by the test with times of its own.

use dispense::base::actor::Role;
use dispense::base::ids::VariantId;
use dispense::orders::place::Placed;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::downloads::shop::FileShop;
use crate::graphql::client::Client;
use crate::harness::signing;
use crate::payments::street::{Street, street};

pub struct Bought {
    pub street: Street,
    pub placed: Placed,
    pub intent: String,
    pub total: i64,
    pub staff: Client,
}

const ORDER: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
    state stage canPay canCancel total { amount } paid { amount } refunded { amount } due { amount } whyNotDelivered { code }
    payments { state refunded { amount } } refunds { id state amount { amount } }
    lines { id total { amount } refunded { amount } deliveries(first: 50) { nodes { id state } } } } }";

/// Lines of (pieces, minor units of each), paid in one order.
pub async fn bought(lines: &[(i32, i64)]) -> Bought {
    paid(started(lines).await).await
}

/// Pieces of 19.00 in all, paid in one order at this gateway.
pub async fn bought_at(gateway: &str, quantity: i32) -> Bought {
    let street = street().await;
    let wanted = [(street.t.selling_keys(quantity as usize, 1_900 / i64::from(quantity)).await, quantity)];
    paid(placed_at(gateway, street, &wanted).await).await
}

/// A key of 9.00 and a file of 10.00 with this content, paid in one order.
pub async fn bought_with_file(content: &[u8]) -> Bought {
    let street = street().await;
    let keys = street.t.selling_keys(1, 900).await;
    let files = FileShop { variant: street.t.variant_on_sale("file", 1_000).await };
    files.publish(&street.t, "book.bin", "1", content).await;
    paid(placed(street, &[(keys, 1), (files.variant, 1)]).await).await
}

/// The buyer pays.
pub async fn paid(shop: Bought) -> Bought {
    shop.street.act(&shop.placed.order.number, "pay");
    shop.street.settled().await;
    let intent = shop.street.t.db.one("select trade_no from payment").await;
    Bought { intent, ..shop }
}

/// The same, before the buyer pays: Stripe's intent is not known yet.
pub async fn started(lines: &[(i32, i64)]) -> Bought {
    let street = street().await;
    let mut wanted: Vec<(VariantId, i32)> = Vec::new();
    for (quantity, unit) in lines {
        wanted.push((street.t.selling_keys(*quantity as usize, *unit).await, *quantity));
    }
    placed(street, &wanted).await
}

/// An order at Stripe that is not paid yet.
pub async fn placed(street: Street, wanted: &[(VariantId, i32)]) -> Bought {
    placed_at("stripe", street, wanted).await
}

async fn placed_at(gateway: &str, street: Street, wanted: &[(VariantId, i32)]) -> Bought {
    let placed = street.t.place(wanted).await;
    street.start(&placed, gateway).await;
    street.t.person("support@shop.example", &[Role::Support]).await;
    let token = street.t.sign_in("support@shop.example").await.tokens.access;
    let staff = Client::new(&street.t.app).with(token.expose());
    let total = placed.order.total_minor;
    Bought { street, placed, intent: String::new(), total, staff }
}

/// One event of Stripe's: its type, its object, and seconds from the test's beginning at which it was said.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: &'static str,
    pub object: Value,
    pub at: i64,
}

impl Bought {
    fn secret(&self) -> String {
        self.street.simulator.account("stripe").unwrap().secrets[0].expose().to_owned()
    }

    /// Sends an event; Stripe's id of it is made of what it says, so that a repeat is a repeat.
    pub async fn send(&self, event: &Event) -> u16 {
        let now = self.street.t.app.clock.unix();
        let created = now + event.at;
        let mut object = event.object.clone();
        if let Some(made) = object.get("created").and_then(Value::as_i64) {
            object["created"] = json!(now + made);
        }
        let said = format!("{}{}{}", event.kind, event.at, event.object);
        let id = format!("evt_{}", &hex::encode(Sha256::digest(said.as_bytes()))[..24]);
        let body = json!({ "id": id, "object": "event", "livemode": false, "created": created, "type": event.kind,
            "data": { "object": object } });
        let raw = signing::stripe(&self.secret(), now, &body.to_string());
        let t = &self.street.t;
        let mut request = t.http().post(format!("{}/webhooks/stripe", t.base)).body(raw.body);
        for (name, value) in raw.headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends and expects success.
    pub async fn report(&self, event: &Event) {
        assert_eq!(self.send(event).await, 200, "{event:?}");
    }

    /// `charge.refunded`: the sum of all refunds so far.
    pub fn sum(&self, refunded: i64, at: i64) -> Event {
        let object = json!({ "id": "ch_1", "object": "charge", "livemode": false, "amount": self.total,
            "amount_captured": self.total, "amount_refunded": refunded, "refunded": refunded == self.total,
            "currency": "usd", "payment_intent": self.intent, "metadata": {} });
        Event { kind: "charge.refunded", object, at }
    }

    /// An event about one refund. `ours`: the id under which staff asked for it.
    pub fn refund(
        &self,
        kind: &'static str,
        id: &str,
        amount: i64,
        status: &str,
        ours: Option<&str>,
        at: i64,
    ) -> Event {
        let metadata = ours.map_or(json!({}), |id| json!({ "refund_id": id }));
        let object = json!({ "id": id, "object": "refund", "amount": amount, "created": at, "currency": "usd",
            "payment_intent": self.intent, "status": status, "metadata": metadata,
            "failure_reason": if status == "failed" { json!("expired_or_canceled_card") } else { Value::Null } });
        Event { kind, object, at }
    }

    pub fn dispute(&self, kind: &'static str, id: &str, amount: i64, status: &str, at: i64) -> Event {
        let object = json!({ "id": id, "object": "dispute", "amount": amount, "currency": "usd",
            "payment_intent": self.intent, "status": status, "reason": "fraudulent" });
        Event { kind, object, at }
    }

    /// The order as its buyer sees it.
    pub async fn order(&self) -> Value {
        let token = self.placed.access_token.expose();
        let asked = json!({ "n": self.placed.order.number, "t": token });
        Client::new(&self.street.t.app).data(ORDER, asked).await["order"].clone()
    }

    /// What went back, the refunds with their states, and the payment's state, as one line.
    pub async fn money(&self) -> String {
        let order = self.order().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut refunds: Vec<String> = order["refunds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| format!("{} {}", text(&r["state"]), text(&r["amount"]["amount"])))
            .collect();
        refunds.sort();
        let states: Vec<String> =
            order["payments"].as_array().unwrap().iter().map(|p| text(&p["state"])).collect();
        format!("{} [{}] {}", text(&order["refunded"]["amount"]), refunds.join(", "), states.join(" "))
    }

    pub async fn units(&self) -> String {
        self.street.t.unit_states(self.placed.order.id).await
    }

    /// Kinds of the order's open tasks.
    pub async fn tasks(&self) -> String {
        let sql =
            "select coalesce(string_agg(kind, ' ' order by kind), '') from task where state <> 'resolved'";
        self.street.t.db.one(sql).await
    }

    /// How many mails of a kind there are.
    pub async fn mails(&self, kind: &str) -> String {
        self.street.t.db.one(&format!("select count(*) from message where kind = '{kind}'")).await
    }

    pub async fn staff_refund(&self, input: Value) -> Value {
        let mut given = json!({ "orderId": self.placed.order.id.to_string(),
            "idempotencyKey": hex::encode(dispense::base::clock::random::<12>()) });
        for (name, value) in input.as_object().unwrap() {
            given[name] = value.clone();
        }
        let query = "mutation($i: OrderRefundInput!) { orderRefund(input: $i) {
            refund { id state amount { amount } } userErrors { code field } } }";
        self.staff.data(query, json!({ "i": given })).await["orderRefund"].clone()
    }

    /// The deliveries of a line, in their order.
    pub async fn deliveries(&self, line: usize) -> Vec<String> {
        let order = self.order().await;
        let nodes = order["lines"][line]["deliveries"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|n| n["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Proves the database and ends the test.
    pub async fn sound(self) {
        let report =
            dispense::check::run(&self.street.t.app.db, &self.street.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
        self.street.t.finish_with_jobs().await;
    }
}
