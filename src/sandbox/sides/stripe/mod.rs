//! The part of Stripe's API that the shop speaks, and Stripe's events.

mod balance;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, KeptAnswer, Payment, Refund, SentNotice, Status};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::notices;
use crate::sandbox::played::{About, Asked, Can, Draft, Letter, Played, Told};
use crate::sandbox::signing::{fresh_id, stripe_header};
use crate::sandbox::simulator::Desk;

const NAME: &str = "stripe";

/// Three times over a few hours, as to endpoints of the test mode.
const GAPS: [u32; 3] = [900, 3_600, 7_200];

/// What a call answers: the object, or Stripe's error.
type Answered = Result<Value, (u16, &'static str, String)>;

struct Stripe {
    /// The endpoint's signing secret, `whsec_…`.
    secret: String,
    /// What the shop must send as bearer.
    api_key: String,
}

/// Stripe with its secrets from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let secret = secrets.text("stripe_secret", "whsec_")?;
    Ok(Arc::new(Stripe { secret, api_key: secrets.text("stripe_key", "sk_test_")? }))
}

fn error(code: &'static str, message: impl Into<String>) -> (u16, &'static str, String) {
    (400, code, message.into())
}

fn missing(what: &str) -> (u16, &'static str, String) {
    (404, "resource_missing", format!("No such {what}"))
}

fn refused(status: u16, code: &str, message: &str) -> Told {
    let kind = if status == 401 { "authentication_error" } else { "invalid_request_error" };
    Told::json(status, &json!({ "error": { "type": kind, "code": code, "message": message } }))
}

impl Played for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Stripe"
    }

    fn root(&self) -> &'static str {
        "v1"
    }

    fn can(&self) -> Can {
        Can {
            other_currency: true,
            pend: true,
            decline: true,
            tell_refunds: true,
            slow_refunds: true,
            dispute: true,
            probe: false,
            approve: false,
        }
    }

    fn decimals(&self, currency: &str) -> u32 {
        match currency {
            "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV"
            | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    fn account(&self, base: &str) -> Account {
        Account {
            id: "sandbox-stripe".into(),
            gateway: NAME.into(),
            title: Some("Sandbox card".into()),
            secrets: vec![Secret::new(&*self.secret)],
            api_key: Some(Secret::new(&*self.api_key)),
            api_url: Some(base.to_owned()),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, _payment: &Payment, _now: i64) -> String {
        fresh_id("pi_")
    }

    fn refund_no(&self, _now: i64) -> String {
        fresh_id("re_")
    }

    /// What every call goes through: the bearer, the version, the idempotency key.
    fn answer(&self, desk: &Arc<Desk>, asked: &Asked) -> Told {
        if asked.header("authorization") != format!("Bearer {}", self.api_key) {
            return refused(401, "api_key_invalid", "Invalid API Key provided");
        }
        if asked.header("stripe-version").is_empty() {
            return refused(400, "version_missing", "the simulator demands a pinned version");
        }
        let posted = asked.method == "POST";
        let fields = Form::parse(if posted { &asked.body } else { asked.query.as_bytes() });
        let key = format!("stripe {}", asked.header("idempotency-key"));
        let identity = format!("{} {}", asked.target, hex::encode(&asked.body));
        if posted {
            if asked.header("idempotency-key").is_empty() {
                let text = "the simulator demands an Idempotency-Key on every POST";
                return refused(400, "idempotency_key_missing", text);
            }
            if let Some(kept) = desk.read(|book| book.kept.get(&key).cloned()) {
                if kept.request != identity {
                    let text = "Keys for idempotent requests can only be used with the same parameters";
                    return Told::json(
                        400,
                        &json!({ "error": { "type": "idempotency_error", "message": text } }),
                    );
                }
                return Told::json(kept.status, &kept.body);
            }
        }
        let answered = match asked.route() {
            ("POST", path) if path == ["checkout", "sessions"] => create_session(desk, &fields, asked.now),
            ("GET", path) if path.len() == 3 && path[..2] == ["checkout", "sessions"] => {
                show_session(desk, path[2], &fields, asked.now)
            }
            ("POST", path)
                if path.len() == 4 && path[..2] == ["checkout", "sessions"] && path[3] == "expire" =>
            {
                expire_session(desk, path[2], asked.now)
            }
            ("GET", path) if path.len() == 2 && path[0] == "payment_intents" => show_intent(desk, path[1]),
            ("POST", path) if path == ["refunds"] => create_refund(desk, &fields),
            ("GET", path) if path == ["refunds"] => list_refunds(desk, &fields),
            ("GET", path) if path.len() == 2 && path[0] == "refunds" => show_refund(desk, path[1]),
            ("GET", path) if path == ["balance_transactions"] => Ok(balance::transactions(desk, &fields)),
            _ => Err((404, "url_invalid", format!("Unrecognized request URL ({})", asked.target))),
        };
        let (status, body) = match answered {
            Ok(body) => (200, body),
            Err((status, code, message)) => {
                let kind = "invalid_request_error";
                (status, json!({ "error": { "type": kind, "code": code, "message": message } }))
            }
        };
        if posted {
            let kept = KeptAnswer { request: identity, status, body: body.clone() };
            desk.change(|book| book.kept.insert(key, kept));
        }
        Told::json(status, &body)
    }

    fn draft(&self, desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let id = fresh_id("evt_");
        let (kind, object) = event(desk, payment, about)?;
        let event = json!({ "id": id, "object": "event", "api_version": "2026-10-28.endive", "created": now,
            "livemode": false, "pending_webhooks": 1, "type": kind, "data": { "object": object } });
        Some(Draft { id, kind: kind.to_owned(), body: event.to_string(), target: desk.notify_url(NAME) })
    }

    fn letter(&self, _desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let secret = if notice.forged { "whsec_somebody_else_has_signed_this" } else { &self.secret };
        let letter = Letter::json(notice.target.as_deref()?, &notice.body);
        Some(letter.header("stripe-signature", stripe_header(secret, now, &notice.body)))
    }

    fn gaps(&self) -> &'static [u32] {
        &GAPS
    }
}

fn prefixed<'a>(fields: &'a Form, prefix: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let inner =
        move |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    fields.0.iter().filter_map(move |(name, value)| Some((inner(name)?, value.clone())))
}

fn find(desk: &Desk, id: &str, now: i64) -> Result<Payment, (u16, &'static str, String)> {
    let found = desk.change(|book| book.payment(id, now).filter(|p| p.side == NAME).cloned());
    found.ok_or_else(|| missing("checkout.session"))
}

fn create_session(desk: &Desk, fields: &Form, now: i64) -> Answered {
    let need = |name: &str| match fields.get(name) {
        "" => Err(error("parameter_missing", format!("Missing required param: {name}"))),
        value => Ok(value.to_owned()),
    };
    let number = |name: &'static str, text: &str| {
        text.parse::<i64>().map_err(|_| error("parameter_invalid_integer", name))
    };
    let amount = number("unit_amount", &need("line_items[0][price_data][unit_amount]")?)?;
    let expires_at = match fields.get("expires_at") {
        "" => now + 86_400,
        text => number("expires_at", text)?,
    };
    if !(now + 1_800..=now + 86_400).contains(&expires_at) {
        return Err(error("parameter_invalid", "expires_at must be 30 minutes to 24 hours from now"));
    }
    if need("mode")? != "payment" || amount < 1 {
        return Err(error("parameter_invalid", "only payments of something are played"));
    }
    let currency = need("line_items[0][price_data][currency]")?.to_ascii_uppercase();
    let metadata = prefixed(fields, "metadata").map(|(name, value)| (format!("session.{name}"), value));
    let of_intent = prefixed(fields, "payment_intent_data[metadata]");
    let payment = Payment {
        title: need("line_items[0][price_data][product_data][name]")?,
        return_url: need("success_url")?,
        cancel_url: fields.get("cancel_url").to_owned(),
        notes: metadata.chain(of_intent.map(|(name, value)| (format!("intent.{name}"), value))).collect(),
        expires_at,
        ..Payment::new(NAME, fresh_id("cs_test_"), fields.get("client_reference_id"), amount, &currency, now)
    };
    desk.change(|book| book.open(payment.clone()));
    Ok(session(desk, &payment, None, false))
}

fn show_session(desk: &Desk, id: &str, fields: &Form, now: i64) -> Answered {
    let payment = find(desk, id, now)?;
    let expand = fields.get("expand[]").starts_with("payment_intent");
    Ok(session(desk, &payment, payment.captures.first(), expand))
}

fn expire_session(desk: &Arc<Desk>, id: &str, now: i64) -> Answered {
    let payment = find(desk, id, now)?;
    if payment.status != Status::Open {
        let text = "Only Checkout Sessions with a status in [\"open\"] can be expired";
        return Err(error("session_not_open", text));
    }
    let notice = acts::enter(desk, &payment, Status::Closed, About::Closed);
    notices::send(desk, notice.into_iter().collect());
    Ok(session(desk, &Payment { status: Status::Closed, ..payment }, None, false))
}

fn by_intent(desk: &Desk, fields: &Form) -> Result<Payment, (u16, &'static str, String)> {
    let intent = fields.get("payment_intent");
    desk.change(|book| book.by_trade(NAME, intent).cloned()).ok_or_else(|| missing("payment_intent"))
}

fn show_intent(desk: &Desk, id: &str) -> Answered {
    let payment =
        desk.change(|book| book.by_trade(NAME, id).cloned()).ok_or_else(|| missing("payment_intent"))?;
    let capture = payment.capture(id).ok_or_else(|| missing("payment_intent"))?;
    Ok(
        json!({ "id": id, "object": "payment_intent", "livemode": false, "status": "succeeded", "amount": capture.amount,
        "currency": capture.currency.to_ascii_lowercase(), "metadata": payment.notes_of("intent.") }),
    )
}

fn create_refund(desk: &Arc<Desk>, fields: &Form) -> Answered {
    let intent = fields.get("payment_intent").to_owned();
    let payment = by_intent(desk, fields)?;
    let left = payment.capture(&intent).map_or(0, |capture| payment.refundable(capture));
    let amount = match fields.get("amount") {
        "" => left,
        text => text.parse().map_err(|_| error("parameter_invalid_integer", "amount"))?,
    };
    if left == 0 {
        return Err(error("charge_already_refunded", "Charge has already been refunded."));
    }
    if amount < 1 || amount > left {
        return Err(error("amount_too_large", "Refund amount is greater than the unrefunded amount"));
    }
    let notes: BTreeMap<String, String> = prefixed(fields, "metadata").collect();
    let made = Refund::new(fresh_id("re_"), notes.get("refund_id").map(String::as_str), &intent, amount);
    let made = acts::refund_for_shop(desk, &payment, Refund { notes, ..made });
    Ok(refund(&payment, &made))
}

fn list_refunds(desk: &Desk, fields: &Form) -> Answered {
    let (payment, intent) = (by_intent(desk, fields)?, fields.get("payment_intent"));
    let of_it = payment.refunds.iter().filter(|r| r.trade_no == intent);
    let list: Vec<Value> = of_it.map(|r| refund(&payment, r)).collect();
    Ok(json!({ "object": "list", "data": list, "has_more": false }))
}

fn show_refund(desk: &Desk, id: &str) -> Answered {
    let payment = desk.change(|book| book.by_refund(NAME, id).cloned()).ok_or_else(|| missing("refund"))?;
    payment.refunds.iter().find(|r| r.id == id).map(|r| refund(&payment, r)).ok_or_else(|| missing("refund"))
}

/// A session; with money when a capture is given, for which its amount then stands.
fn session(desk: &Desk, payment: &Payment, capture: Option<&Capture>, expand: bool) -> Value {
    let (status, paid) = match payment.status {
        Status::Open | Status::Approved => ("open", "unpaid"),
        Status::Pending | Status::Failed => ("complete", "unpaid"),
        Status::Paid => ("complete", "paid"),
        Status::Closed => ("expired", "unpaid"),
    };
    let amount = capture.map_or(payment.amount, |c| c.amount);
    let currency = capture.map_or(&payment.currency, |c| &c.currency).to_ascii_lowercase();
    let intent = match (capture, payment.status) {
        (Some(capture), _) if expand => json!({ "id": capture.trade_no, "object": "payment_intent",
            "status": "succeeded", "latest_charge": charge(payment, capture) }),
        (Some(capture), _) => json!(capture.trade_no),
        (None, Status::Failed) if expand => {
            json!({ "id": "pi_declined", "object": "payment_intent", "status": "requires_payment_method" })
        }
        _ => Value::Null,
    };
    json!({
        "id": payment.id, "object": "checkout.session", "mode": "payment", "livemode": false,
        "created": payment.created, "expires_at": payment.expires_at, "status": status, "payment_status": paid,
        "amount_subtotal": amount, "amount_total": amount, "currency": currency, "payment_intent": intent,
        "client_reference_id": payment.number, "metadata": payment.notes_of("session."),
        "success_url": payment.return_url, "cancel_url": payment.cancel_url,
        "url": if status == "open" { json!(desk.page(&payment.id)) } else { Value::Null },
    })
}

fn charge(payment: &Payment, capture: &Capture) -> Value {
    let refunded = payment.refunded(&capture.trade_no);
    json!({
        "id": capture.trade_no.replace("pi_", "ch_"), "object": "charge", "livemode": false,
        "amount": capture.amount, "amount_captured": capture.amount, "amount_refunded": refunded,
        "refunded": refunded == capture.amount, "currency": capture.currency.to_ascii_lowercase(),
        "payment_intent": capture.trade_no, "metadata": payment.notes_of("intent."), "paid": true, "status": "succeeded",
        "disputed": payment.disputed,
    })
}

fn refund(payment: &Payment, refund: &Refund) -> Value {
    let currency = payment.capture(&refund.trade_no).map(|c| &c.currency);
    json!({
        "id": refund.id, "object": "refund", "amount": refund.amount, "created": refund.at,
        "currency": currency.unwrap_or(&payment.currency).to_ascii_lowercase(),
        "payment_intent": refund.trade_no, "status": refund.status, "metadata": refund.notes,
        "failure_reason": if refund.status == "failed" { json!("declined") } else { Value::Null },
    })
}

/// The event for something that happened: its type and its object.
fn event(desk: &Desk, payment: &Payment, about: About<'_>) -> Option<(&'static str, Value)> {
    let dispute = |trade: &str, status: &str| {
        let capture = payment.capture(trade)?;
        Some(
            json!({ "id": capture.trade_no.replace("pi_", "dp_"), "object": "dispute", "amount": capture.amount,
            "currency": capture.currency.to_ascii_lowercase(), "payment_intent": capture.trade_no,
            "status": status, "reason": "fraudulent" }),
        )
    };
    Some(match about {
        About::Paid(trade) => {
            ("checkout.session.completed", session(desk, payment, Some(payment.capture(trade)?), false))
        }
        About::Pending => {
            let pending = Payment { status: Status::Pending, ..payment.clone() };
            ("checkout.session.completed", session(desk, &pending, None, false))
        }
        About::Closed => ("checkout.session.expired", session(desk, payment, None, false)),
        About::Failed => ("checkout.session.async_payment_failed", session(desk, payment, None, false)),
        About::Refunded(trade) => ("charge.refunded", charge(payment, payment.capture(trade)?)),
        About::Refund(id) => ("refund.updated", refund(payment, payment.refund(id)?)),
        About::Disputed(trade) => ("charge.dispute.created", dispute(trade, "needs_response")?),
        About::DisputeWon(trade) => ("charge.dispute.closed", dispute(trade, "won")?),
        About::DisputeLost(trade) => ("charge.dispute.closed", dispute(trade, "lost")?),
        About::Approved => return None,
    })
}
