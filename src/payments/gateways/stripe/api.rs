//! Checkout sessions over HTTPS. Requests are form-encoded, every POST carries an `Idempotency-Key`, the version is
//! pinned. Answers are trusted because of TLS; they must still be about the session that was asked for.

use chrono::{DateTime, TimeDelta};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::event;
use crate::infra::outbound::{CallError, Method, Outbound, Request};
use crate::payments::gateways::gateway::{
    Action, Call, Closing, GatewayState, Meaning, NewPayment, NumberThere, PaymentRef, Queried, StartFailure,
    Started,
};
use crate::payments::gateways::{amounts, json};

const HOST: &str = "https://api.stripe.com";
const VERSION: &str = "2026-10-28.endive";
const LARGEST_ANSWER: usize = 1024 * 1024;
/// A session lives at least 30 minutes; five more so that a repeat of the same request still fits.
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(35);
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(23);

pub(super) type Form = Vec<(String, String)>;

pub(super) fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// One call: the answer's status and object.
pub(super) async fn exchange(
    outbound: &Outbound,
    call: &Call<'_>,
    path: &str,
    post: Option<(String, Form)>,
) -> Result<(u16, Value), CallError> {
    let base = call.keys.api_url.as_deref().unwrap_or(HOST);
    let key = call.keys.api_key.as_ref().ok_or_else(|| CallError::NotSent("no API key".into()))?;
    let mut headers =
        vec![field("authorization", format!("Bearer {}", key.expose())), field("stripe-version", VERSION)];
    let (method, body) = match post {
        None => (Method::Get, Vec::new()),
        Some((idempotency_key, form)) => {
            headers.push(field("idempotency-key", idempotency_key));
            headers.push(field("content-type", "application/x-www-form-urlencoded"));
            (Method::Post, Serializer::new(String::new()).extend_pairs(&form).finish().into_bytes())
        }
    };
    let url = format!("{base}{path}");
    let request =
        Request { method, url, headers, body, timeout: call.timeout, largest_answer: LARGEST_ANSWER };
    let answer = outbound.call(request).await?;
    let value = json::parse(&answer.body)
        .map_err(|_| CallError::Unknown(format!("the answer with status {} is no JSON", answer.status)))?;
    Ok((answer.status, value))
}

/// Whether a status is a "no" that would be repeated. 409 is a call with the same key still running, 429 too many
/// calls.
pub(super) fn is_final_no(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 409 | 429)
}

/// `error.code`, else `error.type`; and the message.
pub(super) fn error_of(answer: &Value) -> (String, String) {
    let text = |key| json::text(answer, &["error", key]);
    let code = text("code").or(text("type")).unwrap_or("unknown");
    (code.chars().take(80).collect(), text("message").unwrap_or_default().chars().take(200).collect())
}

pub(super) async fn start(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &NewPayment<'_>,
) -> Result<Started, StartFailure> {
    let currency = payment.money.currency;
    let Some(units) = amounts::unit("stripe", currency).and_then(|unit| unit.units(payment.money)) else {
        let message = format!("{} is no amount Stripe can take", payment.money);
        return Err(StartFailure::Refused { code: "amount_inexpressible".into(), message });
    };
    let expires_at =
        payment.expires_at.clamp(payment.started_at + SHORTEST_LIFE, payment.started_at + LONGEST_LIFE);
    let mut form = vec![
        field("mode", "payment"),
        field("client_reference_id", payment.number),
        field("metadata[order_no]", payment.number),
        field("payment_intent_data[metadata][order_no]", payment.number),
        field("line_items[0][quantity]", "1"),
        field("line_items[0][price_data][currency]", currency.as_str().to_ascii_lowercase()),
        field("line_items[0][price_data][unit_amount]", units.to_string()),
        field("line_items[0][price_data][product_data][name]", payment.title),
        field("success_url", payment.return_url),
        field("cancel_url", payment.cancel_url),
        field("expires_at", expires_at.timestamp().to_string()),
        field("locale", payment.locale),
    ];
    if let Some(email) = payment.email {
        form.push(field("customer_email", email));
    }
    let post = Some((format!("{}-start", payment.payment_id), form));
    let (status, answer) = match exchange(outbound, call, "/v1/checkout/sessions", post).await {
        Ok(answered) => answered,
        Err(CallError::NotSent(text)) => return Err(StartFailure::NotSent(text)),
        Err(CallError::Unknown(text)) => return Err(StartFailure::Unknown(text)),
    };
    if is_final_no(status) {
        let (code, message) = error_of(&answer);
        return Err(StartFailure::Refused { code, message });
    }
    let unusable = || StartFailure::Unknown("the answer does not describe this session".into());
    if status != 200 {
        return Err(StartFailure::Unknown(format!("status {status}")));
    }
    let facts = event::session(&answer).map_err(|_| unusable())?;
    let url =
        json::text(&answer, &["url"]).filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    match (facts.gateway_reference, url) {
        (Some(reference), Some(url)) if facts.number.as_deref() == Some(payment.number) => Ok(Started {
            gateway_reference: Some(reference),
            action: Action::Redirect { url: url.to_owned() },
            expires_at: json::integer(&answer, &["expires_at"])
                .and_then(|at| DateTime::from_timestamp(at, 0)),
        }),
        _ => Err(unusable()),
    }
}

/// The session with its payment intent and charge, which know of refunds and disputes.
fn state(
    call: &Call<'_>,
    payment: &PaymentRef<'_>,
    reference: &str,
    answer: &Value,
) -> Result<GatewayState, String> {
    let mut facts = event::session(answer).map_err(str::to_owned)?;
    if facts.gateway_reference.as_deref() != Some(reference)
        || facts.number.as_deref() != Some(payment.number)
    {
        return Err("the answer is about another payment".into());
    }
    let intent = json::text(answer, &["payment_intent", "status"]);
    if facts.meaning == Meaning::Pending
        && json::text(answer, &["status"]) == Some("complete")
        && matches!(intent, Some("requires_payment_method" | "canceled"))
    {
        facts.meaning = Meaning::Failed;
    }
    if let (Meaning::Paid, Some(charge)) =
        (facts.meaning, json::at(answer, &["payment_intent", "latest_charge"]).filter(|c| c.is_object()))
    {
        let of_charge = event::charge_now(charge)?;
        (facts.meaning, facts.refunded_minor) = (of_charge.meaning, of_charge.refunded_minor);
    }
    Ok(GatewayState::new(&call.keys.id, facts))
}

/// One of two trades under a number: money that came a second time is known by its payment intent alone.
async fn query_intent(
    outbound: &Outbound,
    call: &Call<'_>,
    payment: &PaymentRef<'_>,
    intent: &str,
) -> Queried {
    let path = format!("/v1/payment_intents/{intent}?expand[]=latest_charge");
    match exchange(outbound, call, &path, None).await {
        Ok((200, answer)) => match event::charge_now(answer.get("latest_charge").unwrap_or(&Value::Null)) {
            Ok(facts)
                if facts.number.as_deref() == Some(payment.number)
                    && facts.trade_no.as_deref() == Some(intent) =>
            {
                Queried::Known(GatewayState::new(&call.keys.id, facts))
            }
            Ok(_) => Queried::Unknown("the answer is about another payment".into()),
            Err(word) => Queried::Unknown(word.to_owned()),
        },
        Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => Queried::NotFound,
        Ok((status, _)) => Queried::Unknown(format!("status {status}")),
        Err(error) => Queried::Unknown(error.to_string()),
    }
}

pub(super) async fn query(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let known = |id: &&str| event::is_id(id);
    let Some(reference) = payment.gateway_reference.filter(known) else {
        return match payment.trade_no.filter(known) {
            Some(intent) => query_intent(outbound, call, payment, intent).await,
            None => Queried::Unknown("no session is known: repeat the start".into()),
        };
    };
    let path = format!("/v1/checkout/sessions/{reference}?expand[]=payment_intent.latest_charge");
    match exchange(outbound, call, &path, None).await {
        Ok((200, answer)) => match state(call, payment, reference, &answer) {
            Ok(state) => match payment.trade_no.filter(|ours| known(ours) && state.trade_no.is_some()) {
                Some(ours) if state.trade_no.as_deref() != Some(ours) => {
                    query_intent(outbound, call, payment, ours).await
                }
                _ => Queried::Known(state),
            },
            Err(text) => Queried::Unknown(text),
        },
        Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => Queried::NotFound,
        Ok((status, _)) => Queried::Unknown(format!("status {status}")),
        Err(error) => Queried::Unknown(error.to_string()),
    }
}

/// The payment intent's metadata, where `start` put our number. Stripe gives a charge the metadata of its intent.
pub(super) async fn number_of(outbound: &Outbound, call: &Call<'_>, trade_no: &str) -> NumberThere {
    // Something else than an intent was never a trade of ours.
    if !event::is_id(trade_no) {
        return NumberThere::None;
    }
    match exchange(outbound, call, &format!("/v1/payment_intents/{trade_no}"), None).await {
        Ok((200, intent)) if json::text(&intent, &["id"]) == Some(trade_no) => {
            match json::text(&intent, &["metadata", "order_no"]) {
                Some(number) => NumberThere::Number(number.to_owned()),
                None => NumberThere::None,
            }
        }
        Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => NumberThere::None,
        Ok((status, _)) => NumberThere::Unknown(format!("status {status}")),
        Err(error) => NumberThere::Unknown(error.to_string()),
    }
}

pub(super) async fn close(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    let Some(reference) = payment.gateway_reference.filter(|id| event::is_id(id)) else {
        return Closing::Unknown("no session is known: repeat the start".into());
    };
    let path = format!("/v1/checkout/sessions/{reference}/expire");
    // Stripe repeats its first answer to a key, faults too; a close that faulted needs a fresh one.
    let key = format!("{reference}-expire-{}", call.now_unix);
    match exchange(outbound, call, &path, Some((key, Form::new()))).await {
        Ok((200, answer)) if json::text(&answer, &["status"]) == Some("expired") => Closing::Closed,
        Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => Closing::NothingToClose,
        // Only an open session can be expired: this one is not open, so see what it is.
        Ok((200 | 400, _)) => match query(outbound, call, payment).await {
            Queried::Known(state) => match state.meaning {
                Meaning::Closed | Meaning::Failed => Closing::Closed,
                Meaning::Paid | Meaning::Refunded | Meaning::PartiallyRefunded | Meaning::DisputeOpened => {
                    Closing::AlreadyPaid(state)
                }
                _ => Closing::Unknown("the money may be on its way".into()),
            },
            Queried::NotFound => Closing::NothingToClose,
            Queried::Unknown(text) => Closing::Unknown(text),
            Queried::Unsupported => Closing::Unsupported,
        },
        Ok((status, _)) => Closing::Unknown(format!("status {status}")),
        Err(error) => Closing::Unknown(error.to_string()),
    }
}
