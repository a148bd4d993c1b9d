//! PayPal's objects translated. Captures are our trades, orders our references, and money is only what a capture says:
//! an approved order is the buyer's statement alone. Shapes from developer.paypal.com (webhook event names, Orders v2,
//! Payments v2, Disputes v1).

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::currencies;
use crate::base::ids::RefundId;
use crate::payments::gateways::json;
use crate::payments::gateways::notice::{
    DisputeFact, Facts, Identity, Meaning, Named, NoticeRefusal, RefundFact,
};

pub(super) fn identity(merchant_id: &str) -> Vec<Identity> {
    vec![Identity::new("merchant_id", merchant_id)]
}

/// The event's id and what it says. `merchant_id` is the account's own: what goes back or is disputed may not name a
/// merchant, and is then ours because the signature binds it to our webhook.
pub(super) fn read(body: &[u8], merchant_id: &str) -> Result<(String, Facts), NoticeRefusal> {
    let event = json::parse(body).map_err(|_| NoticeRefusal::format("not_json"))?;
    let id = json::text(&event, &["id"])
        .filter(|id| is_id(id))
        .ok_or(NoticeRefusal::format("event_id_missing"))?;
    let kind = json::text(&event, &["event_type"]).ok_or(NoticeRefusal::format("event_type_missing"))?;
    let resource = event.get("resource").ok_or(NoticeRefusal::format("resource_missing"))?;
    let mut facts = facts(kind, resource, merchant_id)
        .map_err(|word| NoticeRefusal::naming(word, names(kind, resource)))?;
    facts.occurred_at = moment(&event, "create_time");
    Ok((id.to_owned(), facts))
}

/// What an object names that cannot be read: other software on the same account sells in other ways (orders of several
/// units). What goes back names its capture and little else.
fn names(kind: &str, resource: &Value) -> Named {
    let listed = |key: &str| resource.get(key).and_then(Value::as_array).into_iter().flatten();
    let numbers = listed("purchase_units")
        .chain([resource])
        .flat_map(|object| ["custom_id", "invoice_id"].map(|key| json::text(object, &[key])))
        .flatten();
    let own = || id_at(resource, &["id"]).ok().flatten();
    let order = kind.starts_with("CHECKOUT.");
    let sale = ["COMPLETED", "PENDING", "DENIED", "DECLINED"]
        .iter()
        .any(|end| kind.strip_prefix("PAYMENT.CAPTURE.").is_some_and(|rest| rest == *end));
    let disputed = || {
        let transaction = listed("disputed_transactions").next()?;
        id_at(transaction, &["seller_transaction_id"]).ok().flatten()
    };
    Named {
        numbers: numbers.map(str::to_owned).collect(),
        trade_no: match kind {
            _ if order => None,
            "PAYMENT.CAPTURE.REVERSED" => up(resource).or_else(own),
            _ if sale => own(),
            _ => up(resource).or_else(disputed),
        },
        gateway_reference: match order {
            true => own(),
            false => id_at(resource, &["supplementary_data", "related_ids", "order_id"]).ok().flatten(),
        },
        refund_id: refund_id(resource),
        carries_little: !order && !sale,
    }
}

fn facts(kind: &str, resource: &Value, merchant_id: &str) -> Result<Facts, &'static str> {
    let says = |meanings: &[Meaning]| {
        let facts = capture(resource)?;
        if !meanings.contains(&facts.meaning) {
            return Err("status_contradicts_type");
        }
        Ok(facts)
    };
    match kind {
        "PAYMENT.CAPTURE.COMPLETED" => says(&[Meaning::Paid]),
        "PAYMENT.CAPTURE.PENDING" => says(&[Meaning::Pending]),
        "PAYMENT.CAPTURE.DENIED" | "PAYMENT.CAPTURE.DECLINED" => says(&[Meaning::Failed]),
        "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.REFUND.PENDING" | "PAYMENT.REFUND.FAILED" => {
            refunded(resource, merchant_id)
        }
        "PAYMENT.CAPTURE.REVERSED" => reversed(resource, merchant_id),
        "CHECKOUT.ORDER.APPROVED" => match order(resource, None)? {
            facts if facts.meaning == Meaning::Approved => Ok(facts),
            _ => Err("status_contradicts_type"),
        },
        "CUSTOMER.DISPUTE.CREATED" | "CUSTOMER.DISPUTE.UPDATED" | "CUSTOMER.DISPUTE.RESOLVED" => {
            dispute(resource, merchant_id)
        }
        _ => Ok(Facts::of(Meaning::Ignored)),
    }
}

/// A capture, as a notice carries it and as an order lists it.
pub(super) fn capture(object: &Value) -> Result<Facts, &'static str> {
    let meaning = match json::text(object, &["status"]).ok_or("status_missing")? {
        "COMPLETED" => Meaning::Paid,
        "PENDING" => Meaning::Pending,
        "DECLINED" | "FAILED" => Meaning::Failed,
        "REFUNDED" => Meaning::Refunded,
        "PARTIALLY_REFUNDED" => Meaning::PartiallyRefunded,
        _ => return Err("status_unknown"),
    };
    let mut facts = Facts::of(meaning);
    facts.trade_no = Some(id_at(object, &["id"])?.ok_or("capture_id_missing")?);
    facts.gateway_reference = id_at(object, &["supplementary_data", "related_ids", "order_id"])?;
    facts.number = number(object);
    let money = currencies::money(object.get("amount").ok_or("amount_missing")?)?;
    (facts.amount_minor, facts.currency) = (Some(money.minor), Some(money.currency));
    facts.identity = said_merchant(object, "payee");
    facts.occurred_at = moment(object, "update_time").or_else(|| moment(object, "create_time"));
    facts.began_at = moment(object, "create_time");
    Ok(facts)
}

/// An order with one purchase unit, and the capture in it when there is one: the one that is asked about, else the one that
/// counts.
pub(super) fn order(object: &Value, trade_no: Option<&str>) -> Result<Facts, &'static str> {
    let id = id_at(object, &["id"])?.ok_or("order_id_missing")?;
    let units = object.get("purchase_units").and_then(Value::as_array).ok_or("purchase_unit_missing")?;
    let [unit] = units.as_slice() else { return Err("not_one_purchase_unit") };
    let captures = json::at(unit, &["payments", "captures"]).and_then(Value::as_array);
    let mut facts = match json::text(object, &["status"]) {
        Some("CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED") => Facts::of(Meaning::Open),
        Some("APPROVED") => Facts::of(Meaning::Approved),
        Some("VOIDED") => Facts::of(Meaning::Closed),
        Some("COMPLETED") => settled(captures.map_or(&[], Vec::as_slice), trade_no)?,
        _ => return Err("order_status_unknown"),
    };
    if facts.trade_no.is_none() {
        let money = currencies::money(unit.get("amount").ok_or("amount_missing")?)?;
        (facts.amount_minor, facts.currency) = (Some(money.minor), Some(money.currency));
    }
    facts.began_at = moment(object, "create_time").into_iter().chain(facts.began_at).min();
    facts.number = number(unit).or(facts.number);
    facts.identity = said_merchant(unit, "payee");
    facts.gateway_reference = Some(id);
    facts.refunded_minor = match facts.meaning {
        // An order lists every refund it had: none listed is none made.
        Meaning::Paid => Some(refunds(unit, facts.trade_no.as_deref())?.unwrap_or(0)),
        Meaning::Refunded | Meaning::PartiallyRefunded => refunds(unit, facts.trade_no.as_deref())?,
        _ => None,
    };
    Ok(facts)
}

/// The capture that is asked about, or the one that counts: one that took money before one that may, before one that did
/// not.
fn settled(captures: &[Value], trade_no: Option<&str>) -> Result<Facts, &'static str> {
    let all = captures.iter().map(capture).collect::<Result<Vec<_>, _>>()?;
    let rank = |facts: &Facts| match facts.meaning {
        _ if trade_no.is_some() && facts.trade_no.as_deref() == trade_no => -1,
        Meaning::Failed => 2,
        Meaning::Pending => 1,
        _ => 0,
    };
    all.into_iter().min_by_key(rank).ok_or("capture_missing")
}

/// The sum of the refunds that an order lists for a capture; none when it lists none.
fn refunds(unit: &Value, trade_no: Option<&str>) -> Result<Option<i64>, &'static str> {
    let Some(list) = json::at(unit, &["payments", "refunds"]).and_then(Value::as_array) else {
        return Ok(None);
    };
    let mut sum = None;
    for refund in list.iter().filter(|r| json::text(r, &["status"]) == Some("COMPLETED")) {
        let of = up(refund);
        if of.is_none() || of.as_deref() == trade_no {
            let money = currencies::money(refund.get("amount").ok_or("amount_missing")?)?;
            sum = Some(sum.unwrap_or(0_i64).checked_add(money.minor).ok_or("amount_malformed")?);
        }
    }
    Ok(sum)
}

/// A refund gives the sum of all refunds and not what was paid: whether all went back, the payment's row knows.
fn refunded(resource: &Value, merchant_id: &str) -> Result<Facts, &'static str> {
    let gateway_refund_id = id_at(resource, &["id"])?.ok_or("refund_id_missing")?;
    let money = currencies::money(resource.get("amount").ok_or("amount_missing")?)?;
    let refund_id = refund_id(resource);
    let meaning = match json::text(resource, &["status"]) {
        Some("COMPLETED") | None => Meaning::Refunded,
        Some("PENDING") => Meaning::RefundPending,
        Some("CANCELLED" | "FAILED") => Meaning::RefundFailed,
        Some(_) => return Err("status_unknown"),
    };
    let mut facts = Facts::of(meaning);
    facts.trade_no = Some(up(resource).ok_or("capture_id_missing")?);
    facts.number = if refund_id.is_none() { number(resource) } else { None };
    facts.currency = Some(money.currency);
    let total = json::at(resource, &["seller_payable_breakdown", "total_refunded_amount"]);
    match (meaning, total) {
        (Meaning::Refunded, Some(total)) => {
            let total = currencies::money(total)?;
            if total.currency != money.currency || total.minor < money.minor {
                return Err("total_refunded_contradicts");
            }
            facts.refunded_minor = Some(total.minor);
        }
        // Without the sum it is a notice of this one refund alone.
        (Meaning::Refunded, None) => facts.meaning = Meaning::RefundSucceeded,
        _ => {}
    }
    facts.refund = Some(RefundFact {
        refund_id,
        made_at: moment(resource, "create_time"),
        failure_code: json::text(resource, &["status_details", "reason"]).map(str::to_owned),
        ..RefundFact::new(gateway_refund_id, money.minor)
    });
    facts.identity = said_or(resource, "payer", merchant_id);
    Ok(facts)
}

/// PayPal took the money back by itself: a chargeback or a claim, which its dispute decides.
fn reversed(resource: &Value, merchant_id: &str) -> Result<Facts, &'static str> {
    let mut facts = Facts::of(Meaning::DisputeOpened);
    let own = || id_at(resource, &["id"]).ok().flatten();
    facts.trade_no = Some(up(resource).or_else(own).ok_or("capture_id_missing")?);
    facts.number = number(resource);
    facts.identity = said_or(resource, "payee", merchant_id);
    Ok(facts)
}

/// A dispute has an amount of its own, which may be a part of the payment's; when it is decided, what the buyer got
/// counts. PayPal withholds the money from the first stage on, INQUIRY included.
pub(super) fn dispute(resource: &Value, merchant_id: &str) -> Result<Facts, &'static str> {
    let meaning = match json::text(resource, &["dispute_outcome", "outcome_code"]) {
        None | Some("NONE") => Meaning::DisputeOpened,
        Some("RESOLVED_BUYER_FAVOUR" | "ACCEPTED") => Meaning::DisputeLost,
        // With payout: PayPal pays the buyer out of its own pocket.
        Some("RESOLVED_SELLER_FAVOUR" | "RESOLVED_WITH_PAYOUT" | "DENIED") => Meaning::DisputeWon,
        Some("CANCELED_BY_BUYER") => Meaning::DisputeWithdrawn,
        Some(_) => return Err("dispute_outcome_unknown"),
    };
    let transactions = resource.get("disputed_transactions").and_then(Value::as_array);
    let transaction = transactions.and_then(|list| list.first()).ok_or("disputed_transaction_missing")?;
    let mut facts = Facts::of(meaning);
    facts.trade_no = Some(id_at(transaction, &["seller_transaction_id"])?.ok_or("capture_id_missing")?);
    facts.identity = said_or(transaction, "seller", merchant_id);
    let about = resource.get("dispute_amount").map(currencies::money).transpose()?;
    let got =
        json::at(resource, &["dispute_outcome", "amount_refunded"]).map(currencies::money).transpose()?;
    let decided = got.filter(|_| meaning == Meaning::DisputeLost);
    facts.dispute = Some(DisputeFact {
        gateway_dispute_id: id_at(resource, &["dispute_id"])?,
        amount_minor: decided.or(about).map(|money| money.minor),
        reason: json::text(resource, &["reason"]).map(str::to_owned),
    });
    Ok(facts)
}

/// Our number: `custom_id`, else `invoice_id`.
pub(super) fn number(object: &Value) -> Option<String> {
    let text = |key| json::text(object, &[key]).filter(|text| !text.is_empty());
    text("custom_id").or_else(|| text("invoice_id")).map(str::to_owned)
}

/// Our refund's id, which is in the `custom_id` of refunds that we asked for.
pub(super) fn refund_id(object: &Value) -> Option<String> {
    json::text(object, &["custom_id"]).filter(|id| RefundId::parse(id).is_ok()).map(str::to_owned)
}

/// The last part of the link to the object above: a refund's capture.
fn up(object: &Value) -> Option<String> {
    let links = object.get("links")?.as_array()?;
    let link = links.iter().find(|link| json::text(link, &["rel"]) == Some("up"))?;
    let (_, id) = json::text(link, &["href"])?.rsplit_once('/')?;
    is_id(id).then(|| id.to_owned())
}

fn said_merchant(object: &Value, who: &str) -> Vec<Identity> {
    json::text(object, &[who, "merchant_id"]).map(identity).unwrap_or_default()
}

fn said_or(object: &Value, who: &str, merchant_id: &str) -> Vec<Identity> {
    identity(json::text(object, &[who, "merchant_id"]).unwrap_or(merchant_id))
}

/// An id at a path; one of another shape is an error, because ids go into paths.
fn id_at(object: &Value, path: &[&str]) -> Result<Option<String>, &'static str> {
    match json::text(object, path) {
        None => Ok(None),
        Some(id) if is_id(id) => Ok(Some(id.to_owned())),
        Some(_) => Err("id_malformed"),
    }
}

/// What PayPal's ids look like.
pub(super) fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

pub(super) fn moment(object: &Value, key: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(json::text(object, &[key])?).ok().map(|at| at.with_timezone(&Utc))
}
