//! `GET /v1/reporting/transactions`: at most 31 days, a page at a time.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{NAME, PayPalResult, decimals, orders};
use crate::sandbox::book::Payment;
use crate::sandbox::forms::Form;
use crate::sandbox::played::decimal;
use crate::sandbox::simulator::Desk;

const LONGEST: i64 = 31 * 86_400;

struct ReportLine<'a> {
    id: &'a str,
    /// The capture that a refund is of.
    of: Option<&'a str>,
    custom: &'a str,
    amount: i64,
    fee: i64,
    currency: &'a str,
    at: i64,
}

pub(super) fn transactions(desk: &Desk, merchant: &str, query: &Form, now: i64) -> PayPalResult {
    let moment = |name: &str| {
        let parsed = DateTime::parse_from_rfc3339(query.get(name)).or_else(|_| {
            // PayPal takes `-0700` as well as `-07:00`.
            DateTime::parse_from_str(query.get(name), "%Y-%m-%dT%H:%M:%S%z")
        });
        parsed.map(|at| at.timestamp()).map_err(|_| (400, "INVALID_PARAMETER_SYNTAX"))
    };
    let (from, to) = (moment("start_date")?, moment("end_date")?);
    if to < from || to - from > LONGEST {
        return Err((400, "INVALID_DATE_RANGE"));
    }
    let number = |name: &str, other: usize| query.get(name).parse().unwrap_or(other).max(1);
    let (size, page) = (number("page_size", 100).min(500), number("page", 1));
    let all: Vec<Value> = desk.read(|book| {
        let mut all = Vec::new();
        for payment in book.of(NAME) {
            for c in payment.captures.iter().filter(|c| (from..=to).contains(&c.at)) {
                let (fee, currency) = (-orders::fee(c.amount), c.currency.as_str());
                let line = ReportLine {
                    id: &c.trade_no,
                    of: None,
                    custom: payment.note("custom_id"),
                    amount: c.amount,
                    fee,
                    currency,
                    at: c.at,
                };
                all.push(described(merchant, payment, &line));
            }
            for r in payment.refunds.iter().filter(|r| r.status == "succeeded" && (from..=to).contains(&r.at))
            {
                let currency =
                    payment.capture(&r.trade_no).map_or(payment.currency.as_str(), |c| c.currency.as_str());
                let custom = r.notes.get("custom_id").map_or(payment.note("custom_id"), String::as_str);
                let line = ReportLine {
                    id: &r.id,
                    of: Some(&r.trade_no),
                    custom,
                    amount: -r.amount,
                    fee: 0,
                    currency,
                    at: r.at,
                };
                all.push(described(merchant, payment, &line));
            }
        }
        all
    });
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    Ok((
        200,
        json!({ "transaction_details": shown, "account_number": merchant, "page": page,
        "start_date": orders::stamp(from), "end_date": orders::stamp(to),
        "last_refreshed_datetime": orders::stamp(now), "total_items": all.len(),
        "total_pages": all.len().div_ceil(size).max(1) }),
    ))
}

fn signed(amount: i64, currency: &str) -> Value {
    let sign = if amount < 0 { "-" } else { "" };
    json!({ "currency_code": currency, "value": format!("{sign}{}", decimal(amount.abs(), decimals(currency))) })
}

fn described(merchant: &str, payment: &Payment, line: &ReportLine<'_>) -> Value {
    let mut info = json!({ "paypal_account_id": merchant, "transaction_id": line.id,
        "transaction_event_code": if line.of.is_some() { "T1107" } else { "T0006" },
        "transaction_initiation_date": orders::stamp(line.at), "transaction_updated_date": orders::stamp(line.at),
        "transaction_amount": signed(line.amount, line.currency), "transaction_status": "S",
        "invoice_id": payment.note("invoice_id"), "custom_field": line.custom });
    if line.fee != 0 {
        info["fee_amount"] = signed(line.fee, line.currency);
    }
    if let Some(of) = line.of {
        info["paypal_reference_id"] = json!(of);
        info["paypal_reference_id_type"] = json!("TXN");
    }
    json!({ "transaction_info": info })
}
