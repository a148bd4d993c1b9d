//! What a gateway says about a payment, and who may claim that it said so. [`Notice`] and [`GatewayState`] hold
//! [`Facts`] that only the files of this folder can put there: a notice comes out of `authenticate`, a state
//! out of a call that was made and checked.

use std::ops::Deref;

use chrono::{DateTime, Utc};

use crate::base::money::Currency;
pub use crate::payments::gateways::refusal::{Named, NoticeRefusal, Stage};
use crate::payments::refunds::RefundChange;

/// A notice as it came in, nothing decoded.
#[derive(Clone, Debug)]
pub struct RawNotice {
    /// Upper case.
    pub method: String,
    /// The raw query, without the question mark; empty when there is none.
    pub query: String,
    /// In the order received, repeated names repeated; names in any case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Seconds since the epoch to measure ages with.
    pub now_unix: i64,
}

impl RawNotice {
    /// A header that may be there once. Twice is refused: readers would disagree which of them counts.
    pub(super) fn header(&self, name: &str) -> Result<Option<&str>, NoticeRefusal> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(NoticeRefusal::signature("header_repeated")),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }
}

/// What a message means for its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The money is there.
    Paid,
    /// The buyer has agreed, and the money has still to be taken by [`crate::payments::gateways::gateway::Gateway::capture`].
    Approved,
    /// It waits for the buyer, who has not paid. What a gateway answers when it is asked; no notice says so.
    Open,
    /// The buyer has acted, the money is on its way.
    Pending,
    /// Given up without money.
    Closed,
    Failed,
    /// All of the money went back, or `refunded_minor` of it where that is given.
    Refunded,
    /// A part went back; `refunded_minor` is the sum so far.
    PartiallyRefunded,
    /// One refund moved; `refund` says which and how.
    RefundSucceeded,
    RefundPending,
    RefundFailed,
    /// The buyer's bank asks; no money moves.
    DisputeInquiry,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
    /// It ended without a verdict: the buyer gave it up, or an inquiry was closed.
    DisputeWithdrawn,
    /// Genuine and of no concern to us.
    Ignored,
}

impl Meaning {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Approved => "approved",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
            Self::RefundSucceeded => "refund_succeeded",
            Self::RefundPending => "refund_pending",
            Self::RefundFailed => "refund_failed",
            Self::DisputeInquiry => "dispute_inquiry",
            Self::DisputeOpened => "dispute_opened",
            Self::DisputeWon => "dispute_won",
            Self::DisputeLost => "dispute_lost",
            Self::DisputeWithdrawn => "dispute_withdrawn",
            Self::Ignored => "ignored",
        }
    }

    /// It may move money back, or the right to it.
    pub fn is_about_money_back(self) -> bool {
        match self {
            Self::Refunded
            | Self::PartiallyRefunded
            | Self::RefundSucceeded
            | Self::RefundPending
            | Self::RefundFailed
            | Self::DisputeInquiry
            | Self::DisputeOpened
            | Self::DisputeWon
            | Self::DisputeLost
            | Self::DisputeWithdrawn => true,
            Self::Paid
            | Self::Approved
            | Self::Open
            | Self::Pending
            | Self::Closed
            | Self::Failed
            | Self::Ignored => false,
        }
    }
}

/// One thing that says which merchant, application or mode a message is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: &'static str,
    pub value: String,
}

impl Identity {
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }
}

/// One refund, when a message is about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundFact {
    /// Our refund's id, when we started it.
    pub refund_id: Option<String>,
    pub gateway_refund_id: String,
    /// Of this refund alone; none where the message names only the sum of all.
    pub amount_minor: Option<i64>,
    /// What happened to it, where the message is about the sum of all beside.
    pub change: RefundChange,
    /// When it was made, by the gateway's clock.
    pub made_at: Option<DateTime<Utc>>,
    /// The gateway's code for why it failed.
    pub failure_code: Option<String>,
    /// It stays pending until a person does something at the gateway.
    pub needs_person: bool,
}

impl RefundFact {
    pub(super) fn new(gateway_refund_id: String, amount_minor: impl Into<Option<i64>>) -> Self {
        Self {
            refund_id: None,
            gateway_refund_id,
            amount_minor: amount_minor.into(),
            change: RefundChange::Succeed,
            made_at: None,
            failure_code: None,
            needs_person: false,
        }
    }
}

/// One dispute, when a message is about one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisputeFact {
    /// None: the message only says that the payment is disputed.
    pub gateway_dispute_id: Option<String>,
    /// What it is about, or what the buyer got where that is said; none: all that is there.
    pub amount_minor: Option<i64>,
    /// The gateway's own code.
    pub reason: Option<String>,
}

/// What was said about a payment. Amounts are in ISO 4217's minor units, whatever the gateway counts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub meaning: Meaning,
    /// Our number as we sent it to the gateway. None where the message does not carry it (a dispute, a refund
    /// made at the gateway): find the payment by `trade_no`.
    pub number: Option<String>,
    /// The gateway's number of the trade (Stripe: the payment intent), unique per account. Always there when
    /// `Paid`.
    pub trade_no: Option<String>,
    /// What `start` gave as reference, where the message carries it (Stripe: the session).
    pub gateway_reference: Option<String>,
    /// The payment's whole amount, never a part of it. Always there when `Paid`.
    pub amount_minor: Option<i64>,
    pub currency: Option<Currency>,
    /// Sum of all refunds so far, where given.
    pub refunded_minor: Option<i64>,
    pub refund: Option<RefundFact>,
    pub dispute: Option<DisputeFact>,
    /// Whose payment, which mode: as the message says it.
    pub identity: Vec<Identity>,
    /// When it happened, by the gateway's clock.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When the trade began, or was paid where only that is given, by the gateway's clock. A trade older than the
    /// attempt under whose number it comes is another one's.
    pub began_at: Option<DateTime<Utc>>,
}

impl Facts {
    pub(super) fn of(meaning: Meaning) -> Self {
        Self {
            meaning,
            number: None,
            trade_no: None,
            gateway_reference: None,
            amount_minor: None,
            currency: None,
            refunded_minor: None,
            refund: None,
            dispute: None,
            identity: Vec::new(),
            occurred_at: None,
            began_at: None,
        }
    }
}

/// Bytes of a number that are kept.
const LONGEST: usize = 255;

/// An authenticated notice. Reads like its [`Facts`].
#[derive(Clone, Debug)]
pub struct Notice {
    account_id: String,
    event_key: String,
    verified_by: u16,
    facts: Facts,
}

impl Notice {
    /// `secret` counts from 0; the number after the last denotes a key that was fetched.
    pub(super) fn new(account_id: &str, event_key: String, secret: usize, mut facts: Facts) -> Self {
        let verified_by = u16::try_from(secret + 1).unwrap_or(u16::MAX);
        facts.number = facts.number.map(keepable);
        Self { account_id: account_id.to_owned(), event_key, verified_by, facts }
    }

    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// Equal for every repeat of the same event of this account.
    pub fn event_key(&self) -> &str {
        &self.event_key
    }

    /// Which of the account's secrets verified it, counted from 1; one more than there are: a key that was fetched.
    pub fn verified_by(&self) -> u16 {
        self.verified_by
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Other software puts what it likes in the field of our number. What PostgreSQL or a log would not take becomes a text that
/// is no number of ours either.
fn keepable(number: String) -> String {
    if number.len() <= LONGEST && !number.contains(char::is_control) {
        return number;
    }
    let clean = number.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut kept = String::new();
    kept.extend(clean.take(LONGEST / char::REPLACEMENT_CHARACTER.len_utf8()));
    kept
}

impl Deref for Notice {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// What a gateway answered when asked about a payment; its answer was checked as far as its protocol allows.
/// Its meaning is one of paid, approved, open, pending, closed, failed, refunded, partially refunded, dispute opened.
#[derive(Clone, Debug)]
pub struct GatewayState {
    account_id: String,
    facts: Facts,
    asked_at: Option<DateTime<Utc>>,
}

impl GatewayState {
    pub(super) fn new(account_id: &str, facts: Facts) -> Self {
        Self { account_id: account_id.to_owned(), facts, asked_at: None }
    }

    /// With the moment before it was asked for: what was known then is part of it.
    pub fn asked(self, at: DateTime<Utc>) -> Self {
        Self { asked_at: Some(at), ..self }
    }

    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        self.asked_at
    }

    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Deref for GatewayState {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// What the payment row says must be true.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The number this attempt sent to the gateway.
    pub number: &'a str,
    pub amount_minor: i64,
    pub currency: Currency,
    /// The reference stored when the payment was started; compared where both sides have one.
    pub gateway_reference: Option<&'a str>,
    /// The trade number stored with the capture; compared where both sides have one.
    pub trade_no: Option<&'a str>,
    /// The account's own, from [`crate::payments::gateways::gateway::Gateway::identity`].
    pub identity: &'a [Identity],
}

/// Whether a message belongs to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    Fits,
    /// Real money of the right currency, but not what was asked for.
    WrongAmount,
    WrongCurrency,
    /// Not about this payment or not for this merchant; the text says which fact differs.
    Foreign(&'static str),
}

/// The business check after the signature: merchant and mode, number, reference, trade, currency, amount, in this
/// order. Every identity expected must be there: a missing fact never skips a check.
pub fn matches(facts: &Facts, expected: &Expected<'_>) -> Match {
    for wanted in expected.identity {
        let said = facts.identity.iter().find(|i| i.name == wanted.name);
        if said.is_none_or(|said| said.value != wanted.value) {
            return Match::Foreign(wanted.name);
        }
    }
    if facts.number.as_deref().is_some_and(|number| number != expected.number) {
        return Match::Foreign("number");
    }
    if differ(facts.gateway_reference.as_deref(), expected.gateway_reference) {
        return Match::Foreign("gateway_reference");
    }
    if facts.meaning != Meaning::Paid && differ(facts.trade_no.as_deref(), expected.trade_no) {
        return Match::Foreign("trade_no");
    }
    if facts.currency.is_some_and(|currency| currency != expected.currency) {
        return Match::WrongCurrency;
    }
    let money = facts.meaning == Meaning::Paid;
    match facts.amount_minor {
        Some(amount) if amount != expected.amount_minor => Match::WrongAmount,
        None if money => Match::WrongAmount,
        _ if money && facts.currency.is_none() => Match::WrongCurrency,
        _ => Match::Fits,
    }
}

fn differ(said: Option<&str>, stored: Option<&str>) -> bool {
    matches!((said, stored), (Some(said), Some(stored)) if said != stored)
}
