//! Stripe's objects translated. Fulfilment listens to one family only, `checkout.session.*`; refunds and disputes
//! are found by the payment intent, which is our trade number.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::base::money::Currency;
use crate::payments::gateways::gateway::from_gateway_units;
use crate::payments::gateways::notice::{
    DisputeFact, Facts, Identity, Meaning, Named, NoticeRefusal, RefundFact,
};
use crate::payments::gateways::{amounts, json};

/// `account` is empty unless the event belongs to a connected account (Stripe Connect).
pub(super) fn identity(livemode: bool, account: &str) -> Vec<Identity> {
    vec![Identity::new("livemode", livemode.to_string()), Identity::new("account", account)]
}

/// The event's id and what it says.
pub(super) fn read(body: &[u8]) -> Result<(String, Facts), NoticeRefusal> {
    let event = json::parse(body).map_err(|_| NoticeRefusal::format("not_json"))?;
    let id = json::text(&event, &["id"])
        .filter(|id| is_id(id))
        .ok_or(NoticeRefusal::format("event_id_missing"))?;
    let kind = json::text(&event, &["type"]).ok_or(NoticeRefusal::format("type_missing"))?;
    let mut facts = match json::text(&event, &["object"]) {
        Some("event") => {
            let object =
                json::at(&event, &["data", "object"]).ok_or(NoticeRefusal::format("object_missing"))?;
            facts(kind, object).map_err(|word| NoticeRefusal::naming(word, names(kind, object)))?
        }
        // Thin events (`v2.core.event`) carry no object.
        Some(_) => Facts::of(Meaning::Ignored),
        None => return Err(NoticeRefusal::format("not_an_event")),
    };
    if let Some(livemode) = event.get("livemode").and_then(Value::as_bool) {
        facts.identity = identity(livemode, json::text(&event, &["account"]).unwrap_or_default());
    }
    facts.occurred_at = created(&event);
    // An event about a payment is never older than the payment; where the object itself is older, that counts.
    if matches!(facts.meaning, Meaning::Paid | Meaning::Failed | Meaning::Closed) {
        facts.began_at = facts.began_at.into_iter().chain(facts.occurred_at).min();
    }
    Ok((id.to_owned(), facts))
}

/// What an object names that cannot be read: other software on the same account sends what it likes. Our own sessions
/// always carry the number; refunds and disputes carry little.
fn names(kind: &str, object: &Value) -> Named {
    let numbers = [&["client_reference_id"][..], &["metadata", "order_no"]];
    let session = kind.starts_with("checkout.");
    Named {
        numbers: numbers.into_iter().filter_map(|path| json::text(object, path)).map(str::to_owned).collect(),
        trade_no: named(object, "payment_intent"),
        gateway_reference: json::text(object, &["id"]).filter(|id| session && is_id(id)).map(str::to_owned),
        refund_id: json::text(object, &["metadata", "refund_id"]).map(str::to_owned),
        carries_little: !session,
    }
}

fn facts(kind: &str, object: &Value) -> Result<Facts, &'static str> {
    match kind {
        "checkout.session.completed" => match session(object)? {
            facts if facts.meaning == Meaning::Open => Err("status_contradicts_type"),
            facts => Ok(facts),
        },
        "checkout.session.async_payment_succeeded" => session_as(object, Meaning::Paid),
        "checkout.session.async_payment_failed" => session_as(object, Meaning::Failed),
        "checkout.session.expired" => session_as(object, Meaning::Closed),
        "charge.refunded" => charge(object),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => refund(object),
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => dispute(object),
        _ => Ok(Facts::of(Meaning::Ignored)),
    }
}

/// A Checkout session, as an event carries it and as the API answers it.
pub(super) fn session(object: &Value) -> Result<Facts, &'static str> {
    let meaning = match (json::text(object, &["status"]), json::text(object, &["payment_status"])) {
        (Some("expired"), _) => Meaning::Closed,
        (Some("open"), _) => Meaning::Open,
        (Some("complete"), Some("paid" | "no_payment_required")) => Meaning::Paid,
        (Some("complete"), Some("unpaid")) => Meaning::Pending,
        _ => return Err("session_status_unknown"),
    };
    session_as(object, meaning)
}

fn session_as(object: &Value, meaning: Meaning) -> Result<Facts, &'static str> {
    if json::text(object, &["object"]) != Some("checkout.session") {
        return Err("not_a_session");
    }
    // Subscriptions and set-ups of other software on the same Stripe account.
    if json::text(object, &["mode"]) != Some("payment") {
        return Ok(Facts::of(Meaning::Ignored));
    }
    let reference = json::text(object, &["client_reference_id"]);
    let metadata = json::text(object, &["metadata", "order_no"]);
    if matches!((reference, metadata), (Some(a), Some(b)) if a != b) {
        return Err("order_no_contradicts");
    }
    let id = json::text(object, &["id"]).filter(|id| is_id(id)).ok_or("session_id_missing")?;
    let currency = currency(object)?;
    let mut facts = Facts::of(meaning);
    facts.number = reference.or(metadata).map(str::to_owned);
    facts.gateway_reference = Some(id.to_owned());
    facts.trade_no = named(object, "payment_intent");
    if meaning == Meaning::Paid && facts.trade_no.is_none() {
        facts.trade_no = Some(id.to_owned());
    }
    facts.amount_minor = Some(amount(object, "amount_total", currency)?);
    facts.currency = Some(currency);
    facts.began_at = created(object);
    if let Some(livemode) = object.get("livemode").and_then(Value::as_bool) {
        facts.identity = identity(livemode, "");
    }
    Ok(facts)
}

/// `created` of an object, seconds since the epoch.
fn created(object: &Value) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(json::integer(object, &["created"])?, 0)
}

/// A charge as it is now, asked for: one that is well is paid.
pub(super) fn charge_now(object: &Value) -> Result<Facts, &'static str> {
    let mut facts = charge(object)?;
    facts.identity = match object.get("livemode").and_then(Value::as_bool) {
        Some(livemode) => identity(livemode, ""),
        None => Vec::new(),
    };
    facts.meaning = match facts.meaning {
        _ if object.get("disputed").and_then(Value::as_bool) == Some(true) => Meaning::DisputeOpened,
        Meaning::Ignored => Meaning::Paid,
        meaning => meaning,
    };
    Ok(facts)
}

/// `charge.refunded`: `amount_refunded` is the sum of all refunds so far.
fn charge(object: &Value) -> Result<Facts, &'static str> {
    let currency = currency(object)?;
    let captured =
        if object.get("amount_captured").is_some_and(Value::is_i64) { "amount_captured" } else { "amount" };
    let whole = amount(object, captured, currency)?;
    let refunded = amount(object, "amount_refunded", currency)?;
    let meaning = match refunded {
        0 => Meaning::Ignored,
        part if part < whole => Meaning::PartiallyRefunded,
        _ => Meaning::Refunded,
    };
    let mut facts = Facts::of(meaning);
    facts.number = json::text(object, &["metadata", "order_no"]).map(str::to_owned);
    facts.trade_no = Some(named(object, "payment_intent").ok_or("payment_intent_missing")?);
    facts.amount_minor = Some(whole);
    facts.currency = Some(currency);
    facts.refunded_minor = Some(refunded);
    Ok(facts)
}

fn refund(object: &Value) -> Result<Facts, &'static str> {
    let meaning = match json::text(object, &["status"]) {
        Some("succeeded") => Meaning::RefundSucceeded,
        Some("pending" | "requires_action") => Meaning::RefundPending,
        Some("failed" | "canceled") => Meaning::RefundFailed,
        _ => return Err("refund_status_unknown"),
    };
    let currency = currency(object)?;
    let mut facts = Facts::of(meaning);
    facts.number = json::text(object, &["metadata", "order_no"]).map(str::to_owned);
    facts.trade_no = Some(named(object, "payment_intent").ok_or("payment_intent_missing")?);
    facts.currency = Some(currency);
    let id = json::text(object, &["id"]).filter(|id| is_id(id)).ok_or("refund_id_missing")?;
    facts.refund = Some(RefundFact {
        refund_id: json::text(object, &["metadata", "refund_id"]).map(str::to_owned),
        made_at: json::integer(object, &["created"]).and_then(|at| DateTime::from_timestamp(at, 0)),
        failure_code: json::text(object, &["failure_reason"]).map(str::to_owned),
        ..RefundFact::new(id.to_owned(), amount(object, "amount", currency)?)
    });
    Ok(facts)
}

/// A dispute has an amount of its own, which may be a part of the payment's. Inquiries (`warning_…`) take no money; one
/// that grows into a dispute keeps its id (docs.stripe.com, Dispute object: `status`).
fn dispute(object: &Value) -> Result<Facts, &'static str> {
    let meaning = match json::text(object, &["status"]).ok_or("dispute_status_missing")? {
        "won" => Meaning::DisputeWon,
        "lost" => Meaning::DisputeLost,
        "warning_closed" => Meaning::DisputeWithdrawn,
        inquiry if inquiry.starts_with("warning_") => Meaning::DisputeInquiry,
        // Closed before it became a chargeback: the refund that prevented it is reported by itself.
        "prevented" => Meaning::DisputeWithdrawn,
        _ => Meaning::DisputeOpened,
    };
    let mut facts = Facts::of(meaning);
    facts.trade_no = Some(named(object, "payment_intent").ok_or("payment_intent_missing")?);
    let id = json::text(object, &["id"]).filter(|id| is_id(id)).ok_or("dispute_id_missing")?;
    let currency = currency(object)?;
    facts.dispute = Some(DisputeFact {
        gateway_dispute_id: Some(id.to_owned()),
        amount_minor: Some(amount(object, "amount", currency)?),
        reason: json::text(object, &["reason"]).map(str::to_owned),
    });
    Ok(facts)
}

/// The id of an object that may be expanded.
pub(super) fn named(object: &Value, key: &str) -> Option<String> {
    let value = object.get(key)?;
    value.as_str().or_else(|| json::text(value, &["id"])).filter(|id| is_id(id)).map(str::to_owned)
}

pub(super) fn currency(object: &Value) -> Result<Currency, &'static str> {
    let code = json::text(object, &["currency"]).ok_or("currency_missing")?;
    Currency::parse(code).map_err(|_| "currency_malformed")
}

/// A dispute as it is now, asked for.
pub(super) fn dispute_now(object: &Value) -> Result<Facts, &'static str> {
    let mut facts = dispute(object)?;
    if let Some(livemode) = object.get("livemode").and_then(Value::as_bool) {
        facts.identity = identity(livemode, "");
    }
    Ok(facts)
}

/// In our minor units. A currency without a row cannot have been asked for, so its number is kept as it is
/// and the payment will be found to be of the wrong currency.
pub(super) fn amount(object: &Value, key: &str, currency: Currency) -> Result<i64, &'static str> {
    let amount = json::integer(object, &[key]).filter(|n| *n >= 0).ok_or("amount_malformed")?;
    let exponent =
        amounts::unit("stripe", currency).map_or_else(|| currency.exponent(), |unit| unit.exponent);
    from_gateway_units(amount, currency, exponent).ok_or("amount_inexpressible")
}

/// What Stripe's ids look like; they go into paths.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
