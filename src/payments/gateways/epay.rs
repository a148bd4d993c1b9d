//! What the two generations of Epay share: the fields of notices, the text that is signed, the platform's orders, the
//! answers. Read in the source of the platform itself (epay: `lib/api`, `api.php`, its merchant SDKs); forks differ in
//! what they add.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use super::beijing;
use super::form;
use super::notice::{Facts, Identity, Meaning, Named, NoticeRefusal, RawNotice};
use crate::base::money::{Currency, Money, parse_minor};
use crate::payments::gateways::gateway::{Entry, Place, Reply, Stated, StatementLine, Verdict};

/// The one status that is ever sent.
const PAID: &str = "TRADE_SUCCESS";

/// The one currency, with two decimals.
pub(super) const CURRENCY: &str = "CNY";

/// The parameters of a notice: the query of a GET, the form of a POST.
pub(super) fn parameters(raw: &RawNotice) -> Result<Vec<(String, String)>, NoticeRefusal> {
    let bytes = match raw.method.as_str() {
        "GET" => raw.query.as_bytes(),
        "POST" if raw.query.is_empty() => &raw.body,
        "POST" => return Err(NoticeRefusal::format("query_beside_form")),
        _ => return Err(NoticeRefusal::format("method_not_allowed")),
    };
    form::parse(bytes).map_err(NoticeRefusal::format)
}

/// What is signed: all names but `sign` and `sign_type`, values that are not empty after PHP's `trim`.
pub(super) fn signed_text<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form::sorted(pairs, |name, value| {
        let blank = value.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']).is_empty();
        !blank && name != "sign" && name != "sign_type"
    })
}

/// The pairs as they are borrowed for signing and encoding.
pub(super) fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// What a verified notice says, and its event key.
pub(super) fn notice(pairs: &[(String, String)]) -> Result<(String, Facts), NoticeRefusal> {
    let unread = |word| match form::value(pairs, "out_trade_no") {
        Some(number) => NoticeRefusal::naming(
            word,
            Named::sale(number.to_owned(), form::value(pairs, "trade_no").map(str::to_owned)),
        ),
        None => NoticeRefusal::format(word),
    };
    let need = |name: &str| {
        let clean = |text: &&str| (1..=100).contains(&text.len()) && !text.contains(char::is_control);
        form::value(pairs, name).filter(clean).ok_or_else(|| unread("field_missing"))
    };
    let (trade_no, status) = (need("trade_no")?, need("trade_status")?);
    let meaning = if status == PAID { Meaning::Paid } else { Meaning::Ignored };
    let mut facts = Facts::of(meaning);
    facts.number = Some(need("out_trade_no")?.to_owned());
    facts.trade_no = Some(trade_no.to_owned());
    facts.amount_minor = Some(minor(need("money")?).map_err(unread)?);
    facts.currency = Currency::parse(CURRENCY).ok();
    facts.identity = identity(need("pid")?);
    Ok((format!("{trade_no}:{status}"), facts))
}

pub(super) fn identity(pid: &str) -> Vec<Identity> {
    vec![Identity::new("pid", pid)]
}

/// The platform casts amounts to floats before it signs them: `9.90` comes as `9.9`, `10.00` as `10`.
fn minor(text: &str) -> Result<i64, &'static str> {
    parse_minor(text, 2).map_err(|_| "amount_malformed")
}

/// An amount as we send it; none when it is not in CNY.
pub(super) fn money(money: Money) -> Option<String> {
    (money.currency.as_str() == CURRENCY && money.minor >= 0).then(|| money.decimal())
}

/// A text or an integer: PHP sends either for the same field.
pub(super) fn text(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn code(answer: &Value) -> Option<i64> {
    text(answer, "code")?.parse().ok()
}

/// What the platform says about a call, for a log or a task.
pub(super) fn message(answer: &Value) -> String {
    text(answer, "msg").unwrap_or_default().chars().take(200).collect()
}

/// Whether a refusal says that there is no such order; the code is the same for much else.
pub(super) fn is_unknown_order(answer: &Value) -> bool {
    let said = message(answer).to_lowercase();
    code(answer).is_some_and(|code| code < 0)
        && ((said.contains("订单") && said.contains("不存在")) || said.contains("order not"))
}

/// One of the platform's orders: 0 unpaid, 1 paid, 2 refunded, 3 frozen, 4 authorised and not taken. Where it names no
/// merchant it is of the one that asked.
pub(super) fn order(object: &Value, asker: &str) -> Result<Facts, &'static str> {
    let need = |key: &str| text(object, key).filter(|text| !text.is_empty());
    let amount = match need("money") {
        Some(text) => minor(&text)?,
        // A JSON number with decimals is no amount: it says something else than what is written.
        None if object.get("money").is_some_and(Value::is_f64) => return Err("amount_malformed"),
        None => return Err("money_missing"),
    };
    if object.get("refundmoney").and_then(Value::as_f64).is_some_and(|sum| sum.fract() != 0.0) {
        return Err("refundmoney_malformed");
    }
    let refunded = need("refundmoney").map(|text| minor(&text)).transpose()?;
    let meaning = match need("status").as_deref() {
        Some("0") => Meaning::Open,
        Some("4") => Meaning::Pending,
        Some("1") if refunded.is_some_and(|sum| sum > 0) => Meaning::PartiallyRefunded,
        Some("1") => Meaning::Paid,
        Some("2") => Meaning::Refunded,
        Some("3") => return Err("the platform has frozen this order"),
        _ => return Err("the order has no known status"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(need("out_trade_no").ok_or("out_trade_no_missing")?);
    facts.trade_no = need("trade_no");
    if !matches!(meaning, Meaning::Open | Meaning::Pending) && facts.trade_no.is_none() {
        return Err("trade_no_missing");
    }
    facts.amount_minor = Some(amount);
    facts.currency = Currency::parse(CURRENCY).ok();
    // A whole that went back is not always counted by older platforms.
    facts.refunded_minor = refunded.filter(|sum| *sum > 0 || meaning == Meaning::Paid);
    facts.identity = identity(need("pid").as_deref().unwrap_or(asker));
    facts.occurred_at = moment(object, "endtime");
    facts.began_at = ["addtime", "endtime"].into_iter().filter_map(|key| moment(object, key)).min();
    Ok(facts)
}

/// `2027-01-15 16:00:00` on the platform's clock.
fn moment(object: &Value, key: &str) -> Option<DateTime<Utc>> {
    beijing::read(object.get(key)?.as_str()?)
}

/// What a list of orders says, of one Chinese day where that is asked for; `before` orders were on earlier pages. The
/// platform does not say when a refund was made, nor which there were: their sum is beside its payment. The error is
/// that the list is another merchant's.
pub(super) fn entries(
    orders: &[Value],
    pid: &str,
    day: Option<NaiveDate>,
    before: usize,
) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (index, object) in orders.iter().enumerate() {
        let place = Place::listed("order", before + index + 1);
        if text(object, "pid").is_some_and(|said| !said.is_empty() && said != pid) {
            return Err(format!("{place}: of another merchant"));
        }
        if matches!(text(object, "status").as_deref(), Some("0" | "4")) || is_of_another(object, day) {
            continue;
        }
        match lines(object, pid) {
            Ok(lines) => entries.extend(lines.into_iter().map(|line| Entry::read(place, line))),
            Err(why) => {
                let id = text(object, "trade_no");
                entries.push(Entry::unread(place, id.as_deref(), object.to_string().as_bytes(), why));
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
pub(super) fn start_of(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    midnight.checked_sub_signed(TimeDelta::hours(8)).unwrap_or(midnight).and_utc()
}

/// Whether a page of orders, newest first, reaches back to orders that cannot have been paid on this day any more.
pub(super) fn is_before(orders: &[Value], day: NaiveDate) -> bool {
    let oldest = orders.last().and_then(|object| moment(object, "addtime"));
    oldest.is_some_and(|at| start_of(day).signed_duration_since(at) > TimeDelta::days(1))
}

/// Exactly `success`; the platform looks for that text anywhere in the answer, in any case, and at nothing else.
pub(super) fn reply(verdict: Verdict) -> Reply {
    let (status, body) = match verdict {
        Verdict::Success => (200, "success"),
        Verdict::TryLater => (503, "fail"),
        Verdict::Refused => (400, "fail"),
    };
    Reply { status, content_type: "text/plain", body }
}

/// What kind of device the platform shall choose a page for.
pub(super) fn device(platform: Option<&str>) -> &'static str {
    match platform {
        Some("mobile_web" | "ios" | "android") => "mobile",
        Some("wechat" | "mini_program") => "wechat",
        _ => "pc",
    }
}

pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
