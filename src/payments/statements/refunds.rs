//! Which refund of ours a fact is. A refund is one fact: two facts that turn out to be about the same are made one, and
//! one that only had its amount gives way to one that has its id.

use diesel_async::AsyncPgConnection;

use crate::base::outcome::Outcome;
use crate::payments::model::Payment;
use crate::payments::refunds::{Refund, store as refunds};
use crate::payments::statements::model::Fact;
use crate::payments::statements::store::{books, facts};

/// A fact, perhaps made one with another, and the refund of ours that it is.
pub(super) struct RefundClaim {
    pub fact: Fact,
    pub refund: Option<Refund>,
    /// The fact that was taken for this refund before, and is to be compared again.
    pub released: Option<i64>,
}

/// Finds the refund that a fact is about, in a transaction that holds the order.
pub(super) async fn claim(
    conn: &mut AsyncPgConnection,
    payment: &Payment,
    fact: Fact,
) -> Outcome<RefundClaim> {
    let Some(found) = books::find_refund(conn, payment.id, &fact).await? else {
        return Ok(RefundClaim { fact, refund: None, released: None });
    };
    let refund = refunds::find(conn, found.id).await?;
    let Some(holder) = facts::lock_holder(conn, found.id, &fact).await? else {
        return Ok(RefundClaim { fact, refund, released: None });
    };
    let theirs = refund.as_ref().and_then(|refund| refund.gateway_refund_id.as_deref());
    if !holder.is_unnamed() && are_one(&holder, &fact) {
        let fact = fold(conn, holder, fact).await?;
        return Ok(RefundClaim { fact, refund, released: None });
    }
    if holder.is_unnamed() || (found.by_gateway_id && holder.gateway_refund_id.as_deref() != theirs) {
        facts::release(conn, holder.id).await?;
        return Ok(RefundClaim { fact, refund, released: Some(holder.id) });
    }
    // Our number was used for more than one refund there, and another one is ours.
    Ok(RefundClaim { fact, refund: None, released: None })
}

/// Whether two facts that name the same refund of ours can be one: no id says otherwise.
fn are_one(one: &Fact, other: &Fact) -> bool {
    let fit = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    fit(&one.gateway_refund_id, &other.gateway_refund_id) && fit(&one.refund_id, &other.refund_id)
}

/// The newer of the two gives the state; what the ledger holds for both is what it holds for the one.
async fn fold(conn: &mut AsyncPgConnection, one: Fact, other: Fact) -> Outcome<Fact> {
    let (old, new) = if one.id < other.id { (one, other) } else { (other, one) };
    let booked = [old.booked_minor, new.booked_minor].into_iter().flatten().reduce(i64::saturating_add);
    let kept = Fact {
        id: old.id,
        number: old.number.or(new.number),
        refund_id: old.refund_id.or(new.refund_id),
        gateway_refund_id: old.gateway_refund_id.or(new.gateway_refund_id),
        unnamed: None,
        fee_minor: new.fee_minor.or(old.fee_minor),
        our_refund: old.our_refund.or(new.our_refund),
        booked_minor: booked,
        ..new
    };
    facts::fold(conn, &kept, new.id).await?;
    Ok(kept)
}
