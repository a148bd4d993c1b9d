//! What Stripe's books say of one UTC day: `GET /v1/balance_transactions` with each one's charge or refund beside it, and
//! the itemised report of balance changes as CSV, whose columns are known by their names (docs.stripe.com, balance
//! transactions and report types). What the buyer paid counts, not what it became in the balance's own currency.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde_json::Value;

use super::api::{error_of, exchange};
use super::event;
use crate::base::money::Currency;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{
    Call, EntryPlace, Stated, Statement, StatementEntry, StatementLine,
};
use crate::payments::gateways::{cells, json, numbers};

const MOST_PAGES: usize = 1_000;
const NOT_EXPANDED: &str = "source_not_expanded";

pub(super) async fn fetch(outbound: &Outbound, call: &Call<'_>, day: NaiveDate) -> Statement {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    let end = start + TimeDelta::days(1);
    if call.now_unix < end.timestamp() {
        return Statement::NotReady;
    }
    let range = format!("created[gte]={}&created[lt]={}", start.timestamp(), end.timestamp());
    let (mut entries, mut seen, mut after) = (Vec::new(), 0, String::new());
    for _ in 0..MOST_PAGES {
        let path = format!("/v1/balance_transactions?{range}&limit=100&expand[]=data.source{after}");
        let answer = match exchange(outbound, call, &path, None).await {
            Ok((200, answer)) => answer,
            Ok((status, answer)) => {
                return Statement::Unknown(format!("status {status}: {}", error_of(&answer).0));
            }
            Err(error) => return Statement::Unknown(error.to_string()),
        };
        let Some(list) = answer.get("data").and_then(Value::as_array) else {
            return Statement::Unknown("the answer is no list".into());
        };
        for entry in list {
            seen += 1;
            let place = EntryPlace::listed("transaction", seen);
            match line(entry) {
                Ok(line) => entries.extend(line.map(|line| StatementEntry::read(place, line))),
                // That is not the entry's fault: the answer is not the one that was asked for.
                Err(NOT_EXPANDED) => return Statement::Unknown(NOT_EXPANDED.to_owned()),
                Err(word) => {
                    entries.push(StatementEntry::unread(
                        place,
                        id(entry),
                        entry.to_string().as_bytes(),
                        word,
                    ));
                }
            }
        }
        let more = answer.get("has_more").and_then(Value::as_bool) == Some(true);
        match list.last().and_then(|last| event::named(last, "id")) {
            Some(last) if more => after = format!("&starting_after={last}"),
            _ if more => return Statement::Unknown("a page has no end".into()),
            _ => return Statement::Entries(entries),
        }
    }
    Statement::Unknown("the day has too many transactions".into())
}

/// One balance transaction; none when it is neither a payment nor a refund, or of other software's charges that have no
/// payment intent. What the balance transaction books the other way round is negative.
fn line(entry: &Value) -> Result<Option<StatementLine>, &'static str> {
    let stated = match json::text(entry, &["type"]).ok_or("type_missing")? {
        "charge" | "payment" => Stated::Payment,
        "refund" | "payment_refund" => Stated::Refund,
        "refund_failure" => Stated::RefundFailed,
        _ => return Ok(None),
    };
    let booked = json::integer(entry, &["amount"]).ok_or("amount_missing")?;
    let outward = booked < 0;
    let sign = if outward == (stated == Stated::Refund) || booked == 0 { 1 } else { -1 };
    let source = match entry.get("source") {
        Some(Value::String(_)) => return Err(NOT_EXPANDED),
        source => source.filter(|source| source.is_object()).ok_or("source_missing")?,
    };
    let Some(trade_no) = event::named(source, "payment_intent") else { return Ok(None) };
    let currency = event::currency(source)?;
    // A fee is stated in the balance's currency.
    let fee_minor = match event::currency(entry)? {
        of_balance if of_balance == currency => fee(entry, currency)?,
        _ => None,
    };
    let at = json::integer(entry, &["created"]).and_then(|at| DateTime::from_timestamp(at, 0));
    let text = |path: &[&str]| json::text(source, path).map(str::to_owned);
    Ok(Some(StatementLine {
        stated,
        number: text(&["metadata", "order_no"]),
        trade_no,
        refund_id: text(&["metadata", "refund_id"]).filter(|_| stated.is_one_refund()),
        gateway_refund_id: text(&["id"]).filter(|_| stated.is_one_refund()),
        amount_minor: sign * event::amount(source, "amount", currency)?,
        fee_minor,
        currency,
        at: at.ok_or("created_missing")?,
    }))
}

/// What a balance transaction is about: the payment of a charge, else the refund, else itself.
fn id(entry: &Value) -> Option<&str> {
    let of = |path: &[&str]| json::text(entry, path);
    let charge = matches!(of(&["type"]), Some("charge" | "payment"));
    let payment = of(&["source", "payment_intent"]).filter(|_| charge);
    payment.or_else(|| of(&["source", "id"])).or_else(|| of(&["id"]))
}

fn fee(entry: &Value, currency: Currency) -> Result<Option<i64>, &'static str> {
    match json::integer(entry, &["fee"]) {
        None => Ok(None),
        Some(fee) if fee < 0 => {
            let given_back = serde_json::json!({ "fee": fee.checked_neg().ok_or("fee_malformed")? });
            event::amount(&given_back, "fee", currency).map(|minor| Some(-minor))
        }
        Some(_) => event::amount(entry, "fee", currency).map(Some),
    }
}

/// The itemised report `balance_change_from_activity`, with the columns of the payment's and the refund's metadata.
pub(super) fn read(file: &[u8]) -> Result<Vec<StatementEntry>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let headers = reader.headers().map_err(|error| format!("line 1: {error}"))?.clone();
    let columns: HashMap<&str, usize> =
        headers.iter().enumerate().map(|(index, name)| (name.trim(), index)).collect();
    for name in ["reporting_category", "gross", "currency", "payment_intent_id"] {
        if !columns.contains_key(name) {
            return Err(format!("line 1: there is no column `{name}`"));
        }
    }
    let mut entries = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|error| cells::unreadable(&error))?;
        let place = cells::place(record.position());
        let record = match cells::text(place, record) {
            Ok(record) => record,
            Err(entry) => {
                entries.push(*entry);
                continue;
            }
        };
        let text = |name: &str| {
            let found = columns.get(name).and_then(|index| record.get(*index));
            found.map(str::trim).filter(|text| !text.is_empty())
        };
        match row(&text) {
            Ok(line) => entries.extend(line.map(|line| StatementEntry::read(place, line))),
            Err(word) => {
                let charge = text("reporting_category") == Some("charge");
                let payment = text("payment_intent_id").filter(|_| charge);
                let id = payment.or_else(|| text("source_id")).or_else(|| text("balance_transaction_id"));
                entries.push(StatementEntry::unread(place, id, record.as_slice().as_bytes(), word));
            }
        }
    }
    Ok(entries)
}

fn row<'a>(text: &dyn Fn(&str) -> Option<&'a str>) -> Result<Option<StatementLine>, &'static str> {
    let stated = match text("reporting_category") {
        Some("charge") => Stated::Payment,
        Some("refund") => Stated::Refund,
        Some("refund_failure") => Stated::RefundFailed,
        _ => return Ok(None),
    };
    let Some(trade_no) = text("payment_intent_id") else { return Ok(None) };
    let code =
        |text: Option<&str>| Currency::parse(text.unwrap_or_default()).map_err(|_| "currency_malformed");
    let balance = code(text("currency"))?;
    let (amount, currency) = match (text("customer_facing_amount"), text("customer_facing_currency")) {
        (Some(amount), Some(currency)) => (amount, code(Some(currency))?),
        _ => (text("gross").ok_or("gross_missing")?, balance),
    };
    let fee = text("fee").filter(|_| balance == currency).map(|fee| minor(fee, currency)).transpose()?;
    let gross = minor(amount, currency)?;
    let own = |name: &str| text(name).map(str::to_owned);
    Ok(Some(StatementLine {
        stated,
        number: own("payment_metadata[order_no]"),
        trade_no: trade_no.to_owned(),
        refund_id: own("refund_metadata[refund_id]").filter(|_| stated.is_one_refund()),
        gateway_refund_id: own("source_id").filter(|_| stated.is_one_refund()),
        amount_minor: if stated == Stated::Refund { -gross } else { gross },
        fee_minor: fee,
        currency,
        at: moment(text("created_utc").or_else(|| text("created")))?,
    }))
}

/// The report writes whole units with a point, and zeros behind it that the currency does not have.
fn minor(text: &str, currency: Currency) -> Result<i64, &'static str> {
    numbers::plain(text, currency.exponent()).ok_or("amount_malformed")
}

fn moment(text: Option<&str>) -> Result<DateTime<Utc>, &'static str> {
    let at = NaiveDateTime::parse_from_str(text.ok_or("created_missing")?, "%Y-%m-%d %H:%M:%S");
    at.map(|at| at.and_utc()).map_err(|_| "created_malformed")
}
