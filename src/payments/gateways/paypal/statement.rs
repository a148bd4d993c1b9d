//! What PayPal's books say of one UTC day: `GET /v1/reporting/transactions` (at most 31 days a call, complete some three
//! hours later), and the activity download as CSV, whose columns are known by their names. Event codes from
//! developer.paypal.com, transaction event codes: T00xx are payments, T1106 reversals, T1107 refunds, T1201 chargebacks.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use csv::StringRecord;
use serde_json::Value;

use super::api::{Sent, error_of, exchange};
use super::{PayPal, currencies, event};
use crate::base::ids::RefundId;
use crate::base::money::Currency;
use crate::payments::gateway::{Call, Stated, Statement, StatementLine, from_gateway_units};
use crate::payments::gateways::numbers::{self, Amount, Form};
use crate::payments::gateways::{cells, json};

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
    let mut lines = Vec::new();
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
            match line(entry.get("transaction_info").unwrap_or(&Value::Null)) {
                Ok(line) => lines.extend(line),
                Err(word) => return Statement::Unknown(word.to_owned()),
            }
        }
        if json::integer(&answer, &["total_pages"]).unwrap_or(1) <= page {
            return Statement::Lines(lines);
        }
    }
    Statement::Unknown("the day has too many transactions".into())
}

/// One transaction; none when it is neither a payment nor its way back, or not executed.
fn line(info: &Value) -> Result<Option<StatementLine>, &'static str> {
    let code = json::text(info, &["transaction_event_code"]).ok_or("event_code_missing")?;
    let (value, currency) = signed(info, "transaction_amount")?.ok_or("amount_missing")?;
    let Some(stated) = (match code {
        "T1106" | "T1107" | "T1201" if value < 0 => Some(Stated::Refund),
        code if code.starts_with("T00") && value > 0 => Some(Stated::Payment),
        _ => None,
    }) else {
        return Ok(None);
    };
    if matches!(json::text(info, &["transaction_status"]), Some("P" | "D")) {
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

/// The activity download: comma-separated, UTF-8, English column names, in whatever order; amounts as the account's
/// language writes them.
pub(super) fn read(file: &[u8]) -> Result<Vec<StatementLine>, String> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let headers = reader.headers().map_err(|error| format!("line 1: {error}"))?.clone();
    let columns: HashMap<&str, usize> =
        headers.iter().enumerate().map(|(index, name)| (name.trim(), index)).collect();
    for name in ["Date", "Time", "Currency", "Gross", "Transaction ID", "Type"] {
        if !columns.contains_key(name) {
            return Err(format!("line 1: there is no column `{name}`"));
        }
    }
    let records: Vec<StringRecord> =
        reader.records().collect::<Result<_, _>>().map_err(|error| cells::unreadable(&error))?;
    let row = |record| Row { record, columns: &columns };
    let form = numbers::form_of(records.iter().map(row).filter(Row::counts).flat_map(|row| row.amounts()))?;
    let mut lines = Vec::new();
    for row in records.iter().map(row) {
        lines.extend(row.line(form).map_err(|word| format!("line {}: {word}", row.number()))?);
    }
    Ok(lines)
}

/// One line of the download.
#[derive(Clone, Copy)]
struct Row<'a> {
    record: &'a StringRecord,
    columns: &'a HashMap<&'a str, usize>,
}

impl<'a> Row<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        let found = self.columns.get(name).and_then(|index| self.record.get(*index));
        found.map(str::trim).filter(|text| !text.is_empty())
    }

    fn number(self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// Whether it speaks of money that came or went back: which of both. None: of something else, or of nothing that
    /// has happened.
    fn is_back(self) -> Option<bool> {
        if matches!(self.text("Status"), Some("Pending" | "Denied")) {
            return None;
        }
        let kind = self.text("Type")?.to_ascii_lowercase();
        let back = ["refund", "reversal", "chargeback"].iter().any(|word| kind.contains(word));
        (back || kind.contains("payment") || kind.contains("checkout")).then_some(back)
    }

    fn counts(&self) -> bool {
        self.is_back().is_some()
    }

    fn currency(self) -> Result<Currency, &'static str> {
        Currency::parse(self.text("Currency").ok_or("currency_missing")?).map_err(|_| "currency_malformed")
    }

    fn amounts(self) -> impl Iterator<Item = Amount<'a>> {
        let exponent = self.currency().ok().map(currencies::decimals);
        ["Gross", "Fee"].into_iter().filter_map(move |name| {
            Some(Amount { line: self.number(), text: self.text(name)?, exponent: exponent? })
        })
    }

    fn minor(self, form: Form, name: &str, currency: Currency) -> Result<Option<i64>, &'static str> {
        let exponent = currencies::decimals(currency);
        let minor =
            |text| form.read(text, exponent).and_then(|units| from_gateway_units(units, currency, exponent));
        self.text(name).map(|text| minor(text).ok_or("amount_malformed")).transpose()
    }

    fn line(self, form: Form) -> Result<Option<StatementLine>, &'static str> {
        if self.text("Type").is_none() {
            return Err("type_missing");
        }
        let Some(back) = self.is_back() else { return Ok(None) };
        let currency = self.currency()?;
        let gross = self.minor(form, "Gross", currency)?.ok_or("amount_missing")?;
        // The account's own purchases, and what was given back of them.
        if (gross > 0) == back {
            return Ok(None);
        }
        let stated = if back { Stated::Refund } else { Stated::Payment };
        let own = self.text("Transaction ID").ok_or("transaction_id_missing")?.to_owned();
        let custom = self.text("Custom Number").map(str::to_owned);
        let is_refund = |text: &String| RefundId::parse(text).is_ok();
        let invoice = self.text("Invoice Number").map(str::to_owned);
        Ok(Some(StatementLine {
            stated,
            number: custom.clone().filter(|text| !is_refund(text)).or(invoice),
            trade_no: match self.text("Reference Txn ID") {
                _ if !back => own.clone(),
                Some(of) => of.to_owned(),
                None => return Err("reference_missing"),
            },
            refund_id: custom.filter(|text| back && is_refund(text)),
            gateway_refund_id: back.then_some(own),
            amount_minor: gross.abs(),
            fee_minor: self.minor(form, "Fee", currency)?.map(|fee| -fee),
            currency,
            at: when(self.text("Date"), self.text("Time"), self.text("TimeZone"))?,
        }))
    }
}

/// `01/31/2027 07:59:50 GMT`; other zones stand as `GMT+08:00` or as the letters of the Americas.
fn when(date: Option<&str>, time: Option<&str>, zone: Option<&str>) -> Result<DateTime<Utc>, &'static str> {
    let text = format!("{} {}", date.ok_or("date_missing")?, time.ok_or("time_missing")?);
    let forms = ["%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
    let hours = match zone.unwrap_or("UTC") {
        "UTC" | "GMT" => 0,
        "PST" => -8,
        "PDT" | "MST" => -7,
        "MDT" | "CST" => -6,
        "CDT" | "EST" => -5,
        "EDT" => -4,
        other => {
            let hours =
                other.strip_prefix("GMT").and_then(|rest| rest.strip_suffix(":00")?.parse::<i64>().ok());
            hours.filter(|hours| hours.abs() <= 14).ok_or("time_zone_unknown")?
        }
    };
    let utc = local.and_then(|local| local.checked_sub_signed(TimeDelta::hours(hours)));
    utc.map(|at| at.and_utc()).ok_or("date_malformed")
}
