//! Fees that statements report, in the ledger: each once, and after a correction as it was corrected. The ledger only
//! grows, so a correction is an entry of what was too much or too little.

use diesel_async::AsyncPgConnection;

use crate::base::ids::SHOP;
use crate::base::outcome::{Fault, Outcome};
use crate::payments::accounts::Account;
use crate::payments::gateways::gateway::Stated;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::decide::received_currency;
use crate::payments::notices::store::slice::{self, SliceRow};
use crate::payments::statements::compare::write_down;
use crate::payments::statements::model::{Fact, Kind, NewDifference, Run};
use crate::payments::statements::store::books;

/// Books what the gateway kept of money that is here, as far as it is not booked, and records where it is not what
/// the policy expects. Answers what the ledger holds for this fact now, if that was changed.
pub(super) async fn book(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    account: &Account,
    payment: &Payment,
    fact: &Fact,
) -> Outcome<Option<i64>> {
    let ours = payment.received_minor.is_some() && received_currency(payment) == fact.currency;
    let Some(fee) = fact.fee_minor.filter(|fee| ours && fact.booked_minor != Some(*fee)) else {
        return Ok(None);
    };
    let missing = fee.checked_sub(fact.booked_minor.unwrap_or(0));
    let missing = missing.ok_or_else(|| Fault::bug("the fee cannot be counted"))?;
    books::add_fee(conn, payment.id, missing).await?;
    if missing != 0 {
        let kept = SliceRow {
            transaction_id: kit.clock.uuid(),
            book: "fees",
            account_id: payment.account_id.clone(),
            order_id: payment.order_id,
            payment_id: payment.id,
            line_id: None,
            seller_id: SHOP,
            amount_minor: missing,
            currency: fact.currency,
            refund_id: None,
            dispute_id: None,
        };
        let gone = SliceRow { book: "gateway", amount_minor: -missing, ..kept.clone() };
        slice::insert_entries(conn, &[kept, gone]).await?;
    }
    let expected = account.policy.fees.get(fact.currency.as_str()).map(|policy| policy.of(fact.amount_minor));
    let Some(expected) = expected.filter(|_| fact.stated == Stated::Payment) else { return Ok(Some(fee)) };
    // Gateways round in their own ways: one minor unit is no difference.
    if expected.abs_diff(fee) <= 1 {
        books::end_differences(conn, &run.account_id, &fact.subject(), &[Kind::FeeDiffers]).await?;
        return Ok(Some(fee));
    }
    let new = NewDifference {
        kind: Kind::FeeDiffers,
        subject: fact.subject(),
        order_id: Some(payment.order_id),
        payment_id: Some(payment.id),
        there_minor: Some(fee),
        here_minor: Some(expected),
        currency: fact.currency,
        why: None,
    };
    write_down(conn, kit, run, &new).await?;
    Ok(Some(fee))
}
