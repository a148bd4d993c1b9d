//! What PayPal's books say of one UTC day: `GET /v1/reporting/transactions` (at most 31 days a call, complete some three
//! hours later). Event codes from developer.paypal.com, transaction event codes: T00xx are payments, T1107 refunds. What
//! PayPal takes and gives back in a dispute (T1106, T111x, T12xx) is no refund: the dispute itself reports it.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::Value;

use super::api::{Sent, error_of, exchange};
use super::{PayPal, currencies, event};
use crate::base::ids::RefundId;
use crate::base::money::Currency;
use crate::payments::gateways::gateway::{
    Call, EntryPlace, Stated, Statement, StatementEntry, StatementLine,
};
use crate::payments::gateways::json;

/// Until then executed transactions may still be missing.
const DELAY: TimeDelta = TimeDelta::hours(3);
const PAGE: usize = 500;
const MOST_PAGES: i64 = 200;

pub(super) async fn fetch(paypal: &PayPal, call: &Call<'_>, day: NaiveDate) -> Statement {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    let end = start + TimeDelta::days(1) - TimeDelta::seconds(1);
    if call.now_unix < (end + DELAY).timestamp() {
        return Statement::NotReady;
    }
    let (mut entries, mut seen) = (Vec::new(), 0);
    for page in 1..=MOST_PAGES {
        let path = format!(
            "/v1/reporting/transactions?start_date={}&end_date={}&fields=transaction_info&page_size={PAGE}&page={page}",
            start.format("%Y-%m-%dT%H:%M:%SZ"),
            end.format("%Y-%m-%dT%H:%M:%SZ"),
        );
        let answer = match exchange(paypal, call, &Sent::get(path)).await {
            Ok((200, answer)) => answer,
            Ok((status, answer)) => {
                return Statement::Unknown(format!("status {status}: {}", error_of(&answer).0));
            }
            Err(error) => return Statement::Unknown(error.to_string()),
        };
        let merchant = call.keys.setting("merchant_id");
        if json::text(&answer, &["account_number"]).is_some_and(|number| Some(number) != merchant) {
            return Statement::Unknown("the answer is about another merchant".into());
        }
        let Some(list) = answer.get("transaction_details").and_then(Value::as_array) else {
            return Statement::Unknown("the answer lists no transactions".into());
        };
        for entry in list {
            seen += 1;
            let place = EntryPlace::listed("transaction", seen);
            let info = entry.get("transaction_info").unwrap_or(&Value::Null);
            match line(info) {
                Ok(line) => entries.extend(line.map(|line| StatementEntry::read(place, line))),
                Err(word) => {
                    let id = json::text(info, &["transaction_id"]);
                    entries.push(StatementEntry::unread(place, id, entry.to_string().as_bytes(), word));
                }
            }
        }
        if json::integer(&answer, &["total_pages"]).unwrap_or(1) <= page {
            return Statement::Entries(entries);
        }
    }
    Statement::Unknown("the day has too many transactions".into())
}

/// One transaction; none when it is neither a sale nor a refund of one, or not executed. What it is is looked at first:
/// holds, conversions and the like have no amount that this shop could read.
fn line(info: &Value) -> Result<Option<StatementLine>, &'static str> {
    let stated = match json::text(info, &["transaction_event_code"]).ok_or("event_code_missing")? {
        "T1107" => Stated::Refund,
        code if code.starts_with("T00") => Stated::Payment,
        _ => return Ok(None),
    };
    match json::text(info, &["transaction_status"]) {
        // Done, refunded in part, and done and reversed later.
        Some("S" | "F" | "V") | None => {}
        Some("P" | "D") => return Ok(None),
        Some(_) => return Err("status_unknown"),
    }
    let (value, currency) = signed(info, "transaction_amount")?.ok_or("amount_missing")?;
    // The account's own purchases, and what was given back of them.
    if (value > 0) != (stated == Stated::Payment) {
        return Ok(None);
    }
    let text = |key: &str| json::text(info, &[key]).filter(|text| !text.is_empty()).map(str::to_owned);
    let own = text("transaction_id").ok_or("transaction_id_missing")?;
    let at = ["transaction_initiation_date", "transaction_updated_date"].into_iter();
    let at = at.filter_map(|key| moment(info, key)).next().ok_or("date_missing")?;
    Ok(Some(StatementLine {
        stated,
        number: text("custom_field").filter(|t| RefundId::parse(t).is_err()).or_else(|| text("invoice_id")),
        trade_no: match text("paypal_reference_id") {
            _ if stated == Stated::Payment => own.clone(),
            Some(of) => of,
            None => return Err("reference_missing"),
        },
        refund_id: text("custom_field").filter(|t| stated == Stated::Refund && RefundId::parse(t).is_ok()),
        gateway_refund_id: (stated == Stated::Refund).then_some(own),
        amount_minor: value.abs(),
        fee_minor: signed(info, "fee_amount")?.map(|(fee, _)| -fee),
        currency,
        at,
    }))
}

/// RFC 3339, or PayPal's `+0000` without the colon.
fn moment(info: &Value, key: &str) -> Option<DateTime<Utc>> {
    let bare = || DateTime::parse_from_str(json::text(info, &[key])?, "%Y-%m-%dT%H:%M:%S%z").ok();
    event::moment(info, key).or_else(|| bare().map(|at| at.with_timezone(&Utc)))
}

fn signed(info: &Value, key: &str) -> Result<Option<(i64, Currency)>, &'static str> {
    let Some(object) = info.get(key).filter(|object| !object.is_null()) else { return Ok(None) };
    let currency = json::text(object, &["currency_code"]).ok_or("currency_missing")?;
    let currency = Currency::parse(currency).map_err(|_| "currency_malformed")?;
    let value = json::text(object, &["value"]).ok_or("amount_missing")?;
    signed_minor(value, currency).map(|minor| Some((minor, currency)))
}

fn signed_minor(value: &str, currency: Currency) -> Result<i64, &'static str> {
    match value.strip_prefix('-') {
        Some(rest) => currencies::minor(rest, currency).map(|minor| -minor),
        None => currencies::minor(value, currency),
    }
}
