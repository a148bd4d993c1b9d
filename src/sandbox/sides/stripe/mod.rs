//! The part of Stripe's API that the shop speaks, and Stripe's events.

mod balance;
mod events;
mod money;
mod sessions;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::sandbox::book::{KeptAnswer, Payment, SentNotice};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, Reply};
use crate::sandbox::sides::epay;
use crate::sandbox::signing::{fresh_id, stripe_header};
use crate::sandbox::simulator::Desk;

const NAME: &str = "stripe";

/// Three times over a few hours, as to endpoints of the test mode.
const GAPS: [u32; 3] = [900, 3_600, 7_200];

/// What a call answers: the object, or Stripe's error.
type StripeResult = Result<Value, Refused>;

/// Status, Stripe's code and a sentence.
type Refused = (u16, &'static str, String);

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

fn error(code: &'static str, message: impl Into<String>) -> Refused {
    (400, code, message.into())
}

fn missing(what: &str) -> Refused {
    (404, "resource_missing", format!("No such {what}"))
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    let kind = if status == 401 { "authentication_error" } else { "invalid_request_error" };
    Reply::json(status, &json!({ "error": { "type": kind, "code": code, "message": message } }))
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
            report_refunds: true,
            slow_refunds: true,
            dispute: true,
            late_refunds: true,
            second_trade: true,
            report_sum_apart: true,
            report_sum_alone: true,
            sum_counts_pending: true,
            ..epay::CAN
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

    fn dispute_no(&self) -> String {
        fresh_id("dp_")
    }

    fn dispute_reasons(&self) -> &'static [&'static str] {
        &["fraudulent", "product_not_received", "product_unacceptable", "duplicate", "credit_not_processed"]
    }

    fn refund_no(&self, _now: i64) -> String {
        fresh_id("re_")
    }

    /// What every call goes through: the bearer, the version, the idempotency key.
    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
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
                    return Reply::json(
                        400,
                        &json!({ "error": { "type": "idempotency_error", "message": text } }),
                    );
                }
                return Reply::json(kept.status, &kept.body);
            }
        }
        let answered = call(desk, asked, &fields);
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
        Reply::json(status, &body)
    }

    fn draft(&self, desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let id = fresh_id("evt_");
        let (kind, object) = events::event(desk, payment, about)?;
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

fn call(desk: &Arc<Desk>, asked: &AskedQuestion, fields: &Form) -> StripeResult {
    let now = asked.now;
    let (method, path) = asked.route();
    match (method, path.as_slice()) {
        ("POST", ["checkout", "sessions"]) => sessions::create_session(desk, fields, now),
        ("GET", ["checkout", "sessions", id]) => sessions::show_session(desk, id, fields, now),
        ("POST", ["checkout", "sessions", id, "expire"]) => sessions::expire_session(desk, id, now),
        ("GET", ["payment_intents", id]) => money::show_intent(desk, id, fields),
        ("GET", ["charges", id]) => money::show_charge(desk, id),
        ("POST", ["refunds"]) => money::create_refund(desk, fields),
        ("GET", ["refunds"]) => money::list_refunds(desk, fields),
        ("GET", ["refunds", id]) => money::show_refund(desk, id),
        ("GET", ["disputes"]) => money::list_disputes(desk, fields),
        ("GET", ["disputes", id]) => money::show_dispute(desk, id),
        ("GET", ["balance_transactions"]) => Ok(balance::transactions(desk, fields)),
        _ => Err((404, "url_invalid", format!("Unrecognized request URL ({})", asked.target))),
    }
}

fn prefixed<'a>(fields: &'a Form, prefix: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let inner =
        move |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    fields.0.iter().filter_map(move |(name, value)| Some((inner(name)?, value.clone())))
}
