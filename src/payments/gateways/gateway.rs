//! What every gateway can be asked. A gateway is a stateless translator between its own protocol and ours: it
//! holds no database, decides nothing about orders, and knows only what its caller gives it. Nobody inherits a way to
//! authenticate.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};

use crate::base::money::{Currency, Money};
pub use crate::payments::accounts::keys::AccountKeys;
use crate::payments::gateways::amounts;
pub use crate::payments::gateways::amounts::Unit;
pub use crate::payments::gateways::calls::{Calls, GatewayAnswer, came_clearly};
pub use crate::payments::gateways::notice::{
    DisputeFact, Expected, Facts, GatewayState, Identity, Match, Meaning, Named, Notice, NoticeRefusal,
    RawNotice, RefundFact, Stage, matches,
};
pub use crate::payments::gateways::stated::{
    EntryPlace, Stated, Statement, StatementEntry, StatementLine, Unread,
};

/// One entry of an account's `settings`.
pub struct Setting {
    pub name: &'static str,
    pub required: bool,
    /// For the person who configures it.
    pub about: &'static str,
}

/// What this gateway can do for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// What `start` may ask of a client; empty when nothing can be started.
    pub actions: &'static [ActionKind],
    /// A start may be sent again as it was without a second payment coming of it. Where this says no, a start whose
    /// outcome is unknown is asked for first, and sent again only when the gateway does not know it.
    pub start_repeatable: bool,
    pub query: bool,
    pub close: bool,
    pub refund: bool,
    /// A refund may be sent again under its number without a second one coming of it.
    pub refund_repeatable: bool,
    /// The sums that it names count refunds that have not ended yet.
    pub sums_count_open: bool,
    /// Our calls are signed with one of the account's secrets, which the gateway shares, or name the one that shall sign
    /// its answers.
    pub signs_with_secret: bool,
    /// A signed notice proves what it says. Where it does not (a key that is known to more than two), the gateway is
    /// asked before money is believed.
    pub notice_is_proof: bool,
    /// Statements can be fetched; all gateways that can be read at all read them from a file too.
    pub statement: bool,
}

/// The shape of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    Redirect,
    Qr,
    Form,
    Sdk,
    Instructions,
}

impl ActionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Qr => "qr",
            Self::Form => "form",
            Self::Sdk => "sdk",
            Self::Instructions => "instructions",
        }
    }
}

/// What was fetched so that a notice can be checked without a network: certificates in PEM by the name that the notice
/// gives them (PayPal: the certificate's address; WeChat Pay: its serial number).
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub certificates: BTreeMap<String, String>,
}

/// The circumstances of one call.
pub struct Call<'a> {
    pub keys: &'a AccountKeys,
    /// Seconds since the epoch; is in signatures and is what answers' ages are measured with.
    pub now_unix: i64,
    /// Total time of one HTTP call.
    pub timeout: Duration,
}

/// A payment to be started. Where [`Abilities::start_repeatable`] says so, repeating it with the same fields never makes
/// a second payment, and a start whose outcome is unknown is repeated as it was.
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
    /// Kinds of action the client can perform (names of [`ActionKind`]); a redirect is always possible, by our own
    /// page. Empty: nothing is known.
    pub accepts: &'a [String],
    /// The gateway's own software the client has: `alipay.app`, `wechat.jsapi`, …
    pub sdks: &'a [String],
    /// `desktop`, `mobile_web`, `ios`, `android`, `wechat`, `mini_program`.
    pub platform: Option<&'a str>,
    /// The buyer as the gateway knows them (WeChat: the openid), where the client knows it.
    pub payer: Option<&'a str>,
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

impl Action {
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Redirect { .. } => ActionKind::Redirect,
            Self::Qr { .. } => ActionKind::Qr,
            Self::Form { .. } => ActionKind::Form,
            Self::Sdk { .. } => ActionKind::Sdk,
            Self::Instructions { .. } => ActionKind::Instructions,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    Unsupported,
    /// This way to pay needs `payer`.
    PayerNeeded,
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

/// What a gateway keeps of ours with a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberThere {
    /// A number that somebody gave it when the payment was started: of this shop's form or of another's.
    Number(String),
    /// Nothing that we could have given it, or there is no such trade.
    None,
    /// No usable answer; nothing may be concluded.
    Unknown(String),
    /// Every message of this gateway's carries the number.
    Unsupported,
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

/// The answer to a question about the disputes of a payment.
#[derive(Clone, Debug)]
pub enum DisputesThere {
    /// All that there ever were, as they are now.
    Known(Vec<GatewayState>),
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
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refunding {
    Succeeded {
        gateway_refund_id: String,
    },
    /// Accepted; the end comes by notice or by `refund_query`.
    Pending {
        gateway_refund_id: String,
        /// Nothing more happens until a person does something at the gateway.
        needs_person: bool,
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

/// What became of a notice, for the text of its answer.
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

/// The half of a gateway that needs no network: how it is configured, and how its notices and statements are read.
pub trait Gateway: Calls {
    /// The value of the configuration's `gateway`.
    fn name(&self) -> &'static str;

    /// What buyers read when the account has no title.
    fn title(&self) -> &'static str;

    /// The entries of `settings` that this gateway knows; others are refused at start.
    fn settings(&self) -> &'static [Setting];

    /// What is missing or wrong in an account's keys: the key of the configuration (`secrets`, `api_key`,
    /// `settings.app_id`) and a sentence that follows it; none when it may start. An empty, missing or malformed secret
    /// is always a fault: it would verify what anybody can sign. Required settings are checked by the caller.
    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)>;

    /// What it can do for this account; calls beyond it answer `Unsupported`.
    fn abilities(&self, keys: &AccountKeys) -> Abilities;

    /// The account that a file of `dispense gateway test` names in its `config`, and what would have been fetched
    /// for its notices. The error says what is wrong with the file.
    fn vectors(&self, config: &serde_json::Value) -> Result<(AccountKeys, Evidence), String>;

    /// How this gateway counts a currency (a row of [`crate::payments::gateways::amounts`]); none when it does not take it.
    fn unit(&self, currency: Currency) -> Option<Unit> {
        amounts::unit(self.name(), currency)
    }

    /// What a notice for this account must say about the merchant and the mode.
    fn identity(&self, keys: &AccountKeys) -> Vec<Identity>;

    /// The headers that `authenticate` reads, in lower case. They are kept with a notice, so that it can be verified again; what
    /// else its sender put there is not.
    fn signed_headers(&self) -> &'static [&'static str];

    /// Checks a notice and translates it. Pure: no clock, no network, no database.
    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal>;

    /// The gateway's own acknowledgement. Success stops its repeats, everything else keeps them coming.
    fn reply(&self, verdict: Verdict) -> Reply;

    /// The offset from UTC of the calendar that the days of its statements are cut by.
    fn calendar(&self) -> FixedOffset;

    /// Reads a statement that a person fetched, as the gateway gives it out. The error says why the file as a whole is
    /// none of this account's; a line that cannot be read is an entry that says so.
    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String>;
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
