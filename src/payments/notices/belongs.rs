//! Whose trade a report names. A number alone proves nothing: after a backup was restored, or beside a copy of the shop
//! at the same merchant account, the gateway may know a number from another life, and one trade may come under the
//! numbers of two orders. What is not this attempt's is recorded and put before a person; it moves nothing. Pure.

use chrono::TimeDelta;

use crate::base::ids::{OrderId, PaymentId};
use crate::infra::effects::tasks::TaskKind;
use crate::payments::case::{Case, Cases};
use crate::payments::gateways::gateway::{Facts, Meaning};
use crate::payments::model::Payment;
use crate::payments::report::{PaymentReport, Settled};
use crate::payments::tasks::{OldTrade, OthersTrade, TradeOfAnotherPayment, TradeOlderThanAttempt};

/// How far the clocks of a gateway and of the database may be apart: what signed notices are allowed too.
pub const LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// Whether the trade began before this attempt was started, by the gateway's clock: it is another's that had the same
/// number. A trade that was captured as this payment's is its own whatever a message says of its time.
pub fn is_older(payment: &Payment, facts: &Facts) -> bool {
    let known =
        payment.state.was_captured() && facts.trade_no.is_some() && payment.trade_no == facts.trade_no;
    !known && facts.began_at.is_some_and(|began| began < payment.started_at - LEEWAY)
}

/// The task for a trade that is older than the attempt; none when it may be the attempt's.
pub(super) fn refuse_older(
    case: &mut Case,
    index: usize,
    report: &PaymentReport,
    facts: &Facts,
) -> Option<Settled> {
    let row = &case.payments[index].row;
    if !is_older(row, facts) {
        return None;
    }
    let body = OldTrade {
        order: case.number.clone(),
        account: report.account_id().into(),
        trade: facts.trade_no.clone(),
        meaning: facts.meaning.as_str().into(),
        began_at: facts.began_at,
        started_at: row.started_at,
    };
    case.decided.tasks.push(TradeOlderThanAttempt::open(row.id, body).of_payment(row.id));
    Some(Settled::Recorded)
}

/// Refuses a report about one order whose trade is another payment's: one that was stored before (`known`), or one that an
/// earlier report of the same slice captured. Several trades may be under one number of one attempt; that is no other
/// attempt.
pub(super) fn refuse_elsewhere(
    cases: &mut Cases,
    order_id: OrderId,
    report: &PaymentReport,
    known: Option<PaymentId>,
    payment: PaymentId,
) -> Option<Settled> {
    let facts = report.facts().filter(|f| f.meaning != Meaning::Ignored)?;
    let trade_no = facts.trade_no.as_deref()?;
    let number = facts.number.as_deref();
    let own = |p: &Payment| p.id == payment || (p.order_id == order_id && number == Some(p.number_there()));
    let holds = |p: &&Payment| {
        (Some(p.id) == known
            || (p.account_id == report.account_id() && p.trade_no.as_deref() == Some(trade_no)))
            && p.trade_no.is_some()
            && p.state.was_captured()
    };
    let rows = || cases.values().flat_map(|c| &c.payments).map(|t| &t.row);
    let holder = match rows().find(holds) {
        Some(row) if own(row) => return None,
        Some(row) => row.id,
        // Of an order that is not in this slice.
        None => known?,
    };
    let case = cases.get_mut(&order_id)?;
    let body = OthersTrade {
        order: case.number.clone(),
        account: report.account_id().into(),
        trade: trade_no.into(),
        meaning: facts.meaning.as_str().into(),
        payment_of_the_trade: holder,
    };
    case.decided.tasks.push(TradeOfAnotherPayment::open(payment, body).of_payment(payment));
    Some(Settled::Recorded)
}
