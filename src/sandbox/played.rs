//! What it takes to play one gateway: its paths, its notices, its manners. Each gateway is one file in `sides/`.

use std::sync::Arc;

use poem::Response;
use poem::http::StatusCode;
use serde_json::Value;

use super::book::{Payment, SentNotice};
use super::signing::fresh_id;
use super::simulator::Desk;
use crate::config::Account;
use crate::infra::outbound::{HttpAnswer, Method};

/// What a notice is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    Paid(&'a str),
    /// The buyer has agreed; the shop has to take the money.
    Approved,
    Pending,
    Closed,
    Failed,
    /// The sum of a trade's refunds has changed; with the refund that did it, where it is named.
    Refunded(&'a str, Option<&'a str>),
    /// One refund has moved, by its id.
    Refund(&'a str, RefundNews),
    /// A dispute has moved, by its id.
    Dispute(&'a str, DisputeNews),
}

/// What is reported of one refund. Gateways that know one message for all of it answer to some of these alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefundNews {
    Created,
    Updated,
    /// The same again under the charge's name, which Stripe sends for some methods.
    UpdatedOfCharge,
    Failed,
}

/// What is reported of one dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DisputeNews {
    Opened,
    /// It was answered, or an inquiry became a dispute.
    Updated,
    FundsWithdrawn,
    FundsReinstated,
    /// The money is gone for good.
    Reversed,
    Closed,
}

/// A notice before it is signed.
pub(super) struct Draft {
    /// The same on every attempt.
    pub id: String,
    pub kind: String,
    /// What is said, in a form that this side's `letter` understands and people can read in the journal.
    pub body: String,
    pub target: Option<String>,
}

/// One attempt of a notice as it goes over the wire.
pub(super) struct Letter {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Letter {
    pub fn json(url: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { method: Method::Post, url: url.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What can happen at this gateway, beside paying and refunding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Can {
    /// It takes more than one currency.
    pub other_currency: bool,
    /// Slow methods: the buyer has acted, the money comes later.
    pub pend: bool,
    /// It reports that a payment failed.
    pub decline: bool,
    /// It reports refunds, so that one can be reported before its payment.
    pub report_refunds: bool,
    /// Refunds can take their time.
    pub slow_refunds: bool,
    pub dispute: bool,
    /// Money can be given back at the gateway's own pages while it is disputed.
    pub refund_disputed: bool,
    /// A refund that was made can fail later, and one that failed can be made after all.
    pub late_refunds: bool,
    /// A refund can get stuck until a person decides at the gateway.
    pub abnormal_refunds: bool,
    /// It reports each refund and the sum of them in messages of their own.
    pub report_sum_apart: bool,
    /// It can report the sum of refunds without saying which refund changed it.
    pub report_sum_alone: bool,
    /// The sum of refunds counts those that are on their way.
    pub sum_counts_pending: bool,
    /// A second trade of one number can be asked about and refunded: calls name the trade, not the number alone.
    pub second_trade: bool,
    /// It tests shops with wrong signatures of its own.
    pub probe: bool,
    /// The buyer approves first, then the shop takes the money by a call.
    pub approve: bool,
}

/// A call of the shop's, or of a buyer's browser.
pub(super) struct AskedQuestion {
    pub method: poem::http::Method,
    /// Path and query as they were in the request line.
    pub target: String,
    /// The path's segments after the side's root.
    pub path: Vec<String>,
    /// Raw, without the question mark.
    pub query: String,
    pub headers: poem::http::HeaderMap,
    pub body: Vec<u8>,
    pub now: i64,
}

impl AskedQuestion {
    /// A header that is text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Method and path in one text, for a `match`.
    pub fn route(&self) -> (&str, Vec<&str>) {
        (self.method.as_str(), self.path.iter().map(String::as_str).collect())
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What a side answers.
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn bytes(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into() }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string())
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Sends a browser on.
    pub fn see_other(url: String) -> Self {
        Self::empty(303).with("location", url)
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let started = Response::builder().status(status);
        let builder =
            self.headers.into_iter().fold(started, |builder, (name, value)| builder.header(name, value));
        builder.body(self.body)
    }
}

/// One gateway as the simulator plays it.
pub(super) trait Played: Send + Sync {
    /// The gateway's name in a shop's configuration; the books use it too.
    fn name(&self) -> &'static str;

    /// What the page calls it.
    fn title(&self) -> &'static str;

    /// First segment of the paths it answers.
    fn root(&self) -> &'static str;

    fn can(&self) -> Can;

    /// Whether it takes this currency at all.
    fn takes(&self, currency: &str) -> bool {
        self.can().other_currency || currency == "CNY"
    }

    /// Decimals of its integers in a currency; the page shows amounts with them.
    fn decimals(&self, currency: &str) -> u32;

    /// What a shop's configuration needs to speak to it. `base` is the simulator's address.
    fn account(&self, base: &str) -> Account;

    /// The number of money that is taken now: the trade's own, or a fresh one when it comes twice.
    fn trade_no(&self, payment: &Payment, now: i64) -> String;

    /// A fresh number for a dispute; only where there are any.
    fn dispute_no(&self) -> String {
        fresh_id("dispute_")
    }

    /// Why the buyer disputes, in this gateway's own terms; the first unless one is ordered.
    fn dispute_reasons(&self) -> &'static [&'static str] {
        &[]
    }

    /// A fresh number for a refund made here.
    fn refund_no(&self, now: i64) -> String;

    /// Answers a call; what it changes is in the books before it returns.
    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply;

    /// None where the gateway has no such message.
    fn draft(&self, desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft>;

    /// Signs a notice for one attempt at this moment; wrongly when it is marked as forged. None when no address
    /// to send it to is set.
    fn letter(&self, desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter>;

    /// Whether an answer ends the attempts.
    fn took(&self, answer: &HttpAnswer) -> bool {
        answer.succeeded()
    }

    /// Seconds between the attempts; after the last the notice is given up.
    fn gaps(&self) -> &'static [u32];
}

/// An amount as people read it.
pub(super) fn decimal(amount: i64, decimals: u32) -> String {
    let unit = 10_i64.pow(decimals);
    match decimals {
        0 => amount.to_string(),
        _ => format!("{}.{:0width$}", amount / unit, (amount % unit).abs(), width = decimals as usize),
    }
}

/// The other way: at most so many decimals, digits only.
pub(super) fn amount(text: &str, decimals: u32) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || part.len() > decimals as usize
        || !digits(whole)
        || !digits(part)
        || text.ends_with('.')
    {
        return None;
    }
    format!("{whole}{part:0<width$}", width = decimals as usize).parse().ok()
}
