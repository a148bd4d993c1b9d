//! What every gateway can be asked. A gateway is a stateless translator between its own protocol and ours: it
//! holds no database, decides nothing about orders, and knows only what its caller hands it.
//!
//! No method has a default: what a gateway cannot do it says with `Unsupported`, and nobody inherits a way to
//! authenticate.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::base::money::{Currency, Money};
use crate::base::secret::Secret;
pub use crate::payments::gateways::notice::{
    Expected, Facts, GatewayState, Identity, Match, Meaning, Notice, NoticeRefusal, RawNotice, RefundFact,
    Stage, matches,
};

/// What an account needs to prove itself to its gateway and to check the gateway's messages.
#[derive(Clone, Debug)]
pub struct AccountKeys {
    /// The account's id, as in the notify URL.
    pub id: String,
    /// Notification secrets: the first signs, all verify.
    pub secrets: Vec<Secret>,
    pub api_key: Option<Secret>,
    /// Base address of the API without a slash at the end; none: the official host, or for the generic gateway
    /// no API at all.
    pub api_url: Option<String>,
    /// A test account. Gateways that tell live from test demand the matching mode.
    pub sandbox: bool,
}

/// The circumstances of one call.
pub struct Call<'a> {
    pub keys: &'a AccountKeys,
    /// Seconds since the epoch; stands in signatures and is what answers' ages are measured with.
    pub now_unix: i64,
    /// Total time of one HTTP call.
    pub timeout: Duration,
}

/// A payment to be started. Repeating it with the same fields never makes a second payment, so a start whose
/// outcome is unknown may be repeated as it was.
pub struct NewPayment<'a> {
    /// Our number of the attempt as the gateway shall know it: at most 32 of `[0-9A-Z-]`, unique per account.
    pub number: &'a str,
    /// Key of idempotency; the payment's own id.
    pub payment_id: &'a str,
    pub money: Money,
    /// One line for the buyer.
    pub title: &'a str,
    /// `en` or `zh`.
    pub locale: &'a str,
    pub email: Option<&'a str>,
    /// Where the buyer comes back, paid or not. Never proof of anything.
    pub return_url: &'a str,
    pub cancel_url: &'a str,
    /// Where the gateway shall send its notices, without a query.
    pub notify_url: &'a str,
    /// When the attempt was first started: the same on a repeat, so that the request is the same too.
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The way to pay within the gateway, for gateways that have several.
    pub method: Option<&'a str>,
    pub client_address: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The gateway's id of what was started, unique per account; notices are compared with it.
    pub gateway_reference: Option<String>,
    pub action: Action,
    /// When the gateway itself gives the attempt up.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What the buyer's client has to do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    Redirect {
        url: String,
    },
    /// Text to be shown as a QR code.
    Qr {
        text: String,
    },
    /// A form to be posted by the browser.
    Form {
        url: String,
        fields: Vec<(String, String)>,
    },
    /// Parameters for the gateway's own SDK.
    Sdk {
        name: String,
        parameters: serde_json::Value,
    },
    /// Something a person has to read.
    Instructions {
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    Unsupported,
    /// Nothing has happened there.
    NotSent(String),
    /// Something may have happened there: repeat the same start, or ask.
    Unknown(String),
    /// The gateway says no, and will say so again.
    Refused {
        code: String,
        message: String,
    },
}

/// How a payment is named when it is asked about.
#[derive(Clone, Copy)]
pub struct PaymentRef<'a> {
    pub number: &'a str,
    pub gateway_reference: Option<&'a str>,
    pub trade_no: Option<&'a str>,
    pub money: Money,
}

/// The answer to a question about a payment.
#[allow(clippy::large_enum_variant)] // One per question, never stored.
#[derive(Clone, Debug)]
pub enum Queried {
    Known(GatewayState),
    /// The gateway has never heard of it.
    NotFound,
    /// No usable answer; nothing may be concluded.
    Unknown(String),
    Unsupported,
}

#[allow(clippy::large_enum_variant)] // One per question, never stored.
#[derive(Clone, Debug)]
pub enum Closing {
    /// It can no longer be paid.
    Closed,
    /// The money was faster; treat as paid.
    AlreadyPaid(GatewayState),
    /// There never was anything that could be paid.
    NothingToClose,
    Unknown(String),
    Unsupported,
}

pub struct NewRefund<'a> {
    /// Our refund's id: the key of idempotency. The same id never refunds twice.
    pub refund_id: &'a str,
    pub payment: PaymentRef<'a>,
    pub amount: Money,
    pub reason: Option<&'a str>,
}

/// How a refund is named when it is asked about.
pub struct RefundRef<'a> {
    pub refund_id: &'a str,
    /// What the gateway called it, if it ever answered.
    pub gateway_refund_id: Option<&'a str>,
    pub payment: PaymentRef<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refunding {
    Succeeded {
        gateway_refund_id: String,
    },
    /// Accepted; the end comes by notice or by `refund_query`.
    Pending {
        gateway_refund_id: String,
    },
    Failed {
        code: String,
        message: String,
    },
    /// The gateway has no such refund (answer of `refund_query` alone): it may be asked for again.
    NotFound,
    Unknown(String),
    Unsupported,
}

/// What became of a notice, for the words of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Durably handled or recorded: do not send it again.
    Success,
    /// Genuine, but we could not handle it now: send it again.
    TryLater,
    /// Not authentic or not readable.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: &'static str,
}

#[async_trait]
pub trait Gateway: Send + Sync {
    /// The word in the configuration's `gateway`.
    fn name(&self) -> &'static str;

    /// What buyers read when the account has no title.
    fn title(&self) -> &'static str;

    /// What is missing or wrong in an account's keys, one sentence each; none when it may start. An empty or
    /// malformed secret is always a fault: it would verify what anybody can sign.
    fn faults(&self, keys: &AccountKeys) -> Vec<String>;

    /// Decimals of the integers this gateway speaks in, per currency; none when it does not take the currency.
    fn exponent(&self, currency: Currency) -> Option<u32>;

    /// What a notice for this account must say about the merchant and the mode.
    fn identity(&self, keys: &AccountKeys) -> Vec<Identity>;

    /// Checks a notice and translates it. Pure: no clock, no network, no database.
    fn authenticate(&self, keys: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal>;

    /// The gateway's own words. Success stops its repeats, everything else keeps them coming.
    fn reply(&self, verdict: Verdict) -> Reply;

    async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure>;

    async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried;

    /// Makes sure it cannot be paid any more, or finds that it was.
    async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing;

    /// Idempotent by `refund_id`: a repeat answers what became of the first.
    async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding;

    async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding;
}

/// Our minor units (ISO 4217's) to the gateway's integers; none when the amount has decimals the gateway cannot
/// express.
pub fn to_gateway_units(money: Money, gateway_exponent: u32) -> Option<i64> {
    let ours = money.currency.exponent();
    if gateway_exponent >= ours {
        return money.minor.checked_mul(10_i64.checked_pow(gateway_exponent - ours)?);
    }
    let factor = 10_i64.checked_pow(ours - gateway_exponent)?;
    (money.minor % factor == 0).then_some(money.minor / factor)
}

/// The gateway's integers to our minor units; none when ours cannot express them.
pub fn from_gateway_units(amount: i64, currency: Currency, gateway_exponent: u32) -> Option<i64> {
    let ours = currency.exponent();
    if ours >= gateway_exponent {
        return amount.checked_mul(10_i64.checked_pow(ours - gateway_exponent)?);
    }
    let factor = 10_i64.checked_pow(gateway_exponent - ours)?;
    (amount % factor == 0).then_some(amount / factor)
}
