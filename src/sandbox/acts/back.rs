//! Refunds: made at the gateway without the shop, asked for by the shop, failing and succeeding late.

use std::sync::Arc;

use serde::Deserialize;

use super::{Acted, Deed, conflict, report};
use crate::sandbox::book::{Capture, Payment, Refund, SentNotice};
use crate::sandbox::notices;
use crate::sandbox::played::{About, RefundNews};
use crate::sandbox::simulator::Desk;
use crate::sandbox::trouble::RefundCourse;

/// In which form and order a refund is reported, at gateways that report both the refund and the sum of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum NoticeOrder {
    /// The refund, then the sum.
    #[default]
    SumLast,
    SumFirst,
    /// The sum, without saying which refund changed it.
    SumAlone,
    RefundAlone,
}

impl Deed<'_> {
    /// A refund made at the gateway, without the shop.
    pub(super) fn refund(&self, name: &str) -> Acted {
        let can = self.side.can();
        let disputed = |c: &&Capture| self.payment.is_disputed(&c.trade_no);
        let refundable = |c: &&Capture| self.payment.refundable(c) > 0 && self.wants(&c.trade_no);
        let mut captures = self.payment.captures.iter().rev().filter(refundable);
        let found = match name {
            "refund-disputed" => captures.find(disputed),
            _ => captures.next(),
        };
        let Some(capture) = found else { return conflict("nothing is left to refund") };
        if disputed(&capture) && !can.refund_disputed {
            return conflict("what is disputed cannot be refunded");
        }
        let left = self.payment.refundable(capture);
        let of_dispute = || {
            let open = self.payment.disputes_of(&capture.trade_no).find(|d| d.decided_at.is_none());
            open.map_or(left, |dispute| dispute.amount.min(left))
        };
        let amount = self.input.amount.unwrap_or_else(|| match name {
            "refund-part" => (left / 2).max(1),
            "refund-disputed" => of_dispute(),
            _ => left,
        });
        if amount < 1 || amount > left {
            return conflict(format!("at most {left} can be refunded"));
        }
        let status = if name == "refund-slow" { "pending" } else { "succeeded" };
        let refund = Refund::new(self.side.refund_no(self.now), None, &capture.trade_no, amount);
        let refund = refund.entering(status, self.now);
        self.desk.change(|book| book.refund(&self.payment.id, refund.clone()));
        let order = match name {
            "refund-sum-first" => NoticeOrder::SumFirst,
            "refund-sum-last" => NoticeOrder::SumLast,
            "refund-sum-alone" => NoticeOrder::SumAlone,
            _ => self.input.report,
        };
        Ok(refund_notices(self.desk, &self.payment.id, &refund, None, order))
    }

    /// Whether the act is about this trade, or about any.
    pub(super) fn wants(&self, trade_no: &str) -> bool {
        self.input.trade_no.as_deref().is_none_or(|wanted| wanted == trade_no)
    }

    /// The newest refund in one of these states, or the one that was named.
    fn refund_in(&self, states: &[&str]) -> Option<&Refund> {
        let wanted = |r: &&Refund| self.input.refund.as_deref().is_none_or(|id| r.is(id));
        let all = self.payment.refunds.iter().rev();
        all.filter(wanted).find(|r| states.contains(&r.status.as_str()))
    }

    fn enter_refund(&self, refund: &Refund, to: &str) -> Acted {
        let moved = self.desk.change(|book| book.move_refund(&self.payment.id, &refund.id, to, self.now));
        let Some(moved) = moved else { return conflict("the refund is gone") };
        Ok(refund_notices(self.desk, &self.payment.id, &moved, Some(&refund.status), self.input.report))
    }

    /// A refund that takes its time is done.
    pub(super) fn finish_refund(&self) -> Acted {
        let oldest =
            |r: &&Refund| r.status == "pending" && self.input.refund.as_deref().is_none_or(|id| r.is(id));
        match self.payment.refunds.iter().find(oldest) {
            Some(refund) => self.enter_refund(refund, "succeeded"),
            None => conflict("no refund is on its way"),
        }
    }

    /// The money does not arrive at the buyer: now, or after the gateway said that it had.
    pub(super) fn fail_refund(&self) -> Acted {
        let late: &[&str] = &["succeeded", "pending", "abnormal"];
        let states = if self.side.can().late_refunds { late } else { &late[1..] };
        match self.refund_in(states) {
            Some(refund) => self.enter_refund(refund, "failed"),
            None => conflict("there is no refund that can fail"),
        }
    }

    /// The buyer's account does not take the money; a person at the gateway's console decides.
    pub(super) fn stick_refund(&self) -> Acted {
        match self.refund_in(&["pending"]) {
            Some(refund) => self.enter_refund(refund, "abnormal"),
            None => conflict("no refund is on its way"),
        }
    }

    /// A refund that failed or got stuck is made after all.
    pub(super) fn complete_refund(&self) -> Acted {
        let late: &[&str] = &["abnormal", "failed"];
        let states = if self.side.can().late_refunds { late } else { &late[..1] };
        let Some(refund) = self.refund_in(states) else {
            return conflict("no refund failed or got stuck");
        };
        let left = self.payment.capture(&refund.trade_no).map_or(0, |c| self.payment.refundable(c));
        if refund.status == "failed" && refund.amount > left {
            return conflict("the money went back in another way meanwhile");
        }
        self.enter_refund(refund, "succeeded")
    }
}

/// What is reported to the shop when a refund has moved, of the one refund and of the sum. `was` is its status before;
/// none when it was just made.
pub(in crate::sandbox) fn refund_notices(
    desk: &Desk,
    payment: &str,
    refund: &Refund,
    was: Option<&str>,
    order: NoticeOrder,
) -> Vec<SentNotice> {
    let id = desk.read(|book| book.payments.iter().find(|p| p.id == payment).map(|p| p.side.clone()));
    let Some(can) = id.and_then(|side| desk.side(&side)).map(|side| side.can()) else { return Vec::new() };
    let news: &[RefundNews] = match (was, refund.status.as_str()) {
        (None, _) => &[RefundNews::Created],
        (Some(_), "failed") => &[RefundNews::Failed, RefundNews::Updated, RefundNews::UpdatedOfCharge],
        (Some(_), _) => &[RefundNews::Updated, RefundNews::UpdatedOfCharge],
    };
    let counts = |status: &str| match status {
        "succeeded" => true,
        "pending" | "abnormal" => can.sum_counts_pending,
        _ => false,
    };
    let raised = counts(&refund.status) && !was.is_some_and(counts);
    let named = (order != NoticeOrder::SumAlone || !can.report_sum_alone).then_some(refund.id.as_str());
    let sum = raised.then(|| report(desk, payment, About::Refunded(&refund.trade_no, named))).flatten();
    let one = news.iter().filter_map(|news| report(desk, payment, About::Refund(&refund.id, *news)));
    let one: Vec<SentNotice> = one.collect();
    match order {
        // A failure has no other message.
        NoticeOrder::SumAlone if can.report_sum_apart && was.is_none() => sum.into_iter().collect(),
        NoticeOrder::RefundAlone if can.report_sum_apart => one,
        NoticeOrder::SumFirst => sum.into_iter().chain(one).collect(),
        NoticeOrder::SumAlone | NoticeOrder::RefundAlone | NoticeOrder::SumLast => {
            one.into_iter().chain(sum).collect()
        }
    }
}

/// A refund that the shop has asked for and that may be made: recorded, taking the course ordered as trouble, and
/// reported.
pub(in crate::sandbox) fn refund_for_shop(desk: &Arc<Desk>, payment: &Payment, refund: Refund) -> Refund {
    let trouble = desk.trouble();
    let slow = desk.side(&payment.side).is_some_and(|side| side.can().slow_refunds);
    let possible = |course: &RefundCourse| slow || *course != RefundCourse::Pending;
    let course = trouble.refunds.filter(possible).unwrap_or(RefundCourse::Succeeded);
    let refund = refund.entering(course.as_str(), desk.clock.unix());
    desk.change(|book| book.refund(&payment.id, refund.clone()));
    let sent = refund_notices(desk, &payment.id, &refund, None, trouble.report.unwrap_or_default());
    notices::send(desk, sent);
    refund
}
