//! What can be done with notices: repeated, kept back, released in another order.

use super::{Acted, Deed, conflict};
use crate::sandbox::book::SentNotice;
use crate::sandbox::chance::Chance;
use crate::sandbox::notices;

impl Deed<'_> {
    /// The notices of this payment that are its gateway's own, in the order in which they were made.
    fn own(&self, is: impl Fn(&SentNotice) -> bool) -> Vec<String> {
        self.desk.read(|book| {
            let mine = book.notices.iter().filter(|n| n.payment == self.payment.id && !n.forged && is(n));
            mine.map(|n| n.id.clone()).collect()
        })
    }

    /// The last notice once more, or the one that was named; a lost one too.
    pub(super) fn repeat(&self) -> Acted {
        let wanted = |n: &SentNotice| self.input.notice.as_deref().is_none_or(|id| n.id == id);
        let Some(last) = self.own(wanted).pop() else {
            return conflict("no such notice was sent yet");
        };
        notices::repeat(self.desk, &last);
        Ok(Vec::new())
    }

    /// Every notice once more, in an order that the seed decides.
    pub(super) fn repeat_all(&self) -> Acted {
        let mut all = self.own(|n| n.state != "held");
        if all.is_empty() {
            return conflict("no notice was sent yet");
        }
        Chance::of(self.input.seed.unwrap_or_default()).shuffle(&mut all);
        notices::release(self.desk, all);
        Ok(Vec::new())
    }

    /// From now on notices are made and kept back.
    pub(super) fn hold(&self) -> Acted {
        self.keep(true);
        Ok(Vec::new())
    }

    /// What was kept back goes out, shuffled by the seed; with none, in a fixed disorder.
    pub(super) fn release(&self) -> Acted {
        if !self.payment.holding {
            return conflict("no notice is kept back");
        }
        self.keep(false);
        let mut held = self.own(|n| n.state == "held");
        Chance::of(self.input.seed.unwrap_or_default()).shuffle(&mut held);
        notices::release(self.desk, held);
        Ok(Vec::new())
    }

    fn keep(&self, holding: bool) {
        self.desk.change(|book| {
            if let Some(payment) = book.payments.iter_mut().find(|p| p.id == self.payment.id) {
                payment.holding = holding;
            }
        });
    }
}
