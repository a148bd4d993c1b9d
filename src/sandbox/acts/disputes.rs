//! Disputes: opened about all or a part, several at a time, as inquiries, and decided in every way there is.

use super::{Acted, Deed, conflict, report};
use crate::sandbox::book::{Capture, Dispute, DisputeStatus};
use crate::sandbox::played::{About, DisputeNews};

impl Deed<'_> {
    pub(super) fn dispute(&self, name: &str) -> Acted {
        use DisputeStatus::{Inquiry, Lost, Opened};
        match name {
            "dispute" | "dispute-part" | "inquiry" => self.open_dispute(name),
            "answer-dispute" => self.decide(&[Inquiry, Opened], |d| Dispute { answered: true, ..d }),
            "escalate" => self.decide(&[Inquiry], |d| Dispute { status: Opened, answered: false, ..d }),
            "dispute-won" => self.decide(&[Opened], |d| Dispute { status: DisputeStatus::Won, ..d }),
            "dispute-withdrawn" => {
                self.decide(&[Inquiry, Opened], |d| Dispute { status: DisputeStatus::Withdrawn, ..d })
            }
            "dispute-lost" => self.lose(),
            _ => self.decide(&[Lost], |d| Dispute { status: DisputeStatus::WonAfterLost, taken: 0, ..d }),
        }
    }

    /// What of a capture nobody has claimed yet, by refund or by dispute.
    fn undisputed(&self, capture: &Capture) -> i64 {
        let open = self.payment.disputes_of(&capture.trade_no).filter(|d| d.status.is_undecided());
        self.payment.refundable(capture) - open.map(|d| d.amount).sum::<i64>()
    }

    fn open_dispute(&self, name: &str) -> Acted {
        let captures = || self.payment.captures.iter().rev().filter(|c| self.wants(&c.trade_no));
        let never = |c: &&Capture| self.payment.disputes_of(&c.trade_no).next().is_none();
        // Money that went back whole can be disputed too.
        let found = captures().find(|c| self.undisputed(c) > 0).or_else(|| captures().find(never));
        let Some(capture) = found else {
            return conflict(if self.payment.captures.is_empty() {
                "nothing was paid"
            } else {
                "nothing is left to dispute"
            });
        };
        let most = Some(self.undisputed(capture)).filter(|left| *left > 0).unwrap_or(capture.amount);
        let amount =
            self.input.amount.unwrap_or(if name == "dispute-part" { (most / 2).max(1) } else { most });
        if amount < 1 || amount > most {
            return conflict(format!("at most {most} can be disputed"));
        }
        let reasons = self.side.dispute_reasons();
        let reason = self.input.reason.clone().or_else(|| reasons.first().map(|r| (*r).to_owned()));
        let inquiry = name == "inquiry";
        let dispute = Dispute {
            id: self.side.dispute_no(),
            trade_no: capture.trade_no.clone(),
            amount,
            reason: reason.unwrap_or_default(),
            status: if inquiry { DisputeStatus::Inquiry } else { DisputeStatus::Opened },
            answered: false,
            was_inquiry: inquiry,
            opened_at: self.now,
            moved_at: self.now,
            decided_at: None,
            taken: 0,
        };
        self.put(dispute, None)
    }

    /// The newest dispute in one of these states, or the one that was named.
    fn dispute_in(&self, states: &[DisputeStatus]) -> Option<&Dispute> {
        let wanted = |d: &&Dispute| self.input.dispute.as_deref().is_none_or(|id| d.id == id);
        self.payment.disputes.iter().rev().filter(wanted).find(|d| states.contains(&d.status))
    }

    fn decide(&self, from: &[DisputeStatus], change: impl FnOnce(Dispute) -> Dispute) -> Acted {
        match self.dispute_in(from) {
            Some(dispute) => self.put(change(dispute.clone()), Some(dispute.status)),
            None => conflict("there is no such dispute"),
        }
    }

    /// The buyer gets what is disputed, as far as it did not go back already.
    fn lose(&self) -> Acted {
        let Some(dispute) = self.dispute_in(&[DisputeStatus::Opened]) else {
            return conflict("nothing is disputed");
        };
        let left = self.payment.capture(&dispute.trade_no).map_or(0, |c| self.payment.refundable(c));
        let taken = dispute.amount.min(left);
        if taken < 1 {
            return conflict("the money went back already; such a dispute is withdrawn");
        }
        let lost = Dispute { status: DisputeStatus::Lost, taken, ..dispute.clone() };
        self.put(lost, Some(dispute.status))
    }

    /// Records a dispute and reports what has changed. `was` is its status before; none when it was just opened.
    fn put(&self, dispute: Dispute, was: Option<DisputeStatus>) -> Acted {
        use DisputeNews::{Closed, FundsReinstated, FundsWithdrawn, Reversed, Updated};
        use DisputeStatus::{Inquiry, Lost, Opened, Withdrawn, Won, WonAfterLost};
        let decided = (!dispute.status.is_undecided()).then_some(self.now);
        let dispute = Dispute { moved_at: self.now, decided_at: decided, ..dispute };
        self.desk.change(|book| book.put_dispute(&self.payment.id, dispute.clone(), self.now));
        let news: &[DisputeNews] = match (was, dispute.status) {
            (None, Inquiry) => &[DisputeNews::Opened],
            (None, _) => &[DisputeNews::Opened, FundsWithdrawn],
            (Some(Inquiry), Opened) => &[Updated, FundsWithdrawn],
            (Some(Inquiry), Withdrawn) => &[Closed],
            (Some(_), Inquiry | Opened) => &[Updated],
            (Some(_), Won | Withdrawn) => &[Closed, FundsReinstated],
            (Some(_), Lost) => &[Reversed, Closed],
            (Some(_), WonAfterLost) => &[Updated, FundsReinstated],
        };
        let sent = news
            .iter()
            .filter_map(|news| report(self.desk, &self.payment.id, About::Dispute(&dispute.id, *news)));
        Ok(sent.collect())
    }
}
