//! What the two generations of Epay share: the fields of notices, the text that is signed, the platform's orders, the
//! answers. Read in the source of the platform itself (epay: `lib/api`, `api.php`, its merchant SDKs); forks differ in
//! what they add.

pub(super) mod account;
pub(super) mod order;
pub(super) mod orders;

use serde_json::Value;

use super::form;
use super::notice::{Facts, Identity, Meaning, Named, NoticeRefusal, RawNotice};
use crate::base::money::{Currency, Money, parse_minor};
use crate::payments::gateways::gateway::{NewPayment, Refunding, Reply, StartFailure, Verdict};

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

/// The amount of a payment as we send it.
pub(super) fn price(payment: &NewPayment<'_>) -> Result<String, StartFailure> {
    money(payment.money).ok_or_else(|| {
        let message = format!("{} is no amount Epay can take", payment.money);
        StartFailure::Refused { code: "amount_inexpressible".into(), message }
    })
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

pub(super) fn failed(code: &str, message: &str) -> Refunding {
    Refunding::Failed { code: code.to_owned(), message: message.to_owned() }
}
