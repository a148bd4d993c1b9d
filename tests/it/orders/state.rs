//! The grids of the machines around an order, as they were looked at.

use std::fmt::{Debug, Write};

use dispense::orders::{self, OrderChange, OrderState, UnitChange, UnitState};
use dispense::payments::disputes::{DisputeChange, DisputeState};
use dispense::payments::{PaymentChange, PaymentState, RefundChange, RefundState};

/// A line per state and change that leads somewhere; everything else is refused.
fn grid<S: Copy + Debug, C: Copy + Debug, E>(
    states: &[S],
    changes: &[C],
    after: impl Fn(S, C) -> Result<S, E>,
) -> String {
    let mut text = String::new();
    for state in states {
        for change in changes {
            match after(*state, *change) {
                Ok(next) => writeln!(text, "{state:?} + {change:?} = {next:?}").unwrap(),
                Err(_) => writeln!(text, "{state:?} + {change:?} refused").unwrap(),
            }
        }
    }
    text
}

/// Rows: O3.
#[test]
fn every_change_of_every_state_of_order_unit_payment_and_refund_is_decided() {
    insta::assert_snapshot!("order", grid(&OrderState::ALL, &OrderChange::ALL, OrderState::after));
    insta::assert_snapshot!("unit", grid(&UnitState::ALL, &UnitChange::ALL, UnitState::after));
    insta::assert_snapshot!("payment", grid(&PaymentState::ALL, &PaymentChange::ALL, PaymentState::after));
    insta::assert_snapshot!("refund", grid(&RefundState::ALL, &RefundChange::ALL, RefundState::after));
    insta::assert_snapshot!("dispute", grid(&DisputeState::ALL, &DisputeChange::ALL, DisputeState::after));
}

/// Rows: O3.
#[test]
fn an_order_is_given_up_only_while_nothing_can_pay_for_it() {
    use OrderState::{Cancelled, Closed, Expired, Paid, PendingPayment};
    let cancelled = |state, unfinished| {
        orders::cancel::after(state, unfinished).map_err(|refusal| refusal.code.to_string())
    };
    for unfinished in [false, true] {
        assert_eq!(cancelled(Paid, unfinished), Err("ALREADY_PAID".into()));
        assert_eq!(cancelled(Closed, unfinished), Err("ALREADY_PAID".into()));
        assert_eq!(cancelled(Cancelled, unfinished), Ok(Cancelled), "a repeat");
        assert_eq!(cancelled(Expired, unfinished), Err("NOT_CANCELLABLE".into()));
        for state in [Paid, Closed, Cancelled, Expired] {
            assert_eq!(orders::expire::after(state, unfinished), None, "{state:?} stays");
        }
    }
    assert_eq!(cancelled(PendingPayment, false), Ok(Cancelled));
    assert_eq!(cancelled(PendingPayment, true), Err("PAYMENT_IN_PROGRESS".into()));
    assert_eq!(orders::expire::after(PendingPayment, false), Some(Expired));
    assert_eq!(orders::expire::after(PendingPayment, true), None);
}
