//! Orders over HTTPS (developer.paypal.com, Orders v2). Answers are trusted because of TLS; they must still be about
//! what was asked. Money moves only by `capture`: an order that we do not capture is never paid.

use serde_json::{Value, json};

use super::{PayPal, currencies, event};
use crate::infra::outbound::{CallError, Method, Request};
use crate::payments::gateways::gateway::{
    Action, Call, Closing, GatewayState, Meaning, NewPayment, NumberThere, PaymentRef, Queried, StartFailure,
    Started,
};
use crate::payments::gateways::json;

const LIVE: &str = "https://api-m.paypal.com";
const SANDBOX: &str = "https://api-m.sandbox.paypal.com";
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// What goes out with one call.
pub(super) struct Sent {
    pub method: Method,
    pub path: String,
    /// `PayPal-Request-Id`: the key of idempotency.
    pub request_id: Option<String>,
    pub body: Vec<u8>,
}

impl Sent {
    pub fn get(path: String) -> Self {
        Self { method: Method::Get, path, request_id: None, body: Vec::new() }
    }

    pub fn post(path: String, request_id: Option<String>, body: Vec<u8>) -> Self {
        Self { method: Method::Post, path, request_id, body }
    }
}

/// One call: the answer's status and object. A token that is no longer accepted is renewed once; PayPal did nothing
/// with what it answered by 401.
pub(super) async fn exchange(
    paypal: &PayPal,
    call: &Call<'_>,
    sent: &Sent,
) -> Result<(u16, Value), CallError> {
    let base = call.keys.api_url.as_deref().unwrap_or(if call.keys.sandbox { SANDBOX } else { LIVE });
    let first = once(paypal, call, base, sent).await?;
    if first.0 != 401 {
        return Ok(first);
    }
    paypal.tokens.forget(base, call.keys.setting("client_id").unwrap_or_default());
    once(paypal, call, base, sent).await
}

async fn once(paypal: &PayPal, call: &Call<'_>, base: &str, sent: &Sent) -> Result<(u16, Value), CallError> {
    let token = paypal.tokens.get(&paypal.outbound, call, base).await.map_err(CallError::NotSent)?;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        header("authorization", &format!("Bearer {}", token.expose())),
        header("accept", "application/json"),
    ];
    if sent.method == Method::Post {
        headers.push(header("content-type", "application/json"));
        headers.push(header("prefer", "return=representation"));
    }
    headers.extend(sent.request_id.as_deref().map(|id| header("paypal-request-id", id)));
    let request = Request {
        method: sent.method,
        url: format!("{base}{}", sent.path),
        headers,
        body: sent.body.clone(),
        timeout: call.timeout,
        largest_answer: LARGEST_ANSWER,
    };
    let answer = paypal.outbound.call(request).await?;
    let value = json::parse(&answer.body)
        .map_err(|_| CallError::Unknown(format!("the answer with status {} is no JSON", answer.status)))?;
    Ok((answer.status, value))
}

/// Whether a status is a "no" that would be repeated; 409 is the same request still running, 429 too many.
pub(super) fn is_final_no(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 408 | 409 | 429)
}

/// The first detail's `issue`, else `name`; and what is said about it.
pub(super) fn error_of(answer: &Value) -> (String, String) {
    let detail = answer.get("details").and_then(Value::as_array).and_then(|list| list.first());
    let of_detail = |key: &str| detail.and_then(|d| json::text(d, &[key]));
    let code = of_detail("issue").or(json::text(answer, &["name"])).unwrap_or("unknown");
    let message = of_detail("description").or(json::text(answer, &["message"])).unwrap_or_default();
    (code.chars().take(80).collect(), message.chars().take(200).collect())
}

/// PayPal's code for a language of ours.
fn locale(ours: &str) -> &'static str {
    if ours.starts_with("zh") { "zh-CN" } else { "en-US" }
}

pub(super) async fn start(
    paypal: &PayPal,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    let Some(value) = currencies::text(payment.money) else {
        let message = format!("{} is no amount PayPal can take", payment.money);
        return Err(StartFailure::Refused { code: "amount_inexpressible".into(), message });
    };
    let title: String = payment.title.chars().take(127).collect();
    let mut body = json!({
        "intent": "CAPTURE",
        "purchase_units": [{
            "custom_id": payment.number,
            "invoice_id": payment.number,
            "description": title,
            "amount": { "currency_code": payment.money.currency.as_str(), "value": value },
        }],
        "payment_source": { "paypal": { "experience_context": {
            "return_url": payment.return_url,
            "cancel_url": payment.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            "locale": locale(payment.locale),
        } } },
    });
    if let Some(email) = payment.email {
        body["payment_source"]["paypal"]["email_address"] = email.into();
    }
    let id = Some(payment.payment_id.to_owned());
    let sent = Sent::post("/v2/checkout/orders".into(), id, body.to_string().into_bytes());
    let (status, answer) = match exchange(paypal, call, &sent).await {
        Ok(answered) => answered,
        Err(CallError::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(CallError::Unknown(text)) => return Err(StartFailure::Unknown(text)),
    };
    if is_final_no(status) {
        let (code, message) = error_of(&answer);
        return Err(StartFailure::Refused { code, message });
    }
    if !matches!(status, 200 | 201) {
        return Err(StartFailure::Unknown(format!("status {status}")));
    }
    let unusable = || StartFailure::Unknown("the answer does not describe this payment".into());
    let facts = event::order(&answer, None).map_err(|_| unusable())?;
    let fits = facts.number.as_deref() == Some(payment.number)
        && facts.amount_minor == Some(payment.money.minor)
        && facts.currency == Some(payment.money.currency);
    let order = facts.gateway_reference.filter(|_| fits).ok_or_else(unusable)?;
    let action = if payment.sdks.iter().any(|sdk| sdk == "paypal") {
        let parameters = json!({
            "orderId": order,
            "clientId": call.keys.setting("client_id"),
            "currency": payment.money.currency.as_str(),
        });
        Action::Sdk { name: "paypal".into(), parameters }
    } else {
        Action::Redirect { url: approval(&answer).ok_or_else(unusable)? }
    };
    Ok(Started { gateway_reference: Some(order), action, expires_at: None })
}

/// Where the buyer agrees.
fn approval(order: &Value) -> Option<String> {
    let links = order.get("links")?.as_array()?;
    let of = |rel: &str| links.iter().find(|link| json::text(link, &["rel"]) == Some(rel));
    let url = json::text(of("payer-action").or_else(|| of("approve"))?, &["href"])?;
    (url.starts_with("https://") || url.starts_with("http://")).then(|| url.to_owned())
}

/// What an order says, when it is the one that was asked about.
fn state(
    call: &Call<'_>,
    payment: &PaymentRef<'_>,
    id: &str,
    answer: &Value,
) -> Result<GatewayState, String> {
    let facts = event::order(answer, payment.trade_no).map_err(str::to_owned)?;
    if facts.gateway_reference.as_deref() != Some(id) || facts.number.as_deref() != Some(payment.number) {
        return Err("the answer is about another payment".into());
    }
    Ok(GatewayState::new(&call.keys.id, facts))
}

fn reference<'a>(payment: &PaymentRef<'a>) -> Option<&'a str> {
    payment.gateway_reference.filter(|id| event::is_id(id))
}

pub(super) async fn query(paypal: &PayPal, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let found = match (reference(payment), payment.trade_no.filter(|id| event::is_id(id))) {
        (Some(id), _) => Ok(id.to_owned()),
        (None, Some(trade_no)) => order_of(paypal, call, trade_no).await,
        (None, None) => Err("no order is known: repeat the start".into()),
    };
    let id = match &found {
        Ok(id) => id.as_str(),
        Err(text) => return Queried::Unknown(text.clone()),
    };
    match exchange(paypal, call, &Sent::get(format!("/v2/checkout/orders/{id}"))).await {
        Ok((200, answer)) => match state(call, payment, id, &answer) {
            Ok(state) => Queried::Known(state),
            Err(text) => Queried::Unknown(text),
        },
        Ok((404, answer)) if json::text(&answer, &["name"]) == Some("RESOURCE_NOT_FOUND") => {
            Queried::NotFound
        }
        Ok((status, _)) => Queried::Unknown(format!("status {status}")),
        Err(error) => Queried::Unknown(error.to_string()),
    }
}

/// The order that a capture belongs to: money that came a second time is known by its capture alone.
async fn order_of(paypal: &PayPal, call: &Call<'_>, trade_no: &str) -> Result<String, String> {
    match exchange(paypal, call, &Sent::get(format!("/v2/payments/captures/{trade_no}"))).await {
        Ok((200, answer)) => {
            let facts = event::capture(&answer).map_err(str::to_owned)?;
            facts.gateway_reference.ok_or_else(|| "the capture names no order".into())
        }
        Ok((status, _)) => Err(format!("status {status}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The capture's `custom_id` or `invoice_id`, where `start` put our number.
pub(super) async fn number_of(paypal: &PayPal, call: &Call<'_>, trade_no: &str) -> NumberThere {
    if !event::is_id(trade_no) {
        return NumberThere::None;
    }
    match exchange(paypal, call, &Sent::get(format!("/v2/payments/captures/{trade_no}"))).await {
        Ok((200, capture)) if json::text(&capture, &["id"]) == Some(trade_no) => {
            event::number(&capture).map_or(NumberThere::None, NumberThere::Number)
        }
        Ok((404, answer)) if json::text(&answer, &["name"]) == Some("RESOURCE_NOT_FOUND") => {
            NumberThere::None
        }
        Ok((status, _)) => NumberThere::Unknown(format!("status {status}")),
        Err(error) => NumberThere::Unknown(error.to_string()),
    }
}

/// An order is captured once: a repeat is answered by `ORDER_ALREADY_CAPTURED` whatever its request id, so each try has
/// an id of its own and an old answer (a declined card) cannot come back for it. Whatever the answer, the order itself
/// is asked what became of it, unless the answer says all.
pub(super) async fn capture(paypal: &PayPal, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let Some(id) = reference(payment) else {
        return Queried::Unknown("no order is known: repeat the start".into());
    };
    let request_id = format!("{id}-capture-{}", call.now_unix);
    let sent = Sent::post(format!("/v2/checkout/orders/{id}/capture"), Some(request_id), b"{}".to_vec());
    match exchange(paypal, call, &sent).await {
        Ok((200 | 201, answer)) => match state(call, payment, id, &answer) {
            Ok(state) if !state.identity.is_empty() => Queried::Known(state),
            _ => query(paypal, call, payment).await,
        },
        Ok((status, _)) if is_final_no(status) => query(paypal, call, payment).await,
        Ok((status, _)) => Queried::Unknown(format!("status {status}")),
        Err(error) => Queried::Unknown(error.to_string()),
    }
}

/// PayPal has no such call and needs none: nobody but us can take the money of an approved order, and we do not after
/// its end. So an order without a capture is closed by leaving it.
pub(super) async fn close(paypal: &PayPal, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    if reference(payment).is_none() {
        return Closing::NothingToClose;
    }
    match query(paypal, call, payment).await {
        Queried::Known(state) => match state.meaning {
            Meaning::Paid | Meaning::Refunded | Meaning::PartiallyRefunded => Closing::AlreadyPaid(state),
            Meaning::Pending if state.trade_no.is_some() => {
                Closing::Unknown("the money may be on its way".into())
            }
            _ => Closing::Closed,
        },
        Queried::NotFound => Closing::NothingToClose,
        Queried::Unknown(text) => Closing::Unknown(text),
        Queried::Unsupported => Closing::Unsupported,
    }
}

/// Asks PayPal whether it sent exactly this event. The event is in the question as it was received; the caller
/// has made sure that it is one JSON object and nothing behind it.
pub(super) async fn verify(
    paypal: &PayPal,
    call: &Call<'_>,
    fields: serde_json::Map<String, Value>,
    event: &str,
) -> Result<bool, CallError> {
    let fields = Value::Object(fields).to_string();
    let head = fields.strip_suffix('}').unwrap_or_default();
    let body = format!("{head},\"webhook_event\":{event}}}");
    let path = "/v1/notifications/verify-webhook-signature".to_owned();
    let (status, answer) = exchange(paypal, call, &Sent::post(path, None, body.into_bytes())).await?;
    match (status, json::text(&answer, &["verification_status"])) {
        (200, Some("SUCCESS")) => Ok(true),
        (200, Some("FAILURE")) => Ok(false),
        _ => Err(CallError::Unknown(format!("status {status}"))),
    }
}
