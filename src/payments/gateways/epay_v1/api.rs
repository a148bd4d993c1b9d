//! `submit.php`, `mapi.php` and `api.php` of the platform. Its answers are not signed and the key travels with each
//! question, so everything rests on HTTPS; an answer must still be about the order that was asked about.

use serde_json::Value;

use super::signature;
use crate::infra::outbound::{CallError, Method, Outbound, Request};
use crate::payments::gateways::epay::orders::Pages;
use crate::payments::gateways::epay::{self, account, order};
use crate::payments::gateways::gateway::{
    Action, Call, Closing, Meaning, NewPayment, NewRefund, PaymentRef, Queried, RefundRef, Refunding,
    StartFailure, Started, Statement,
};
use crate::payments::gateways::{form, json};

const LARGEST_ANSWER: usize = 1024 * 1024;

/// What every question says: who asks.
struct Asker<'a> {
    base: &'a str,
    pid: &'a str,
    key: &'a str,
}

fn asker<'a>(call: &Call<'a>) -> Result<Asker<'a>, String> {
    let base = call.keys.api_url.as_deref().ok_or("no address of the platform")?;
    let key = call.keys.signing_secret().ok_or("no key")?.expose();
    Ok(Asker { base, pid: account::pid(call.keys), key })
}

async fn exchange(
    outbound: &Outbound,
    call: &Call<'_>,
    method: Method,
    url: String,
    form: String,
) -> Result<Value, CallError> {
    let headers = match method {
        Method::Get => Vec::new(),
        Method::Post => vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
    };
    let body = form.into_bytes();
    let request =
        Request { method, url, headers, body, timeout: call.timeout, largest_answer: LARGEST_ANSWER };
    let answer = outbound.call(request).await?;
    if answer.status != 200 {
        return Err(CallError::Unknown(format!("status {}", answer.status)));
    }
    json::parse(&answer.body).map_err(|_| CallError::Unknown("the answer is no JSON".into()))
}

/// A signed request to pay: the fields of `submit.php`, and of `mapi.php` with two more.
fn payment_fields(
    call: &Call<'_>,
    asker: &Asker<'_>,
    payment: &NewPayment<'_>,
    more: &[(&str, &str)],
) -> Result<Vec<(String, String)>, StartFailure> {
    let money = epay::price(payment)?;
    let mut fields: Vec<(&str, &str)> = vec![
        ("pid", asker.pid),
        ("out_trade_no", payment.number),
        ("notify_url", payment.notify_url),
        ("return_url", payment.return_url),
        ("name", payment.title),
        ("money", &money),
    ];
    fields.extend(call.keys.setting("type").map(|kind| ("type", kind)));
    fields.extend(more);
    let sign = signature::sign(call.keys, asker.key, fields.iter().copied());
    fields.extend([("sign", sign.as_str()), ("sign_type", "MD5")]);
    Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

pub(super) async fn start(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    let asker = asker(call).map_err(StartFailure::NotSent)?;
    let accepts = |kind: &str| payment.accepts.iter().any(|accepted| accepted == kind);
    if accepts("qr") && call.keys.setting("type").is_some() {
        let client = payment.client_address.unwrap_or("127.0.0.1");
        let more = [("clientip", client), ("device", epay::device(payment.platform))];
        let fields = payment_fields(call, &asker, payment, &more)?;
        return made(outbound, call, &asker, &fields).await;
    }
    // No call: the buyer's browser carries our signed request there.
    let fields = payment_fields(call, &asker, payment, &[])?;
    let url = format!("{}/submit.php", asker.base);
    let action = if accepts("form") {
        Action::Form { url, fields }
    } else {
        Action::Redirect { url: format!("{url}?{}", form::encoded(epay::borrowed(&fields))) }
    };
    Ok(Started { gateway_reference: None, action, expires_at: None })
}

/// `mapi.php`: the platform answers what the buyer is to be shown. A repeat under the same number finds the same order.
async fn made(
    outbound: &Outbound,
    call: &Call<'_>,
    asker: &Asker<'_>,
    fields: &[(String, String)],
) -> Result<Started, StartFailure> {
    let url = format!("{}/mapi.php", asker.base);
    let sent = form::encoded(epay::borrowed(fields));
    let answer = match exchange(outbound, call, Method::Post, url, sent).await {
        Ok(answer) => answer,
        Err(CallError::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(CallError::Unknown(text)) => return Err(StartFailure::Unknown(text)),
    };
    match epay::code(&answer) {
        Some(1) => {}
        Some(code) => {
            let message = epay::message(&answer);
            return Err(StartFailure::Refused { code: code.to_string(), message });
        }
        None => return Err(StartFailure::Unknown("the answer has no code".into())),
    }
    let text = |key: &str| json::text(&answer, &[key]).filter(|text| !text.is_empty());
    let action = match (text("qrcode"), text("payurl")) {
        (Some(code), _) => Action::Qr { text: code.to_owned() },
        (None, Some(url)) if epay::is_web(url) => Action::Redirect { url: url.to_owned() },
        _ => return Err(StartFailure::Unknown("the answer has no way to pay".into())),
    };
    Ok(Started { gateway_reference: None, action, expires_at: None })
}

pub(super) async fn query(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let asker = match asker(call) {
        Ok(asker) => asker,
        Err(text) => return Queried::Unknown(text),
    };
    let question = form::encoded([
        ("act", "order"),
        ("pid", asker.pid),
        ("key", asker.key),
        ("out_trade_no", payment.number),
    ]);
    let url = format!("{}/api.php?{question}", asker.base);
    let answer = match exchange(outbound, call, Method::Get, url, String::new()).await {
        Ok(answer) => answer,
        Err(error) => return Queried::Unknown(error.to_string()),
    };
    match epay::code(&answer) {
        Some(1) => order::queried(call, payment, &answer),
        _ => order::unanswered(&answer),
    }
}

/// There is no such call; but what was paid already must not be given up.
pub(super) async fn close(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    order::unclosed(query(outbound, call, payment).await)
}

/// V1 refunds have no number of ours: a second call is a second refund. So the order is looked at first, the call goes
/// out once, and an answer that is not clear stays so.
pub(super) async fn refund(outbound: &Outbound, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let (asker, money) = match (asker(call), epay::money(refund.amount)) {
        (Ok(asker), Some(money)) => (asker, money),
        (Err(text), _) => return epay::failed("not_sent", &text),
        (_, None) => return epay::failed("amount_inexpressible", "no amount Epay can refund"),
    };
    let state = match query(outbound, call, &refund.payment).await {
        Queried::Known(state) => state,
        Queried::NotFound => return epay::failed("not_found", "the platform knows no such order"),
        Queried::Unknown(text) => return epay::failed("not_sent", &text),
        Queried::Unsupported => return epay::failed("not_sent", "the platform cannot be asked"),
    };
    let trade_no = state.trade_no.as_deref().unwrap_or_default();
    match state.meaning {
        Meaning::Paid | Meaning::PartiallyRefunded if Some(trade_no) == refund.payment.trade_no => {}
        Meaning::Refunded if is_whole(&refund.payment, refund.amount.minor) => return done(refund.refund_id),
        _ => {
            return epay::failed(
                "not_refundable",
                "the platform's order is not one that was paid by this trade",
            );
        }
    }
    let sent =
        form::encoded([("pid", asker.pid), ("key", asker.key), ("trade_no", trade_no), ("money", &money)]);
    let url = format!("{}/api.php?act=refund", asker.base);
    match exchange(outbound, call, Method::Post, url, sent).await {
        // 0 in the platform's present source, 1 in older ones and forks; what fails is negative in all of them.
        Ok(answer) => match epay::code(&answer) {
            Some(0 | 1) => done(refund.refund_id),
            Some(code) if code < 0 => epay::failed(&code.to_string(), &epay::message(&answer)),
            _ => Refunding::Unknown("the answer has no known code".into()),
        },
        Err(CallError::NotSent(text)) => epay::failed("not_sent", &text),
        Err(CallError::Unknown(text)) => Refunding::Unknown(text),
    }
}

/// The platform reports of an order only that it was refunded, not by which refund.
pub(super) async fn refund_query(outbound: &Outbound, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    match query(outbound, call, &refund.payment).await {
        // Some platforms show an order as refunded after any part of it was: only the whole of it proves something.
        Queried::Known(state)
            if state.meaning == Meaning::Refunded && is_whole(&refund.payment, refund.amount.minor) =>
        {
            done(refund.refund_id)
        }
        Queried::Unknown(text) => Refunding::Unknown(text),
        _ => Refunding::Unknown("this platform does not say what became of a refund".into()),
    }
}

fn is_whole(payment: &PaymentRef<'_>, minor: i64) -> bool {
    payment.money.minor == minor
}

/// The platform gives refunds no number; ours is used for it.
fn done(refund_id: &str) -> Refunding {
    Refunding::Succeeded { gateway_refund_id: refund_id.to_owned() }
}

/// The orders of a day, from `act=orders`.
pub(super) async fn statement(outbound: &Outbound, call: &Call<'_>, day: chrono::NaiveDate) -> Statement {
    let mut pages = match Pages::of(call, day) {
        Ok(pages) => pages,
        Err(statement) => return statement,
    };
    let asker = match asker(call) {
        Ok(asker) => asker,
        Err(text) => return Statement::Unknown(text),
    };
    loop {
        let (limit, offset) = pages.next();
        let question = form::encoded([
            ("act", "orders"),
            ("pid", asker.pid),
            ("key", asker.key),
            ("limit", &limit),
            ("offset", &offset),
        ]);
        let url = format!("{}/api.php?{question}", asker.base);
        let answer = match exchange(outbound, call, Method::Get, url, String::new()).await {
            Ok(answer) => answer,
            Err(error) => return Statement::Unknown(error.to_string()),
        };
        if epay::code(&answer) != Some(1) {
            return Statement::Unknown(format!("refused: {}", epay::message(&answer)));
        }
        if let Some(statement) = pages.take(&answer) {
            return statement;
        }
    }
}
