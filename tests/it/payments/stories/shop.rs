//! What a story knows of the shop: what a buyer and the staff see of an order over HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use dispense::base::actor::Role;
use dispense::base::ids::OrderId;
use dispense::people::token::Access;
use serde_json::{Value, json};

use super::chance::Chance;
use crate::payments::street::{Street, currency};

pub const ORDER: &str = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
    id state stage refunded { amount } total { amount }
    payments { id state amount { amount } refunded { amount } }
    refunds { id state amount { amount } }
    lines { id state deliveries(first: 20) { nodes { id state } } } } }";
pub const REVEAL: &str = "mutation($l: ID!, $t: String) { deliveryReveal(input: { target: { lineId: $l }, accessToken: $t, first: 20 }) {
    secrets { text } userErrors { code } } }";
pub const REFUND: &str = "mutation($in: OrderRefundInput!) { orderRefund(input: $in) {
    refund { id state amount { amount } } userErrors { code } } }";

/// Cents of a decimal text.
pub fn cents(text: &Value) -> i64 {
    let text = text.as_str().unwrap_or_else(|| panic!("no amount: {text}"));
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    sign * (whole.parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap())
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// What staff ask to be given back of an order with this page: all, an amount or one piece.
pub fn refund_wish(page: &Value, key: String, chance: &mut Chance) -> Value {
    let mut wish = json!({ "orderId": page["id"], "idempotencyKey": key, "reason": "a story" });
    match chance.below(3) {
        0 => {}
        1 => {
            let left = cents(&page["total"]["amount"]) - cents(&page["refunded"]["amount"]);
            let most = usize::try_from(left.max(1)).unwrap();
            wish["amount"] = json!(decimal(i64::try_from(chance.below(most)).unwrap() + 1));
        }
        _ => {
            let units = page["lines"][0]["deliveries"]["nodes"].as_array().cloned().unwrap_or_default();
            if !units.is_empty() {
                wish["units"] = json!([chance.pick(&units)["id"]]);
            }
        }
    }
    wish
}

/// A shop that is played with, and who works there.
pub struct Shop {
    pub street: Street,
    /// The session of who works there, and since when.
    staff: std::sync::Mutex<(DateTime<Utc>, Access)>,
    /// Variants with the keys that nobody has ordered yet, by currency.
    shelves: std::sync::Mutex<Vec<(String, dispense::base::ids::VariantId, usize)>>,
}

/// An order of a story.
pub struct Bought {
    pub id: OrderId,
    pub number: String,
    /// Opens it without signing in.
    pub token: String,
    pub gateway: &'static str,
    /// The gateway's id of its payment.
    pub payment: String,
    /// How many keys were ordered.
    pub units: i32,
}

async fn sign_in(street: &Street) -> (DateTime<Utc>, Access) {
    let token = street.t.sign_in("story@shop.example").await.tokens.access;
    let (app, now) = (&street.t.app, street.t.app.clock.now());
    (now, app.people.access_tokens.read(&token, now).unwrap())
}

impl Shop {
    pub async fn open(street: Street) -> Self {
        street.t.person("story@shop.example", &[Role::Support, Role::Admin]).await;
        let staff = std::sync::Mutex::new(sign_in(&street).await);
        // The clock is moved at every step: by a row, because a new function would make every plan anew.
        let sql = "create table story_clock (ahead interval not null);
            insert into story_clock values ('0');
            grant select on story_clock to public;
            create or replace function app_now() returns timestamptz language sql stable parallel safe
              as $$ select now() + ahead from story_clock $$;";
        street.t.db.sql(sql).await;
        Self { street, staff, shelves: Default::default() }
    }

    /// Moves the program's clock and the database's together.
    pub async fn advance(&self, by: TimeDelta) {
        let clock = &self.street.t.app.clock;
        let ahead = clock.offset() + by;
        let micros = ahead.num_microseconds().unwrap();
        let sql = format!("update story_clock set ahead = interval '{micros} microseconds'");
        self.street.t.db.sql(&sql).await;
        clock.set_offset(ahead);
    }

    /// A fresh token of the session that the staff signed in with: a story lasts longer than a token.
    pub fn staff_token(&self) -> String {
        let app = &self.street.t.app;
        let staff = self.staff.lock().unwrap().1;
        app.people.access_tokens.issue(&staff, app.clock.now()).unwrap().0.expose().to_owned()
    }

    /// The staff signs in again where that is long ago: many stories last longer than a session.
    pub async fn keep_staff(&self) {
        let since = self.staff.lock().unwrap().0;
        if since + TimeDelta::days(7) < self.street.t.app.clock.now() {
            let fresh = sign_in(&self.street).await;
            *self.staff.lock().unwrap() = fresh;
        }
    }

    async fn ask(&self, query: &str, variables: Value, token: Option<&str>) -> Value {
        let base = &self.street.t.base;
        self.ask_at(base, query, variables, token).await.unwrap_or_else(|said| panic!("{said}"))
    }

    /// The data of an answer that has no errors, from whoever serves this shop at an address; else what came instead.
    pub async fn ask_at(
        &self,
        base: &str,
        query: &str,
        variables: Value,
        token: Option<&str>,
    ) -> Result<Value, String> {
        let mut request = self
            .street
            .t
            .http()
            .post(format!("{base}/graphql"))
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json")
            .body(json!({ "query": query, "variables": variables }).to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = request.send().await.map_err(|e| e.to_string())?;
        let text = answer.text().await.map_err(|e| e.to_string())?;
        let answer: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        if answer["errors"].is_null() { Ok(answer["data"].clone()) } else { Err(text) }
    }

    /// An order that waits for its payment at a gateway.
    pub async fn order(&self, gateway: &'static str, units: i32) -> Bought {
        let wanted = usize::try_from(units).unwrap();
        let money = currency(gateway).to_owned();
        let kept = {
            let mut shelves = self.shelves.lock().unwrap();
            let shelf = shelves.iter_mut().find(|(of, _, left)| *of == money && *left >= wanted);
            shelf.map(|(_, variant, left)| {
                *left -= wanted;
                *variant
            })
        };
        let variant = match kept {
            Some(variant) => variant,
            None => {
                let variant = self.street.selling(gateway, 200, 1_900).await;
                self.shelves.lock().unwrap().push((money.clone(), variant, 200 - wanted));
                variant
            }
        };
        let placed = self.street.t.place_in(&[(variant, units)], &money).await;
        self.street.start(&placed, gateway).await;
        let number = placed.order.number.clone();
        let payment = self.there_by(&number).unwrap();
        let token = placed.access_token.expose().to_owned();
        Bought { id: placed.order.id, number, token, gateway, payment, units }
    }

    /// The gateway's id of the payment that it knows by this number.
    pub fn there_by(&self, number: &str) -> Option<String> {
        let simulator = &self.street.simulator;
        let there = simulator.payment(number).or_else(|| simulator.payment(&number.replace('-', "_")));
        Some(there?["payment"]["id"].as_str()?.to_owned())
    }

    /// The order's page, as its buyer sees it.
    pub async fn page(&self, bought: &Bought) -> Value {
        self.ask(ORDER, json!({ "n": bought.number, "t": bought.token }), None).await["order"].clone()
    }

    /// How many keys the buyer can see, or why none.
    pub async fn reveal(&self, bought: &Bought) -> Result<usize, String> {
        let line = self.page(bought).await["lines"][0]["id"].clone();
        let given = json!({ "l": line, "t": bought.token });
        let shown = self.ask(REVEAL, given, None).await["deliveryReveal"].clone();
        match shown["userErrors"][0]["code"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(shown["secrets"].as_array().unwrap().len()),
        }
    }

    /// What the gateway has written down about the order's payment.
    pub fn there(&self, bought: &Bought) -> Value {
        self.street.simulator.payment(&bought.payment).unwrap()
    }

    /// Staff give money back: all, an amount or one piece. What was asked for and what came of it.
    pub async fn give_back(&self, bought: &Bought, key: String, chance: &mut Chance) -> String {
        let wish = refund_wish(&self.page(bought).await, key, chance);
        let staff = self.staff_token();
        let asked = self.ask(REFUND, json!({ "in": wish }), Some(&staff)).await["orderRefund"].clone();
        format!("orderRefund {} {} → {asked}", wish["amount"], wish["units"])
    }

    /// Whether a person was asked about something about this order.
    pub async fn has_task(&self, bought: &Bought, kind: &str) -> bool {
        let sql = format!(
            "select exists (select 1 from task where kind = '{kind}' and order_id = '{}')",
            bought.id.0
        );
        self.street.t.db.one(&sql).await == "t"
    }

    /// How many of an order's units some refund named.
    pub async fn named_units(&self, bought: &Bought) -> usize {
        let sql = format!(
            "select count(distinct u.unit_id) from refund_unit u join refund r on r.id = u.refund_id where r.order_id = '{}'",
            bought.id.0
        );
        self.street.t.db.one(&sql).await.parse().unwrap()
    }

    /// How many of the orders' refunds have not ended.
    pub async fn open_refunds(&self, bought: &[Bought]) -> usize {
        let ids: Vec<String> = bought.iter().map(|b| format!("'{}'", b.id.0)).collect();
        let sql = format!(
            "select count(*) from refund where state in ('requested', 'pending', 'unknown') and order_id in ({})",
            ids.join(", ")
        );
        self.street.t.db.one(&sql).await.parse().unwrap()
    }

    /// How many mails of a kind were written to the buyer.
    pub async fn mails(&self, bought: &Bought, kind: &str) -> usize {
        let sql =
            format!("select count(*) from message where kind = '{kind}' and order_id = '{}'", bought.id.0);
        self.street.t.db.one(&sql).await.parse().unwrap()
    }

    /// What the shop has stored of an order's money, for whoever looks into a story that failed.
    pub async fn stored(&self, bought: &Bought) -> String {
        let of_it = |table: &str, order: &str| {
            format!(
                "select coalesce(string_agg(concat('    {table} ', to_jsonb(t)), E'\n' order by {order}), '') \
                 from {table} t where order_id = '{}'",
                bought.id.0
            )
        };
        let heard = format!(
            "select coalesce(string_agg(concat('    heard ', n.received_at, ' ', n.verdict, ' ', b.query, ' ', \
             encode(b.body, 'escape')), E'\n' order by n.id), '') \
             from notice n join notice_body b on b.notice_id = n.id where n.order_id = '{}'",
            bought.id.0
        );
        let mut rows = Vec::new();
        for sql in [of_it("payment", "id"), of_it("refund", "id"), of_it("dispute", "id"), heard] {
            rows.push(self.street.t.db.one(&sql).await);
        }
        rows.join("\n")
    }
}
