//! The event's shape, which is ours: `{"type", "timestamp", "data": {"order_no", "trade_no", "amount_minor",
//! "currency", "status", "created_at"?, "refunded_minor"?, "reference"?, "refund"?}}`. The same `data` object answers a
//! query, whose status may also be `open`: nobody has paid. `created_at` is when the trade began there.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::base::money::Currency;
use crate::payments::gateways::json;
use crate::payments::gateways::notice::{Facts, Meaning, Named, NoticeRefusal, RefundFact};
use crate::payments::refunds::RefundChange;

pub(super) fn read(body: &[u8]) -> Result<Facts, NoticeRefusal> {
    let event = json::parse(body).map_err(|_| NoticeRefusal::format("not_json"))?;
    let kind = json::text(&event, &["type"]).ok_or(NoticeRefusal::format("type_missing"))?;
    if !kind.starts_with("payment.") {
        return Ok(Facts::of(Meaning::Ignored));
    }
    let data = event.get("data").ok_or(NoticeRefusal::format("data_missing"))?;
    let unread = |word| match json::text(data, &["order_no"]) {
        Some(number) => {
            let trade_no = name(data, "trade_no", 128).ok().flatten();
            NoticeRefusal::naming(word, Named::sale(number.to_owned(), trade_no))
        }
        None => NoticeRefusal::format(word),
    };
    let mut facts = payment(data).map_err(unread)?;
    facts.meaning = match (kind, facts.meaning) {
        ("payment.succeeded", Meaning::Paid) => Meaning::Paid,
        ("payment.pending", Meaning::Pending) => Meaning::Pending,
        ("payment.closed", Meaning::Closed) => Meaning::Closed,
        ("payment.failed", Meaning::Failed) => Meaning::Failed,
        ("payment.refunded", meaning @ (Meaning::Refunded | Meaning::PartiallyRefunded)) => meaning,
        (
            "payment.succeeded" | "payment.pending" | "payment.closed" | "payment.failed"
            | "payment.refunded",
            _,
        ) => {
            return Err(unread("status_contradicts_type"));
        }
        _ => Meaning::Ignored,
    };
    let at = json::text(&event, &["timestamp"]).ok_or(NoticeRefusal::format("timestamp_missing"))?;
    let at = DateTime::parse_from_rfc3339(at).map_err(|_| NoticeRefusal::format("timestamp_malformed"))?;
    facts.occurred_at = Some(at.with_timezone(&Utc));
    if facts.meaning == Meaning::Paid {
        facts.began_at = facts.began_at.into_iter().chain(facts.occurred_at).min();
    }
    Ok(facts)
}

/// Reads the object that describes a payment. The error is a stable code.
pub(super) fn payment(data: &Value) -> Result<Facts, &'static str> {
    let meaning = match json::text(data, &["status"]).ok_or("status_missing")? {
        "paid" => Meaning::Paid,
        "open" => Meaning::Open,
        "pending" => Meaning::Pending,
        "closed" => Meaning::Closed,
        "failed" => Meaning::Failed,
        "refunded" => Meaning::Refunded,
        "partially_refunded" => Meaning::PartiallyRefunded,
        _ => return Err("status_unknown"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(name(data, "order_no", 64)?.ok_or("order_no_missing")?);
    facts.trade_no = name(data, "trade_no", 128)?;
    facts.gateway_reference = name(data, "reference", 128)?;
    facts.amount_minor = Some(amount(data, "amount_minor")?.ok_or("amount_missing")?);
    let currency = json::text(data, &["currency"]).ok_or("currency_missing")?;
    facts.currency = Some(Currency::parse(currency).map_err(|_| "currency_malformed")?);
    facts.refunded_minor = amount(data, "refunded_minor")?;
    facts.began_at = match name(data, "created_at", 64)? {
        None => None,
        Some(text) => Some(DateTime::parse_from_rfc3339(&text).map_err(|_| "created_at_malformed")?.to_utc()),
    };
    let moved = matches!(meaning, Meaning::Paid | Meaning::Refunded | Meaning::PartiallyRefunded);
    if moved && facts.trade_no.is_none() {
        return Err("trade_no_missing");
    }
    match (meaning, facts.refunded_minor) {
        (Meaning::Refunded | Meaning::PartiallyRefunded, None) => return Err("refunded_minor_missing"),
        (Meaning::Refunded, refunded) if refunded != facts.amount_minor => {
            return Err("refunded_minor_contradicts");
        }
        _ => {}
    }
    if let Some(refund) = data.get("refund").filter(|r| !r.is_null()) {
        let id = name(refund, "gateway_refund_id", 128)?.ok_or("gateway_refund_id_missing")?;
        let minor = amount(refund, "amount_minor")?.ok_or("refund_amount_missing")?;
        facts.refund = Some(RefundFact {
            refund_id: name(refund, "refund_id", 128)?,
            change: match json::text(refund, &["status"]) {
                None | Some("succeeded") => RefundChange::Succeed,
                Some("pending") => RefundChange::Accept,
                Some("failed") => RefundChange::Fail,
                Some(_) => return Err("refund_status_unknown"),
            },
            ..RefundFact::new(id, minor)
        });
    }
    Ok(facts)
}

/// A short text without control characters; null counts as absent.
fn name(data: &Value, key: &'static str, longest: usize) -> Result<Option<String>, &'static str> {
    match data.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text))
            if (1..=longest).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b)) =>
        {
            Ok(Some(text.clone()))
        }
        Some(_) => Err("name_malformed"),
    }
}

/// A whole number of minor units, not negative.
fn amount(data: &Value, key: &'static str) -> Result<Option<i64>, &'static str> {
    match data.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().filter(|n| *n >= 0).map(Some).ok_or("amount_malformed"),
    }
}
