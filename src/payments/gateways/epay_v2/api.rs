//! `api/pay/…` and `api/merchant/orders`: forms signed by us, answers signed by the platform. What an answer grants must
//! be signed; a refusal carries no signature in the platform's source, and grants nothing.

use serde_json::Value;

use super::signature;
use crate::infra::outbound::{CallError, Method, Outbound, Request};
use crate::payments::gateways::epay::orders::Pages;
use crate::payments::gateways::epay::{self, order};
use crate::payments::gateways::gateway::{
    Action, Call, Closing, NewPayment, NewRefund, PaymentRef, Queried, RefundRef, Refunding, StartFailure,
    Started, Statement,
};
use crate::payments::gateways::{form, json};

const LARGEST_ANSWER: usize = 1024 * 1024;
/// A request that the buyer's browser carries is good for so long, by the platform's clock, seconds.
const SUBMIT_LIVES: i64 = 300;

enum Answered {
    /// Signed, code 0.
    Yes(Value),
    No(Value),
}

async fn exchange(
    outbound: &Outbound,
    call: &Call<'_>,
    path: &str,
    fields: &[(&str, &str)],
) -> Result<Answered, CallError> {
    let not_sent = |text: &str| CallError::NotSent(text.to_owned());
    let base = call.keys.api_url.as_deref().ok_or_else(|| not_sent("no address of the platform"))?;
    let fields = signature::signed(call.keys, call.now_unix, fields).map_err(not_sent)?;
    let request = Request {
        method: Method::Post,
        url: format!("{base}/{path}"),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: form::encoded(epay::borrowed(&fields)).into_bytes(),
        timeout: call.timeout,
        largest_answer: LARGEST_ANSWER,
    };
    let answer = outbound.call(request).await?;
    let unknown = |text: String| CallError::Unknown(text);
    if answer.status != 200 {
        return Err(unknown(format!("status {}", answer.status)));
    }
    let value = json::parse(&answer.body).map_err(|_| unknown("the answer is no JSON".into()))?;
    let code = epay::code(&value).ok_or_else(|| unknown("the answer has no code".into()))?;
    if code == 0 || value.get("sign").is_some() {
        signature::verify_answer(call.keys, &value, call.now_unix)
            .map_err(|refusal| unknown(format!("the answer is not to be trusted: {}", refusal.reason)))?;
    }
    Ok(if code == 0 { Answered::Yes(value) } else { Answered::No(value) })
}

pub(super) async fn start(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    let money = epay::price(payment)?;
    let mut fields = vec![
        ("out_trade_no", payment.number),
        ("notify_url", payment.notify_url),
        ("return_url", payment.return_url),
        ("name", payment.title),
        ("money", money.as_str()),
    ];
    let accepts = |kind: &str| payment.accepts.iter().any(|accepted| accepted == kind);
    let Some(kind) = call.keys.setting("type") else {
        return submit(call, &fields, accepts("form"));
    };
    let client = payment.client_address.unwrap_or("127.0.0.1");
    let method = if accepts("qr") { "web" } else { "jump" };
    fields.extend([("type", kind), ("method", method), ("clientip", client)]);
    fields.push(("device", epay::device(payment.platform)));
    create(outbound, call, &fields).await
}

/// No call: the buyer's browser carries our signed request to the platform's page, which asks how to pay.
fn submit(call: &Call<'_>, fields: &[(&str, &str)], as_form: bool) -> Result<Started, StartFailure> {
    let not_sent = |text: &str| StartFailure::NotSent(text.to_owned());
    let base = call.keys.api_url.as_deref().ok_or_else(|| not_sent("no address of the platform"))?;
    let fields = signature::signed(call.keys, call.now_unix, fields).map_err(not_sent)?;
    let url = format!("{base}/api/pay/submit");
    let action = if as_form {
        Action::Form { url, fields }
    } else {
        Action::Redirect { url: format!("{url}?{}", form::encoded(epay::borrowed(&fields))) }
    };
    let expires_at = chrono::DateTime::from_timestamp(call.now_unix + SUBMIT_LIVES, 0);
    Ok(Started { gateway_reference: None, action, expires_at })
}

/// A repeat under the same number finds the same order.
async fn create(
    outbound: &Outbound,
    call: &Call<'_>,
    fields: &[(&str, &str)],
) -> Result<Started, StartFailure> {
    let answer = match exchange(outbound, call, "api/pay/create", fields).await {
        Ok(Answered::Yes(answer)) => answer,
        Ok(Answered::No(answer)) => {
            let code = epay::text(&answer, "code").unwrap_or_default();
            return Err(StartFailure::Refused { code, message: epay::message(&answer) });
        }
        Err(CallError::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(CallError::Unknown(text)) => return Err(StartFailure::Unknown(text)),
    };
    // An object would not be covered by the signature.
    let info = json::text(&answer, &["pay_info"]).filter(|info| !info.is_empty());
    let action = match (json::text(&answer, &["pay_type"]), info) {
        (Some("jump" | "scheme"), Some(url)) if epay::is_web(url) => Action::Redirect { url: url.to_owned() },
        (Some("qrcode"), Some(text)) => Action::Qr { text: text.to_owned() },
        _ => return Err(StartFailure::Unknown("the answer has no way to pay".into())),
    };
    Ok(Started { gateway_reference: None, action, expires_at: None })
}

pub(super) async fn query(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    match exchange(outbound, call, "api/pay/query", &[("out_trade_no", payment.number)]).await {
        Ok(Answered::Yes(answer)) => order::queried(call, payment, &answer),
        Ok(Answered::No(answer)) => order::unanswered(&answer),
        Err(error) => Queried::Unknown(error.to_string()),
    }
}

/// Older versions have no such call; then the order is asked what it is, and one that is not paid is left.
pub(super) async fn close(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    let asked = exchange(outbound, call, "api/pay/close", &[("out_trade_no", payment.number)]).await;
    if matches!(asked, Ok(Answered::Yes(_))) {
        return Closing::Closed;
    }
    order::unclosed(query(outbound, call, payment).await)
}

/// Our refund's id is `out_refund_no`, under which the platform refunds once.
pub(super) async fn refund(outbound: &Outbound, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let Some(money) = epay::money(refund.amount) else {
        return epay::failed("amount_inexpressible", "no amount Epay can refund");
    };
    let mut fields = vec![("out_refund_no", refund.refund_id), ("money", money.as_str())];
    fields.push(match refund.payment.trade_no {
        Some(trade_no) => ("trade_no", trade_no),
        None => ("out_trade_no", refund.payment.number),
    });
    let refused = match exchange(outbound, call, "api/pay/refund", &fields).await {
        Ok(Answered::Yes(_)) => None,
        Ok(Answered::No(answer)) => Some(answer),
        Err(error) => return Refunding::Unknown(error.to_string()),
    };
    // Taken or refused, the platform's own list says what became of it.
    let asked = RefundRef {
        refund_id: refund.refund_id,
        gateway_refund_id: None,
        payment: refund.payment,
        amount: refund.amount,
    };
    match (refund_query(outbound, call, &asked).await, refused) {
        (Refunding::NotFound, Some(answer)) => {
            epay::failed(&epay::text(&answer, "code").unwrap_or_default(), &epay::message(&answer))
        }
        (Refunding::NotFound, None) => Refunding::Unknown("the platform took it and does not know it".into()),
        (found, _) => found,
    }
}

pub(super) async fn refund_query(outbound: &Outbound, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    let fields = [("out_refund_no", refund.refund_id)];
    let answer = match exchange(outbound, call, "api/pay/refundquery", &fields).await {
        Ok(Answered::Yes(answer)) => answer,
        Ok(Answered::No(answer)) if epay::message(&answer).contains("不存在") => {
            return Refunding::NotFound;
        }
        Ok(Answered::No(answer)) => {
            return Refunding::Unknown(format!("refused: {}", epay::message(&answer)));
        }
        Err(error) => return Refunding::Unknown(error.to_string()),
    };
    if epay::text(&answer, "out_refund_no").is_some_and(|said| said != refund.refund_id) {
        return Refunding::Unknown("the answer is about another refund".into());
    }
    let Some(gateway_refund_id) = epay::text(&answer, "refund_no").filter(|no| !no.is_empty()) else {
        return Refunding::Unknown("the answer has no refund number".into());
    };
    match epay::text(&answer, "status").as_deref() {
        Some("1") => Refunding::Succeeded { gateway_refund_id },
        Some("0") => Refunding::Pending { gateway_refund_id, needs_person: false },
        Some("2") => epay::failed("failed", "the refund did not go through"),
        _ => Refunding::Unknown("the refund has no known status".into()),
    }
}

/// The orders of a day. The list itself is not part of what the platform signs.
pub(super) async fn statement(outbound: &Outbound, call: &Call<'_>, day: chrono::NaiveDate) -> Statement {
    let mut pages = match Pages::of(call, day) {
        Ok(pages) => pages,
        Err(statement) => return statement,
    };
    loop {
        let (limit, offset) = pages.next();
        let fields = [("offset", offset.as_str()), ("limit", limit.as_str())];
        let answer = match exchange(outbound, call, "api/merchant/orders", &fields).await {
            Ok(Answered::Yes(answer)) => answer,
            Ok(Answered::No(answer)) => {
                return Statement::Unknown(format!("refused: {}", epay::message(&answer)));
            }
            Err(error) => return Statement::Unknown(error.to_string()),
        };
        if let Some(statement) = pages.take(&answer) {
            return statement;
        }
    }
}
