//! The API beside the notices: `POST {base}/payments`, `GET {base}/payments/{order_no}?trade_no=…` (which
//! of the trades under a number that was paid twice; left out before there is one), `POST
//! {base}/payments/{order_no}/close`, `POST {base}/refunds`, `GET {base}/refunds/{refund_id}`. JSON, signed both
//! ways as Standard Webhooks. An answer is signed under the request's own `webhook-id`, so that an old answer
//! cannot replace a new one, and names the order or refund it is about.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{event, signature};
use crate::base::clock::random;
use crate::infra::outbound::{CallError, HttpAnswer, Method, Outbound, Request};
use crate::payments::gateways::gateway::{
    Action, Call, Closing, GatewayState, Meaning, NewPayment, NewRefund, PaymentRef, Queried, RefundRef,
    Refunding, StartFailure, Started,
};
use crate::payments::gateways::{form, json};

const LARGEST_ANSWER: usize = 64 * 1024;

enum CallTrouble {
    NoApi,
    NotSent(String),
    Unknown(String),
}

impl CallTrouble {
    fn text(self) -> String {
        match self {
            Self::NoApi => "this account has no API".into(),
            Self::NotSent(text) | Self::Unknown(text) => text,
        }
    }
}

/// One signed call; the answer's signature was checked and its body parsed.
async fn exchange(
    outbound: &Outbound,
    call: &Call<'_>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value), CallTrouble> {
    let base = call.keys.api_url.as_deref().ok_or(CallTrouble::NoApi)?;
    let body = body.map(|b| b.to_string().into_bytes()).unwrap_or_default();
    let id = format!("req_{}", hex::encode(random::<16>()));
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(signature::sign(call.keys, &id, call.now_unix, &body).ok_or(CallTrouble::NoApi)?);
    let request = Request {
        method,
        url: format!("{base}{path}"),
        headers,
        body,
        timeout: call.timeout,
        largest_answer: LARGEST_ANSWER,
    };
    let answer = outbound.call(request).await.map_err(|error| match error {
        CallError::NotSent(text) => CallTrouble::NotSent(text),
        CallError::Unknown(text) => CallTrouble::Unknown(text),
    })?;
    check(call, &id, &answer).map_err(|reason| {
        CallTrouble::Unknown(format!("answer with status {} is not to be trusted: {reason}", answer.status))
    })?;
    let value =
        json::parse(&answer.body).map_err(|_| CallTrouble::Unknown("the answer is no JSON".into()))?;
    Ok((answer.status, value))
}

fn check(call: &Call<'_>, id: &str, answer: &HttpAnswer) -> Result<(), &'static str> {
    let header = |name: &str| answer.header(name).ok_or("header_missing");
    let (given, at, signed) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    if given != id {
        return Err("answers another request");
    }
    signature::verify_parts(&call.keys.secrets, given, at, signed, &answer.body, call.now_unix)
        .map(|_| ())
        .map_err(|refusal| refusal.reason)
}

fn error_of(value: &Value) -> (String, String) {
    let text = |key| json::text(value, &[key]).unwrap_or_default().chars().take(200).collect();
    (text("code"), text("message"))
}

fn moment(value: &Value, key: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(json::text(value, &[key])?).ok().map(|t| t.with_timezone(&Utc))
}

pub(super) async fn start(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    if call.keys.api_url.is_none() {
        let text = format!("Pay {} and give the number {}.", payment.money, payment.number);
        return Ok(Started {
            gateway_reference: None,
            action: Action::Instructions { text },
            expires_at: None,
        });
    }
    let body = json!({
        "order_no": payment.number,
        "payment_id": payment.payment_id,
        "amount_minor": payment.money.minor,
        "currency": payment.money.currency.as_str(),
        "title": payment.title,
        "locale": payment.locale,
        "email": payment.email,
        "return_url": payment.return_url,
        "cancel_url": payment.cancel_url,
        "notify_url": payment.notify_url,
        "expires_at": payment.expires_at.to_rfc3339(),
    });
    let (status, answer) = match exchange(outbound, call, Method::Post, "/payments", Some(body)).await {
        Ok(answered) => answered,
        Err(CallTrouble::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(trouble) => return Err(StartFailure::Unknown(trouble.text())),
    };
    match status {
        200 | 201 => {}
        400..=499 if status != 408 && status != 429 => {
            let (code, message) = error_of(&answer);
            return Err(StartFailure::Refused { code, message });
        }
        _ => return Err(StartFailure::Unknown(format!("status {status}"))),
    }
    let unusable = || StartFailure::Unknown("the answer does not describe this payment".into());
    if json::text(&answer, &["order_no"]) != Some(payment.number) {
        return Err(unusable());
    }
    let action = match (json::text(&answer, &["pay_url"]), json::text(&answer, &["qr"])) {
        (Some(url), _) if url.starts_with("https://") || url.starts_with("http://") => {
            Action::Redirect { url: url.to_owned() }
        }
        (None, Some(text)) => Action::Qr { text: text.to_owned() },
        _ => return Err(unusable()),
    };
    Ok(Started {
        gateway_reference: json::text(&answer, &["reference"]).map(str::to_owned),
        action,
        expires_at: moment(&answer, "expires_at"),
    })
}

/// The state in an answer, when it is about the payment that was asked for.
fn state(call: &Call<'_>, payment: &PaymentRef<'_>, answer: &Value) -> Result<GatewayState, String> {
    let facts = event::payment(answer).map_err(str::to_owned)?;
    if facts.number.as_deref() != Some(payment.number) {
        return Err("the answer is about another payment".into());
    }
    Ok(GatewayState::new(&call.keys.id, facts))
}

pub(super) async fn query(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    // A number that was paid twice has two trades.
    let trade = payment.trade_no.map(|trade_no| format!("?{}", form::encoded([("trade_no", trade_no)])));
    let path = format!("/payments/{}{}", payment.number, trade.unwrap_or_default());
    match exchange(outbound, call, Method::Get, &path, None).await {
        Ok((200, answer)) => match state(call, payment, &answer) {
            Ok(state) => Queried::Known(state),
            Err(text) => Queried::Unknown(text),
        },
        Ok((404, answer)) if error_of(&answer).0 == "NOT_FOUND" => Queried::NotFound,
        Ok((status, _)) => Queried::Unknown(format!("status {status}")),
        Err(CallTrouble::NoApi) => Queried::Unsupported,
        Err(trouble) => Queried::Unknown(trouble.text()),
    }
}

pub(super) async fn close(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    let path = format!("/payments/{}/close", payment.number);
    let body = json!({ "order_no": payment.number });
    match exchange(outbound, call, Method::Post, &path, Some(body)).await {
        Ok((200, answer)) => match state(call, payment, &answer) {
            Ok(state) => match state.meaning {
                Meaning::Closed | Meaning::Failed => Closing::Closed,
                Meaning::Paid | Meaning::Refunded | Meaning::PartiallyRefunded => Closing::AlreadyPaid(state),
                _ => Closing::Unknown("the gateway could not close it yet".into()),
            },
            Err(text) => Closing::Unknown(text),
        },
        Ok((404, answer)) if error_of(&answer).0 == "NOT_FOUND" => Closing::NothingToClose,
        Ok((status, _)) => Closing::Unknown(format!("status {status}")),
        Err(CallTrouble::NoApi) => Closing::Unsupported,
        Err(trouble) => Closing::Unknown(trouble.text()),
    }
}

pub(super) async fn refund(outbound: &Outbound, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let body = json!({
        "refund_id": refund.refund_id,
        "order_no": refund.payment.number,
        "trade_no": refund.payment.trade_no,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency.as_str(),
        "reason": refund.reason,
    });
    let answered = exchange(outbound, call, Method::Post, "/refunds", Some(body)).await;
    refunding(refund.refund_id, answered)
}

pub(super) async fn refund_query(outbound: &Outbound, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    let answered =
        exchange(outbound, call, Method::Get, &format!("/refunds/{}", refund.refund_id), None).await;
    match answered {
        Ok((404, answer)) if error_of(&answer).0 == "NOT_FOUND" => Refunding::NotFound,
        answered => refunding(refund.refund_id, answered),
    }
}

fn refunding(refund_id: &str, answered: Result<(u16, Value), CallTrouble>) -> Refunding {
    let (status, answer) = match answered {
        Ok(answered) => answered,
        Err(CallTrouble::NoApi) => return Refunding::Unsupported,
        Err(trouble) => return Refunding::Unknown(trouble.text()),
    };
    match status {
        200 | 201 => {}
        400..=499 if status != 408 && status != 429 => {
            let (code, message) = error_of(&answer);
            return Refunding::Failed { code, message };
        }
        _ => return Refunding::Unknown(format!("status {status}")),
    }
    if json::text(&answer, &["refund_id"]) != Some(refund_id) {
        return Refunding::Unknown("the answer is about another refund".into());
    }
    let Some(gateway_refund_id) = json::text(&answer, &["gateway_refund_id"]).map(str::to_owned) else {
        return Refunding::Unknown("the answer has no refund number".into());
    };
    match json::text(&answer, &["status"]) {
        Some("succeeded") => Refunding::Succeeded { gateway_refund_id },
        Some("pending") => Refunding::Pending { gateway_refund_id, needs_person: false },
        Some("failed") => {
            let (code, message) = error_of(&answer);
            Refunding::Failed { code, message }
        }
        _ => Refunding::Unknown("the answer has no status".into()),
    }
}
