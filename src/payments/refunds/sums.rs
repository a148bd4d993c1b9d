//! Asks a gateway how much of a payment went back, when what is known contradicts itself: a refund failed after it had
//! succeeded, or sums came in an order that clocks cannot settle. The answer takes the place of every earlier sum.

use chrono::{DateTime, Utc};

use crate::base::ids::PaymentId;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::effects::jobs::{NewJob, Payload};
use crate::orders::store as orders;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask;
use crate::payments::attempts::ask::Asked;
use crate::payments::attempts::store as attempts;
use crate::payments::jobs::AskRefundSum;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::report::PaymentReport;
use crate::payments::{case, consequences};

/// The question about a payment at this time.
pub fn job(payment: PaymentId, at: DateTime<Utc>) -> NewJob {
    AskRefundSum { payment }.job().besides(at.timestamp()).at(at)
}

/// Asks and applies the answer. A gateway that cannot be asked leaves things as they are: its statement will say. One
/// that does not answer clearly is asked again.
pub async fn ask(kit: &PaymentKit, id: PaymentId) -> Outcome<()> {
    let payment = attempts::find(&mut *kit.db.conn().await?, id).await?;
    let Some(payment) = payment.filter(|p| p.state.was_captured()) else { return Ok(()) };
    let asked = ask::ask(kit, id, Lane::Background, ask::TIMEOUT).await?;
    let unclear = matches!(asked, Asked::Unclear);
    if let Asked::Known(state) = asked {
        kit.intake.settle(PaymentReport::Answer { payment_id: id, state }).await?;
    }
    weigh_again(kit, &payment).await?;
    if unclear {
        return Err(Fault::Upstream("the gateway does not say clearly what went back".into()).into());
    }
    Ok(())
}

/// Without a clear answer, what waited for it goes its way when its time is over.
async fn weigh_again(kit: &PaymentKit, payment: &Payment) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let order = orders::lock(&mut tx, payment.order_id).await?;
    let order = order.ok_or_else(|| Fault::bug("a payment without its order"))?;
    let mut case = case::load_one(&tx, kit, &order).await?;
    case.rebalance_payment(payment.id);
    consequences::write_alone(&mut tx, kit, &case, &order).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}
