//! The generic gateway's API as its other side sees it, and its events.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::{Value, json};

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Payment, Refund, SentNotice, Status};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::notices;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, RefundNews, Reply};
use crate::sandbox::sides::epay;
use crate::sandbox::signing::{fresh_id, webhook_fits, webhook_header};
use crate::sandbox::simulator::Desk;

const NAME: &str = "generic";

/// Standard Webhooks' example: 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
const GAPS: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

const SOMEBODY_ELSE: &str = "whsec_c29tZWJvZHkgZWxzZSBoYXMgc2lnbmVkIHRoaXM=";

/// What a call answers: status and object, or a code and a sentence.
type GenericResult = Result<(u16, Value), (u16, &'static str, &'static str)>;

const NOT_FOUND: (u16, &str, &str) = (404, "NOT_FOUND", "nothing is known under this number");

struct Generic {
    secret: String,
}

/// The generic gateway with its secret from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let make = || Ok(format!("whsec_{}", STANDARD.encode(random::<32>())));
    Ok(Arc::new(Generic { secret: secrets.keep("generic_secret", make)? }))
}

impl Played for Generic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "generic gateway"
    }

    fn root(&self) -> &'static str {
        NAME
    }

    fn can(&self) -> Can {
        Can {
            other_currency: true,
            pend: true,
            decline: true,
            report_refunds: true,
            slow_refunds: true,
            late_refunds: true,
            second_trade: true,
            report_sum_alone: true,
            ..epay::CAN
        }
    }

    fn decimals(&self, currency: &str) -> u32 {
        crate::base::money::Currency::parse(currency).map_or(2, |currency| currency.exponent())
    }

    fn account(&self, base: &str) -> Account {
        Account {
            id: "sandbox-generic".into(),
            gateway: NAME.into(),
            title: Some("Sandbox payment".into()),
            secrets: vec![Secret::new(&*self.secret)],
            api_url: Some(format!("{base}/generic")),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, _payment: &Payment, _now: i64) -> String {
        fresh_id("gt_")
    }

    fn refund_no(&self, _now: i64) -> String {
        fresh_id("gr_")
    }

    /// Demands the shop's signature and signs the answer under the same id.
    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
        let (id, at) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
        let signature = asked.header("webhook-signature");
        let answered = if webhook_fits(&self.secret, id, at, signature, &asked.body, asked.now) {
            match asked.route() {
                ("POST", path) if path == ["payments"] => create_payment(desk, asked),
                ("GET", path) if path.len() == 2 && path[0] == "payments" => {
                    known(desk, path[1]).map(|payment| {
                        let named = asked.query.strip_prefix("trade_no=").and_then(|no| payment.capture(no));
                        (200, describe(&payment, named.or(payment.captures.first())))
                    })
                }
                ("POST", path) if path.len() == 3 && path[0] == "payments" && path[2] == "close" => {
                    close_payment(desk, path[1])
                }
                ("POST", path) if path == ["refunds"] => create_refund(desk, asked),
                ("GET", path) if path.len() == 2 && path[0] == "refunds" => show_refund(desk, path[1]),
                _ => Err((404, "NO_SUCH_CALL", "there is no such call")),
            }
        } else {
            Err((401, "SIGNATURE", "the request is not signed by this account"))
        };
        let (status, answer) = match answered {
            Ok(answered) => answered,
            Err((status, code, message)) => (status, json!({ "code": code, "message": message })),
        };
        let text = answer.to_string();
        let signer = if desk.trouble().forge_answers { SOMEBODY_ELSE } else { &self.secret };
        Reply::json(status, &answer)
            .with("webhook-signature", webhook_header(signer, id, asked.now, text.as_bytes()))
            .with("webhook-timestamp", asked.now.to_string())
            .with("webhook-id", id)
    }

    fn draft(&self, _desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let (kind, body) = event(payment, about, now)?;
        Some(Draft { id: fresh_id("msg_"), kind: kind.to_owned(), body, target: payment.notify_url.clone() })
    }

    fn letter(&self, _desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let secret = if notice.forged { SOMEBODY_ELSE } else { &self.secret };
        let signature = webhook_header(secret, &notice.id, now, notice.body.as_bytes());
        let letter = Letter::json(notice.target.as_deref()?, &notice.body);
        let letter = letter.header("webhook-id", notice.id.clone());
        Some(letter.header("webhook-timestamp", now.to_string()).header("webhook-signature", signature))
    }

    fn gaps(&self) -> &'static [u32] {
        &GAPS
    }
}

fn parse(body: &[u8]) -> Result<Value, (u16, &'static str, &'static str)> {
    serde_json::from_slice(body).map_err(|_| (400, "MALFORMED", "the body is no JSON"))
}

fn create_payment(desk: &Desk, asked: &AskedQuestion) -> GenericResult {
    let now = asked.now;
    let wish = parse(&asked.body)?;
    let malformed = (400, "MALFORMED", "order_no, amount_minor, currency, title and notify_url are needed");
    let text = |key: &str| wish[key].as_str().map(str::to_owned);
    let number = text("order_no").ok_or(malformed)?;
    let amount = wish["amount_minor"].as_i64().filter(|n| *n > 0).ok_or(malformed)?;
    let currency = text("currency").ok_or(malformed)?;
    let payment = Payment {
        title: text("title").ok_or(malformed)?,
        notify_url: Some(text("notify_url").ok_or(malformed)?),
        return_url: text("return_url").unwrap_or_default(),
        cancel_url: text("cancel_url").unwrap_or_default(),
        expires_at: text("expires_at")
            .and_then(|at| DateTime::parse_from_rfc3339(&at).ok())
            .map_or(now + 86_400, |at| at.timestamp()),
        ..Payment::new(NAME, fresh_id("gp_"), &number, amount, &currency, now)
    };
    let known = desk.change(|book| book.numbered(NAME, &number, now).cloned());
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
    answer["pay_url"] = json!(desk.page(&payment.id));
    Ok((201, answer))
}

fn known(desk: &Desk, number: &str) -> Result<Payment, (u16, &'static str, &'static str)> {
    let now = desk.clock.unix();
    desk.change(|book| book.numbered(NAME, number, now).cloned()).ok_or(NOT_FOUND)
}

fn close_payment(desk: &Arc<Desk>, number: &str) -> GenericResult {
    let mut payment = known(desk, number)?;
    if payment.status == Status::Open {
        let notice = acts::enter(desk, &payment, Status::Closed, About::Closed);
        notices::send(desk, notice.into_iter().collect());
        payment.status = Status::Closed;
    }
    Ok((200, describe(&payment, payment.captures.first())))
}

fn create_refund(desk: &Arc<Desk>, asked: &AskedQuestion) -> GenericResult {
    let wish = parse(&asked.body)?;
    let malformed = (400, "MALFORMED", "refund_id, order_no and amount_minor are needed");
    let refund_id = wish["refund_id"].as_str().ok_or(malformed)?;
    let amount = wish["amount_minor"].as_i64().filter(|n| *n > 0).ok_or(malformed)?;
    if let Some(payment) = desk.change(|book| book.by_refund(NAME, refund_id).cloned()) {
        let first = payment.refund(refund_id).ok_or(NOT_FOUND)?;
        if first.amount != amount {
            return Err((409, "CONFLICT", "this refund was asked for with another amount"));
        }
        return Ok((200, describe_refund(first)));
    }
    let payment = known(desk, wish["order_no"].as_str().ok_or(malformed)?)?;
    let trade_no = wish["trade_no"].as_str();
    let of_it = |c: &&Capture| trade_no.is_none_or(|trade| trade == c.trade_no);
    let capture = payment.captures.iter().find(of_it).ok_or((409, "NOT_PAID", "nothing was paid"))?;
    if amount > payment.refundable(capture) {
        return Err((409, "TOO_MUCH", "more than is left of this payment"));
    }
    let refund = Refund::new(fresh_id("gr_"), Some(refund_id), &capture.trade_no, amount);
    let refund = acts::refund_for_shop(desk, &payment, refund);
    Ok((201, describe_refund(&refund)))
}

fn show_refund(desk: &Desk, id: &str) -> GenericResult {
    let payment = desk.change(|book| book.by_refund(NAME, id).cloned()).ok_or(NOT_FOUND)?;
    let is = |r: &&Refund| r.refund_id.as_deref() == Some(id);
    payment.refunds.iter().find(is).map(|r| (200, describe_refund(r))).ok_or(NOT_FOUND)
}

fn describe(payment: &Payment, capture: Option<&Capture>) -> Value {
    let refunded = capture.map_or(0, |c| payment.refunded(&c.trade_no));
    let status = match (payment.status, capture) {
        (Status::Paid, Some(capture)) if refunded == capture.amount => "refunded",
        (Status::Paid, Some(_)) if refunded > 0 => "partially_refunded",
        (Status::Paid, _) => "paid",
        (Status::Open, _) => "open",
        (Status::Approved | Status::Pending, _) => "pending",
        (Status::Closed, _) => "closed",
        (Status::Failed, _) => "failed",
    };
    json!({
        "order_no": payment.number, "reference": payment.id, "status": status,
        "trade_no": capture.map(|c| &c.trade_no),
        "amount_minor": capture.map_or(payment.amount, |c| c.amount),
        "currency": capture.map_or(&payment.currency, |c| &c.currency),
        "refunded_minor": refunded,
        "created_at": DateTime::from_timestamp(payment.created, 0).map(|at| at.to_rfc3339()),
        "expires_at": DateTime::from_timestamp(payment.expires_at, 0).map(|at| at.to_rfc3339()),
    })
}

fn describe_refund(refund: &Refund) -> Value {
    json!({ "refund_id": refund.refund_id, "gateway_refund_id": refund.id, "amount_minor": refund.amount,
        "status": refund.status })
}

/// The event for something that happened: its type and its text. One refund is reported with the sum that it changed;
/// one that fails, with the sum that it leaves.
fn event(payment: &Payment, about: About<'_>, now: i64) -> Option<(&'static str, String)> {
    let sum = |trade: &str| Some(("payment.refunded", describe(payment, Some(payment.capture(trade)?))));
    let (kind, mut data) = match about {
        About::Paid(trade) => {
            // As it was when the money came, whatever came after.
            let fresh = Payment { status: Status::Paid, refunds: Vec::new(), ..payment.clone() };
            ("payment.succeeded", describe(&fresh, Some(payment.capture(trade)?)))
        }
        About::Pending => {
            let pending = Payment { status: Status::Pending, ..payment.clone() };
            ("payment.pending", describe(&pending, None))
        }
        About::Closed => ("payment.closed", describe(payment, None)),
        About::Failed => ("payment.failed", describe(payment, None)),
        About::Refunded(trade, _) => sum(trade)?,
        About::Refund(id, RefundNews::Failed) => sum(&payment.refund(id)?.trade_no)?,
        About::Approved | About::Refund(..) | About::Dispute(..) => return None,
    };
    let named = match about {
        About::Refunded(_, id) => id,
        About::Refund(id, _) => Some(id),
        _ => None,
    };
    if let Some(refund) = named.and_then(|id| payment.refund(id)) {
        data["refund"] = describe_refund(refund);
    }
    if kind == "payment.refunded" && data["refunded_minor"] == 0 {
        // The event is about what went back, be it nothing any more.
        data["status"] = json!("partially_refunded");
    }
    let at = DateTime::from_timestamp(now, 0).map(|at| at.to_rfc3339());
    Some((kind, json!({ "type": kind, "timestamp": at, "data": data }).to_string()))
}
