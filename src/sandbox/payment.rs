//! What a simulated gateway knows of one payment: what was taken, what was given back, what is disputed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Can be paid.
    Open,
    /// The buyer has agreed; the shop has to take the money.
    Approved,
    /// The buyer has acted, the money is on its way.
    Pending,
    Paid,
    Closed,
    Failed,
}

/// Money taken once. Amounts are in the gateway's own integers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Capture {
    pub trade_no: String,
    pub amount: i64,
    pub currency: String,
    pub at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    /// The shop's id of it; none for one made at the gateway.
    pub refund_id: Option<String>,
    pub trade_no: String,
    pub amount: i64,
    /// `succeeded`, `pending`, `failed`; `abnormal` where the money did not reach the buyer and a person decides.
    pub status: String,
    pub notes: BTreeMap<String, String>,
    /// When it was made.
    pub at: i64,
    /// When its status changed last.
    #[serde(default)]
    pub moved_at: i64,
    /// When it succeeded first, whatever came after.
    #[serde(default)]
    pub succeeded_at: Option<i64>,
    /// How often it came to succeed; more than once when it failed in between.
    #[serde(default)]
    pub successes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DisputeStatus {
    /// The buyer or the bank asks; no money moves.
    Inquiry,
    /// The money is taken until it is decided.
    Opened,
    Won,
    Lost,
    /// The buyer gave it up; an inquiry too.
    Withdrawn,
    /// The shop got back what it had lost.
    WonAfterLost,
}

impl DisputeStatus {
    /// Whether it is still to be decided.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Inquiry | Self::Opened)
    }
}

/// One dispute at the gateway, about all or a part of a capture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dispute {
    pub id: String,
    pub trade_no: String,
    pub amount: i64,
    /// The gateway's own term.
    pub reason: String,
    pub status: DisputeStatus,
    /// The shop has answered it.
    pub answered: bool,
    /// It began as an inquiry.
    pub was_inquiry: bool,
    pub opened_at: i64,
    pub moved_at: i64,
    pub decided_at: Option<i64>,
    /// What the buyer got by it: nothing unless it is lost, then at most what was left of the capture.
    pub taken: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub id: String,
    /// The gateway's name.
    pub side: String,
    /// The shop's number of it.
    pub number: String,
    pub amount: i64,
    pub currency: String,
    pub title: String,
    pub notify_url: Option<String>,
    pub return_url: String,
    pub cancel_url: String,
    /// What the shop said beside, and what this gateway notes for itself.
    pub notes: BTreeMap<String, String>,
    pub created: i64,
    pub expires_at: i64,
    pub status: Status,
    /// A dispute about it is open.
    pub disputed: bool,
    /// Its notices are kept back until they are released.
    #[serde(default)]
    pub holding: bool,
    pub captures: Vec<Capture>,
    pub refunds: Vec<Refund>,
    #[serde(default)]
    pub disputes: Vec<Dispute>,
}

impl Refund {
    /// A refund before it takes its course.
    pub fn new(id: String, refund_id: Option<&str>, trade_no: &str, amount: i64) -> Self {
        Self {
            id,
            refund_id: refund_id.map(str::to_owned),
            trade_no: trade_no.to_owned(),
            amount,
            status: "pending".into(),
            notes: BTreeMap::new(),
            at: 0,
            moved_at: 0,
            succeeded_at: None,
            successes: 0,
        }
    }

    /// The same with this status from this moment on.
    pub fn entering(mut self, status: &str, at: i64) -> Self {
        if self.at == 0 {
            self.at = at;
        }
        self.status = status.to_owned();
        self.moved_at = at;
        if status == "succeeded" {
            self.succeeded_at = self.succeeded_at.or(Some(at));
            self.successes += 1;
        }
        self
    }

    pub fn is_on_its_way(&self) -> bool {
        self.status == "pending" || self.status == "abnormal"
    }

    /// By the gateway's or the shop's id.
    pub fn is(&self, id: &str) -> bool {
        self.id == id || self.refund_id.as_deref() == Some(id)
    }
}

impl Payment {
    /// A payment that was just started.
    pub fn new(side: &str, id: String, number: &str, amount: i64, currency: &str, created: i64) -> Self {
        Self {
            id,
            side: side.to_owned(),
            number: number.to_owned(),
            amount,
            currency: currency.to_owned(),
            title: String::new(),
            notify_url: None,
            return_url: String::new(),
            cancel_url: String::new(),
            notes: BTreeMap::new(),
            created,
            expires_at: created + 86_400,
            status: Status::Open,
            disputed: false,
            holding: false,
            captures: Vec::new(),
            refunds: Vec::new(),
            disputes: Vec::new(),
        }
    }

    /// A note; empty when there is none.
    pub fn note(&self, name: &str) -> &str {
        self.notes.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Notes whose names begin so, without it.
    pub fn notes_of(&self, prefix: &str) -> BTreeMap<&str, &str> {
        self.notes
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
            .collect()
    }

    pub fn capture(&self, trade_no: &str) -> Option<&Capture> {
        self.captures.iter().find(|c| c.trade_no == trade_no)
    }

    /// By the gateway's or the shop's id.
    pub fn refund(&self, id: &str) -> Option<&Refund> {
        self.refunds.iter().find(|r| r.is(id))
    }

    pub fn dispute(&self, id: &str) -> Option<&Dispute> {
        self.disputes.iter().find(|d| d.id == id)
    }

    /// The disputes about one capture.
    pub fn disputes_of(&self, trade_no: &str) -> impl Iterator<Item = &Dispute> {
        self.disputes.iter().filter(move |d| d.trade_no == trade_no)
    }

    /// Whether money of one capture is disputed at this moment.
    pub fn is_disputed(&self, trade_no: &str) -> bool {
        self.disputes_of(trade_no).any(|d| d.status == DisputeStatus::Opened)
    }

    fn refunds_of(&self, trade_no: &str, counts: impl Fn(&Refund) -> bool) -> i64 {
        self.refunds.iter().filter(|r| r.trade_no == trade_no && counts(r)).map(|r| r.amount).sum()
    }

    /// What went back of one capture.
    pub fn refunded(&self, trade_no: &str) -> i64 {
        self.refunds_of(trade_no, |r| r.status == "succeeded")
    }

    /// What went back of one capture or is on its way.
    pub fn claimed(&self, trade_no: &str) -> i64 {
        self.refunds_of(trade_no, |r| r.status != "failed")
    }

    /// What disputes took of one capture for good.
    pub fn lost(&self, trade_no: &str) -> i64 {
        self.disputes_of(trade_no).map(|d| d.taken).sum()
    }

    /// What may still be asked back of one capture; refunds on their way count as gone.
    pub fn refundable(&self, capture: &Capture) -> i64 {
        capture.amount - self.claimed(&capture.trade_no) - self.lost(&capture.trade_no)
    }
}
