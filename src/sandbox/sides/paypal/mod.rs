//! PayPal: OAuth, orders that the buyer approves and the shop captures, webhooks signed by a certificate that comes from
//! a root of the simulator's own.

mod back;
mod events;
mod orders;
mod report;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::sandbox::book::{KeptAnswer, Payment, SentNotice};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, Reply};
use crate::sandbox::rsa::{self, Pair};
use crate::sandbox::sides::epay;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

const NAME: &str = "paypal";
const HOST: &str = "messageverificationcerts.sandbox.paypal.com";
const CURRENCIES: [&str; 23] = [
    "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

/// Up to 25 times over three days, in growing gaps.
const GAPS: [u32; 25] = [
    60, 120, 240, 480, 960, 1_800, 3_600, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900,
    13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900, 13_900,
];

/// What a call answers: status and object, or status and PayPal's issue.
type PayPalResult = Result<(u16, Value), (u16, &'static str)>;

struct PayPal {
    client_id: String,
    client_secret: String,
    webhook_id: String,
    merchant_id: String,
    signer: Pair,
    root: String,
    leaf: String,
}

/// An id of upper-case letters and digits.
fn id(length: usize) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    random::<32>().iter().take(length).map(|b| char::from(letters[usize::from(*b) % letters.len()])).collect()
}

/// PayPal with its ids, keys and certificates from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let (root_key, key) =
        (secrets.keep("paypal_root_key", rsa::make)?, secrets.keep("paypal_key", rsa::make)?);
    let mut leaf = None;
    let root = secrets.keep("paypal_root", || {
        let (root, issued) = rsa::chain(&root_key, &key, "Dispense Sandbox Root", HOST)?;
        leaf = Some(issued);
        Ok(root)
    })?;
    let missing = || Fault::bug("the simulated PayPal has a root without a certificate");
    Ok(Arc::new(PayPal {
        client_id: secrets.keep("paypal_client_id", || Ok(format!("A{}", id(30))))?,
        client_secret: secrets
            .keep("paypal_client_secret", || Ok(format!("E{}", hex::encode(random::<32>()))))?,
        webhook_id: secrets.keep("paypal_webhook_id", || Ok(id(17)))?,
        merchant_id: secrets.keep("paypal_merchant_id", || Ok(id(13)))?,
        leaf: secrets.keep("paypal_certificate", || leaf.ok_or_else(missing))?,
        signer: Pair::open(&key)?,
        root,
    }))
}

/// Decimals of PayPal's amounts.
fn decimals(currency: &str) -> u32 {
    if ["HUF", "JPY", "TWD"].contains(&currency) { 0 } else { 2 }
}

/// What the check of a webhook asks; the event as it came, not as it reads.
#[derive(Deserialize)]
struct Check {
    auth_algo: String,
    transmission_id: String,
    transmission_sig: String,
    transmission_time: String,
    webhook_id: String,
    webhook_event: Box<RawValue>,
}

impl PayPal {
    /// An access token names its end and proves that it was given out here.
    fn token(&self, until: i64) -> String {
        let key: Result<Hmac<Sha256>, _> = Hmac::new_from_slice(self.client_secret.as_bytes());
        let mac = key.map(|key| key.chain_update(until.to_string()).finalize().into_bytes());
        format!("A21AA{until}-{}", mac.map(hex::encode).unwrap_or_default())
    }

    fn is_token(&self, header: &str, now: i64) -> bool {
        let Some(token) = header.strip_prefix("Bearer ") else { return false };
        let until = token.strip_prefix("A21AA").and_then(|rest| rest.split('-').next()?.parse().ok());
        until.is_some_and(|until: i64| until > now && self.token(until) == token)
    }

    fn oauth(&self, asked: &AskedQuestion) -> Reply {
        let basic = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        if asked.header("authorization") != format!("Basic {basic}") {
            let text = "Client Authentication failed";
            return Reply::json(401, &json!({ "error": "invalid_client", "error_description": text }));
        }
        if Form::parse(&asked.body).get("grant_type") != "client_credentials" {
            return Reply::json(400, &json!({ "error": "unsupported_grant_type" }));
        }
        let seconds = 32_400;
        Reply::json(
            200,
            &json!({ "scope": "https://uri.paypal.com/services/payments", "token_type": "Bearer",
            "access_token": self.token(asked.now + seconds), "app_id": "APP-80W284485P519543T",
            "expires_in": seconds, "nonce": fresh_id("") }),
        )
    }

    fn text(&self, id: &str, time: &str, event: &[u8]) -> String {
        format!("{id}|{time}|{}|{}", self.webhook_id, crc32fast::hash(event))
    }

    fn check(&self, asked: &AskedQuestion) -> PayPalResult {
        let check: Check =
            serde_json::from_slice(&asked.body).map_err(|_| (400, "MALFORMED_REQUEST_JSON"))?;
        let text =
            self.text(&check.transmission_id, &check.transmission_time, check.webhook_event.get().as_bytes());
        let fits = check.webhook_id == self.webhook_id
            && check.auth_algo == "SHA256withRSA"
            && self.signer.fits(text.as_bytes(), &check.transmission_sig);
        Ok((200, json!({ "verification_status": if fits { "SUCCESS" } else { "FAILURE" } })))
    }

    fn call(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> PayPalResult {
        let wish = asked.json().unwrap_or_default();
        let (method, path) = asked.route();
        let (merchant, now) = (self.merchant_id.as_str(), asked.now);
        match (method, path.as_slice()) {
            ("POST", ["v2", "checkout", "orders"]) => orders::create(desk, merchant, &wish, now),
            ("GET", ["v2", "checkout", "orders", id]) => orders::show(desk, merchant, id, now),
            ("POST", ["v2", "checkout", "orders", id, "capture"]) => orders::capture(desk, merchant, id, now),
            ("GET", ["v2", "payments", "captures", id]) => orders::show_capture(desk, merchant, id),
            ("POST", ["v2", "payments", "captures", id, "refund"]) => {
                back::refund(desk, id, &wish, asked.header("paypal-request-id"))
            }
            ("GET", ["v2", "payments", "refunds", id]) => back::show_refund(desk, id),
            ("GET", ["v1", "customer", "disputes"]) => {
                back::list_disputes(desk, merchant, &Form::parse(asked.query.as_bytes()))
            }
            ("GET", ["v1", "customer", "disputes", id]) => back::show_dispute(desk, merchant, id),
            ("POST", ["v1", "notifications", "verify-webhook-signature"]) => self.check(asked),
            ("GET", ["v1", "reporting", "transactions"]) => {
                report::transactions(desk, merchant, &Form::parse(asked.query.as_bytes()), now)
            }
            _ => Err((404, "RESOURCE_NOT_FOUND")),
        }
    }

    /// Posts are demanded a `PayPal-Request-Id`, and a repeat under it gets the first answer.
    fn once(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> (u16, Value) {
        let id = asked.header("paypal-request-id");
        let needed = asked.method == "POST" && asked.path.first().is_some_and(|version| version == "v2");
        if needed && id.is_empty() {
            return failure(400, "PAYPAL_REQUEST_ID_REQUIRED");
        }
        let (key, identity) = (format!("paypal {} {id}", asked.target), hex::encode(&asked.body));
        if let Some(kept) = desk.read(|book| book.kept.get(&key).cloned()).filter(|_| needed) {
            return match kept.request == identity {
                true => (200, kept.body),
                false => failure(422, "PAYPAL_REQUEST_ID_REUSED"),
            };
        }
        let (status, body) = match self.call(desk, asked) {
            Ok(answered) => answered,
            Err((status, issue)) => failure(status, issue),
        };
        if needed && status < 300 {
            let kept = KeptAnswer { request: identity, status, body: body.clone() };
            desk.change(|book| book.kept.insert(key, kept));
        }
        (status, body)
    }
}

fn failure(status: u16, issue: &str) -> (u16, Value) {
    let name = match status {
        404 => "RESOURCE_NOT_FOUND",
        422 => "UNPROCESSABLE_ENTITY",
        _ => "INVALID_REQUEST",
    };
    (
        status,
        json!({ "name": name, "message": "The request could not be done.", "debug_id": fresh_id("")[..13],
        "details": [{ "issue": issue, "description": issue }] }),
    )
}

impl Played for PayPal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "PayPal"
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
            dispute: true,
            refund_disputed: true,
            late_refunds: true,
            second_trade: true,
            approve: true,
            ..epay::CAN
        }
    }

    fn takes(&self, currency: &str) -> bool {
        CURRENCIES.contains(&currency)
    }

    fn decimals(&self, currency: &str) -> u32 {
        decimals(currency)
    }

    fn account(&self, base: &str) -> Account {
        let settings = [
            ("client_id", &self.client_id),
            ("webhook_id", &self.webhook_id),
            ("merchant_id", &self.merchant_id),
            ("trust_root", &self.root),
        ];
        Account {
            id: "sandbox-paypal".into(),
            gateway: NAME.into(),
            title: Some("Sandbox PayPal".into()),
            api_key: Some(Secret::new(&*self.client_secret)),
            settings: settings.map(|(name, value)| (name.to_owned(), value.clone())).into(),
            api_url: Some(format!("{base}/paypal")),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, payment: &Payment, _now: i64) -> String {
        match payment.note("capture_id") {
            reserved if !reserved.is_empty() && payment.captures.is_empty() => reserved.to_owned(),
            _ => id(17),
        }
    }

    fn dispute_no(&self) -> String {
        format!("PP-R-{}-{}", id(3), id(9))
    }

    fn dispute_reasons(&self) -> &'static [&'static str] {
        &["UNAUTHORISED", "MERCHANDISE_OR_SERVICE_NOT_RECEIVED", "INCORRECT_AMOUNT", "DUPLICATE_TRANSACTION"]
    }

    fn refund_no(&self, _now: i64) -> String {
        id(17)
    }

    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
        let (method, path) = asked.route();
        match (method, path.as_slice()) {
            ("POST", ["v1", "oauth2", "token"]) => self.oauth(asked),
            ("GET", ["v1", "notifications", "certs", _]) => {
                Reply::bytes(200, "application/x-pem-file", format!("{}{}", self.leaf, self.root))
            }
            ("GET", ["checkoutnow"]) => {
                Reply::see_other(desk.page(Form::parse(asked.query.as_bytes()).get("token")))
            }
            _ if !self.is_token(asked.header("authorization"), asked.now) => {
                let text = "Token signature verification failed";
                Reply::json(401, &json!({ "error": "invalid_token", "error_description": text }))
            }
            _ => {
                let (status, body) = self.once(desk, asked);
                Reply::json(status, &body)
            }
        }
    }

    fn draft(&self, desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let (kind, resource_type, summary, resource) =
            events::event(desk, &self.merchant_id, payment, about)?;
        let id = format!("WH-{}-{}", id(17), id(17));
        let time = orders::stamp(now);
        let event = json!({ "id": id, "event_version": "1.0", "create_time": time, "resource_type": resource_type,
            "resource_version": "2.0", "event_type": kind, "summary": summary, "resource": resource, "links": [] });
        Some(Draft { id, kind: kind.to_owned(), body: event.to_string(), target: desk.notify_url(NAME) })
    }

    fn letter(&self, desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let (sent, time) = (desk.clock.uuid().to_string(), orders::stamp(now));
        let text = self.text(&sent, &time, notice.body.as_bytes());
        let signature = self.signer.sign_or_forge(text.as_bytes(), notice.forged);
        let certificate =
            format!("{}/paypal/v1/notifications/certs/CERT-{}", desk.base, &self.webhook_id[..8]);
        Some(
            Letter::json(notice.target.as_deref()?, &notice.body)
                .header("paypal-transmission-id", sent)
                .header("paypal-transmission-time", time)
                .header("paypal-transmission-sig", signature)
                .header("paypal-cert-url", certificate)
                .header("paypal-auth-algo", "SHA256withRSA"),
        )
    }

    fn gaps(&self) -> &'static [u32] {
        &GAPS
    }
}
