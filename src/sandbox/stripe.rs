//! The part of Stripe's API that the shop speaks, and Stripe's events.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::{Data, Json, Path};
use poem::{IntoResponse, Request, Response, handler};
use serde_json::{Value, json};

use super::acts;
use super::book::{Capture, KeptAnswer, Payment, Refund, Side, Status};
use super::notices::{self, About};
use super::signing::fresh_id;
use super::simulator::{Desk, RefundCourse, Trouble};

type Fields = BTreeMap<String, String>;
/// What a call answers: status and object, or Stripe's error.
type Answered = Result<Value, (u16, &'static str, String)>;

fn error(code: &'static str, message: impl Into<String>) -> (u16, &'static str, String) {
    (400, code, message.into())
}

fn missing(what: &str) -> (u16, &'static str, String) {
    (404, "resource_missing", format!("No such {what}"))
}

fn respond(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Json(body).with_status(status).into_response()
}

/// What every call goes through: the bearer, the version, the idempotency key, and the trouble ordered.
async fn call(
    desk: &Arc<Desk>,
    request: &Request,
    form: Option<&[u8]>,
    act: impl FnOnce(&Fields) -> Answered,
) -> Response {
    let trouble: Trouble = desk.trouble();
    let refused = |status: u16, code: &str, message: &str| {
        let kind = if status == 401 { "authentication_error" } else { "invalid_request_error" };
        respond(status, json!({ "error": { "type": kind, "code": code, "message": message } }))
    };
    if trouble.fail_calls {
        return refused(503, "api_error", "out of order");
    }
    let Some(side) = &desk.stripe else { return refused(404, "unknown", "no Stripe is played here") };
    let bearer = format!("Bearer {}", side.api_key.expose());
    if request.header("authorization") != Some(bearer.as_str()) {
        return refused(401, "api_key_invalid", "Invalid API Key provided");
    }
    if request.header("stripe-version").is_none() {
        return refused(400, "version_missing", "the simulator demands a pinned version");
    }
    let fields: Fields = match form {
        Some(form) => url::form_urlencoded::parse(form).into_owned().collect(),
        None => url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
    };
    let key = request.header("idempotency-key").map(str::to_owned);
    let identity = format!("{} {}", request.uri().path(), form.map(hex::encode).unwrap_or_default());
    if form.is_some() {
        let Some(key) = &key else {
            return refused(
                400,
                "idempotency_key_missing",
                "the simulator demands an Idempotency-Key on every POST",
            );
        };
        if let Some(kept) = desk.read(|book| book.kept.get(key).cloned()) {
            if kept.request != identity {
                return respond(
                    400,
                    json!({ "error": { "type": "idempotency_error", "message":
                    "Keys for idempotent requests can only be used with the same parameters" } }),
                );
            }
            return respond(kept.status, kept.body);
        }
    }
    let (status, body) = match act(&fields) {
        Ok(body) => (200, body),
        Err((status, code, message)) => (
            status,
            json!({ "error": { "type": "invalid_request_error", "code": code, "message": message } }),
        ),
    };
    if let Some(key) = key {
        let kept = KeptAnswer { request: identity, status, body: body.clone() };
        desk.change(|book| book.kept.insert(key, kept));
    }
    if trouble.lose_answers {
        desk.stopping().await;
    }
    respond(status, body)
}

fn prefixed(fields: &Fields, prefix: &str) -> BTreeMap<String, String> {
    let inner =
        |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    fields.iter().filter_map(|(name, value)| Some((inner(name)?, value.clone()))).collect()
}

#[handler]
pub(super) async fn create_session(desk: Data<&Arc<Desk>>, request: &Request, body: Vec<u8>) -> Response {
    let now = desk.clock.unix();
    call(&desk, request, Some(&body), |fields| {
        let need = |name: &str| {
            fields
                .get(name)
                .cloned()
                .ok_or_else(|| error("parameter_missing", format!("Missing required param: {name}")))
        };
        let amount: i64 = need("line_items[0][price_data][unit_amount]")?
            .parse()
            .map_err(|_| error("parameter_invalid_integer", "unit_amount"))?;
        let expires_at: i64 = match fields.get("expires_at") {
            Some(text) => text.parse().map_err(|_| error("parameter_invalid_integer", "expires_at"))?,
            None => now + 86_400,
        };
        if !(now + 1_800..=now + 86_400).contains(&expires_at) {
            return Err(error("parameter_invalid", "expires_at must be 30 minutes to 24 hours from now"));
        }
        if need("mode")? != "payment" || amount < 1 {
            return Err(error("parameter_invalid", "only payments of something are played"));
        }
        let payment = Payment {
            id: fresh_id("cs_test_"),
            side: Side::Stripe,
            number: fields.get("client_reference_id").cloned().unwrap_or_default(),
            amount,
            currency: need("line_items[0][price_data][currency]")?.to_ascii_uppercase(),
            title: need("line_items[0][price_data][product_data][name]")?,
            notify_url: None,
            return_url: need("success_url")?,
            cancel_url: fields.get("cancel_url").cloned().unwrap_or_default(),
            metadata: prefixed(fields, "metadata"),
            intent_metadata: prefixed(fields, "payment_intent_data[metadata]"),
            created: now,
            expires_at,
            status: Status::Open,
            disputed: false,
            captures: Vec::new(),
            refunds: Vec::new(),
        };
        desk.change(|book| book.open(payment.clone()));
        Ok(session(&desk, &payment, None, false))
    })
    .await
}

#[handler]
pub(super) async fn show_session(desk: Data<&Arc<Desk>>, request: &Request, id: Path<String>) -> Response {
    let now = desk.clock.unix();
    call(&desk, request, None, |fields| {
        let payment =
            desk.change(|book| book.payment(&id, now).cloned()).ok_or_else(|| missing("checkout.session"))?;
        let expand = fields.get("expand[]").is_some_and(|e| e.starts_with("payment_intent"));
        Ok(session(&desk, &payment, payment.captures.first(), expand))
    })
    .await
}

#[handler]
pub(super) async fn expire_session(
    desk: Data<&Arc<Desk>>,
    request: &Request,
    id: Path<String>,
    body: Vec<u8>,
) -> Response {
    let now = desk.clock.unix();
    call(&desk, request, Some(&body), |_| {
        let payment =
            desk.change(|book| book.payment(&id, now).cloned()).ok_or_else(|| missing("checkout.session"))?;
        if payment.status != Status::Open {
            return Err(error(
                "session_not_open",
                "Only Checkout Sessions with a status in [\"open\"] can be expired",
            ));
        }
        let notice = acts::enter(&desk, &payment, Status::Closed, About::Closed);
        notices::send(&desk, notice.into_iter().collect());
        Ok(session(&desk, &Payment { status: Status::Closed, ..payment }, None, false))
    })
    .await
}

#[handler]
pub(super) async fn create_refund(desk: Data<&Arc<Desk>>, request: &Request, body: Vec<u8>) -> Response {
    let course = desk.trouble().refunds.unwrap_or(RefundCourse::Succeeded);
    call(&desk, request, Some(&body), |fields| {
        let intent = fields.get("payment_intent").cloned().unwrap_or_default();
        let payment =
            desk.change(|book| book.by_trade(&intent).cloned()).ok_or_else(|| missing("payment_intent"))?;
        let capture = payment
            .captures
            .iter()
            .find(|c| c.trade_no == intent)
            .ok_or_else(|| missing("payment_intent"))?;
        let left = payment.refundable(capture);
        let amount = match fields.get("amount") {
            Some(text) => text.parse().map_err(|_| error("parameter_invalid_integer", "amount"))?,
            None => left,
        };
        if left == 0 {
            return Err(error("charge_already_refunded", "Charge has already been refunded."));
        }
        if amount < 1 || amount > left {
            return Err(error("amount_too_large", "Refund amount is greater than the unrefunded amount"));
        }
        let metadata = prefixed(fields, "metadata");
        let made = Refund {
            id: fresh_id("re_"),
            refund_id: metadata.get("refund_id").cloned(),
            trade_no: intent.clone(),
            amount,
            status: course.as_str().to_owned(),
            metadata,
            at: desk.clock.unix(),
        };
        desk.change(|book| book.refund(&payment.id, made.clone()));
        notices::send(&desk, acts::refund_notices(&desk, &payment.id, &made));
        Ok(refund(&payment, &made))
    })
    .await
}

#[handler]
pub(super) async fn list_refunds(desk: Data<&Arc<Desk>>, request: &Request) -> Response {
    call(&desk, request, None, |fields| {
        let intent = fields.get("payment_intent").cloned().unwrap_or_default();
        let payment =
            desk.change(|book| book.by_trade(&intent).cloned()).ok_or_else(|| missing("payment_intent"))?;
        let list: Vec<Value> =
            payment.refunds.iter().filter(|r| r.trade_no == intent).map(|r| refund(&payment, r)).collect();
        Ok(json!({ "object": "list", "data": list, "has_more": false }))
    })
    .await
}

#[handler]
pub(super) async fn show_refund(desk: Data<&Arc<Desk>>, request: &Request, id: Path<String>) -> Response {
    call(&desk, request, None, |_| {
        let payment = desk
            .change(|book| book.by_refund(Side::Stripe, &id).cloned())
            .ok_or_else(|| missing("refund"))?;
        payment
            .refunds
            .iter()
            .find(|r| r.id == *id)
            .map(|r| refund(&payment, r))
            .ok_or_else(|| missing("refund"))
    })
    .await
}

fn livemode(desk: &Desk) -> bool {
    desk.stripe.as_ref().is_some_and(|side| side.livemode)
}

/// A session; with money when a capture is given, for which its amount then stands.
fn session(desk: &Desk, payment: &Payment, capture: Option<&Capture>, expand: bool) -> Value {
    let (status, paid) = match payment.status {
        Status::Open => ("open", "unpaid"),
        Status::Pending | Status::Failed => ("complete", "unpaid"),
        Status::Paid => ("complete", "paid"),
        Status::Closed => ("expired", "unpaid"),
    };
    let amount = capture.map_or(payment.amount, |c| c.amount);
    let currency = capture.map_or(&payment.currency, |c| &c.currency).to_ascii_lowercase();
    let intent = match (capture, payment.status) {
        (Some(capture), _) if expand => json!({ "id": capture.trade_no, "object": "payment_intent",
            "status": "succeeded", "latest_charge": charge(desk, payment, capture) }),
        (Some(capture), _) => json!(capture.trade_no),
        (None, Status::Failed) if expand => {
            json!({ "id": "pi_declined", "object": "payment_intent", "status": "requires_payment_method" })
        }
        _ => Value::Null,
    };
    json!({
        "id": payment.id, "object": "checkout.session", "mode": "payment", "livemode": livemode(desk),
        "created": payment.created, "expires_at": payment.expires_at, "status": status, "payment_status": paid,
        "amount_subtotal": amount, "amount_total": amount, "currency": currency, "payment_intent": intent,
        "client_reference_id": payment.number, "metadata": payment.metadata,
        "success_url": payment.return_url, "cancel_url": payment.cancel_url,
        "url": if status == "open" { json!(format!("{}/pay/{}", desk.base, payment.id)) } else { Value::Null },
    })
}

fn charge(desk: &Desk, payment: &Payment, capture: &Capture) -> Value {
    let refunded = payment.refunded(&capture.trade_no);
    json!({
        "id": capture.trade_no.replace("pi_", "ch_"), "object": "charge", "livemode": livemode(desk),
        "amount": capture.amount, "amount_captured": capture.amount, "amount_refunded": refunded,
        "refunded": refunded == capture.amount, "currency": capture.currency.to_ascii_lowercase(),
        "payment_intent": capture.trade_no, "metadata": payment.intent_metadata, "paid": true, "status": "succeeded",
        "disputed": payment.disputed,
    })
}

fn refund(payment: &Payment, refund: &Refund) -> Value {
    let currency = payment.captures.iter().find(|c| c.trade_no == refund.trade_no).map(|c| &c.currency);
    json!({
        "id": refund.id, "object": "refund", "amount": refund.amount, "created": refund.at,
        "currency": currency.unwrap_or(&payment.currency).to_ascii_lowercase(),
        "payment_intent": refund.trade_no, "status": refund.status, "metadata": refund.metadata,
        "failure_reason": if refund.status == "failed" { json!("declined") } else { Value::Null },
    })
}

/// The event for something that happened: its type and its text.
pub(super) fn event(
    desk: &Desk,
    payment: &Payment,
    about: About<'_>,
    id: &str,
    now: i64,
) -> Option<(&'static str, String)> {
    let capture = |trade: &str| payment.captures.iter().find(|c| c.trade_no == trade);
    let (kind, object) = match about {
        About::Paid(trade) => {
            ("checkout.session.completed", session(desk, payment, Some(capture(trade)?), false))
        }
        About::Pending => ("checkout.session.completed", session(desk, payment, None, false)),
        About::Closed => ("checkout.session.expired", session(desk, payment, None, false)),
        About::Failed => ("checkout.session.async_payment_failed", session(desk, payment, None, false)),
        About::Refunded(trade) => ("charge.refunded", charge(desk, payment, capture(trade)?)),
        About::Refund(id) => {
            ("refund.updated", refund(payment, payment.refunds.iter().find(|r| r.id == id)?))
        }
        About::Disputed(trade) => {
            let capture = capture(trade)?;
            let dispute = json!({ "id": fresh_id("dp_"), "object": "dispute", "amount": capture.amount,
                "currency": capture.currency.to_ascii_lowercase(), "payment_intent": capture.trade_no,
                "status": "needs_response", "reason": "fraudulent" });
            ("charge.dispute.created", dispute)
        }
    };
    let event = json!({ "id": id, "object": "event", "api_version": "2026-10-28.endive", "created": now,
        "livemode": livemode(desk), "pending_webhooks": 1, "type": kind, "data": { "object": object } });
    Some((kind, event.to_string()))
}
