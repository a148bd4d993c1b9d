//! The simulated gateways' own books: payments, what was captured and refunded, every notice and every answer to it.
//! In memory; written to a file after each change when one is given.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// `succeeded`, `pending`, `failed`.
    pub status: String,
    pub notes: BTreeMap<String, String>,
    pub at: i64,
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
    pub disputed: bool,
    pub captures: Vec<Capture>,
    pub refunds: Vec<Refund>,
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
        }
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
            captures: Vec::new(),
            refunds: Vec::new(),
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
        self.refunds.iter().find(|r| r.id == id || r.refund_id.as_deref() == Some(id))
    }

    /// What went back of one capture.
    pub fn refunded(&self, trade_no: &str) -> i64 {
        let of_it = |r: &&Refund| r.trade_no == trade_no && r.status == "succeeded";
        self.refunds.iter().filter(of_it).map(|r| r.amount).sum()
    }

    /// What may still be asked back of one capture; refunds on their way count as gone.
    pub fn refundable(&self, capture: &Capture) -> i64 {
        let of_it = |r: &&Refund| r.trade_no == capture.trade_no && r.status != "failed";
        capture.amount - self.refunds.iter().filter(of_it).map(|r| r.amount).sum::<i64>()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub at: i64,
    /// The shop's answer; none when there was none.
    pub status: Option<u16>,
    pub answer: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SentNotice {
    /// The same on every attempt.
    pub id: String,
    pub payment: String,
    pub side: String,
    pub kind: String,
    pub body: String,
    pub target: Option<String>,
    /// Signed by somebody else, sent once.
    pub forged: bool,
    /// A test of the gateway's own: its signature is wrong and says so.
    #[serde(default)]
    pub probe: bool,
    /// `sending`, `delivered`, `given_up`, `lost`, `forged`.
    pub state: String,
    pub attempts: Vec<Attempt>,
}

/// An answer kept under its idempotency key, as Stripe and PayPal do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    pub request: String,
    pub status: u16,
    pub body: Value,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Book {
    pub payments: Vec<Payment>,
    pub notices: Vec<SentNotice>,
    /// What happened, in order.
    pub entries: Vec<Value>,
    pub kept: BTreeMap<String, KeptAnswer>,
}

impl Book {
    pub fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Replaces the file in one step; readable by the owner alone.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let draft = path.with_extension("draft");
        let bytes = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&draft)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| std::fs::rename(&draft, path))
            .map_err(|e| format!("{}: {e}", path.display()))
    }

    /// By its id or by the shop's number. What ran out of time is closed on the way.
    pub fn payment(&mut self, id: &str, now: i64) -> Option<&mut Payment> {
        self.find(now, |p| p.id == id || p.number == id)
    }

    /// By the shop's number at one gateway.
    pub fn numbered(&mut self, side: &str, number: &str, now: i64) -> Option<&mut Payment> {
        self.find(now, |p| p.side == side && p.number == number)
    }

    fn find(&mut self, now: i64, is: impl Fn(&Payment) -> bool) -> Option<&mut Payment> {
        let payment = self.payments.iter_mut().rev().find(|p| is(p))?;
        if matches!(payment.status, Status::Open | Status::Approved) && payment.expires_at < now {
            payment.status = Status::Closed;
        }
        Some(payment)
    }

    pub fn by_trade(&mut self, side: &str, trade_no: &str) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|p| p.side == side && p.capture(trade_no).is_some())
    }

    /// All of one gateway.
    pub fn of<'a>(&'a self, side: &'a str) -> impl Iterator<Item = &'a Payment> {
        self.payments.iter().filter(move |p| p.side == side)
    }

    pub fn note(&mut self, id: &str, name: &str, value: &str) {
        if let Some(payment) = self.payments.iter_mut().find(|p| p.id == id) {
            payment.notes.insert(name.to_owned(), value.to_owned());
        }
    }

    /// By the gateway's or the shop's id of a refund at one gateway.
    pub fn by_refund(&mut self, side: &str, id: &str) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|p| p.side == side && p.refund(id).is_some())
    }

    pub fn write(&mut self, what: &str, payment: &str, at: i64, details: Value) {
        let seq = self.entries.len() + 1;
        self.entries
            .push(json!({ "seq": seq, "at": at, "what": what, "payment": payment, "details": details }));
    }

    pub fn open(&mut self, payment: Payment) {
        let details =
            json!({ "number": payment.number, "amount": payment.amount, "currency": payment.currency });
        self.write("started", &payment.id, payment.created, details);
        self.payments.push(payment);
    }

    /// Takes money, whatever the payment's state: the caller has decided that it comes.
    pub fn capture(&mut self, id: &str, capture: Capture) {
        let Some(payment) = self.payments.iter_mut().find(|p| p.id == id) else { return };
        payment.captures.push(capture.clone());
        payment.status = Status::Paid;
        let details =
            json!({ "trade_no": capture.trade_no, "amount": capture.amount, "currency": capture.currency });
        self.write("captured", id, capture.at, details);
    }

    pub fn refund(&mut self, id: &str, refund: Refund) {
        let details = json!({ "refund": refund.id, "refund_id": refund.refund_id, "trade_no": refund.trade_no,
            "amount": refund.amount, "status": refund.status });
        self.write("refund", id, refund.at, details);
        if let Some(payment) = self.payments.iter_mut().find(|p| p.id == id) {
            payment.refunds.push(refund);
        }
    }

    /// Everything, for tests and people. Bodies of notices included, secrets never were here.
    pub fn journal(&self) -> Value {
        json!({ "payments": self.payments, "notices": self.notices, "entries": self.entries })
    }
}
