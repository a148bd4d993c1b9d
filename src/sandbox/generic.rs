//! The generic gateway's API as its other side sees it, and its events.

use std::sync::Arc;

use chrono::DateTime;
use poem::http::StatusCode;
use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use serde_json::{Value, json};

use super::acts;
use super::book::{Capture, Payment, Refund, Side, Status};
use super::notices::{self, About};
use super::signing::{fresh_id, webhook_fits, webhook_header};
use super::simulator::{Desk, RefundCourse};

/// What a call answers: status and object, or a code and a sentence.
type Answered = Result<(u16, Value), (u16, &'static str, &'static str)>;

const NOT_FOUND: (u16, &str, &str) = (404, "NOT_FOUND", "nothing is known under this number");

/// What every call goes through: the shop's signature, the trouble ordered, a signature under the same id.
async fn call(desk: &Arc<Desk>, request: &Request, body: &[u8], act: impl FnOnce() -> Answered) -> Response {
    let trouble = desk.trouble();
    let Some(side) = &desk.generic else { return Response::builder().status(StatusCode::NOT_FOUND).finish() };
    let secret = side.secret.expose();
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let (id, at, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let now = desk.clock.unix();
    let answered = if trouble.fail_calls {
        Err((503, "OUT_OF_ORDER", "try again later"))
    } else if !webhook_fits(secret, &id, &at, &signature, body, now) {
        Err((401, "SIGNATURE", "the request is not signed by this account"))
    } else {
        act()
    };
    let (status, answer) = match answered {
        Ok(answered) => answered,
        Err((status, code, message)) => (status, json!({ "code": code, "message": message })),
    };
    if trouble.lose_answers {
        desk.stopping().await;
    }
    let text = answer.to_string();
    let signer =
        if trouble.forge_answers { "whsec_c29tZWJvZHkgZWxzZSBoYXMgc2lnbmVkIHRoaXM=" } else { secret };
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/json")
        .header("webhook-signature", webhook_header(signer, &id, now, text.as_bytes()))
        .header("webhook-timestamp", now.to_string())
        .header("webhook-id", id)
        .body(text)
}

fn parse(body: &[u8]) -> Result<Value, (u16, &'static str, &'static str)> {
    serde_json::from_slice(body).map_err(|_| (400, "MALFORMED", "the body is no JSON"))
}

#[handler]
pub(super) async fn create_payment(desk: Data<&Arc<Desk>>, request: &Request, body: Vec<u8>) -> Response {
    let now = desk.clock.unix();
    call(&desk, request, &body, || {
        let wish = parse(&body)?;
        let malformed =
            (400, "MALFORMED", "order_no, amount_minor, currency, title and notify_url are needed");
        let text = |key: &str| wish[key].as_str().map(str::to_owned);
        let payment = Payment {
            id: fresh_id("gp_"),
            side: Side::Generic,
            number: text("order_no").ok_or(malformed)?,
            amount: wish["amount_minor"].as_i64().filter(|n| *n > 0).ok_or(malformed)?,
            currency: text("currency").ok_or(malformed)?,
            title: text("title").ok_or(malformed)?,
            notify_url: Some(text("notify_url").ok_or(malformed)?),
            return_url: text("return_url").unwrap_or_default(),
            cancel_url: text("cancel_url").unwrap_or_default(),
            metadata: Default::default(),
            intent_metadata: Default::default(),
            created: now,
            expires_at: text("expires_at")
                .and_then(|at| DateTime::parse_from_rfc3339(&at).ok())
                .map_or(now + 86_400, |at| at.timestamp()),
            status: Status::Open,
            disputed: false,
            captures: Vec::new(),
            refunds: Vec::new(),
        };
        let known = desk.change(|book| book.numbered(Side::Generic, &payment.number, now).cloned());
        let payment = match known {
            Some(known) if (known.amount, &known.currency) != (payment.amount, &payment.currency) => {
                return Err((409, "CONFLICT", "this number was used for another amount"));
            }
            Some(known) => known,
            None => {
                desk.change(|book| book.open(payment.clone()));
                payment
            }
        };
        let mut answer = describe(&payment, payment.captures.first());
        answer["pay_url"] = json!(format!("{}/pay/{}", desk.base, payment.id));
        Ok((201, answer))
    })
    .await
}

fn known(desk: &Desk, number: &str) -> Result<Payment, (u16, &'static str, &'static str)> {
    let now = desk.clock.unix();
    desk.change(|book| book.numbered(Side::Generic, number, now).cloned()).ok_or(NOT_FOUND)
}

#[handler]
pub(super) async fn show_payment(desk: Data<&Arc<Desk>>, request: &Request, id: Path<String>) -> Response {
    call(&desk, request, b"", || {
        let payment = known(&desk, &id)?;
        Ok((200, describe(&payment, payment.captures.first())))
    })
    .await
}

#[handler]
pub(super) async fn close_payment(
    desk: Data<&Arc<Desk>>,
    request: &Request,
    id: Path<String>,
    body: Vec<u8>,
) -> Response {
    call(&desk, request, &body, || {
        let mut payment = known(&desk, &id)?;
        if payment.status == Status::Open {
            let notice = acts::enter(&desk, &payment, Status::Closed, About::Closed);
            notices::send(&desk, notice.into_iter().collect());
            payment.status = Status::Closed;
        }
        Ok((200, describe(&payment, payment.captures.first())))
    })
    .await
}

#[handler]
pub(super) async fn create_refund(desk: Data<&Arc<Desk>>, request: &Request, body: Vec<u8>) -> Response {
    let course = desk.trouble().refunds.unwrap_or(RefundCourse::Succeeded);
    call(&desk, request, &body, || {
        let wish = parse(&body)?;
        let malformed = (400, "MALFORMED", "refund_id, order_no and amount_minor are needed");
        let refund_id = wish["refund_id"].as_str().ok_or(malformed)?;
        let amount = wish["amount_minor"].as_i64().filter(|n| *n > 0).ok_or(malformed)?;
        if let Some(payment) = desk.change(|book| book.by_refund(Side::Generic, refund_id).cloned()) {
            let first = payment
                .refunds
                .iter()
                .find(|r| r.refund_id.as_deref() == Some(refund_id))
                .ok_or(NOT_FOUND)?;
            if first.amount != amount {
                return Err((409, "CONFLICT", "this refund was asked for with another amount"));
            }
            return Ok((200, describe_refund(first)));
        }
        let payment = known(&desk, wish["order_no"].as_str().ok_or(malformed)?)?;
        let trade_no = wish["trade_no"].as_str();
        let of_it = |c: &&Capture| trade_no.is_none_or(|trade| trade == c.trade_no);
        let capture = payment.captures.iter().find(of_it).ok_or((409, "NOT_PAID", "nothing was paid"))?;
        if amount > payment.refundable(capture) {
            return Err((409, "TOO_MUCH", "more than is left of this payment"));
        }
        let refund = Refund {
            id: fresh_id("gr_"),
            refund_id: Some(refund_id.to_owned()),
            trade_no: capture.trade_no.clone(),
            amount,
            status: course.as_str().to_owned(),
            metadata: Default::default(),
            at: desk.clock.unix(),
        };
        desk.change(|book| book.refund(&payment.id, refund.clone()));
        notices::send(&desk, acts::refund_notices(&desk, &payment.id, &refund));
        Ok((201, describe_refund(&refund)))
    })
    .await
}

#[handler]
pub(super) async fn show_refund(desk: Data<&Arc<Desk>>, request: &Request, id: Path<String>) -> Response {
    call(&desk, request, b"", || {
        let payment = desk.change(|book| book.by_refund(Side::Generic, &id).cloned()).ok_or(NOT_FOUND)?;
        let is = |r: &&Refund| r.refund_id.as_deref() == Some(id.as_str());
        payment.refunds.iter().find(is).map(|r| (200, describe_refund(r))).ok_or(NOT_FOUND)
    })
    .await
}

fn describe(payment: &Payment, capture: Option<&Capture>) -> Value {
    let refunded = capture.map_or(0, |c| payment.refunded(&c.trade_no));
    let status = match (payment.status, capture) {
        (Status::Paid, Some(capture)) if refunded == capture.amount => "refunded",
        (Status::Paid, Some(_)) if refunded > 0 => "partially_refunded",
        (Status::Paid, _) => "paid",
        (Status::Open | Status::Pending, _) => "pending",
        (Status::Closed, _) => "closed",
        (Status::Failed, _) => "failed",
    };
    json!({
        "order_no": payment.number, "reference": payment.id, "status": status,
        "trade_no": capture.map(|c| &c.trade_no),
        "amount_minor": capture.map_or(payment.amount, |c| c.amount),
        "currency": capture.map_or(&payment.currency, |c| &c.currency),
        "refunded_minor": refunded,
        "expires_at": DateTime::from_timestamp(payment.expires_at, 0).map(|at| at.to_rfc3339()),
    })
}

fn describe_refund(refund: &Refund) -> Value {
    json!({ "refund_id": refund.refund_id, "gateway_refund_id": refund.id, "amount_minor": refund.amount,
        "status": refund.status })
}

/// The event for something that happened: its type and its text. Single refunds and disputes have no event here.
pub(super) fn event(payment: &Payment, about: About<'_>, now: i64) -> Option<(&'static str, String)> {
    let capture = |trade: &str| payment.captures.iter().find(|c| c.trade_no == trade);
    let (kind, mut data) = match about {
        About::Paid(trade) => {
            // As it was when the money came, whatever came after.
            let fresh = Payment { status: Status::Paid, refunds: Vec::new(), ..payment.clone() };
            ("payment.succeeded", describe(&fresh, Some(capture(trade)?)))
        }
        About::Pending => ("payment.pending", describe(payment, None)),
        About::Closed => ("payment.closed", describe(payment, None)),
        About::Failed => ("payment.failed", describe(payment, None)),
        About::Refunded(trade) => ("payment.refunded", describe(payment, Some(capture(trade)?))),
        About::Refund(_) | About::Disputed(_) => return None,
    };
    if let About::Refunded(trade) = about
        && let Some(last) = payment.refunds.iter().rev().find(|r| r.trade_no == trade)
    {
        data["refund"] = describe_refund(last);
    }
    let at = DateTime::from_timestamp(now, 0).map(|at| at.to_rfc3339());
    Some((kind, json!({ "type": kind, "timestamp": at, "data": data }).to_string()))
}
