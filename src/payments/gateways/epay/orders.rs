//! The platform's lists of orders, which are its statements.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use super::order::{moment, order};
use super::{account, text};
use crate::payments::gateways::gateway::{
    AccountKeys, Call, EntryPlace, Meaning, Stated, Statement, StatementEntry, StatementLine,
};
use crate::payments::gateways::json;

const PAGE: usize = 50;
const MOST_PAGES: usize = 400;

/// The orders of one Chinese day, which are asked for page by page, the newest first.
pub struct Pages<'a> {
    pid: &'a str,
    day: NaiveDate,
    page: usize,
    entries: Vec<StatementEntry>,
    /// The trade that the page before began with.
    newest: Option<String>,
}

impl<'a> Pages<'a> {
    /// An error is the answer at once: the day is not over.
    pub fn of(call: &Call<'a>, day: NaiveDate) -> Result<Self, Statement> {
        if call.now_unix < (start_of(day) + TimeDelta::days(1)).timestamp() {
            return Err(Statement::NotReady);
        }
        Ok(Self { pid: account::pid(call.keys), day, page: 0, entries: Vec::new(), newest: None })
    }

    /// How many orders a page has, and how many lie before the one to be asked for.
    pub fn next(&self) -> (String, String) {
        (PAGE.to_string(), (self.page * PAGE).to_string())
    }

    /// Takes an answer with a page; gives the statement when it needs no other, or cannot be had.
    pub fn take(&mut self, answer: &Value) -> Option<Statement> {
        let orders = answer.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let first = orders.first().and_then(|order| text(order, "trade_no"));
        if self.page > 0 && first.is_some() && first == self.newest {
            return Some(Statement::Unknown("the platform gives no second page".into()));
        }
        self.newest = first;
        match entries(orders, self.pid, Some(self.day), self.page * PAGE) {
            Ok(found) => self.entries.extend(found),
            Err(text) => return Some(Statement::Unknown(text)),
        }
        if orders.len() < PAGE || is_before(orders, self.day) {
            return Some(Statement::Entries(std::mem::take(&mut self.entries)));
        }
        self.page += 1;
        (self.page == MOST_PAGES).then(|| Statement::Unknown("too many orders since that day".into()))
    }
}

/// A list of orders that was kept as it came.
pub fn read(keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
    let answer = json::parse(file).map_err(|error| format!("line {}: no JSON", error.line()))?;
    let orders = answer.get("data").and_then(Value::as_array).ok_or("there is no list `data`")?;
    entries(orders, account::pid(keys), None, 0)
}

/// What a list of orders says, of one Chinese day where that is asked for; `before` orders were on earlier pages. The
/// platform does not say when a refund was made, nor which there were: their sum is beside its payment. The error is
/// that the list is another merchant's.
fn entries(
    orders: &[Value],
    pid: &str,
    day: Option<NaiveDate>,
    before: usize,
) -> Result<Vec<StatementEntry>, String> {
    let mut entries = Vec::new();
    for (index, object) in orders.iter().enumerate() {
        let place = EntryPlace::listed("order", before + index + 1);
        if text(object, "pid").is_some_and(|said| !said.is_empty() && said != pid) {
            return Err(format!("{place}: of another merchant"));
        }
        if matches!(text(object, "status").as_deref(), Some("0" | "4")) || is_of_another(object, day) {
            continue;
        }
        match lines(object, pid) {
            Ok(lines) => entries.extend(lines.into_iter().map(|line| StatementEntry::read(place, line))),
            Err(why) => {
                let id = text(object, "trade_no");
                entries.push(StatementEntry::unread(
                    place,
                    id.as_deref(),
                    object.to_string().as_bytes(),
                    why,
                ));
            }
        }
    }
    Ok(entries)
}

/// Whether an order is of another day than the one that is asked for. The day is that of its payment; where that does
/// is missing, the day on which it was begun. One without any time may be of this day.
fn is_of_another(object: &Value, day: Option<NaiveDate>) -> bool {
    let at = moment(object, "endtime").or_else(|| moment(object, "addtime"));
    let is_of =
        |day, at: DateTime<Utc>| (TimeDelta::zero()..TimeDelta::days(1)).contains(&(at - start_of(day)));
    day.zip(at).is_some_and(|(day, at)| !is_of(day, at))
}

/// A paid order's payment, and the sum that went back of it.
fn lines(object: &Value, pid: &str) -> Result<Vec<StatementLine>, &'static str> {
    let facts = order(object, pid)?;
    let at = facts.occurred_at.ok_or("endtime_missing")?;
    let (Some(trade_no), Some(amount_minor), Some(currency)) =
        (facts.trade_no, facts.amount_minor, facts.currency)
    else {
        return Err("incomplete");
    };
    let line = |stated, amount_minor| StatementLine {
        stated,
        number: facts.number.clone(),
        trade_no: trade_no.clone(),
        refund_id: None,
        gateway_refund_id: None,
        amount_minor,
        fee_minor: None,
        currency,
        at,
    };
    let back = match (facts.meaning, facts.refunded_minor) {
        (Meaning::Refunded, None) => Some(amount_minor),
        (_, sum) => sum.filter(|sum| *sum > 0),
    };
    let payment = line(Stated::Payment, amount_minor);
    Ok(std::iter::once(payment).chain(back.map(|sum| line(Stated::RefundSum, sum))).collect())
}

/// The first moment of a Chinese day.
fn start_of(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    midnight.checked_sub_signed(TimeDelta::hours(8)).unwrap_or(midnight).and_utc()
}

/// Whether a page of orders, newest first, reaches back to orders that cannot have been paid on this day any more.
fn is_before(orders: &[Value], day: NaiveDate) -> bool {
    let oldest = orders.last().and_then(|object| moment(object, "addtime"));
    oldest.is_some_and(|at| start_of(day).signed_duration_since(at) > TimeDelta::days(1))
}
