//! What can happen to a payment next, and how likely it is.

use serde_json::{Value, json};

use crate::sandbox::book::{DisputeStatus, Payment, SentNotice, Status};
use crate::sandbox::chance::Chance;
use crate::sandbox::played::Can;

/// One act with its input.
pub(super) struct Move {
    pub act: &'static str,
    pub input: Value,
    weight: u64,
}

fn of(weight: u64, act: &'static str) -> Move {
    Move { act, input: json!({}), weight }
}

fn with(weight: u64, act: &'static str, input: Value) -> Move {
    Move { act, input, weight }
}

fn seeded(weight: u64, act: &'static str, chance: &mut Chance) -> Move {
    with(weight, act, json!({ "seed": chance.below(1 << 32) }))
}

/// Every notice once more.
pub(super) fn repeat_all(chance: &mut Chance) -> Move {
    seeded(1, "repeat-all", chance)
}

/// One of the moves that are possible now.
pub(super) fn choose(payment: &Payment, can: Can, sent: &[SentNotice], chance: &mut Chance) -> Move {
    let mut moves = match payment.captures.is_empty() {
        true => before_money(payment, can),
        false => {
            let mut moves = refunds(payment, can, chance);
            moves.extend(disputes(payment, can, chance));
            moves
        }
    };
    moves.extend(notices(payment, sent, chance));
    let all: u64 = moves.iter().map(|m| m.weight).sum();
    let mut at = chance.below(all);
    let chosen = moves.iter().position(|m| {
        let here = at < m.weight;
        at = at.saturating_sub(m.weight);
        here
    });
    chosen.map_or_else(|| of(1, "hold-notices"), |index| moves.swap_remove(index))
}

fn before_money(payment: &Payment, can: Can) -> Vec<Move> {
    match payment.status {
        Status::Open => {
            let mut moves = vec![of(16, "pay")];
            if can.second_trade {
                moves.push(of(3, "pay-twice"));
            }
            if can.pend {
                moves.push(of(2, "pend"));
            }
            if can.report_refunds && !can.approve {
                moves.push(of(2, "refund-first"));
            }
            moves
        }
        Status::Pending => vec![of(6, "pay")],
        // The shop takes the money, or the payment is over.
        Status::Approved | Status::Paid | Status::Closed | Status::Failed => Vec::new(),
    }
}

fn refunds(payment: &Payment, can: Can, chance: &mut Chance) -> Vec<Move> {
    let mut moves = Vec::new();
    let free =
        |c: &&_| payment.refundable(c) > 0 && (can.refund_disputed || !payment.is_disputed(&c.trade_no));
    let open: Vec<_> = payment.captures.iter().filter(free).collect();
    if let Some(capture) = chance.pick(&open).copied()
        && can.report_refunds
    {
        let left = payment.refundable(capture);
        let trade = &capture.trade_no;
        let mut part = || json!({ "trade_no": trade, "amount": chance.amount(left) });
        moves.push(with(2, "refund", json!({ "trade_no": trade })));
        moves.push(with(4, "refund-part", part()));
        if can.slow_refunds {
            moves.push(with(3, "refund-slow", part()));
        }
        if can.report_sum_apart {
            moves.push(with(2, "refund-sum-first", part()));
            moves.push(with(2, "refund-sum-last", part()));
        }
        if can.report_sum_alone {
            moves.push(with(2, "refund-sum-alone", part()));
        }
        if can.refund_disputed && payment.is_disputed(trade) {
            moves.push(with(4, "refund-disputed", json!({ "trade_no": trade })));
        }
    }
    let having = |states: &[&str]| -> Vec<&str> {
        let all = payment.refunds.iter().filter(|r| states.contains(&r.status.as_str()));
        all.map(|r| r.id.as_str()).collect()
    };
    let mut named = |moves: &mut Vec<Move>, weight: u64, act: &'static str, ids: &[&str]| {
        if let Some(id) = chance.pick(ids) {
            moves.push(with(weight, act, json!({ "refund": id })));
        }
    };
    if can.slow_refunds {
        named(&mut moves, 4, "finish-refund", &having(&["pending"]));
        named(&mut moves, 2, "fail-refund", &having(&["pending", "abnormal"]));
    }
    if can.abnormal_refunds {
        named(&mut moves, 3, "stick-refund", &having(&["pending"]));
        named(&mut moves, 2, "complete-refund", &having(&["abnormal"]));
    }
    if can.late_refunds {
        named(&mut moves, 3, "fail-refund", &having(&["succeeded"]));
        let free = |id: &&str| {
            let refund = payment.refund(id);
            let capture = refund.and_then(|refund| payment.capture(&refund.trade_no));
            refund.zip(capture).is_some_and(|(refund, capture)| payment.refundable(capture) >= refund.amount)
        };
        let failed: Vec<&str> = having(&["failed"]).into_iter().filter(free).collect();
        named(&mut moves, 2, "complete-refund", &failed);
    }
    moves
}

fn disputes(payment: &Payment, can: Can, chance: &mut Chance) -> Vec<Move> {
    let mut moves = Vec::new();
    if !can.dispute {
        return moves;
    }
    let claimed = |trade: &str| -> i64 {
        payment.disputes_of(trade).filter(|d| d.status.is_undecided()).map(|d| d.amount).sum()
    };
    let left = |c: &&_| payment.refundable(c) - claimed(&c.trade_no);
    let free: Vec<_> = payment.captures.iter().filter(|c| left(c) > 0).collect();
    if let Some(capture) = chance.pick(&free).copied() {
        let trade = &capture.trade_no;
        let most = left(&capture);
        moves.push(with(1, "dispute", json!({ "trade_no": trade })));
        moves.push(with(2, "dispute-part", json!({ "trade_no": trade, "amount": chance.amount(most) })));
        moves.push(with(1, "inquiry", json!({ "trade_no": trade, "amount": chance.amount(most) })));
    }
    for dispute in &payment.disputes {
        let about = json!({ "dispute": dispute.id });
        match dispute.status {
            DisputeStatus::Inquiry => {
                moves.push(with(2, "escalate", about.clone()));
                moves.push(with(2, "dispute-withdrawn", about.clone()));
                moves.push(with(1, "answer-dispute", about));
            }
            DisputeStatus::Opened => {
                moves.push(with(2, "dispute-won", about.clone()));
                moves.push(with(2, "dispute-withdrawn", about.clone()));
                moves.push(with(1, "answer-dispute", about.clone()));
                // A bank takes the disputed amount whole.
                let left = payment.capture(&dispute.trade_no).map_or(0, |c| payment.refundable(c));
                if left >= dispute.amount {
                    moves.push(with(3, "dispute-lost", about));
                }
            }
            DisputeStatus::Lost => moves.push(with(2, "dispute-won-late", about)),
            DisputeStatus::Won | DisputeStatus::Withdrawn | DisputeStatus::WonAfterLost => {}
        }
    }
    moves
}

fn notices(payment: &Payment, sent: &[SentNotice], chance: &mut Chance) -> Vec<Move> {
    let mut moves = Vec::new();
    if let Some(earlier) = chance.pick(sent) {
        moves.push(with(2, "repeat-notice", json!({ "notice": earlier.id })));
        moves.push(repeat_all(chance));
    }
    match payment.holding {
        true => moves.push(seeded(5, "release-notices", chance)),
        false => moves.push(of(2, "hold-notices")),
    }
    moves
}

/// What has still to happen before a story can end: all is reported, every refund is decided, and every dispute but
/// those that are spared.
pub(super) fn wind_up(
    payment: &Payment,
    can: Can,
    spared: &mut Vec<String>,
    chance: &mut Chance,
) -> Option<Move> {
    if payment.captures.is_empty() && matches!(payment.status, Status::Open | Status::Pending) {
        return Some(of(1, "pay"));
    }
    if let Some(refund) = payment.refunds.iter().find(|r| r.is_on_its_way())
        && can.slow_refunds
    {
        let act = match (refund.status.as_str(), chance.percent(75)) {
            ("pending", true) => "finish-refund",
            ("abnormal", true) => "complete-refund",
            _ => "fail-refund",
        };
        return Some(with(1, act, json!({ "refund": refund.id })));
    }
    for dispute in payment.disputes.iter().filter(|d| d.status.is_undecided()) {
        if spared.contains(&dispute.id) {
            continue;
        }
        if chance.percent(20) {
            spared.push(dispute.id.clone());
            continue;
        }
        let left = payment.capture(&dispute.trade_no).map_or(0, |c| payment.refundable(c));
        let act = match (dispute.status, chance.below(3)) {
            (DisputeStatus::Opened, 0) if left >= dispute.amount => "dispute-lost",
            (DisputeStatus::Opened, 1) => "dispute-won",
            _ => "dispute-withdrawn",
        };
        return Some(with(1, act, json!({ "dispute": dispute.id })));
    }
    payment.holding.then(|| seeded(1, "release-notices", chance))
}
