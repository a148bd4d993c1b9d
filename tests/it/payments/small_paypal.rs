//! A small PayPal of the tests' own: one order, its capture, its refunds.

use std::sync::{Arc, Mutex};

use dispense::config::Account;
use serde_json::{Value, json};

use super::gateways_paypal::{LEAF, MERCHANT, captured, keys};
use super::loopback::{Loopback, Seen};

pub const ORDERS: &str = "POST /v2/checkout/orders";
pub const TOKEN: &str = "POST /v1/oauth2/token";

/// The one order of a small PayPal.
#[derive(Default)]
pub struct Book {
    /// `CREATED`, `APPROVED`, `COMPLETED`, `DECLINED` (approved, and the card says no).
    pub status: String,
    pub number: String,
    pub value: String,
    pub refunds: Vec<Value>,
    pub tokens: usize,
    /// Tokens that are no longer taken.
    pub stale: Vec<String>,
}

impl Book {
    pub fn order(&self) -> Value {
        let money = json!({ "currency_code": "USD", "value": self.value });
        let mut unit = json!({
            "reference_id": "default", "custom_id": self.number, "invoice_id": self.number, "amount": money,
            "payee": { "merchant_id": MERCHANT },
        });
        if self.status == "COMPLETED" {
            let mut capture = captured(&self.number, "ORDER1", "CAP1", &self.value);
            if !self.refunds.is_empty() {
                capture["status"] = "PARTIALLY_REFUNDED".into();
            }
            unit["payments"] = json!({ "captures": [capture], "refunds": self.refunds });
        }
        let status = if self.status == "DECLINED" { "APPROVED" } else { &self.status };
        json!({
            "id": "ORDER1", "status": status, "intent": "CAPTURE", "purchase_units": [unit],
            "links": [{ "rel": "self", "href": "https://x/1" }, { "rel": "payer-action", "href": "https://www.sandbox.paypal.com/checkoutnow?token=ORDER1" }],
        })
    }
}

pub fn issue(status: u16, name: &str, issue: &str) -> (u16, String) {
    (
        status,
        json!({ "name": name, "message": "no", "details": [{ "issue": issue, "description": "no" }] })
            .to_string(),
    )
}

pub fn answer(book: &mut Book, seen: &Seen) -> (u16, String) {
    if seen.what == TOKEN {
        book.tokens += 1;
        return (200, format!(r#"{{"access_token":"token-{}","expires_in":3600}}"#, book.tokens));
    }
    if seen.what.starts_with("GET /v1/notifications/certs/") {
        return (200, LEAF.into());
    }
    let token = seen.header("authorization").unwrap_or_default().to_owned();
    if book.stale.contains(&token) {
        return (401, r#"{"error":"invalid_token"}"#.into());
    }
    match seen.what.as_str() {
        ORDERS => {
            let unit = &seen.json()["purchase_units"][0];
            book.number = unit["custom_id"].as_str().unwrap().into();
            book.value = unit["amount"]["value"].as_str().unwrap().into();
            book.status = "CREATED".into();
            (200, book.order().to_string())
        }
        "GET /v2/checkout/orders/ORDER1" if book.status.is_empty() => {
            issue(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
        }
        "GET /v2/checkout/orders/ORDER1" => (200, book.order().to_string()),
        "POST /v2/checkout/orders/ORDER1/capture" => match book.status.as_str() {
            "APPROVED" => {
                book.status = "COMPLETED".into();
                (201, book.order().to_string())
            }
            "COMPLETED" => issue(422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED"),
            "DECLINED" => issue(422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED"),
            _ => issue(422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED"),
        },
        "POST /v2/payments/captures/CAP1/refund" => {
            let asked = seen.json();
            let id = seen.header("paypal-request-id").unwrap().to_owned();
            if let Some(known) = book.refunds.iter().find(|r| r["custom_id"] == id) {
                return (200, known.to_string());
            }
            let refund = json!({
                "id": format!("REF{}", book.refunds.len() + 1), "status": "COMPLETED", "amount": asked["amount"], "custom_id": asked["custom_id"],
                "links": [{ "rel": "up", "href": "https://api/v2/payments/captures/CAP1" }],
            });
            book.refunds.push(refund.clone());
            (201, refund.to_string())
        }
        other => panic!("nobody should ask {other}"),
    }
}

pub struct Small {
    pub side: Loopback,
    pub book: Arc<Mutex<Book>>,
}

impl Small {
    pub async fn start() -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let kept = book.clone();
        let side = Loopback::start(move |seen| answer(&mut kept.lock().unwrap(), seen)).await;
        Self { side, book }
    }

    pub fn set(&self, status: &str) {
        self.book.lock().unwrap().status = status.into();
    }

    pub fn account(&self) -> Account {
        let keys = keys(Some(&self.side.base));
        Account {
            id: "paypal".into(),
            gateway: "paypal".into(),
            currencies: vec!["USD".into()],
            api_key: keys.api_key,
            settings: keys.settings,
            api_url: keys.api_url,
            sandbox: true,
            ..Account::default()
        }
    }

    pub fn captures(&self) -> usize {
        self.side.count("POST /v2/checkout/orders/ORDER1/capture")
    }
}
