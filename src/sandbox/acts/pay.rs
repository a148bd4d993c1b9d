//! What a buyer can do with money, and what happens to a payment without any.

use super::{Acted, Deed, conflict, enter};
use crate::sandbox::book::{Capture, SentNotice, Status};
use crate::sandbox::notices;
use crate::sandbox::played::About;

impl Deed<'_> {
    fn is_open(&self) -> bool {
        matches!(self.payment.status, Status::Open | Status::Pending)
    }

    /// Everything a buyer can do with money.
    pub(super) fn pay(&self, name: &str) -> Acted {
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
                    notices.extend(Deed { payment: &fresh, ..*self }.refund("refund")?);
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

    pub(super) fn without_money(&self, name: &str) -> Acted {
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
}
