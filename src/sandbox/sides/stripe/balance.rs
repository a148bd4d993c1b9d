//! `GET /v1/balance_transactions`: what the statement is made of.

use serde_json::{Value, json};

use super::NAME;
use super::money::{charge, refund};
use crate::sandbox::forms::Form;
use crate::sandbox::simulator::Desk;

/// Money in and out, newest first, a page at a time; `created[gte]`, `created[lt]`, `limit`, `starting_after` and an
/// expanded source are understood.
pub(super) fn transactions(desk: &Desk, fields: &Form) -> Value {
    let bound = |name: &str, other: i64| fields.get(name).parse::<i64>().unwrap_or(other);
    let limit = usize::try_from(bound("limit", 10).clamp(1, 100)).unwrap_or(10);
    let from = bound("created[gte]", i64::MIN).max(bound("created[gt]", i64::MIN).saturating_add(1));
    let to = bound("created[lt]", i64::MAX).min(bound("created[lte]", i64::MAX).saturating_add(1));
    let expand = fields.0.iter().any(|(name, value)| name.starts_with("expand") && value == "data.source");
    let line = |id: String, kind: &str, amount: i64, fee: i64, currency: &str, at: i64, source: Value| {
        let source = if expand { source } else { source["id"].clone() };
        json!({ "id": id, "object": "balance_transaction", "type": kind, "reporting_category": kind,
            "amount": amount, "fee": fee, "net": amount - fee, "created": at, "available_on": at,
            "currency": currency.to_ascii_lowercase(), "status": "available", "source": source })
    };
    let mut lines: Vec<Value> = desk.read(|book| {
        let mut lines = Vec::new();
        for payment in book.of(NAME) {
            for capture in &payment.captures {
                let id = capture.trade_no.replace("pi_", "txn_");
                let (amount, currency) = (capture.amount, &capture.currency);
                let source = charge(payment, capture);
                lines.push(line(id, "charge", amount, fee(amount), currency, capture.at, source));
            }
            for made in payment.refunds.iter().filter(|r| r.status == "succeeded") {
                let id = made.id.replace("re_", "txn_");
                let currency = payment.capture(&made.trade_no).map_or(&payment.currency, |c| &c.currency);
                lines.push(line(id, "refund", -made.amount, 0, currency, made.at, refund(payment, made)));
            }
        }
        lines
    });
    lines.retain(|line| (from..to).contains(&line["created"].as_i64().unwrap_or_default()));
    lines.sort_by_key(|line| std::cmp::Reverse((line["created"].as_i64(), line["id"].to_string())));
    let after = fields.get("starting_after");
    let start = lines.iter().position(|l| l["id"] == after).map_or(0, |at| at + 1);
    let rest = &lines[start..];
    let page = &rest[..limit.min(rest.len())];
    json!({ "object": "list", "url": "/v1/balance_transactions", "data": page, "has_more": page.len() < rest.len() })
}

/// 2.9 per cent and thirty of the smallest units.
fn fee(amount: i64) -> i64 {
    (amount * 29 + 500) / 1_000 + 30
}
