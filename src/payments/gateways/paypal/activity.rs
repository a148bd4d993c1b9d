//! PayPal's activity download as CSV: columns are known by their names and are in whatever order. Types as PayPal's
//! reference of transaction event codes names them, which is where the report over the API has codes.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use csv::StringRecord;

use super::currencies;
use crate::base::ids::RefundId;
use crate::base::money::Currency;
use crate::payments::gateways::cells;
use crate::payments::gateways::gateway::{Stated, StatementEntry, StatementLine, from_gateway_units};
use crate::payments::gateways::numbers::{self, Amount, NumberForm};

/// T00xx: money from one account to another.
const PAYMENTS: [&str; 22] = [
    "3rd party auction payment",
    "chained payment/refund",
    "cryptocurrency",
    "direct credit card payment",
    "donation payment",
    "ebay auction payment",
    "express checkout payment",
    "general payment",
    "generic instrument funded payment",
    "gift certificate payment (purchase)",
    "mass pay payment",
    "mobile payment",
    "paypal here payment",
    "paypal seller profiles",
    "postage payment",
    "preapproved payment bill user payment",
    "rebate payment/cash back",
    "subscription payment",
    "third party payout",
    "third party recoupment",
    "virtual terminal payment",
    "website payment",
];

/// T1107.
const REFUND: &str = "payment refund";

/// Types that name payments or refunds and are neither: fees, what is held back and let go, what a dispute takes.
const NEITHER: [&str; 18] = [
    "blocked payments",
    "buyer credit payment",
    "buyer credit payment withdrawal - transfer to bml",
    "cc security charge refund",
    "fee refund",
    "general buyer credit payment",
    "general nonpayment related fee",
    "instant payment review (ipr) reversal",
    "instant payment review (ipr)reversal",
    "mass pay refund",
    "non reference credit payment",
    "payment fee",
    "payment hold",
    "payment release",
    "payment reversal",
    "payment review hold",
    "payment review release",
    "paypal buyer credit payment funding",
];

/// What a line of the download is about, by its status and type; none when it is of something else, or of nothing that
/// has happened.
fn stated(status: Option<&str>, kind: Option<&str>) -> Result<Option<Stated>, &'static str> {
    let kind = kind.ok_or("type_missing")?.to_ascii_lowercase();
    let stated = match kind.as_str() {
        REFUND => Stated::Refund,
        kind if PAYMENTS.contains(&kind) => Stated::Payment,
        kind if NEITHER.contains(&kind) => return Ok(None),
        // A name that PayPal gave later may be that of a sale.
        kind if ["payment", "refund", "checkout"].iter().any(|word| kind.contains(word)) => {
            return Err("type_unknown");
        }
        _ => return Ok(None),
    };
    match status.unwrap_or("completed").to_ascii_lowercase().as_str() {
        // Those that moved money, also where it went back later by a line of its own.
        "completed" | "cleared" | "refunded" | "partially refunded" | "reversed" | "partially reversed" => {
            Ok(Some(stated))
        }
        "pending" | "denied" | "canceled" | "cancelled" | "failed" | "expired" | "voided" | "held"
        | "on hold" | "temporary hold" | "placed" | "removed" | "returned" | "unclaimed" | "uncleared"
        | "processing" | "in progress" | "under review" | "created" | "active" | "inactive" => Ok(None),
        _ => Err("status_unknown"),
    }
}

/// Comma-separated, UTF-8, English column names, amounts as the account's language writes them.
pub(super) fn read(file: &[u8]) -> Result<Vec<StatementEntry>, String> {
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
    let mut records = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|error| cells::unreadable(&error))?;
        records.push(cells::text(cells::place(record.position()), record));
    }
    let row = |record| ActivityRow { record, columns: &columns };
    let rows = records.iter().flatten().map(row);
    let form = numbers::form_of(rows.filter(ActivityRow::counts).flat_map(ActivityRow::amounts))?;
    let mut entries = Vec::new();
    for record in &records {
        match record {
            Ok(record) => entries.extend(row(record).entry(form)),
            Err(unread) => entries.push(StatementEntry::clone(unread)),
        }
    }
    Ok(entries)
}

/// One line of the download.
#[derive(Clone, Copy)]
struct ActivityRow<'a> {
    record: &'a StringRecord,
    columns: &'a HashMap<&'a str, usize>,
}

impl<'a> ActivityRow<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        let found = self.columns.get(name).and_then(|index| self.record.get(*index));
        found.map(str::trim).filter(|text| !text.is_empty())
    }

    fn stated(self) -> Result<Option<Stated>, &'static str> {
        stated(self.text("Status"), self.text("Type"))
    }

    /// Whether its amounts are looked at.
    fn counts(&self) -> bool {
        matches!(self.stated(), Ok(Some(_)))
    }

    fn currency(self) -> Result<Currency, &'static str> {
        Currency::parse(self.text("Currency").ok_or("currency_missing")?).map_err(|_| "currency_malformed")
    }

    fn amounts(self) -> impl Iterator<Item = Amount<'a>> {
        let exponent = self.currency().ok().map(currencies::decimals);
        let place = cells::place(self.record.position());
        ["Gross", "Fee"]
            .into_iter()
            .filter_map(move |name| Some(Amount { place, text: self.text(name)?, exponent: exponent? }))
    }

    fn entry(self, form: NumberForm) -> Option<StatementEntry> {
        let place = cells::place(self.record.position());
        let raw = self.record.as_slice().as_bytes();
        match self.line(form) {
            Ok(line) => line.map(|line| StatementEntry::read(place, line)),
            Err(word) => Some(StatementEntry::unread(place, self.text("Transaction ID"), raw, word)),
        }
    }

    fn minor(self, form: NumberForm, name: &str, currency: Currency) -> Result<Option<i64>, &'static str> {
        let exponent = currencies::decimals(currency);
        let minor =
            |text| form.read(text, exponent).and_then(|units| from_gateway_units(units, currency, exponent));
        self.text(name).map(|text| minor(text).ok_or("amount_malformed")).transpose()
    }

    fn line(self, form: NumberForm) -> Result<Option<StatementLine>, &'static str> {
        let Some(stated) = self.stated()? else { return Ok(None) };
        let back = stated == Stated::Refund;
        let currency = self.currency()?;
        let gross = self.minor(form, "Gross", currency)?.ok_or("amount_missing")?;
        // The account's own purchases, and what was given back of them.
        if (gross > 0) == back {
            return Ok(None);
        }
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

/// Zones as PayPal abbreviates them, minutes ahead of UTC. Where letters denote more than one zone it is that of the
/// Americas, of Britain, of India.
const ZONES: [(&str, i32); 39] = [
    ("ACDT", 630),
    ("ACST", 570),
    ("ADT", -180),
    ("AEDT", 660),
    ("AEST", 600),
    ("AKDT", -480),
    ("AKST", -540),
    ("AST", -240),
    ("AWST", 480),
    ("BRT", -180),
    ("BST", 60),
    ("CDT", -300),
    ("CEST", 120),
    ("CET", 60),
    ("CST", -360),
    ("EDT", -240),
    ("EEST", 180),
    ("EET", 120),
    ("EST", -300),
    ("GMT", 0),
    ("HKT", 480),
    ("HST", -600),
    ("ICT", 420),
    ("IDT", 180),
    ("IST", 330),
    ("JST", 540),
    ("KST", 540),
    ("MDT", -360),
    ("MSK", 180),
    ("MST", -420),
    ("NZDT", 780),
    ("NZST", 720),
    ("PDT", -420),
    ("PST", -480),
    ("SGT", 480),
    ("UTC", 0),
    ("WEST", 60),
    ("WET", 0),
    ("WIB", 420),
];

/// `CET`, `GMT+08:00`, `GMT-3`, `UTC+05:30`: minutes ahead of UTC.
fn zone(text: &str) -> Option<i32> {
    if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == text) {
        return Some(*minutes);
    }
    let offset = text.strip_prefix("GMT").or_else(|| text.strip_prefix("UTC"))?;
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number = |text: &str, longest: usize| {
        let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| fits)
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2).filter(|m| *m < 60)?);
    (hours * 60 + minutes <= 14 * 60).then_some(sign * (hours * 60 + minutes))
}

/// `01/31/2027 07:59:50 GMT`.
fn when(date: Option<&str>, time: Option<&str>, name: Option<&str>) -> Result<DateTime<Utc>, &'static str> {
    let text = format!("{} {}", date.ok_or("date_missing")?, time.ok_or("time_missing")?);
    let forms = ["%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
    let ahead = zone(name.unwrap_or("UTC")).ok_or("time_zone_unknown")?;
    let utc = local.and_then(|local| local.checked_sub_signed(TimeDelta::minutes(ahead.into())));
    utc.map(|at| at.and_utc()).ok_or("date_malformed")
}
