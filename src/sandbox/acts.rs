//! What a person can make happen at a simulated gateway: the buttons of the page and the JSON API of the tests.

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Capture, Payment, Refund, SentNotice, Status};
use super::notices;
use super::played::{About, Can, Played};
use super::simulator::{Desk, RefundCourse};

/// One act: its name in addresses, what the page writes on its button, and which gateways have it.
pub(super) struct Act {
    pub name: &'static str,
    pub label: &'static str,
    pub offered: fn(&Can) -> bool,
}

const fn act_of(name: &'static str, label: &'static str, offered: fn(&Can) -> bool) -> Act {
    Act { name, label, offered }
}

/// All acts, in the order of the page.
pub(super) const ACTS: [Act; 21] = [
    act_of("pay", "Pay", |_| true),
    act_of("pay-twice", "Pay twice", |_| true),
    act_of("pay-late", "Pay late", |_| true),
    act_of("wrong-amount", "Pay too little", |_| true),
    act_of("wrong-currency", "Pay in another currency", |can| can.other_currency),
    act_of("pend", "Pay by a slow method", |can| can.pend),
    act_of("decline", "Decline", |can| can.decline),
    act_of("expire", "Let it expire", |_| true),
    act_of("lose-notice", "Pay, lose the notice", |_| true),
    act_of("delay-notice", "Pay, delay the notice", |_| true),
    act_of("forge-notice", "Forge a notice", |_| true),
    act_of("probe-notice", "Probe the signature check", |can| can.probe),
    act_of("stale-pending", "Pay, then tell an older “pending”", |can| can.pend),
    act_of("refund-first", "Pay and refund, tell the refund first", |can| can.tell_refunds && !can.approve),
    act_of("repeat-notice", "Repeat the last notice", |_| true),
    act_of("refund", "Refund", |_| true),
    act_of("refund-part", "Refund a part", |_| true),
    act_of("finish-refund", "Finish a slow refund", |can| can.slow_refunds),
    act_of("dispute", "Dispute", |can| can.dispute),
    act_of("dispute-won", "Dispute: won", |can| can.dispute),
    act_of("dispute-lost", "Dispute: lost", |can| can.dispute),
];

/// What an act may be told, in the gateway's own integers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    pub amount: Option<i64>,
    pub currency: Option<String>,
    /// How long `delay-notice` waits; 20 s unless told.
    pub delay_ms: Option<u64>,
}

pub(super) struct ActRefusal {
    pub status: StatusCode,
    pub message: String,
}

type Acted = Result<Vec<SentNotice>, ActRefusal>;

fn refuse<T>(status: StatusCode, message: impl Into<String>) -> Result<T, ActRefusal> {
    Err(ActRefusal { status, message: message.into() })
}

fn conflict<T>(message: impl Into<String>) -> Result<T, ActRefusal> {
    refuse(StatusCode::CONFLICT, message)
}

/// Does it, writes it down and lets the notices go. Answers the payment as it is then and the ids of the notices.
pub(super) fn act(desk: &Arc<Desk>, id: &str, name: &str, input: &Input) -> Result<Value, ActRefusal> {
    let now = desk.clock.unix();
    let Some(payment) = desk.change(|book| book.payment(id, now).cloned()) else {
        return refuse(StatusCode::NOT_FOUND, "no such payment");
    };
    let (Some(side), Some(known)) = (desk.side(&payment.side), ACTS.iter().find(|act| act.name == name))
    else {
        return refuse(StatusCode::NOT_FOUND, "no such act");
    };
    if !(known.offered)(&side.can()) {
        return conflict(format!("{} has nothing like this", side.title()));
    }
    let deed = Deed { desk, side: &*side, payment: &payment, input, now };
    let notices = match name {
        "refund" | "refund-part" | "finish-refund" => deed.back(name)?,
        "dispute" | "dispute-won" | "dispute-lost" => deed.dispute(name)?,
        "repeat-notice" => deed.repeat()?,
        "expire" | "decline" | "pend" => deed.without_money(name)?,
        _ => deed.pay(name)?,
    };
    let ids: Vec<String> = notices.iter().map(|n| n.id.clone()).collect();
    let delay = if name == "delay-notice" { input.delay_ms.unwrap_or(20_000) } else { 0 };
    notices::send_later(desk, notices, Duration::from_millis(delay));
    let payment = desk.change(|book| book.payment(&payment.id, now).cloned());
    Ok(json!({ "payment": payment, "notices": ids }))
}

/// One act on its way.
struct Deed<'a> {
    desk: &'a Arc<Desk>,
    side: &'a dyn Played,
    payment: &'a Payment,
    input: &'a Input,
    now: i64,
}

impl Deed<'_> {
    fn is_open(&self) -> bool {
        matches!(self.payment.status, Status::Open | Status::Pending)
    }

    fn about(&self, about: About<'_>) -> Option<SentNotice> {
        tell(self.desk, &self.payment.id, about)
    }

    /// Everything a buyer can do with money.
    fn pay(&self, name: &str) -> Acted {
        let any_time = ["pay-twice", "pay-late", "forge-notice", "probe-notice"].contains(&name)
            || (name == "stale-pending" && self.side.can().approve);
        if !any_time && !self.is_open() {
            return conflict("this payment is not open; `pay-late` pays it all the same");
        }
        let amount = self.input.amount.unwrap_or(match name {
            "wrong-amount" if self.payment.amount > 1 => self.payment.amount - 1,
            "wrong-amount" => 2,
            _ => self.payment.amount,
        });
        let other = if self.payment.currency == "USD" { "EUR" } else { "USD" };
        let currency = match name {
            "wrong-currency" => self.input.currency.as_deref().unwrap_or(other).to_ascii_uppercase(),
            _ => self.payment.currency.clone(),
        };
        if name == "forge-notice" || name == "probe-notice" {
            let probe = name == "probe-notice";
            return Ok(self.forged().map(|notice| SentNotice { probe, ..notice }).into_iter().collect());
        }
        if self.side.can().approve {
            return self.approve(name, amount, &currency);
        }
        let mut notices = Vec::new();
        match name {
            "pay-twice" => {
                let first = self.payment.captures.is_empty().then(|| self.paid(amount, &currency)).flatten();
                // Each goes its own way, as two payments would.
                notices::send(self.desk, first.into_iter().collect());
                notices.extend(self.paid(amount, &currency));
            }
            "pay-late" => {
                if self.is_open() {
                    notices.extend(enter(self.desk, self.payment, Status::Closed, About::Closed));
                }
                notices.extend(self.paid(amount, &currency));
            }
            "lose-notice" => {
                notices::lose(self.desk, self.paid(amount, &currency).into_iter().collect());
            }
            "stale-pending" => {
                notices.extend(self.paid(amount, &currency));
                notices.extend(self.about(About::Pending));
            }
            "refund-first" => {
                let paid = self.paid(amount, &currency);
                let fresh =
                    self.desk.read(|book| book.payments.iter().find(|p| p.id == self.payment.id).cloned());
                if let Some(fresh) = fresh {
                    notices.extend(Deed { payment: &fresh, ..*self }.back("refund")?);
                }
                notices.extend(paid);
            }
            _ => notices.extend(self.paid(amount, &currency)),
        }
        Ok(notices)
    }

    fn paid(&self, amount: i64, currency: &str) -> Option<SentNotice> {
        let payment =
            self.desk.read(|book| book.payments.iter().find(|p| p.id == self.payment.id).cloned())?;
        let trade_no = self.side.trade_no(&payment, self.now);
        let capture = Capture { trade_no, amount, currency: currency.to_owned(), at: self.now };
        self.desk.change(|book| book.capture(&self.payment.id, capture.clone()));
        self.about(About::Paid(&capture.trade_no))
    }

    /// The buyer agrees; what comes of it waits for the shop's call. What is wrong with it is noted for then.
    fn approve(&self, name: &str, amount: i64, currency: &str) -> Acted {
        if name == "stale-pending" {
            return match self.payment.captures.is_empty() {
                false => Ok(self.about(About::Pending).into_iter().collect()),
                true => conflict("pay it first, and let the shop take the money"),
            };
        }
        if self.payment.status == Status::Pending {
            return Ok(self.paid(amount, currency).into_iter().collect());
        }
        self.desk.change(|book| {
            book.note(&self.payment.id, "take.amount", &amount.to_string());
            book.note(&self.payment.id, "take.currency", currency);
            book.note(&self.payment.id, "take.how", name);
        });
        if name == "pay-twice" && !self.payment.captures.is_empty() {
            return Ok(self.paid(amount, currency).into_iter().collect());
        }
        let notice = enter(self.desk, self.payment, Status::Approved, About::Approved);
        if name == "lose-notice" {
            notices::lose(self.desk, notice.into_iter().collect());
            return Ok(Vec::new());
        }
        Ok(notice.into_iter().collect())
    }

    /// Says that it was paid, which it was not, signed by somebody else.
    fn forged(&self) -> Option<SentNotice> {
        let mut never = self.payment.clone();
        let trade_no = self.side.trade_no(self.payment, self.now);
        never.captures.push(Capture {
            trade_no: trade_no.clone(),
            amount: never.amount,
            currency: never.currency.clone(),
            at: self.now,
        });
        never.status = Status::Paid;
        let notice = notices::make(self.desk, &never, About::Paid(&trade_no))?;
        Some(SentNotice { forged: true, ..notice })
    }

    fn without_money(&self, name: &str) -> Acted {
        if !self.is_open() && self.payment.status != Status::Approved {
            return conflict("this payment is not open");
        }
        if name == "pend" && self.side.can().approve {
            return self.approve(name, self.payment.amount, &self.payment.currency);
        }
        let (status, say) = match name {
            "pend" => (Status::Pending, About::Pending),
            "decline" => (Status::Failed, About::Failed),
            _ => (Status::Closed, About::Closed),
        };
        Ok(enter(self.desk, self.payment, status, say).into_iter().collect())
    }

    /// A refund made at the gateway, without the shop, or one that the shop asked for and that took its time.
    fn back(&self, name: &str) -> Acted {
        if name == "finish-refund" {
            return self.finish_refund();
        }
        let captures = &self.payment.captures;
        let Some(capture) = captures.iter().rev().find(|c| self.payment.refundable(c) > 0) else {
            return conflict("nothing is left to refund");
        };
        let left = self.payment.refundable(capture);
        let amount =
            self.input.amount.unwrap_or(if name == "refund-part" { (left / 2).max(1) } else { left });
        if amount < 1 || amount > left {
            return conflict(format!("at most {left} can be refunded"));
        }
        let refund = Refund::new(self.side.refund_no(self.now), None, &capture.trade_no, amount);
        let refund = Refund { status: "succeeded".into(), at: self.now, ..refund };
        self.desk.change(|book| book.refund(&self.payment.id, refund.clone()));
        Ok(refund_notices(self.desk, &self.payment.id, &refund))
    }

    fn finish_refund(&self) -> Acted {
        let finished = self.desk.change(|book| {
            let payment = book.payments.iter_mut().find(|p| p.id == self.payment.id)?;
            let refund = payment.refunds.iter_mut().find(|r| r.status == "pending")?;
            refund.status = "succeeded".into();
            let (id, refund) = (payment.id.clone(), refund.clone());
            book.write("refund_finished", &id, self.now, json!({ "refund": refund.id }));
            Some(refund)
        });
        match finished {
            Some(refund) => Ok(refund_notices(self.desk, &self.payment.id, &refund)),
            None => conflict("no refund is on its way"),
        }
    }

    fn dispute(&self, name: &str) -> Acted {
        let Some(capture) = self.payment.captures.last() else { return conflict("nothing was paid") };
        if name != "dispute" && !self.payment.disputed {
            return conflict("nothing is disputed");
        }
        let trade = capture.trade_no.as_str();
        let say = match name {
            "dispute" => About::Disputed(trade),
            "dispute-won" => About::DisputeWon(trade),
            _ => About::DisputeLost(trade),
        };
        self.desk.change(|book| {
            book.write(&name.replace('-', "_"), &self.payment.id, self.now, json!({ "trade_no": trade }));
            if let Some(payment) = book.payment(&self.payment.id, self.now) {
                payment.disputed = name == "dispute";
            }
        });
        Ok(self.about(say).into_iter().collect())
    }

    fn repeat(&self) -> Acted {
        let mine = |n: &&SentNotice| n.payment == self.payment.id && !n.forged;
        let Some(last) = self.desk.read(|book| book.notices.iter().rev().find(mine).cloned()) else {
            return conflict("no notice was sent yet");
        };
        notices::repeat(self.desk, &last.id);
        Ok(Vec::new())
    }
}

/// A notice about a payment as it is now.
pub(super) fn tell(desk: &Desk, id: &str, about: About<'_>) -> Option<SentNotice> {
    let payment = desk.read(|book| book.payments.iter().find(|p| p.id == id).cloned())?;
    notices::make(desk, &payment, about)
}

/// Puts a payment into a state without money. Also what a call of the API does when it closes one.
pub(super) fn enter(desk: &Desk, payment: &Payment, status: Status, say: About<'_>) -> Option<SentNotice> {
    let now = desk.clock.unix();
    desk.change(|book| {
        book.write("state", &payment.id, now, json!({ "to": status }));
        if let Some(payment) = book.payment(&payment.id, now) {
            payment.status = status;
        }
    });
    tell(desk, &payment.id, say)
}

/// What the shop is told when a refund has moved: of the one refund, and of the sum.
pub(super) fn refund_notices(desk: &Desk, payment: &str, refund: &Refund) -> Vec<SentNotice> {
    let one = tell(desk, payment, About::Refund(&refund.id));
    let sum = (refund.status == "succeeded").then(|| tell(desk, payment, About::Refunded(&refund.trade_no)));
    one.into_iter().chain(sum.flatten()).collect()
}

/// A refund that the shop has asked for and that may be made: written down, taking the course ordered as trouble, and
/// told.
pub(super) fn refund_for_shop(desk: &Arc<Desk>, payment: &Payment, refund: Refund) -> Refund {
    let course = desk.trouble().refunds.unwrap_or(RefundCourse::Succeeded);
    let refund = Refund { status: course.as_str().to_owned(), at: desk.clock.unix(), ..refund };
    desk.change(|book| book.refund(&payment.id, refund.clone()));
    notices::send(desk, refund_notices(desk, &payment.id, &refund));
    refund
}
