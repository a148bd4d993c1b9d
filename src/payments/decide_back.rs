//! What a word about money that goes back changes: refunds and disputes. As pure as `decide`.

use serde_json::json;

use crate::base::ids::{PaymentId, RefundId};
use crate::payments::decide::{Case, News, SeenRefund, advance};
use crate::payments::gateway::{Facts, Meaning};
use crate::payments::state::{PaymentChange, RefundChange, RefundState};
use crate::payments::word::Settled;

/// A word that tells the sum of all refunds.
pub(super) fn refunded_so_far(case: &mut Case, index: usize, facts: &Facts) -> Settled {
    let row = &case.payments[index].row;
    let received = row.received_minor.unwrap_or(0);
    // The sum stands above the word: a gateway that tells a refund without what was paid cannot know whether it is all.
    let told = match (facts.meaning, facts.refunded_minor) {
        (_, Some(sum)) => sum.min(received),
        (Meaning::Refunded, None) => received,
        (_, None) => return Settled::Recorded,
    };
    let amount = told - row.refunded_minor;
    if amount <= 0 {
        return Settled::Recorded;
    }
    let payment_id = row.id;
    let gateway_refund_id = facts.refund.as_ref().map(|r| r.gateway_refund_id.clone());
    let ours = our_refund(case, payment_id, facts, amount);
    give_back(case, index, ours, gateway_refund_id, amount)
}

/// A word about one refund.
pub(super) fn one_refund(case: &mut Case, index: usize, facts: &Facts) -> Settled {
    let Some(fact) = &facts.refund else { return Settled::Recorded };
    let payment_id = case.payments[index].row.id;
    let counted = case.refunds.iter().any(|r| {
        r.payment_id == payment_id
            && r.succeeded_at.is_some()
            && r.gateway_refund_id.as_deref() == Some(&fact.gateway_refund_id)
    });
    if counted {
        return Settled::Recorded;
    }
    let ours = our_refund(case, payment_id, facts, fact.amount_minor);
    give_back(case, index, ours, Some(fact.gateway_refund_id.clone()), fact.amount_minor)
}

/// The open refund of ours that a word means: by our id, by the gateway's, else the oldest of the same amount.
fn our_refund(case: &Case, payment_id: PaymentId, facts: &Facts, amount: i64) -> Option<RefundId> {
    let fact = facts.refund.as_ref();
    let named = fact.and_then(|f| f.refund_id.as_deref()).and_then(|id| RefundId::parse(id).ok());
    let open = || case.refunds.iter().filter(|r| r.payment_id == payment_id && r.state.is_open());
    let by_name = named.and_then(|id| open().find(|r| r.id == id));
    let by_gateway = || {
        let gateway_id = fact.map(|f| f.gateway_refund_id.as_str())?;
        open().find(|r| r.gateway_refund_id.as_deref() == Some(gateway_id))
    };
    let by_amount = || open().find(|r| r.amount_minor == amount && r.gateway_refund_id.is_none());
    by_name.or_else(by_gateway).or_else(by_amount).map(|r| r.id)
}

fn give_back(
    case: &mut Case,
    index: usize,
    ours: Option<RefundId>,
    gateway_refund_id: Option<String>,
    amount: i64,
) -> Settled {
    let tracked = &mut case.payments[index];
    let received = tracked.row.received_minor.unwrap_or(0);
    let amount = amount.min(received - tracked.row.refunded_minor);
    if amount <= 0 {
        return Settled::Recorded;
    }
    let all = tracked.row.refunded_minor + amount == received;
    let change = if all { PaymentChange::RefundAll } else { PaymentChange::RefundPart };
    if tracked.row.state.after(change).is_err() {
        return Settled::Recorded;
    }
    advance(tracked, change);
    tracked.row.refunded_minor += amount;
    tracked.changed = true;
    let payment_id = tracked.row.id;
    if let Some(refund_id) = ours
        && let Some(refund) = case.refunds.iter_mut().find(|r| r.id == refund_id)
    {
        refund.state = RefundState::Succeeded;
    }
    let refund = match ours {
        Some(refund_id) => SeenRefund::Ours { refund_id, gateway_refund_id },
        None => SeenRefund::AtGateway { gateway_refund_id },
    };
    case.news.push(News::Refunded { payment_id, refund, amount_minor: amount, all });
    Settled::Applied
}

/// A refund of ours that its gateway says is done.
pub fn refund_succeeded(case: &mut Case, id: RefundId, gateway_refund_id: String, amount: i64) {
    if !case.payments.is_empty() {
        give_back(case, 0, Some(id), Some(gateway_refund_id), amount);
    }
}

pub(super) fn move_refund(case: &mut Case, facts: &Facts, change: RefundChange) -> Settled {
    let Some(fact) = &facts.refund else { return Settled::Recorded };
    let named = fact.refund_id.as_deref().and_then(|id| RefundId::parse(id).ok());
    let found = case.refunds.iter_mut().find(|r| {
        Some(r.id) == named || r.gateway_refund_id.as_deref() == Some(fact.gateway_refund_id.as_str())
    });
    let Some(refund) = found else { return Settled::Recorded };
    match refund.state.after(change) {
        Ok(next) if next != refund.state => {
            refund.state = next;
            let gateway_refund_id = Some(fact.gateway_refund_id.clone());
            let refund_id = refund.id;
            case.news.push(News::RefundMoved { refund_id, change, gateway_refund_id });
            Settled::Applied
        }
        Ok(_) | Err(_) => Settled::Recorded,
    }
}

pub(super) fn dispute(case: &mut Case, index: usize, change: PaymentChange, event: &'static str) -> Settled {
    let tracked = &mut case.payments[index];
    if !advance(tracked, change) {
        return Settled::Recorded;
    }
    let payment_id = tracked.row.id;
    let body = json!({ "order": case.number });
    case.news.push(News::Event { kind: event, payment_id, body: json!({}) });
    if change == PaymentChange::Dispute {
        case.news.push(News::Task { kind: "payment_disputed", payment_id: Some(payment_id), body });
    }
    Settled::Applied
}

pub(super) fn dispute_lost(case: &mut Case, index: usize) -> Settled {
    let tracked = &mut case.payments[index];
    let amount_minor = tracked.row.kept_minor();
    advance(tracked, PaymentChange::Dispute);
    if !advance(tracked, PaymentChange::LoseDispute) {
        return Settled::Recorded;
    }
    tracked.row.refunded_minor += amount_minor;
    let payment_id = tracked.row.id;
    case.news.push(News::DisputeLost { payment_id, amount_minor });
    case.news.push(News::Event {
        kind: "payment.lost",
        payment_id,
        body: json!({ "amount_minor": amount_minor }),
    });
    Settled::Applied
}
