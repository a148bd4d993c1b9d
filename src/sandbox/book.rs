//! The simulated gateways' own books: payments, what was captured and refunded, every notice and every answer to it.
//! In memory; written to a file after each change when one is given.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use super::payment::{Capture, Dispute, DisputeStatus, Payment, Refund, Status};

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
    /// `sending`, `held`, `delivered`, `given_up`, `lost`, `forged`.
    pub state: String,
    #[serde(default)]
    pub made_at: i64,
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

    /// Changes one refund. Answers it as it is then.
    pub fn move_refund(&mut self, payment: &str, refund: &str, to: &str, at: i64) -> Option<Refund> {
        let payment = self.payments.iter_mut().find(|p| p.id == payment)?;
        let kept = payment.refunds.iter_mut().find(|r| r.is(refund))?;
        let from = std::mem::take(&mut kept.status);
        *kept = kept.clone().entering(to, at);
        let (id, moved) = (payment.id.clone(), kept.clone());
        let details = json!({ "refund": moved.id, "from": from, "to": to, "amount": moved.amount });
        self.write("refund_moved", &id, at, details);
        Some(moved)
    }

    /// Opens a dispute or changes it.
    pub fn put_dispute(&mut self, payment: &str, dispute: Dispute, at: i64) {
        let Some(payment) = self.payments.iter_mut().find(|p| p.id == payment) else { return };
        let details = json!({ "dispute": dispute.id, "trade_no": dispute.trade_no, "amount": dispute.amount,
            "status": dispute.status, "taken": dispute.taken });
        match payment.disputes.iter_mut().find(|d| d.id == dispute.id) {
            Some(kept) => *kept = dispute,
            None => payment.disputes.push(dispute),
        }
        payment.disputed = payment.disputes.iter().any(|d| d.status == DisputeStatus::Opened);
        let id = payment.id.clone();
        self.write("dispute", &id, at, details);
    }

    /// By the gateway's id of a dispute at one gateway.
    pub fn by_dispute(&mut self, side: &str, id: &str) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|p| p.side == side && p.dispute(id).is_some())
    }

    /// One payment, by its id or by the shop's number, with its notices.
    pub fn page_of(&self, id: &str) -> Option<Value> {
        let payment = self.payments.iter().rev().find(|p| p.id == id || p.number == id)?;
        let notices: Vec<&SentNotice> = self.notices.iter().filter(|n| n.payment == payment.id).collect();
        Some(json!({ "payment": payment, "notices": notices }))
    }

    /// Everything, for tests and people. Bodies of notices included, secrets never were here.
    pub fn journal(&self) -> Value {
        json!({ "payments": self.payments, "notices": self.notices, "entries": self.entries })
    }
}
