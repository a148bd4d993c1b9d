//! Which money pays for an order's goods when some of it went back. Pure.

use crate::base::ids::PaymentId;
use crate::payments::case::{Case, Tracked};
use crate::payments::events::{Allocated, PaymentEvent};
use crate::payments::state::PaymentState;

/// Whether an order's goods are paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    Covered,
    /// The allocated payment's money went back, and other money of the order is here that does not simply take its
    /// place: a person decides.
    Unclear(PaymentId),
    /// All that ever came went back.
    Gone(PaymentId),
}

/// Decides anew. An order that was paid twice keeps its goods when the first payment goes back: the other one, when it
/// is the right amount and nobody asks for it back, pays for them from now on.
pub fn settle(case: &mut Case) {
    let Some(paying) = case.payments.iter().position(|t| t.row.allocated) else { return };
    let row = &case.payments[paying].row;
    let is_gone = row.kept_minor() == 0 && row.received_minor.unwrap_or(0) > 0;
    case.coverage = Some(if !is_gone {
        Coverage::Covered
    } else if let Some(other) = case.has_goods.then(|| covering(case, paying)).flatten() {
        reallocate(case, paying, other);
        Coverage::Covered
    } else if case.has_goods
        && case.payments.iter().any(|t| t.row.state.was_captured() && t.row.kept_minor() > 0)
    {
        Coverage::Unclear(row.id)
    } else {
        Coverage::Gone(row.id)
    });
}

/// Another payment of the whole price that is neither disputed nor asked back.
fn covering(case: &Case, paying: usize) -> Option<usize> {
    let price = &case.payments[paying].row;
    let going_back =
        |id: PaymentId| case.refunds.iter().any(|r| r.row.payment_id == id && r.row.state.is_open());
    let covers = |t: &Tracked| {
        t.row.state == PaymentState::Captured
            && !t.row.allocated
            && t.row.received_minor == Some(price.expected_minor)
            && t.row.expected_minor == price.expected_minor
            && t.row.received_currency == Some(price.expected_currency)
            && t.row.expected_currency == price.expected_currency
            && !going_back(t.row.id)
    };
    case.payments.iter().position(covers)
}

fn reallocate(case: &mut Case, from: usize, to: usize) {
    let (old, new) = (case.payments[from].row.id, case.payments[to].row.id);
    for (index, allocated) in [(from, false), (to, true)] {
        let tracked = &mut case.payments[index];
        (tracked.row.allocated, tracked.changed) = (allocated, true);
    }
    case.decided.events.push(PaymentEvent::Allocated(new, Allocated { instead_of: old }));
}
