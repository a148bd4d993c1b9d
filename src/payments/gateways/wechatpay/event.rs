//! Notices: an envelope, and inside it the payment or the refund. The amount that counts is `amount.total`: coupons lower
//! `payer_total`. A refund names neither application nor currency.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::sealed;
use crate::base::money::Currency;
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::json;
use crate::payments::gateways::notice::{Facts, Identity, Meaning, Named, NoticeRefusal, RefundFact};

/// What the platform must say about the merchant.
pub(super) fn identity(keys: &AccountKeys) -> Vec<Identity> {
    ["mchid", "appid"].map(|name| Identity::new(name, keys.setting(name).unwrap_or_default())).into()
}

/// The notice's id and what it says.
pub(super) fn read(keys: &AccountKeys, body: &[u8]) -> Result<(String, Facts), NoticeRefusal> {
    let envelope = json::parse(body).map_err(|_| NoticeRefusal::format("not_json"))?;
    let id = name(&envelope, &["id"]).ok_or(NoticeRefusal::format("id_missing"))?;
    let kind = json::text(&envelope, &["event_type"]).ok_or(NoticeRefusal::format("event_type_missing"))?;
    let reader: fn(&AccountKeys, &str, &Value) -> Result<Facts, &'static str> = match kind {
        "TRANSACTION.SUCCESS" => paid,
        "REFUND.SUCCESS" | "REFUND.ABNORMAL" | "REFUND.CLOSED" => refund,
        _ => return Ok((id, Facts::of(Meaning::Ignored))),
    };
    let resource = envelope.get("resource").ok_or(NoticeRefusal::format("resource_missing"))?;
    let plain = sealed::open(keys, resource).map_err(NoticeRefusal::decrypt)?;
    let inner = json::parse(&plain).map_err(|_| NoticeRefusal::format("inner_not_json"))?;
    let mut facts =
        reader(keys, kind, &inner).map_err(|word| match json::text(&inner, &["out_trade_no"]) {
            Some(number) => {
                let trade_no = name(&inner, &["transaction_id"]);
                NoticeRefusal::naming(word, Named::sale(number.to_owned(), trade_no))
            }
            None => NoticeRefusal::format(word),
        })?;
    facts.occurred_at = facts.occurred_at.or_else(|| moment(&envelope, "create_time"));
    Ok((id, facts))
}

fn paid(_keys: &AccountKeys, _kind: &str, inner: &Value) -> Result<Facts, &'static str> {
    let facts = transaction(inner)?;
    (facts.meaning == Meaning::Paid).then_some(facts).ok_or("state_contradicts_event")
}

/// A payment, as a notice carries it and as a query answers it.
pub(super) fn transaction(object: &Value) -> Result<Facts, &'static str> {
    let meaning = match json::text(object, &["trade_state"]).ok_or("trade_state_missing")? {
        "SUCCESS" => Meaning::Paid,
        // Something went back; how much, only the refunds say.
        "REFUND" => Meaning::PartiallyRefunded,
        "NOTPAY" => Meaning::Open,
        "USERPAYING" | "ACCEPT" => Meaning::Pending,
        "CLOSED" | "REVOKED" => Meaning::Closed,
        "PAYERROR" => Meaning::Failed,
        _ => return Err("trade_state_unknown"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(name(object, &["out_trade_no"]).ok_or("out_trade_no_missing")?);
    facts.trade_no = name(object, &["transaction_id"]);
    facts.amount_minor = amount(object, "total")?;
    facts.currency = currency(object)?;
    facts.occurred_at = moment(object, "success_time");
    // The platform gives no other time of a payment.
    facts.began_at = facts.occurred_at;
    let identities =
        ["mchid", "appid"].map(|name| json::text(object, &[name]).map(|value| Identity::new(name, value)));
    facts.identity = identities.into_iter().flatten().collect();
    if matches!(meaning, Meaning::Paid | Meaning::PartiallyRefunded) {
        facts.trade_no.as_ref().ok_or("transaction_id_missing")?;
        facts.amount_minor.ok_or("amount_missing")?;
        facts.currency.ok_or("currency_missing")?;
    }
    Ok(facts)
}

/// One refund. That the whole went back is known only when this one alone is as large as the payment.
fn refund(keys: &AccountKeys, kind: &str, inner: &Value) -> Result<Facts, &'static str> {
    let status = json::text(inner, &["refund_status"]).ok_or("refund_status_missing")?;
    if kind.strip_prefix("REFUND.") != Some(status) {
        return Err("status_contradicts_event");
    }
    let total = amount(inner, "total")?.ok_or("amount_missing")?;
    let part = amount(inner, "refund")?.ok_or("amount_missing")?;
    let meaning = match status {
        "SUCCESS" if part >= total => Meaning::Refunded,
        "SUCCESS" => Meaning::RefundSucceeded,
        "CLOSED" => Meaning::RefundFailed,
        // The buyer's card or account does not take the money: it stays on its way until a person completes it in the
        // merchant's console, or gives it up.
        "ABNORMAL" => Meaning::RefundPending,
        _ => return Err("refund_status_unknown"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(name(inner, &["out_trade_no"]).ok_or("out_trade_no_missing")?);
    facts.trade_no = Some(name(inner, &["transaction_id"]).ok_or("transaction_id_missing")?);
    facts.amount_minor = Some(total);
    facts.currency = currency(inner)?.or(Currency::parse("CNY").ok());
    facts.refunded_minor = (meaning == Meaning::Refunded).then_some(total);
    facts.refund = Some(RefundFact {
        refund_id: name(inner, &["out_refund_no"]),
        failure_code: (meaning == Meaning::RefundFailed).then(|| status.to_owned()),
        needs_person: meaning == Meaning::RefundPending,
        ..RefundFact::new(name(inner, &["refund_id"]).ok_or("refund_id_missing")?, part)
    });
    facts.occurred_at = moment(inner, "success_time");
    // The merchant is compared; the application is that of the trade, which is compared by its number.
    let merchant = json::text(inner, &["mchid"]).unwrap_or_default();
    let application = keys.setting("appid").unwrap_or_default();
    facts.identity = vec![Identity::new("mchid", merchant), Identity::new("appid", application)];
    Ok(facts)
}

/// A short text without control characters.
pub(super) fn name(object: &Value, path: &[&str]) -> Option<String> {
    let clean =
        |text: &&str| (1..=128).contains(&text.len()) && text.bytes().all(|b| (0x21..0x7f).contains(&b));
    json::text(object, path).filter(clean).map(str::to_owned)
}

/// Whole fen, not negative.
pub(super) fn amount(object: &Value, key: &str) -> Result<Option<i64>, &'static str> {
    match json::at(object, &["amount", key]) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().filter(|n| *n >= 0).map(Some).ok_or("amount_malformed"),
    }
}

fn currency(object: &Value) -> Result<Option<Currency>, &'static str> {
    let code = json::text(object, &["amount", "currency"]);
    code.map(Currency::parse).transpose().map_err(|_| "currency_malformed")
}

fn moment(object: &Value, key: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(json::text(object, &[key])?).ok().map(|at| at.with_timezone(&Utc))
}
